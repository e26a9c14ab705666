//! The command line: arguments → plan → a command → exit status.

mod args;
mod doctor;
mod exit;
mod ls;
mod netns;
mod notice;
mod plan;
mod print;
pub mod privileges;
mod run;
mod schema;
mod session;
mod signals;
mod size;
mod source;
mod terminal;
mod tree;
mod verdicts;
mod watch;
mod why;

use std::{process::ExitCode, time::Instant};

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser as _, error::ErrorKind};

use self::{
    args::{Args, Command},
    exit::Exit,
    plan::Plan,
};

/// Parses the arguments, does what they say and returns the exit status.
pub fn main() -> ExitCode {
    let started = Instant::now();
    let exit = dispatch(Args::parse(), started).unwrap_or_else(|error| {
        notice::error(&error);
        Exit::Failed
    });
    exit.into()
}

fn dispatch(args: Args, started: Instant) -> anyhow::Result<Exit> {
    match args.command {
        Command::Watch(args) => {
            let plan = match Plan::watch(&args) {
                Ok(plan) => plan,
                Err(error) => return Ok(usage("watch", &error)),
            };
            // As long as this process is alone.
            let reader = watch::reader(&plan);
            runtime()?.block_on(watch::watch(plan, reader, started))
        }
        Command::Run(args) => {
            let plan = match Plan::run(&args) {
                Ok(plan) => plan,
                Err(error) => return Ok(usage("run", &error)),
            };
            runtime()?.block_on(run::run(plan, started))
        }
        Command::Why(args) => match why::Plan::new(&args) {
            Ok(plan) => why::why(&plan),
            Err(error) => Ok(usage("why", &error)),
        },
        Command::Ls(args) => match ls::Plan::new(&args) {
            Ok(plan) => ls::ls(&plan),
            Err(error) => Ok(usage("ls", &error)),
        },
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Schema(args) => schema::schema(&args),
    }
}

/// Tells what is wrong with the arguments, the way clap does.
fn usage(subcommand: &str, error: &plan::Error) -> Exit {
    let mut command = Args::command();
    command.build();
    let error = match command.find_subcommand_mut(subcommand) {
        Some(found) => found.error(ErrorKind::ValueValidation, error),
        None => command.error(ErrorKind::ValueValidation, error),
    };
    // Nothing is left to be told where standard error is closed.
    let _ = error.print();
    Exit::Usage
}

/// One thread: there is one stream of events, and capabilities belong to threads.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")
}

#[cfg(test)]
mod fake;
