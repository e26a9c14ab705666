//! The tools that are compared: how each is started, tells that it is attached, and is ended.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{BufRead as _, BufReader},
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::{
    fcntl::OFlag,
    sys::signal::{Signal, kill},
    unistd::{Pid, pipe2},
};

use super::{
    meter,
    terms::{FLOOR_PATH, Memory, OUTPUT_PATH, SCRIPT_PATH, Side},
};
use crate::workload::sys;

/// What is kept of what a tool says.
const LINES_KEPT: usize = 20;

/// How bpftrace's own tests are told that all of its probes are attached.
const BPFTRACE_NOTIFY: &str = "__BPFTRACE_NOTIFY_PROBES_ATTACHED";

/// A tool at work.
#[derive(Debug)]
pub struct Tool {
    child: Child,
    reader: JoinHandle<VecDeque<String>>,
    side: Side,
}

impl Tool {
    /// Starts the tool and waits until it is attached: the tool, and the nanoseconds until then.
    /// `None` where there is nothing to attach.
    ///
    /// # Errors
    /// When the tool cannot be started, or ends at once.
    pub fn start(side: &Side) -> Result<Option<(Self, u64)>> {
        let Some((mut command, notice)) = command(side) else {
            return Ok(None);
        };
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC).context("making a pipe")?;
        let again: OwnedFd = writer.try_clone().context("duplicating a pipe")?;
        command.stdin(Stdio::null()).stdout(writer).stderr(again);
        let begin = sys::monotonic_ns()?;
        let child = command
            .spawn()
            .with_context(|| format!("starting {}", command.get_program().display()))?;
        // With it the parent's ends of the pipe are closed.
        drop(command);
        let mut lines = BufReader::new(File::from(reader)).lines();
        let mut said = String::new();
        for line in &mut lines {
            let line = line.context("reading what the tool says")?;
            if line.contains(notice) {
                let elapsed = sys::monotonic_ns()? - begin;
                let reader = thread::spawn(move || {
                    let mut last = VecDeque::new();
                    for line in lines.map_while(Result::ok) {
                        last.push_back(line);
                        if last.len() > LINES_KEPT {
                            last.pop_front();
                        }
                    }
                    last
                });
                let tool = Self {
                    child,
                    reader,
                    side: side.clone(),
                };
                return Ok(Some((tool, elapsed)));
            }
            said.push_str(&line);
            said.push('\n');
        }
        bail!("{side:?} did not attach: {said}")
    }

    /// Its process.
    #[must_use]
    pub fn child(&self) -> &Child {
        &self.child
    }

    /// Its memory.
    ///
    /// # Errors
    /// When it is gone.
    pub fn memory(&self) -> Result<Memory> {
        meter::memory(self.pid()?)
    }

    /// Its process id.
    ///
    /// # Errors
    /// Never in practice.
    pub fn pid(&self) -> Result<Pid> {
        Ok(Pid::from_raw(i32::try_from(self.child.id())?))
    }

    /// Ends it as Ctrl-C would: what it said last.
    ///
    /// # Errors
    /// When it fails.
    pub fn end(mut self) -> Result<String> {
        kill(self.pid()?, Signal::SIGINT).context("ending the tool")?;
        let status = self.child.wait().context("waiting for the tool")?;
        let Ok(last) = self.reader.join() else {
            bail!("the tool's reader failed");
        };
        let said = Vec::from(last).join("\n");
        ensure!(
            status.success(),
            "{:?} ended with {status}: {said}",
            self.side
        );
        Ok(said)
    }
}

/// How the tool is started and what it says when it is attached.
fn command(side: &Side) -> Option<(Command, &'static str)> {
    match side {
        Side::Nothing => None,
        Side::Floor => {
            let mut command = Command::new("/bin/floor");
            command.arg(FLOOR_PATH);
            Some((command, "attached"))
        }
        Side::Bpftrace => {
            let mut command = Command::new("/usr/bin/bpftrace");
            command.args(["-o", OUTPUT_PATH, SCRIPT_PATH]);
            command.env(BPFTRACE_NOTIFY, "1");
            Some((command, BPFTRACE_NOTIFY))
        }
        Side::Tracer(args) => {
            let mut command = Command::new("/bin/sysctl-trace");
            command.arg("watch").args(args);
            if !args.iter().any(|arg| arg == "-o") {
                command.args(["-o", OUTPUT_PATH]);
            }
            Some((command, "attached in"))
        }
    }
}

/// How many writes by a process the tool has told of; `None` where that cannot be known. The tool
/// has ended.
///
/// # Errors
/// When its output cannot be read.
pub fn told(side: &Side, pid: u32) -> Result<Option<u64>> {
    let (mark, of_process) = match side {
        Side::Bpftrace => ("write ".to_owned(), format!(" pid={pid} ")),
        Side::Tracer(args) if args.iter().any(|arg| arg == "--json") => {
            ("\"sysctl-write\"".to_owned(), format!("\"pid\":{pid},"))
        }
        Side::Tracer(_) => ("net.core.somaxconn".to_owned(), format!(" {pid} ")),
        Side::Nothing | Side::Floor => return Ok(None),
    };
    let file = match File::open(OUTPUT_PATH) {
        Ok(file) => file,
        Err(_) => return Ok(None),
    };
    let mut told = 0;
    for line in BufReader::new(file).lines() {
        let line = line.context("reading the tool's output")?;
        if line.contains(&mark) && line.contains(&of_process) {
            told += 1;
        }
    }
    Ok(Some(told))
}

/// How many records the floor has drained, from what it said.
///
/// # Errors
/// When it did not say.
pub fn records(said: &str) -> Result<u64> {
    let number = said
        .strip_suffix(" records")
        .context("the floor counts nothing")?;
    number.parse().context("the floor's count")
}

/// Removes the tool's output.
pub fn forget() {
    // Not every tool writes one.
    let _ = fs::remove_file(OUTPUT_PATH);
}
