//! `test`: every test there is. Host tests first, then the guest cases on each kernel, then the
//! scenarios in each user land.

mod diff;
mod golden;
mod guests;
mod host;
mod results;

use std::{
    fmt::Display,
    panic::resume_unwind,
    process::{Command, ExitCode},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context as _, Result, ensure};
use sysctl_trace_tests::protocol::{CaseInfo, Listing, ScenarioInfo};

use crate::{
    build::{self, Artefacts},
    command::{self, tell},
    lint::{self, Check},
    machine::{
        Parts,
        kernels::{self, Wanted},
        userland,
    },
};
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
    let artefacts = match build::build() {
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
    let parts = Parts::gather(artefacts)?;
    if !cases.is_empty() {
        for kernel in &wanted {
            let cases: Vec<&CaseInfo> = cases
                .iter()
                .filter(|case| case.is_for(kernel.label))
                .collect();
            let on_kernel = guests::run_cases(&parts, kernel, &cases)?;
            results.kernels.push(on_kernel);
        }
    }
    if !scenarios.is_empty() {
        let scenarios: Vec<&ScenarioInfo> = scenarios.iter().collect();
        let (with, without): (Vec<Wanted>, Vec<Wanted>) =
            wanted.into_iter().partition(userland::has_one);
        if !args.scenarios.is_empty() && !args.kernels.is_empty() {
            ensure!(
                without.is_empty(),
                "kernel {} has no user land for scenarios",
                without.first().map_or("", |kernel| kernel.label)
            );
        }
        results.userlands = in_userlands(&parts, &with, &scenarios)?;
    }
    println!("{results}");
    Ok(if results.all_passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs the scenarios in the kernels' user lands, as many at a time as there are processors: under
/// emulation each guest keeps one busy.
fn in_userlands(
    parts: &Parts,
    kernels: &[Wanted],
    scenarios: &[&ScenarioInfo],
) -> Result<Vec<OnKernel>> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(kernel) = kernels.get(index) else {
                return anyhow::Ok(done);
            };
            done.push((index, guests::run_scenarios(parts, kernel, scenarios)?));
        }
    };
    let mut all = Vec::new();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..processors.min(kernels.len()))
            .map(|_| scope.spawn(work))
            .collect();
        for worker in workers {
            match worker.join() {
                Ok(done) => all.extend(done?),
                Err(panic) => resume_unwind(panic),
            }
        }
        anyhow::Ok(())
    })?;
    all.sort_by_key(|(index, _)| *index);
    Ok(all.into_iter().map(|(_, on_kernel)| on_kernel).collect())
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
