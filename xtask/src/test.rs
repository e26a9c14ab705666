//! `test`: every test there is. Host tests first, then the guest cases on each kernel and the
//! scenarios in each user land, side by side.

mod diff;
mod golden;
mod guests;
mod host;
mod results;

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fmt::Display,
    panic::resume_unwind,
    process::{Command, ExitCode},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context as _, Result, ensure};
use sysctl_trace_tests::protocol::Listing;

use crate::{
    build::{self, Artefacts, Profile},
    command::{self, tell},
    lint::{self, Check},
    machine::{
        Parts,
        kernels::{self, Wanted},
        userland,
    },
};
use guests::Batch;
use results::{OnKernel, Results};

/// Run the host's tests, the guest cases on every kernel, and the scenarios in every user land
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this kernel (may be given again)
    #[arg(long = "kernel", value_name = "VERSION")]
    kernels: Vec<String>,
    /// Only this guest case, and no host tests (may be given again)
    #[arg(long = "case", value_name = "NAME")]
    cases: Vec<String>,
    /// Only the scenario of this number, and no host tests (may be given again)
    #[arg(long = "scenario", value_name = "NUMBER")]
    scenarios: Vec<u8>,
    /// Also what `cargo xtask lint` checks
    #[arg(long)]
    lint: bool,
}

/// Runs the task.
pub fn run(args: &Args) -> Result<ExitCode> {
    let wanted: Vec<Wanted> = match args.kernels.as_slice() {
        [] => kernels::ALL.to_vec(),
        labels => labels
            .iter()
            .map(|label| kernels::find(label))
            .collect::<Result<_>>()?,
    };
    let mut checks = Vec::new();
    if args.lint {
        checks = lint::checks()?;
    }
    let artefacts = match build::build(Profile::Quick) {
        Ok(artefacts) => artefacts,
        Err(error) => {
            tell(&format!("FAILED: build: {error:#}"));
            checks.push(Check {
                name: "build",
                passed: false,
            });
            println!("{}", Results::new(&[], &[], checks));
            return Ok(ExitCode::FAILURE);
        }
    };
    let everything = args.cases.is_empty() && args.scenarios.is_empty();
    let listing = list(&artefacts)?;
    let cases = match everything || !args.cases.is_empty() {
        true => select("case", listing.cases, &args.cases, |case| case.name.clone())?,
        false => Vec::new(),
    };
    let scenarios = match everything || !args.scenarios.is_empty() {
        true => select("scenario", listing.scenarios, &args.scenarios, |scenario| {
            scenario.number
        })?,
        false => Vec::new(),
    };
    let mut results = Results::new(&cases, &scenarios, checks);
    if everything {
        results.host = host::run()?;
    }
    let (with, without): (Vec<Wanted>, Vec<Wanted>) =
        wanted.iter().copied().partition(userland::has_one);
    if !args.scenarios.is_empty() && !args.kernels.is_empty() {
        ensure!(
            without.is_empty(),
            "kernel {} has no user land for scenarios",
            without.first().map_or("", |kernel| kernel.label)
        );
    }
    let mut batches = Vec::new();
    if !cases.is_empty() {
        batches.extend(wanted.iter().map(|kernel| {
            let cases = cases.iter().filter(|case| case.is_for(kernel.label));
            Batch::Cases(kernel, cases.collect())
        }));
    }
    if !scenarios.is_empty() {
        let of_kernel = |kernel| Batch::of_scenarios(kernel, &scenarios);
        batches.extend(with.iter().flat_map(of_kernel));
    }
    for (batch, on_kernel) in run_batches(&Parts::gather(artefacts)?, batches)? {
        match batch {
            Batch::Cases(..) => results.add_cases(on_kernel),
            Batch::Scenarios(kernel, ..) => {
                results.add_scenarios(on_kernel, &scenarios, kernel.suite)
            }
        }
    }
    println!("{results}");
    Ok(if results.all_passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs the batches and returns the results in the batches' order. As many guests run at a time as
/// there are processors, since under emulation each guest keeps one busy; the longest batches begin.
fn run_batches<'a>(parts: &Parts, batches: Vec<Batch<'a>>) -> Result<Vec<(Batch<'a>, OnKernel)>> {
    let mut queue: Vec<usize> = (0..batches.len()).collect();
    queue.sort_by_key(|index| Reverse(batches[*index].deadline()));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(&index) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((index, batches[index].run(parts)?));
        }
        anyhow::Ok(done)
    };
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let mut done = BTreeMap::new();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..processors.min(batches.len()))
            .map(|_| scope.spawn(work))
            .collect();
        for worker in workers {
            match worker.join() {
                Ok(these) => done.extend(these?),
                Err(panic) => resume_unwind(panic),
            }
        }
        anyhow::Ok(())
    })?;
    Ok(batches.into_iter().zip(done.into_values()).collect())
}

/// The guest program is static and lists what it can run on the host as well.
fn list(artefacts: &Artefacts) -> Result<Listing> {
    let text = command::output(Command::new(artefacts.program("guest")?).arg("list"))?;
    serde_json::from_str(&text).context("the list of cases and scenarios")
}

/// Those that were asked for; all when none was.
fn select<T, K: PartialEq + Display>(
    what: &str,
    all: Vec<T>,
    wanted: &[K],
    key: impl Fn(&T) -> K,
) -> Result<Vec<T>> {
    for wanted in wanted {
        let known: Vec<String> = all.iter().map(|one| key(one).to_string()).collect();
        ensure!(
            known.contains(&wanted.to_string()),
            "there is no {what} {wanted}; there are {}",
            known.join(", ")
        );
    }
    Ok(all
        .into_iter()
        .filter(|one| wanted.is_empty() || wanted.contains(&key(one)))
        .collect())
}
