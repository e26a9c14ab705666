//! The ends of a tracer: it sums up, and its stream says why it ended; by SIGKILL it leaves nothing
//! behind, and its stream has no end.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{Context, tracer::PROGRAM};
use crate::trace::{self, Action, End};

/// Where the streams go.
const STREAM: &str = "/tmp/ending.json";

/// Programs, maps and links in the kernel, by their ids.
type Objects = BTreeSet<(&'static str, u32)>;

/// Ctrl-C and SIGTERM: the summary, and status 0.
pub fn by_signal(_: &Context) -> Result<()> {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (mut tracer, mut stderr) = attached(&[])?;
        kill(Pid::from_raw(tracer.id().cast_signed()), signal)?;
        let mut summary = String::new();
        stderr.read_to_string(&mut summary)?;
        let status = tracer.wait()?;
        ensure!(status.code() == Some(0), "{signal}: {status}");
        ensure!(
            summary.ends_with("0 lost\n"),
            "{signal}: no summary: {summary:?}"
        );
        let end = end_of_stream()?;
        ensure!(end.reason == "signal", "{signal}: {end:?}");
    }
    Ok(())
}

/// Everything else that ends a stream by itself.
pub fn by_itself(_: &Context) -> Result<()> {
    for (arguments, reason) in [
        (&["watch", "--timeout", "200ms"][..], "limit"),
        (&["run", "--", "true"], "command-ended"),
        (&["run", "--", "/no/such/command"], "error"),
    ] {
        Command::new(PROGRAM)
            .args([arguments[0], "--quiet", "--json", "-o", STREAM])
            .args(&arguments[1..])
            .stderr(Stdio::null())
            .status()?;
        let end = end_of_stream().with_context(|| arguments.join(" "))?;
        ensure!(end.reason == reason, "{arguments:?}: {end:?}");
    }
    // The writes behind the first one are left out.
    let (mut tracer, _stderr) = attached(&["-n", "1"])?;
    let key = "/proc/sys/net/core/somaxconn";
    let value = fs::read(key)?;
    for _ in 0..3 {
        fs::write(key, &value)?;
    }
    tracer.wait()?;
    let end = end_of_stream()?;
    ensure!(
        (&*end.reason, end.events) == ("limit", 3),
        "start, one event and the end: {end:?}"
    );
    Ok(())
}

/// How the stream says that it ended; it must be sound and whole.
fn end_of_stream() -> Result<End> {
    let (_, wrong) = trace::read(Path::new(STREAM))?;
    ensure!(wrong.is_empty(), "the stream: {}", wrong.join("; "));
    let (lines, _) = trace::parse(&fs::read(STREAM)?);
    let end = lines.last().and_then(|last| last.trace.end.clone());
    end.context("no end")
}

/// SIGKILL: the kernel takes back every program, map and link, however they were attached.
pub fn by_kill(_: &Context) -> Result<()> {
    for attach in ["fentry", "kprobe"] {
        let before = objects()?;
        let (mut tracer, _stderr) = attached(&["--attach", attach])?;
        let during = objects()?;
        for kind in ["program", "map"] {
            let more = during.difference(&before).any(|(found, _)| *found == kind);
            ensure!(more, "{attach}: no new {kind} while the tracer runs");
        }
        tracer.kill()?;
        tracer.wait()?;
        let (lines, _) = trace::parse(&fs::read(STREAM)?);
        let is_end = |line: &trace::Event| line.event.action == Action::TraceEnd;
        ensure!(
            !lines.iter().any(is_end),
            "{attach}: an end after SIGKILL in {} lines",
            lines.len()
        );
        // The kernel frees them behind a grace period.
        let begun = Instant::now();
        loop {
            let left: Vec<_> = objects()?.difference(&before).copied().collect();
            if left.is_empty() {
                break;
            }
            ensure!(
                begun.elapsed() < Duration::from_secs(20),
                "{attach}: left behind: {left:?}"
            );
            thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}

/// A tracer that has said that it is attached.
fn attached(options: &[&str]) -> Result<(Child, BufReader<ChildStderr>)> {
    let mut tracer = Command::new(PROGRAM)
        .args(["watch", "--json", "-o", STREAM])
        .args(options)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stderr = BufReader::new(tracer.stderr.take().context("a pipe")?);
    let mut notice = String::new();
    stderr.read_line(&mut notice)?;
    ensure!(notice.starts_with("attached in "), "it says: {notice:?}");
    Ok((tracer, stderr))
}

fn objects() -> Result<Objects> {
    let mut objects = Objects::new();
    for program in aya::programs::loaded_programs() {
        objects.insert(("program", program?.id()));
    }
    for map in aya::maps::loaded_maps() {
        objects.insert(("map", map?.id()));
    }
    for link in aya::programs::loaded_links() {
        objects.insert(("link", link?.id()));
    }
    Ok(objects)
}
