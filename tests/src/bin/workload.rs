//! Makes network namespaces and writes keys, so that a trace has something to be compared with.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use sysctl_trace_tests::{
    cases::keys,
    workload::{enter, exactness, loops, nested, stall},
};

/// What the workload can be asked for.
#[derive(Debug, Parser)]
#[command(about)]
struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make namespaces and write keys in every way, and log each
    Exactness {
        /// The log, one JSON object a line
        #[arg(long)]
        log: PathBuf,
        /// Repeat a run
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Go on with a log: a few writes
    #[command(hide = true)]
    Steps {
        #[arg(long)]
        log: PathBuf,
        #[arg(long)]
        since: u64,
    },
    /// Enter namespaces in every way, and log each
    Enter {
        /// The log, one JSON object a line
        #[arg(long)]
        log: PathBuf,
    },
    /// Go on with a log: this program was executed
    #[command(hide = true)]
    Executed {
        #[arg(long)]
        log: PathBuf,
        #[arg(long)]
        more: u64,
        #[arg(long)]
        since: u64,
    },
    /// Print the section of docs/keys.md about the kernel that this runs on
    Keys {
        /// What the kernel is called there
        kernel: String,
    },
    /// Compare all keys from within these namespaces, and print what was found as JSON
    KeysHere,
    /// Write back to back from one CPU
    Burst {
        /// How often
        #[arg(long, default_value_t = 20_000)]
        count: u64,
        /// Another key than net.core.somaxconn
        #[arg(long)]
        key: Option<String>,
    },
    /// Write one value
    Write {
        /// The key, dotted
        key: String,
        /// The text
        value: String,
    },
    /// Write one value, held up within the kernel until standard input says or ends
    Stall {
        /// The key, dotted
        key: String,
        /// The text
        value: String,
    },
    /// Write one value from within nested cgroups
    Nested {
        /// The outermost, which is made
        base: PathBuf,
        /// How many are made below it
        levels: usize,
        /// Bytes of their names
        length: usize,
        /// The key's file
        file: PathBuf,
        /// The text
        value: String,
    },
    /// Print the nanoseconds for each write of a key
    WriteLoop {
        /// How many to measure
        count: u64,
    },
    /// Print the nanoseconds for each read of a key
    ReadLoop {
        /// How many to measure
        count: u64,
    },
    /// Print the nanoseconds for each new network namespace
    NetnsLoop {
        /// How many to measure
        count: u64,
    },
}

fn main() -> ExitCode {
    match run(Args::parse().action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("workload: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(action: Action) -> Result<()> {
    match action {
        Action::Exactness { log, seed } => exactness::run(&log, seed),
        Action::Steps { log, since } => exactness::steps(&log, since),
        Action::Enter { log } => exactness::enter(&log),
        Action::Executed { log, more, since } => enter::program(&log, since, more),
        Action::Keys { kernel } => keys::print_section(&kernel),
        Action::KeysHere => {
            println!("{}", serde_json::to_string(&keys::Place::compare()?)?);
            Ok(())
        }
        Action::Burst { count, key } => {
            let burst = loops::burst(key.as_deref(), count)?;
            println!(
                "{}",
                serde_json::to_string(&burst).context("printing the result")?
            );
            Ok(())
        }
        Action::Write { key, value } => loops::write(&key, &value),
        Action::Stall { key, value } => stall::write(&key, &value),
        Action::Nested {
            base,
            levels,
            length,
            file,
            value,
        } => nested::write(&base, levels, length, &file, &value),
        Action::WriteLoop { count } => print(loops::writes(count)?),
        Action::ReadLoop { count } => print(loops::reads(count)?),
        Action::NetnsLoop { count } => print(loops::namespaces(count)?),
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "it ends an arm of a match over fallible actions"
)]
fn print(nanoseconds: u64) -> Result<()> {
    println!("{nanoseconds}");
    Ok(())
}
