//! The ends of a tracer: by Ctrl-C it sums up, by SIGKILL it leaves nothing behind.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader, Read as _},
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
    }
    Ok(())
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
        .arg("watch")
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
