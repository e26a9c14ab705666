//! `test`: every test there is. Host tests first, then the guest cases on each kernel.

mod guests;
mod host;
mod results;

use std::{process::Command, process::ExitCode};

use anyhow::{Context as _, Result, ensure};
use sysctl_trace_tests::protocol::CaseInfo;

use crate::{
    build::{self, Artefacts},
    command::{self, tell},
    lint::{self, Check},
    machine::{
        Parts,
        kernels::{self, Wanted},
    },
};
use results::Results;

/// Run the host's tests, then the guest cases on every kernel
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this kernel (may be given again)
    #[arg(long = "kernel", value_name = "VERSION")]
    kernels: Vec<String>,
    /// Only this guest case, and no host tests (may be given again)
    #[arg(long = "case", value_name = "NAME")]
    cases: Vec<String>,
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
            println!("{}", Results::new(&[], checks));
            return Ok(ExitCode::FAILURE);
        }
    };
    let cases = select(list_cases(&artefacts)?, &args.cases)?;
    let mut results = Results::new(&cases, checks);
    if args.cases.is_empty() {
        results.host = host::run()?;
    }
    let parts = Parts::gather(artefacts)?;
    for kernel in &wanted {
        let cases: Vec<&CaseInfo> = cases
            .iter()
            .filter(|case| case.is_for(kernel.label))
            .collect();
        results.kernels.push(guests::run(&parts, kernel, &cases)?);
    }
    println!("{results}");
    Ok(if results.all_passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The guest program is static and lists its cases on the host as well.
fn list_cases(artefacts: &Artefacts) -> Result<Vec<CaseInfo>> {
    let text = command::output(Command::new(artefacts.program("guest")?).arg("list"))?;
    serde_json::from_str(&text).context("the list of cases")
}

fn select(all: Vec<CaseInfo>, names: &[String]) -> Result<Vec<CaseInfo>> {
    for name in names {
        let known: Vec<&str> = all.iter().map(|case| case.name.as_str()).collect();
        ensure!(
            known.contains(&name.as_str()),
            "there is no case {name}; there are {}",
            known.join(", ")
        );
    }
    Ok(all
        .into_iter()
        .filter(|case| names.is_empty() || names.contains(&case.name))
        .collect())
}
