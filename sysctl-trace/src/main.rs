//! The command `sysctl-trace`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sysctl_trace::cli::main()
}
