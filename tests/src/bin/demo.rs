//! A session with the tracer, to be watched: a recorder in the background, a command traced, and a
//! question about one of the values that it left.
//!
//! `sysctl-trace` and `demo-scenario` are looked for in PATH.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, ExitCode, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    mount::umount,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sysctl_trace_tests::DEMO_PIN;

fn main() -> Result<ExitCode> {
    let recorder = Recorder::start()?;
    let _pin = Pin;
    let traced = show(&["sysctl-trace", "run", "--", "demo-scenario"])?;
    ensure!(traced == 0, "the trace ended with status {traced}");
    let answered = show(&["sysctl-trace", "why", "blue"])?;
    ensure!(answered == 0, "the question ended with status {answered}");
    drop(recorder);
    Ok(ExitCode::SUCCESS)
}

/// Runs a command the way a person would see it.
fn show(command: &[&str]) -> Result<i32> {
    println!("# {}", command.join(" "));
    let (program, arguments) = command.split_first().context("an empty command")?;
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("starting {program}"))?;
    println!();
    status.code().context("it was ended by a signal")
}

/// `watch --socket`, until this is dropped.
struct Recorder(Child);

impl Recorder {
    fn start() -> Result<Self> {
        let command = ["watch", "--socket", "--json", "-o", "/dev/null"];
        println!("# sysctl-trace {} &", command.join(" "));
        let mut watch = Command::new("sysctl-trace")
            .args(command)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting sysctl-trace")?;
        let stderr = watch.stderr.take().context("a pipe")?;
        let recorder = Self(watch);
        let mut notice = String::new();
        let mut stderr = BufReader::new(stderr);
        stderr.read_line(&mut notice)?;
        print!("{notice}");
        ensure!(
            notice.starts_with("attached in "),
            "the recorder did not begin"
        );
        Ok(recorder)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // It has ended already where something went wrong.
        let _ = kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// The file by which the scenario keeps a namespace, which goes when this is dropped.
struct Pin;

impl Drop for Pin {
    fn drop(&mut self) {
        // It is not there where the scenario did not come so far.
        let _ = umount(DEMO_PIN);
        let _ = fs::remove_file(DEMO_PIN);
    }
}
