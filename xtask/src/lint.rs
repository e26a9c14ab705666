//! `lint`: formatting, clippy on the host and for the kernel, and what the dependencies may be.

use std::{
    fmt,
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::Result;

use crate::{
    build,
    command::{self, tell},
    paths, setup,
};

/// Check formatting, clippy's warnings, and the dependencies' licences and sources
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the task.
pub fn run(_: &Args) -> Result<ExitCode> {
    let failed = checks()?.iter().filter(|check| !check.passed).count();
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What became of a check.
#[derive(Clone, Debug)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// Whether it holds.
    pub passed: bool,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}",
            self.name,
            if self.passed { "ok" } else { "FAILED" }
        )
    }
}

/// Makes every check, whatever the others say. A failed one has told why.
pub fn checks() -> Result<Vec<Check>> {
    type Step = fn(&Path) -> Result<()>;
    let steps: [(&str, Step); 4] = [
        ("formatting", formatting),
        ("clippy, host", clippy_host),
        ("clippy, eBPF", clippy_bpf),
        ("dependencies", dependencies),
    ];
    let root = paths::workspace()?;
    let mut checks = Vec::new();
    for (name, step) in steps {
        tell(&format!("checking: {name}"));
        let result = step(&root);
        if let Err(error) = &result {
            tell(&format!("FAILED: {name}: {error:#}"));
        }
        checks.push(Check {
            name,
            passed: result.is_ok(),
        });
    }
    Ok(checks)
}

fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root);
    cargo
}

fn formatting(root: &Path) -> Result<()> {
    command::run(cargo(root).args(["fmt", "--all", "--check"]))
}

fn clippy_host(root: &Path) -> Result<()> {
    let args = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-Dwarnings",
    ];
    command::run(cargo(root).args(args))
}

fn clippy_bpf(_: &Path) -> Result<()> {
    let mut cargo = build::bpf_cargo("clippy")?;
    cargo.args([
        "-p",
        "sysctl-trace-ebpf",
        "--release",
        "--quiet",
        "--",
        "-Dwarnings",
    ]);
    command::run(&mut cargo)
}

fn dependencies(root: &Path) -> Result<()> {
    let deny = setup::cargo_deny()?;
    let run = |args: &[&str]| command::run(Command::new(&deny).args(args).current_dir(root));
    run(&[
        "--log-level",
        "error",
        "check",
        "licenses",
        "bans",
        "sources",
    ])?;
    // The advisories come from a repository that many build machines cannot reach.
    match command::output(Command::new(&deny).args(["fetch", "db"]).current_dir(root)) {
        Ok(_) => run(&["check", "--disable-fetch", "advisories"]),
        Err(_) => {
            tell("the database of advisories cannot be reached from here: they are not checked");
            Ok(())
        }
    }
}
