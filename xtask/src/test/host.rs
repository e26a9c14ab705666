//! The tests that need no kernel of their own.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use super::results::Host;
use crate::{command::tell, paths};

/// Runs them all and counts them by what the test programs say.
pub fn run() -> Result<Host> {
    tell("running the host's tests");
    let mut child = Command::new("cargo")
        .args(["test", "--workspace", "--no-fail-fast"])
        .current_dir(paths::workspace()?)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting cargo test")?;
    let stdout = child.stdout.take().context("cargo test has no output")?;
    let mut tally = Tally::default();
    for line in BufReader::new(stdout).lines() {
        let line = line.context("reading from cargo test")?;
        println!("{line}");
        tally.line(&line);
    }
    let status = child.wait().context("waiting for cargo test")?;
    Ok(tally.finish(status.success()))
}

/// Counts test results line by line.
#[derive(Debug, Default)]
struct Tally {
    host: Host,
    begun: u64,
    ended: u64,
}

impl Tally {
    fn line(&mut self, line: &str) {
        if line.starts_with("running ") && (line.ends_with(" tests") || line.ends_with(" test")) {
            self.begun += 1;
        }
        // `test result: ok. 3 passed; 0 failed; 0 ignored; …`
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.ended += 1;
            self.host.passed += count(counts, "passed");
            self.host.failed += count(counts, "failed");
        }
    }

    /// A test program that crashed brings no result, and one that does not compile never begins.
    fn finish(mut self, success: bool) -> Host {
        self.host.failed += self.begun.saturating_sub(self.ended);
        if !success && self.host.failed == 0 {
            self.host.failed = 1;
        }
        self.host
    }
}

/// The number in front of the word.
fn count(text: &str, word: &str) -> u64 {
    let words: Vec<&str> = text
        .split([' ', ';'])
        .filter(|word| !word.is_empty())
        .collect();
    words
        .windows(2)
        .find(|pair| pair[1] == word)
        .and_then(|pair| pair[0].parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;
