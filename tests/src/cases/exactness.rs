//! The trace of the workload equals the workload's own log.

use std::{fmt::Write as _, path::Path};

use anyhow::{Result, ensure};

use super::{Context, tracer::Tracer};
use crate::{
    exactness::{self, Comparison},
    trace::{self, Event},
    workload::log,
};

/// How many differences a failure tells; standard error has them all.
const TOLD: usize = 10;

const LOG: &str = "/tmp/workload.ndjson";

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
    let workload = ["/bin/workload", "exactness", "--log", LOG];
    let ended = tracer.run(&workload)?;
    ensure!(
        ended.status.success(),
        "the tracer and the workload: {}",
        ended.status
    );
    let (events, wrong) = trace::read(&ended.trace)?;
    let comparison = exactness::compare(&log::read(Path::new(LOG))?, &events);
    judge(wrong, comparison, &events)
}

/// Fails where there is a difference, or anything else is wrong with the stream.
pub fn judge(mut wrong: Vec<String>, comparison: Comparison, events: &[Event]) -> Result<()> {
    let Comparison {
        differences,
        bystanders,
    } = comparison;
    for other in &bystanders {
        eprintln!("by others: {other}");
    }
    wrong.extend(differences.iter().map(ToString::to_string));
    for difference in &wrong {
        eprintln!("{difference}");
    }
    let mut told = String::new();
    for difference in wrong.iter().take(TOLD) {
        write!(told, "\n  {difference}")?;
    }
    ensure!(
        wrong.is_empty(),
        "{} differences in {} events:{told}",
        wrong.len(),
        events.len()
    );
    eprintln!("{} events, no difference", events.len());
    Ok(())
}
