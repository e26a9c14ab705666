//! The guest cases on one kernel.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use anyhow::Result;
use sysctl_trace_tests::protocol::{Action, CaseInfo, Frame, Outcome, Plan, Report};

use super::results::{CaseResult, OnKernel};
use crate::{
    command::tell,
    machine::{
        Parts, accelerator, console,
        guest::{BOOT_DEADLINE, Failure, Guest},
        kernels::{self, Kernel, Wanted},
        qemu::Accelerator,
    },
    vm,
};

/// The guest keeps a case's deadline itself; the host's comes after it, for a guest that hangs.
const GRACE: Duration = Duration::from_secs(20);

/// What is kept of a case's output, to be shown should it fail.
const OUTPUT_KEPT: usize = 256 * 1024;
const OUTPUT_LINES: usize = 60;

/// Runs the cases. Each gets a result, whatever becomes of the guest.
pub fn run(parts: &Parts, wanted: &Wanted, cases: &[&CaseInfo]) -> Result<OnKernel> {
    let kernel = match kernels::obtain(wanted) {
        Ok(kernel) => kernel,
        Err(error) => {
            let reason = format!("{error:#}");
            let results = cases.iter().map(|case| failed(case, &reason)).collect();
            return Ok(OnKernel {
                title: wanted.label.to_owned(),
                results,
            });
        }
    };
    let accelerator = accelerator::choose(parts, &kernel)?;
    let mut results = Vec::new();
    while let Some(left) = cases.get(results.len()..).filter(|left| !left.is_empty()) {
        tell(&format!(
            "kernel {} ({accelerator}): {} to run",
            kernel.release,
            plural(left.len())
        ));
        let done = results.len();
        let mut session = Session {
            kernel: &kernel,
            cases: left,
            results: &mut results,
        };
        if let Err(error) = session.run(parts, accelerator) {
            // A guest that failed takes the case with it that ran, or the one that was next; the
            // others get a new guest.
            let Some(case) = cases.get(results.len()) else {
                return Err(error);
            };
            let failure = error.downcast::<Failure>()?;
            println!("  {} on {}: FAILED: {failure}", case.name, kernel.label);
            results.push(failed(case, &failure.reason));
        }
        debug_assert!(
            results.len() > done,
            "every boot brings at least one result"
        );
    }
    Ok(OnKernel {
        title: short(&kernel.release),
        results,
    })
}

/// One boot.
struct Session<'a> {
    kernel: &'a Kernel,
    cases: &'a [&'a CaseInfo],
    results: &'a mut Vec<CaseResult>,
}

impl Session<'_> {
    fn run(&mut self, parts: &Parts, accelerator: Accelerator) -> Result<()> {
        let names = self.cases.iter().map(|case| case.name.clone()).collect();
        let plan = Plan {
            kernel: self.kernel.label.clone(),
            action: Action::Cases(names),
        };
        let initramfs = parts.initramfs(&plan)?;
        let mut guest = Guest::boot(self.kernel, &initramfs, accelerator, vm::DEFAULT_SHAPE)?;
        guest.ready(BOOT_DEADLINE)?;
        for case in self.cases {
            let result = self.case(&mut guest, case)?;
            self.results.push(result);
        }
        guest.finish()
    }

    fn case(&self, guest: &mut Guest, case: &CaseInfo) -> Result<CaseResult> {
        let deadline = Instant::now() + Duration::from_secs(case.deadline_s) + GRACE;
        let mut output = Vec::new();
        loop {
            match guest.next(Some(deadline))? {
                Frame::Stdout(bytes) | Frame::Stderr(bytes) => {
                    output.extend_from_slice(&bytes);
                    let surplus = output.len().saturating_sub(OUTPUT_KEPT);
                    output.drain(..surplus);
                }
                Frame::Report(Report::CaseEnded {
                    name,
                    outcome,
                    seconds,
                }) if name == case.name => {
                    return Ok(self.ended(name, outcome, seconds, &output));
                }
                Frame::Report(_) | Frame::Stdin(_) => {}
            }
        }
    }

    fn ended(&self, case: String, outcome: Outcome, seconds: f64, output: &[u8]) -> CaseResult {
        let label = &self.kernel.label;
        let outcome = match outcome {
            Outcome::Passed => {
                println!("  {case} on {label}: ok ({seconds:.1} s)");
                Outcome::Passed
            }
            Outcome::Failed(reason) => {
                let output = console::tail(&String::from_utf8_lossy(output), OUTPUT_LINES);
                println!("  {case} on {label}: FAILED: {reason}{}", indented(&output));
                Outcome::Failed(match complaint(&output) {
                    Some(complaint) => format!("{complaint} ({reason})"),
                    None => reason,
                })
            }
        };
        CaseResult {
            case,
            outcome,
            seconds: Some(seconds),
        }
    }
}

/// What a failed case has to say in one line: its error, its panic, or whatever it said last.
fn complaint(output: &str) -> Option<&str> {
    let mut lines = output
        .lines()
        .rev()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let last = lines.clone().next();
    lines
        .find(|line| {
            ["error: ", "panicked at "]
                .iter()
                .any(|sign| line.starts_with(sign))
        })
        .or(last)
}

fn failed(case: &CaseInfo, reason: &str) -> CaseResult {
    let outcome = Outcome::Failed(reason.to_owned());
    CaseResult {
        case: case.name.clone(),
        outcome,
        seconds: None,
    }
}

/// The release without the flavour, which is the same for all.
fn short(release: &str) -> String {
    release
        .strip_suffix("-cloud-amd64")
        .unwrap_or(release)
        .to_owned()
}

fn plural(count: usize) -> String {
    format!("{count} case{}", if count == 1 { "" } else { "s" })
}

fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |mut all, line| {
        // Writing to a String cannot fail.
        let _ = write!(all, "\n    {line}");
        all
    })
}

#[cfg(test)]
#[path = "guests_tests.rs"]
mod tests;
