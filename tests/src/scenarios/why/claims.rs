//! What answers must say, where a page of them would say no more: asked of a running recorder, and of
//! its recording once it has ended.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use super::{KEY, stable::stable};
use crate::{
    cases::tracer::PROGRAM,
    scenarios::watch::{self, Watch},
};

/// What an answer must say.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// What is asked about.
    pub target: &'a str,
    /// The key.
    pub key: &'a str,
    /// Parts of its lines, with placeholders as on pages of answers, and one space for any number.
    pub says: &'a [&'a str],
    /// What is in none of its lines.
    pub never: &'a [&'a str],
    /// Options of the question.
    pub options: &'a [&'a str],
}

/// Claims that the recording has yet to make.
#[derive(Debug)]
pub struct Claims<'a> {
    watch: Watch,
    pending: Vec<Claim<'a>>,
    /// All that is wrong, so that one run tells it all.
    wrong: Vec<String>,
}

impl<'a> Claim<'a> {
    /// One about the key that most are about.
    pub const fn about(target: &'a str, says: &'a [&'a str], never: &'a [&'a str]) -> Self {
        Self {
            target,
            key: KEY,
            says,
            never,
            options: &[],
        }
    }

    fn wrong(&self, more: &[&str]) -> Result<Option<String>> {
        let arguments = [&["why"], self.options, more, &[self.target, self.key]].concat();
        let output = Command::new(PROGRAM)
            .args(&arguments)
            .output()
            .context("starting sysctl-trace")?;
        let text = [output.stdout, output.stderr].concat();
        let text = stable(&String::from_utf8(text).context("the answer is no text")?);
        let lines: Vec<String> = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        let has = |part: &&&str| lines.iter().any(|line| line.contains(**part));
        let missing: Vec<_> = self.says.iter().filter(|part| !has(part)).collect();
        let excess: Vec<_> = self.never.iter().filter(has).collect();
        let is_right = missing.is_empty() && excess.is_empty();
        Ok((!is_right).then(|| {
            let question = arguments.join(" ");
            format!("`{question}` does not say {missing:?}, but says {excess:?}:\n{text}")
        }))
    }
}

impl<'a> Claims<'a> {
    /// Starts a recorder.
    pub fn watching() -> Result<Self> {
        Ok(Self {
            watch: Watch::with_options(&["--socket"])?,
            pending: Vec::new(),
            wrong: Vec::new(),
        })
    }

    /// Asks the recorder now, and its recording at the end.
    pub fn ask(&mut self, claim: Claim<'a>) -> Result<()> {
        self.ask_once(&claim)?;
        self.pending.push(claim);
        Ok(())
    }

    /// Asks the recorder alone, about what will be another at the end.
    pub fn ask_once(&mut self, claim: &Claim<'_>) -> Result<()> {
        self.wrong.extend(claim.wrong(&[])?);
        Ok(())
    }

    /// Sends the recorder a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.watch.signal(signal)
    }

    /// Asks the recording alone, about what is gone by now.
    pub fn ask_later(&mut self, claim: Claim<'a>) {
        self.pending.push(claim);
    }

    /// Ends the recorder, and asks its recording.
    ///
    /// The events are those of the recording.
    pub fn end(mut self) -> Result<crate::scenarios::expect::Trace> {
        let trace = self.watch.finish()?;
        for claim in &self.pending {
            self.wrong.extend(claim.wrong(&["--from", watch::FILE])?);
        }
        ensure!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
        Ok(trace)
    }
}
