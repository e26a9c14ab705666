//! Measures what tracing costs; `cargo xtask bench` starts it in a guest.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use sysctl_trace_tests::bench::{actor, listing, place, session};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["run", request] => {
            session::run(&serde_json::from_str(request).context("reading the request")?)
        }
        ["list", count] => listing::run(count.parse()?),
        ["act", level, task] => {
            if place::is_last(level.parse()?, task)? {
                actor::act(task)?;
            }
            Ok(())
        }
        _ => bail!("usage: bench run REQUEST, or bench list COUNT"),
    }
}
