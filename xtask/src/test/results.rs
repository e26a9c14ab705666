//! What the tests came to.

use std::fmt;

use comfy_table::{Table, presets};
use sysctl_trace_tests::protocol::{CaseInfo, Outcome};

use crate::lint::Check;

/// Everything that was found out.
#[derive(Debug)]
pub struct Results {
    cases: Vec<String>,
    checks: Vec<Check>,
    /// The host's tests.
    pub host: Host,
    /// The guest cases, by kernel.
    pub kernels: Vec<OnKernel>,
}

/// Counts of the host's tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed, and test programs that did not come to an end.
    pub failed: u64,
}

/// The results on one kernel.
#[derive(Debug)]
pub struct OnKernel {
    /// What the table calls it.
    pub title: String,
    /// The results, in the order of the cases.
    pub results: Vec<CaseResult>,
}

/// The result of one case on one kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseResult {
    /// The case's name.
    pub case: String,
    /// Passed, or failed and why.
    pub outcome: Outcome,
    /// How long it took, when it came to an end.
    pub seconds: Option<f64>,
}

impl CaseResult {
    fn passed(&self) -> bool {
        self.outcome == Outcome::Passed
    }
}

impl Results {
    /// No results yet for these cases; the checks have been made.
    pub fn new(cases: &[CaseInfo], checks: Vec<Check>) -> Self {
        let cases = cases.iter().map(|case| case.name.clone()).collect();
        Self {
            cases,
            checks,
            host: Host::default(),
            kernels: Vec::new(),
        }
    }

    /// Whether nothing failed.
    pub fn all_passed(&self) -> bool {
        self.failed() == 0
    }

    fn all(&self) -> impl Iterator<Item = &CaseResult> {
        self.kernels.iter().flat_map(|kernel| &kernel.results)
    }

    fn passed(&self) -> u64 {
        self.host.passed + self.count(true)
    }

    fn failed(&self) -> u64 {
        self.host.failed + self.count(false)
    }

    /// The checks and cases that passed, or that did not.
    fn count(&self, passed: bool) -> u64 {
        let checks = self.checks.iter().map(|check| check.passed);
        let cases = self.all().map(CaseResult::passed);
        checks
            .chain(cases)
            .filter(|result| *result == passed)
            .count() as u64
    }
}

/// The failures with their reasons, the table of kernels and cases, and the last line that scripts
/// may rely on: `N passed, N failed`.
impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in self.checks.iter().filter(|check| !check.passed) {
            writeln!(f, "FAILED {}", check.name)?;
        }
        for kernel in &self.kernels {
            for result in &kernel.results {
                if let Outcome::Failed(reason) = &result.outcome {
                    let reason = reason.lines().next().unwrap_or_default();
                    writeln!(f, "FAILED {} on {}: {reason}", result.case, kernel.title)?;
                }
            }
        }
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        let titles = self.kernels.iter().map(|kernel| kernel.title.as_str());
        table.set_header(std::iter::once("case").chain(titles));
        for case in &self.cases {
            let cells = self.kernels.iter().map(|kernel| cell(kernel, case));
            table.add_row(std::iter::once(case.clone()).chain(cells));
        }
        if !self.cases.is_empty() {
            writeln!(f, "{table}")?;
        }
        if !self.checks.is_empty() {
            let names: Vec<String> = self.checks.iter().map(Check::to_string).collect();
            writeln!(f, "checks: {}", names.join("; "))?;
        }
        writeln!(
            f,
            "host tests: {} passed, {} failed",
            self.host.passed, self.host.failed
        )?;
        write!(f, "{} passed, {} failed", self.passed(), self.failed())
    }
}

fn cell(kernel: &OnKernel, case: &str) -> String {
    match kernel.results.iter().find(|result| result.case == case) {
        // The case is not declared for this kernel.
        None => "-".to_owned(),
        Some(result) => match (&result.outcome, result.seconds) {
            (Outcome::Passed, Some(seconds)) => format!("ok {seconds:.1} s"),
            (Outcome::Passed, None) => "ok".to_owned(),
            (Outcome::Failed(_), _) => "FAILED".to_owned(),
        },
    }
}

#[cfg(test)]
#[path = "results_tests.rs"]
mod tests;
