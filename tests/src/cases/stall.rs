//! A write that is held up within the kernel while another one goes through: the answer names who wrote
//! what the kernel holds, whichever of the two that is.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Context, nested::why, recorder::Watch};
use crate::trace::{self, Action};

const KEY: &str = "net.core.somaxconn";

/// Runs the case.
pub fn run(_: &Context) -> Result<()> {
    let watch = Watch::start(&["--socket", "--key", KEY])?;

    // The one that began first ends last, and its value stays.
    let held = HeldUp::start("1201")?;
    let other = write("1301")?;
    check(&why(&[])?, "1301", other).context("while the first is held up")?;
    let (first, said) = held.let_go()?;
    ensure!(said == "taken", "{said}");
    check(&why(&[])?, "1201", first).context("when it was let go")?;

    // The kernel refuses it, and the value of the other one stays.
    let held = HeldUp::start("nonsense")?;
    let other = write("1302")?;
    let (refused, said) = held.let_go()?;
    ensure!(said.starts_with("refused: EINVAL"), "{said}");
    check(&why(&[])?, "1302", other).context("when the first was refused")?;

    // Two of the same text: it is the later one's.
    let held = HeldUp::start("1203")?;
    let between = write("1303")?;
    let (last, said) = held.let_go()?;
    ensure!(said == "taken" && between != last, "{said}");
    check(&why(&[])?, "1203", last).context("again")?;

    watch.finish()?;
    check(&why(&["--from", Watch::file()])?, "1203", last).context("recorded")?;

    let (events, wrong) = trace::read(Path::new(Watch::file()))?;
    ensure!(wrong.is_empty(), "the stream: {}", wrong.join("; "));
    let drifts = events
        .iter()
        .filter(|event| event.event.action == Action::SysctlDrift);
    ensure!(drifts.count() == 0, "changed without a write that was seen");
    for (pid, old, new) in [
        (first, None, Some("1201")),
        (refused, Some("1201"), Some("1302")),
        (last, Some("1302"), Some("1203")),
    ] {
        let by = |process: &trace::Process| process.pid == pid;
        let event = events
            .iter()
            .find(|event| event.process.as_ref().is_some_and(by));
        let event = event.with_context(|| format!("no write by {pid}"))?;
        let sysctl = event.sysctl.as_ref().context("a key")?;
        let fits = old.is_none_or(|old| sysctl.old.as_deref() == Some(old));
        ensure!(fits && sysctl.new.as_deref() == new, "{event:#?}");
    }
    Ok(())
}

/// The value, and who wrote it.
fn check(answer: &Value, value: &str, pid: u32) -> Result<()> {
    ensure!(answer["sysctl"]["value"] == value, "not {value}: {answer}");
    let verdict = &answer["verdict"];
    let cause = &verdict["cause"];
    ensure!(cause["kind"] == "written", "the cause: {answer}");
    ensure!(cause["pid"] == pid, "not {pid}: {answer}");
    ensure!(verdict["confidence"] != "unknown", "unknown: {answer}");
    Ok(())
}

/// Writes, in a process of its own: its id.
fn write(value: &str) -> Result<u32> {
    let mut child = Command::new("/bin/workload")
        .args(["write", KEY, value])
        .spawn()?;
    let status = child.wait()?;
    ensure!(status.success(), "the writer: {status}");
    Ok(child.id())
}

/// A process that is held up within its write.
struct HeldUp {
    writer: Child,
    stdout: BufReader<ChildStdout>,
}

impl HeldUp {
    fn start(value: &str) -> Result<Self> {
        let mut writer = Command::new("/bin/workload")
            .args(["stall", KEY, value])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = BufReader::new(writer.stdout.take().context("a pipe")?);
        let mut held = Self { writer, stdout };
        let said = held.line()?;
        ensure!(said == "held up", "{said}");
        Ok(held)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    /// Lets it go on: its id, and what it says of its write.
    fn let_go(mut self) -> Result<(u32, String)> {
        drop(self.writer.stdin.take());
        let said = self.line()?;
        let status = self.writer.wait()?;
        ensure!(status.success(), "the writer: {status}, {said}");
        Ok((self.writer.id(), said))
    }
}
