//! Running the tracer around a command.

use std::{
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result};

/// Where the tracer is in the guests.
pub const PROGRAM: &str = "/bin/sysctl-trace";

/// A run of the tracer to come.
#[derive(Clone, Copy, Debug)]
pub struct Tracer<'a> {
    /// Whether it fails when events are lost.
    pub strict: bool,
    /// More options.
    pub options: &'a [&'a str],
}

impl Default for Tracer<'_> {
    fn default() -> Self {
        Self {
            strict: true,
            options: &[],
        }
    }
}

/// A run that is over.
#[derive(Debug)]
pub struct Ended {
    /// The tracer's exit status, which is the command's where nothing else was wrong.
    pub status: ExitStatus,
    /// What the command said on standard output.
    pub stdout: Vec<u8>,
    /// The events, one JSON object a line.
    pub trace: PathBuf,
}

impl Tracer<'_> {
    /// Traces the command from its start to its end.
    pub fn run(&self, command: &[&str]) -> Result<Ended> {
        let trace = PathBuf::from("/tmp/trace.ndjson");
        let mut tracer = Command::new(PROGRAM);
        tracer.args(["run", "--quiet", "--json", "-o"]).arg(&trace);
        tracer
            .args(self.strict.then_some("--strict"))
            .args(self.options);
        tracer.arg("--").args(command).stderr(Stdio::inherit());
        let output = tracer.output().context("starting sysctl-trace")?;
        Ok(Ended {
            status: output.status,
            stdout: output.stdout,
            trace,
        })
    }
}
