//! `/init` of the guests.
//!
//! As the first process it sets the machine up and carries out the host's plan; `serve` carries it
//! out in a user land, as a service; `case NAME` and `scenario NUMBER` run one in the calling
//! process; `list` prints them all as JSON, on the host too.

use std::process::ExitCode;

use anyhow::{Result, bail};
use sysctl_trace_tests::{cases, guest, protocol::Listing, scenarios};

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
            let listing = Listing {
                cases: cases::list(),
                scenarios: scenarios::list(),
            };
            println!("{}", serde_json::to_string(&listing)?);
            Ok(())
        }
        ["case", name] => guest::run_case(name),
        ["scenario", number] => guest::run_scenario(number),
        ["serve"] => guest::serve(),
        _ if std::process::id() == 1 => guest::init(),
        _ => bail!(
            "usage: guest list | guest case NAME | guest scenario NUMBER (or run it as the first \
             process)"
        ),
    }
}
