//! Writes back to back: each is in the trace or counted as lost.

use anyhow::{Context as _, Result, ensure};

use super::{Context, tracer::Tracer};
use crate::{
    trace::{self, Action},
    workload::loops::Burst,
};

const COUNT: u64 = 20_000;

/// The exit status for events lost under `--strict`.
const LOST: i32 = 4;

/// With the buffer that the tracer has by default.
pub fn run(_: &Context) -> Result<()> {
    let (lost, status) = burst(Tracer {
        strict: false,
        ..Tracer::default()
    })?;
    ensure!(status == Some(0), "status {status:?} with {lost} lost");
    Ok(())
}

/// With a buffer that is too small: events are lost, counted, and told by the exit status.
pub fn overflow(_: &Context) -> Result<()> {
    let (lost, status) = burst(Tracer {
        strict: true,
        options: &["--buffer", "64KiB"],
    })?;
    ensure!(lost > 0, "nothing was lost with 64 KiB");
    ensure!(status == Some(LOST), "status {status:?} with {lost} lost");
    Ok(())
}

/// How many events were lost, and the tracer's status.
fn burst(tracer: Tracer<'_>) -> Result<(u64, Option<i32>)> {
    let ended = tracer.run(&["/bin/workload", "burst", "--count", &COUNT.to_string()])?;
    let burst: Burst = serde_json::from_slice(&ended.stdout).context("what the workload says")?;
    ensure!(
        burst.succeeded == COUNT,
        "not every write succeeded: {burst:?}"
    );

    let (events, wrong) = trace::read(&ended.trace)?;
    ensure!(
        wrong.is_empty(),
        "the stream is wrong: {}",
        wrong.join("; ")
    );
    let seen = events
        .iter()
        .filter(|event| event.event.action == Action::SysctlWrite)
        .filter(|event| {
            event
                .process
                .as_ref()
                .is_some_and(|process| process.pid == burst.pid)
        })
        .filter(|event| {
            event
                .sysctl
                .as_ref()
                .is_some_and(|sysctl| sysctl.path == burst.path)
        })
        .count() as u64;
    let lost: u64 = events
        .iter()
        .filter_map(|event| event.trace.lost)
        .map(|lost| lost.total())
        .sum();
    eprintln!("{seen} events of {burst:?}, {lost} lost");
    let made = burst.succeeded + burst.failed + burst.restoring;
    ensure!(
        seen + lost == made,
        "{seen} events and {lost} lost are not {made} writes"
    );
    Ok((lost, ended.status.code()))
}
