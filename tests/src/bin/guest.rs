//! `/init` of the guests.
//!
//! As the first process it sets the machine up and carries out the host's plan; `case NAME` runs
//! one case in the calling process; `list` prints the cases as JSON, on the host too.

use std::process::ExitCode;

use anyhow::{Result, bail};
use sysctl_trace_tests::{cases, guest};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["list"] => {
            println!("{}", serde_json::to_string(&cases::list())?);
            Ok(())
        }
        ["case", name] => guest::run_case(name),
        _ if std::process::id() == 1 => guest::init(),
        _ => bail!("usage: guest list | guest case NAME (or run it as the first process)"),
    }
}
