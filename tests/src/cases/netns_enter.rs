//! The first task of each cgroup in each network namespace is told, once.

use std::path::Path;

use anyhow::{Result, ensure};

use super::{Context, exactness::judge, tracer::Tracer};
use crate::{
    exactness::{self, Least},
    trace::{self, Action},
    workload::{enter::FIRST, log},
};

const LOG: &str = "/tmp/entries.ndjson";

/// What the workload does at least: it writes nothing.
const LEAST: Least = Least {
    made: 4,
    writes: 0,
    keys: 0,
    methods: &[],
    entries: FIRST,
    renames: 0,
    refused: false,
};

/// With the probes that the tracer chooses by itself.
pub fn run(_: &Context) -> Result<()> {
    compare(&[])
}

/// With kprobes.
pub fn by_kprobes(_: &Context) -> Result<()> {
    compare(&["--attach", "kprobe"])
}

fn compare(options: &[&str]) -> Result<()> {
    let tracer = Tracer {
        options,
        ..Tracer::default()
    };
    let ended = tracer.run(&["/bin/workload", "enter", "--log", LOG])?;
    ensure!(
        ended.status.success(),
        "the tracer and the workload: {}",
        ended.status
    );
    let (events, wrong) = trace::read(&ended.trace)?;
    let log = log::read(Path::new(LOG))?;
    judge(
        wrong,
        exactness::compare_at_least(&log, &events, LEAST),
        &events,
    )?;
    let told = events
        .iter()
        .filter(|event| event.event.action == Action::NetnsEnter)
        .count();
    ensure!(told == FIRST, "{told} entries were told, not {FIRST}");
    Ok(())
}
