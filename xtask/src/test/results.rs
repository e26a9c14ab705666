//! What the tests came to.

use std::fmt;

use comfy_table::{Table, presets};
use sysctl_trace_tests::protocol::{CaseInfo, Outcome, ScenarioInfo};

use crate::lint::Check;

/// Everything that was found out.
#[derive(Debug)]
pub struct Results {
    cases: Vec<String>,
    scenarios: Vec<String>,
    checks: Vec<Check>,
    /// The host's tests.
    pub host: Host,
    /// The guest cases, by kernel.
    kernels: Vec<OnKernel>,
    /// The scenarios, by user land.
    userlands: Vec<OnKernel>,
}

/// Counts of the host's tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed, and test programs that did not come to an end.
    pub failed: u64,
}

/// The results on one kernel, or in one user land with its kernel.
#[derive(Debug)]
pub struct OnKernel {
    /// What the table calls it.
    pub title: String,
    /// The results, in the order of the cases.
    pub results: Vec<CaseResult>,
    /// The scenarios that cannot run here, and what is lacking for each.
    pub lacking: Vec<(String, String)>,
}

/// The result of one case or scenario on one kernel.
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
    /// No results yet for these cases and scenarios; the checks have been made.
    pub fn new(cases: &[CaseInfo], scenarios: &[ScenarioInfo], checks: Vec<Check>) -> Self {
        Self {
            cases: cases.iter().map(|case| case.name.clone()).collect(),
            scenarios: scenarios.iter().map(ScenarioInfo::title).collect(),
            checks,
            host: Host::default(),
            kernels: Vec::new(),
            userlands: Vec::new(),
        }
    }

    /// Adds the results of cases on a kernel.
    pub fn add_cases(&mut self, cases: OnKernel) {
        self.kernels.push(cases);
    }

    /// Adds the results of some of the scenarios in a user land; the first results of a user land
    /// bring what is lacking there.
    pub fn add_scenarios(&mut self, these: OnKernel, all: &[ScenarioInfo], suite: &str) {
        let known = self.userlands.iter_mut();
        match known.last().filter(|last| last.title == these.title) {
            Some(last) => last.results.extend(these.results),
            None => {
                let lacking = all.iter().filter_map(|scenario| {
                    let what = scenario.lacking_in(suite)?;
                    Some((scenario.title(), what.to_owned()))
                });
                self.userlands.push(OnKernel {
                    lacking: lacking.collect(),
                    ..these
                });
            }
        }
    }

    /// Whether nothing failed.
    pub fn all_passed(&self) -> bool {
        self.failed() == 0
    }

    fn everywhere(&self) -> impl Iterator<Item = &OnKernel> {
        self.kernels.iter().chain(&self.userlands)
    }

    fn all(&self) -> impl Iterator<Item = &CaseResult> {
        self.everywhere().flat_map(|kernel| &kernel.results)
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

/// The failures with their reasons, the tables of cases by kernel and of scenarios by user land, and
/// the last line that scripts may rely on: `N passed, N failed`.
impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in self.checks.iter().filter(|check| !check.passed) {
            writeln!(f, "FAILED {}", check.name)?;
        }
        for kernel in self.everywhere() {
            for result in &kernel.results {
                if let Outcome::Failed(reason) = &result.outcome {
                    let reason = reason.lines().next().unwrap_or_default();
                    writeln!(f, "FAILED {} on {}: {reason}", result.case, kernel.title)?;
                }
            }
        }
        for (what, rows, columns) in [
            ("case", &self.cases, &self.kernels),
            ("scenario", &self.scenarios, &self.userlands),
        ] {
            if !rows.is_empty() {
                writeln!(f, "{}", table(what, rows, columns))?;
            }
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

fn table(what: &str, rows: &[String], columns: &[OnKernel]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let titles = columns.iter().map(|kernel| kernel.title.as_str());
    table.set_header(std::iter::once(what).chain(titles));
    for case in rows {
        let cells = columns.iter().map(|kernel| cell(kernel, case));
        table.add_row(std::iter::once(case.clone()).chain(cells));
    }
    table
}

fn cell(kernel: &OnKernel, case: &str) -> String {
    if let Some((_, what)) = kernel.lacking.iter().find(|(lacking, _)| lacking == case) {
        return format!("lacking: {what}");
    }
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
