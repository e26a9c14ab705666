//! The stand-in for CRI-O: `crio` or `pinns`, by the name that it is called by.

use std::{path::Path, process::ExitCode};

use anyhow::{Result, bail};
use sysctl_trace_tests::crio::{pinns, server};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let name = args
        .first()
        .and_then(|program| Path::new(program).file_name());
    let name = name.and_then(|name| name.to_str()).unwrap_or_default();
    match run(name, &args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, args: &[String]) -> Result<()> {
    match name {
        "crio" => server::run(),
        "pinns" => pinns::run(args),
        _ => bail!("it is to be called as crio or as pinns"),
    }
}
