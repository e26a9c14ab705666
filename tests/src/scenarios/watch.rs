//! The tracer in the background of a scenario.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::expect::Trace;
use crate::{
    cases::tracer::PROGRAM,
    trace::{self, Action, Event},
};

/// How long events wait for what runtimes write to disk. The default is for machines; under
/// emulation, with another guest beside this one, runtimes take longer.
const SETTLE: &str = "2s";

/// The recording of the tracer that runs or ran last.
pub const FILE: &str = "/run/scenario-trace.ndjson";

/// A tracer that is attached. It ends when this is dropped.
#[derive(Debug)]
pub struct Watch {
    tracer: Child,
    stderr: BufReader<ChildStderr>,
}

impl Watch {
    /// Starts a tracer and waits until it is attached.
    pub fn start() -> Result<Self> {
        Self::with_options(&[])
    }

    /// The same with more options.
    pub fn with_options(options: &[&str]) -> Result<Self> {
        // One that an earlier watch of this scenario left.
        let _ = fs::remove_file(FILE);
        let mut tracer = Command::new(PROGRAM)
            .args(["watch", "--json", "--settle", SETTLE, "-o", FILE])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting sysctl-trace")?;
        let mut stderr = BufReader::new(tracer.stderr.take().context("a pipe")?);
        let mut notice = String::new();
        stderr.read_line(&mut notice)?;
        let watch = Self { tracer, stderr };
        ensure!(
            notice.starts_with("attached in "),
            "the tracer says: {notice:?}"
        );
        Ok(watch)
    }

    /// Sends the tracer a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.tracer.id().cast_signed());
        kill(pid, signal).with_context(|| format!("sending {signal} to the tracer"))
    }

    /// Ends the tracer. Its stream must be sound and whole, but for keys that come and go: a preemptible
    /// kernel passes over their programs now and then, which is told, and hides nothing else. Loss of
    /// any other cause or action is a failure.
    pub fn finish(self) -> Result<Trace> {
        let summary = self.end()?;
        let (events, wrong) = trace::read(Path::new(FILE))?;
        let lost = lost(&events);
        let is_passed_over = |lost: trace::Lost| lost.total() == lost.probe_missed;
        ensure!(
            lost.keys().all(|action| is_of_keys(*action))
                && events
                    .iter()
                    .filter_map(|event| event.trace.lost)
                    .all(is_passed_over),
            "the tracer lost events: {lost:?}: {summary}"
        );
        ensure!(
            summary.ends_with("0 lost\n") == lost.is_empty(),
            "{lost:?} is lost: {summary}"
        );
        ensure!(
            wrong.is_empty(),
            "the tracer's stream: {}",
            wrong.join("; ")
        );
        Ok(Trace { events })
    }

    /// Ends a tracer that must have lost events.
    pub fn finish_with_loss(self) -> Result<()> {
        let summary = self.end()?;
        ensure!(
            !summary.ends_with(" 0 lost\n"),
            "the tracer lost nothing: {summary}"
        );
        Ok(())
    }

    /// What it says at its end.
    fn end(mut self) -> Result<String> {
        self.signal(Signal::SIGINT)?;
        let mut summary = String::new();
        self.stderr.read_to_string(&mut summary)?;
        let status = self.tracer.wait()?;
        ensure!(status.success(), "the tracer: {status}: {summary}");
        Ok(summary)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It has ended already where all went well.
        let _ = self.tracer.kill();
        let _ = self.tracer.wait();
    }
}

/// How many events of each action are lost.
fn lost(events: &[Event]) -> BTreeMap<Action, u64> {
    let mut lost = BTreeMap::new();
    for (action, count) in events.iter().flat_map(|event| &event.trace.lost_by_action) {
        *lost.entry(*action).or_default() += count;
    }
    lost
}

/// Whether an action is about keys that come and go.
const fn is_of_keys(action: Action) -> bool {
    matches!(action, Action::SysctlRegister | Action::SysctlUnregister)
}

/// Does something under the eyes of a tracer.
pub fn while_watching<T>(action: impl FnOnce() -> Result<T>) -> Result<(T, Trace)> {
    let watch = Watch::start()?;
    let result = action()?;
    Ok((result, watch.finish()?))
}
