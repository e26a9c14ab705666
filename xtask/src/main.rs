//! The project's own tasks. Run `cargo xtask help`.

mod apt;
mod bench;
mod build;
mod command;
mod demo;
mod keys;
mod lint;
mod machine;
mod paths;
mod setup;
mod test;
mod vm;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

/// The project's own tasks
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    Setup(setup::Args),
    Build(build::Args),
    Vm(vm::Args),
    Test(test::Args),
    Lint(lint::Args),
    Bench(bench::Args),
    Demo(demo::Args),
    Keys(keys::Args),
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    match Task::parse() {
        Task::Setup(args) => setup::run(&args),
        Task::Build(args) => build::run(&args),
        Task::Vm(args) => vm::run(&args),
        Task::Test(args) => test::run(&args),
        Task::Lint(args) => lint::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Demo(args) => demo::run(&args),
        Task::Keys(args) => keys::run(&args),
    }
}
