//! Writes back to back: each is in the trace or counted as lost.

use anyhow::{Context as _, Result, ensure};

use super::{Context, tracer::Tracer};
use crate::{
    trace::{self, Action},
    workload::loops::Burst,
};

const COUNT: u64 = 20_000;

/// With the buffer that the tracer has by default.
pub fn run(_: &Context) -> Result<()> {
    let tracer = Tracer {
        strict: false,
        ..Tracer::default()
    };
    let ended = tracer.run(&["/bin/workload", "burst", "--count", &COUNT.to_string()])?;
    ensure!(
        ended.status.success(),
        "the tracer and the workload: {}",
        ended.status
    );
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
    Ok(())
}
