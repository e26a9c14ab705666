//! The guest cases and the scenarios on one kernel.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Error, Result};
use sysctl_trace_tests::protocol::{
    Action, CaseInfo, Flavour, Frame, Outcome, Plan, Report, ScenarioInfo,
};

use super::{
    golden,
    results::{CaseResult, OnKernel},
};
use crate::{
    command::tell,
    machine::{
        Parts, accelerator, console,
        guest::{BOOT_DEADLINE, Failure, Guest},
        kernels::{self, Kernel, Wanted},
        qemu::Accelerator,
        userland::{self, Userland},
    },
    vm,
};

/// The guest keeps a case's deadline itself; the host's comes after it, for a guest that hangs.
const GRACE: Duration = Duration::from_secs(20);

/// What is kept of a case's output, to be shown should it fail.
const OUTPUT_KEPT: usize = 256 * 1024;
const OUTPUT_LINES: usize = 150;

/// What a case has printed, the end of it.
#[derive(Default)]
struct Output {
    /// On both, as it came.
    all: Vec<u8>,
    /// On standard output alone, so that its lines are whole.
    stdout: Vec<u8>,
}

fn keep(output: &mut Vec<u8>, bytes: &[u8]) {
    output.extend_from_slice(bytes);
    let surplus = output.len().saturating_sub(OUTPUT_KEPT);
    output.drain(..surplus);
}

/// What a guest runs: a case or a scenario.
#[derive(Clone, Debug)]
struct Job {
    name: String,
    deadline: Duration,
}

/// Where jobs run, and how a guest is asked for them.
struct Ground<'a> {
    parts: &'a Parts,
    kernel: &'a Kernel,
    userland: Option<(&'a Userland, Flavour)>,
    /// What the guest is to do to run the jobs from this one on.
    action: &'a dyn Fn(usize) -> Action,
}

/// What one guest runs, if nothing goes wrong.
#[derive(Debug)]
pub enum Batch<'a> {
    /// Guest cases, without a user land.
    Cases(&'a Wanted, Vec<&'a CaseInfo>),
    /// Scenarios that want the user land booted in the same way.
    Scenarios(&'a Wanted, Flavour, Vec<&'a ScenarioInfo>),
}

impl<'a> Batch<'a> {
    /// The scenarios that can run in the kernel's user land, one batch for each way to boot; an empty
    /// batch where none can.
    pub fn of_scenarios(wanted: &'a Wanted, scenarios: &'a [ScenarioInfo]) -> Vec<Self> {
        let mut by_flavour = BTreeMap::<Flavour, Vec<&ScenarioInfo>>::new();
        for scenario in scenarios
            .iter()
            .filter(|scenario| scenario.lacking_in(wanted.suite).is_none())
        {
            by_flavour
                .entry(scenario.flavour)
                .or_default()
                .push(scenario);
        }
        if by_flavour.is_empty() {
            by_flavour.insert(Flavour::Unified, Vec::new());
        }
        by_flavour
            .into_iter()
            .map(|(flavour, scenarios)| Batch::Scenarios(wanted, flavour, scenarios))
            .collect()
    }

    /// How long it may take, without the boot.
    pub fn deadline(&self) -> Duration {
        self.jobs().iter().map(|job| job.deadline).sum()
    }

    fn jobs(&self) -> Vec<Job> {
        match self {
            Self::Cases(_, cases) => cases.iter().map(|case| case.into()).collect(),
            Self::Scenarios(_, _, scenarios) => scenarios.iter().map(Job::from).collect(),
        }
    }

    /// Runs it. Each case and scenario gets a result, whatever becomes of the guest.
    pub fn run(&self, parts: &Parts) -> Result<OnKernel> {
        let jobs = self.jobs();
        match self {
            Self::Cases(wanted, cases) => {
                let kernel = match kernels::obtain(wanted) {
                    Ok(kernel) => kernel,
                    Err(error) => return Ok(all_failed(wanted.label.to_owned(), &jobs, &error)),
                };
                let names = |from: usize| cases[from..].iter().map(|case| case.name.clone());
                let ground = Ground {
                    parts,
                    kernel: &kernel,
                    userland: None,
                    action: &|from| Action::Cases(names(from).collect()),
                };
                Ok(OnKernel {
                    title: short(&kernel.release),
                    results: ground.run(&jobs)?,
                    lacking: Vec::new(),
                })
            }
            Self::Scenarios(wanted, flavour, scenarios) => {
                let obtained = kernels::obtain(wanted)
                    .and_then(|kernel| Ok((userland::obtain(wanted, &kernel)?, kernel)));
                let (userland, kernel) = match obtained {
                    Ok(obtained) => obtained,
                    Err(error) => {
                        let title = format!("{} {}", wanted.suite, wanted.label);
                        return Ok(all_failed(title, &jobs, &error));
                    }
                };
                let numbers = |from: usize| scenarios[from..].iter().map(|one| one.number);
                let ground = Ground {
                    parts,
                    kernel: &kernel,
                    userland: Some((&userland, *flavour)),
                    action: &|from| Action::Scenarios(numbers(from).collect()),
                };
                Ok(OnKernel {
                    title: format!("{} {}", wanted.suite, short(&kernel.release)),
                    results: ground.run(&jobs)?,
                    lacking: Vec::new(),
                })
            }
        }
    }
}

impl From<&&CaseInfo> for Job {
    fn from(case: &&CaseInfo) -> Self {
        Self {
            name: case.name.clone(),
            deadline: Duration::from_secs(case.deadline_s),
        }
    }
}

impl From<&&ScenarioInfo> for Job {
    fn from(scenario: &&ScenarioInfo) -> Self {
        Self {
            name: scenario.title(),
            deadline: Duration::from_secs(scenario.deadline_s),
        }
    }
}

impl Ground<'_> {
    /// Runs the jobs, in one guest if nothing goes wrong.
    fn run(&self, jobs: &[Job]) -> Result<Vec<CaseResult>> {
        let accelerator = accelerator::choose(self.parts, self.kernel)?;
        let mut results = Vec::new();
        while let Some(left) = jobs.get(results.len()..).filter(|left| !left.is_empty()) {
            tell(&format!(
                "{} ({accelerator}): {} to run",
                self.name(),
                left.len()
            ));
            let done = results.len();
            if let Err(error) = self.session(left, accelerator, &mut results) {
                // A guest that failed takes the job with it that ran, or the one that was next;
                // the others get a new guest.
                let Some(job) = jobs.get(results.len()) else {
                    return Err(error);
                };
                let failure = error.downcast::<Failure>()?;
                println!("  {} on {}: FAILED: {failure}", job.name, self.kernel.label);
                results.push(failed(job, &failure.reason));
            }
            debug_assert!(
                results.len() > done,
                "every boot brings at least one result"
            );
        }
        Ok(results)
    }

    fn name(&self) -> String {
        let release = &self.kernel.release;
        match self.userland {
            None => format!("kernel {release}"),
            Some((userland, Flavour::Unified)) => {
                format!("user land {} on kernel {release}", userland.suite())
            }
            Some((userland, Flavour::Traced)) => {
                let suite = userland.suite();
                format!("user land {suite}, traced from the beginning, on kernel {release}")
            }
            Some((userland, Flavour::Hybrid)) => {
                let suite = userland.suite();
                format!("user land {suite} with cgroup version 1 on kernel {release}")
            }
        }
    }

    /// One boot.
    fn session(
        &self,
        jobs: &[Job],
        accelerator: Accelerator,
        results: &mut Vec<CaseResult>,
    ) -> Result<()> {
        let userland = self.userland.map(|(userland, _)| userland.plan());
        let plan = Plan {
            kernel: self.kernel.label.clone(),
            userland: userland.transpose()?,
            action: (self.action)(results.len()),
        };
        let mut guest = Guest::boot(
            self.kernel,
            self.parts.initramfs(&plan)?,
            accelerator,
            vm::DEFAULT_SHAPE,
            self.userland,
        )?;
        guest.ready(BOOT_DEADLINE)?;
        for job in jobs {
            let result = self.job(&mut guest, job)?;
            results.push(result);
        }
        guest.finish()
    }

    fn job(&self, guest: &mut Guest, job: &Job) -> Result<CaseResult> {
        let deadline = Instant::now() + job.deadline + GRACE;
        let mut output = Output::default();
        loop {
            match guest.next(Some(deadline))? {
                Frame::Stdout(bytes) => {
                    keep(&mut output.stdout, &bytes);
                    keep(&mut output.all, &bytes);
                }
                Frame::Stderr(bytes) => keep(&mut output.all, &bytes),
                Frame::Report(Report::CaseEnded {
                    name,
                    outcome,
                    seconds,
                }) if name == job.name => {
                    let outcome = self.compared(outcome, &mut output)?;
                    return Ok(self.ended(name, outcome, seconds, &output.all));
                }
                Frame::Report(_) | Frame::Stdin(_) => {}
            }
        }
    }

    /// Also failed is what passed and has other pages than the golden files.
    fn compared(&self, outcome: Outcome, output: &mut Output) -> Result<Outcome> {
        let (Outcome::Passed, Some((userland, _))) = (&outcome, self.userland) else {
            return Ok(outcome);
        };
        let stdout = String::from_utf8_lossy(&output.stdout);
        Ok(match golden::compare(userland.suite(), &stdout)? {
            None => outcome,
            Some(differing) => {
                keep(&mut output.all, differing.as_bytes());
                let reason = "other answers than in the golden files; UPDATE_GOLDEN=1 takes them";
                Outcome::Failed(reason.to_owned())
            }
        })
    }

    fn ended(&self, case: String, outcome: Outcome, seconds: f64, output: &[u8]) -> CaseResult {
        let label = &self.kernel.label;
        let outcome = match outcome {
            Outcome::Passed => {
                println!("  {case} on {label}: ok ({seconds:.1} s)");
                Outcome::Passed
            }
            Outcome::Failed(reason) => {
                let output = golden::without(&String::from_utf8_lossy(output));
                let output = console::tail(&output, OUTPUT_LINES);
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

fn failed(job: &Job, reason: &str) -> CaseResult {
    let outcome = Outcome::Failed(reason.to_owned());
    CaseResult {
        case: job.name.clone(),
        outcome,
        seconds: None,
    }
}

/// The results where the machine itself cannot be had.
fn all_failed(title: String, jobs: &[Job], error: &Error) -> OnKernel {
    let reason = format!("{error:#}");
    tell(&format!("FAILED: {reason}"));
    OnKernel {
        title,
        results: jobs.iter().map(|job| failed(job, &reason)).collect(),
        lacking: Vec::new(),
    }
}

/// The release without the flavour, which is the same for all.
fn short(release: &str) -> String {
    release
        .strip_suffix("-cloud-amd64")
        .unwrap_or(release)
        .to_owned()
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
