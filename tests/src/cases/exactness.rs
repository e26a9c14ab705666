//! The trace of the workload equals the workload's own log.

use std::{fmt::Write as _, path::Path};

use anyhow::{Result, bail, ensure};

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

/// How often the workload is run at most.
const ATTEMPTS: usize = 3;

/// The status of a tracer that has lost events.
const LOST: i32 = 4;

/// A trace that says of itself that it is whole. A preemptible kernel passes over a probe while
/// another task is stopped within it on the same CPU. The tracer counts that; such a run can't be
/// exact, so there is another. Any other loss, and any difference in a whole trace, is a failure.
fn whole(tracer: &Tracer<'_>) -> Result<(Vec<Event>, Vec<String>)> {
    for attempt in 1..=ATTEMPTS {
        let ended = tracer.run(&["/bin/workload", "exactness", "--log", LOG])?;
        let (events, wrong) = trace::read(&ended.trace)?;
        let lost = || events.iter().filter_map(|event| event.trace.lost);
        let passed_over: u64 = lost().map(|lost| lost.probe_missed).sum();
        let total: u64 = lost().map(|lost| lost.total()).sum();
        if ended.status.code() == Some(LOST) && passed_over > 0 && passed_over == total {
            eprintln!("attempt {attempt}: the kernel passed over probes {passed_over} times");
            continue;
        }
        ensure!(
            ended.status.success(),
            "the tracer and the workload: {}, {total} lost",
            ended.status
        );
        return Ok((events, wrong));
    }
    bail!("the kernel passed over probes in each of {ATTEMPTS} runs")
}

fn compare(options: &[&str]) -> Result<()> {
    let tracer = Tracer {
        options,
        ..Tracer::default()
    };
    let (events, mut wrong) = whole(&tracer)?;
    let Comparison {
        differences,
        bystanders,
    } = exactness::compare(&log::read(Path::new(LOG))?, &events);
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
