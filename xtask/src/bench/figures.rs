//! What came of the measurements: for each side the least of all rounds.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::{Context as _, Result};
use sysctl_trace_tests::bench::terms::{Answer, Cost, Memory, Side, Work};

/// Everything that was measured.
#[derive(Clone, Debug)]
pub struct Figures {
    /// The guest's kernel.
    pub kernel: String,
    /// QEMU's version.
    pub qemu: String,
    /// bpftrace's version, where it was measured.
    pub bpftrace: Option<String>,
    /// How often everything was measured.
    pub rounds: u32,
    /// The first is the one with nothing attached.
    pub sides: Vec<SideFigures>,
}

/// What was measured of one side.
#[derive(Clone, Debug)]
pub struct SideFigures {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub side: Side,
    /// From start to attached: the least, in nanoseconds.
    pub attached_ns: Option<u64>,
    /// What was done, in the round where it was least.
    pub costs: BTreeMap<Work, Cost>,
    /// The most.
    pub memory: Option<Memory>,
    /// Writes that it did not tell of: the most.
    pub lost: Option<u64>,
}

impl SideFigures {
    /// A side of which nothing is measured yet.
    pub fn new(name: &str, side: Side) -> Self {
        Self {
            name: name.to_owned(),
            side,
            attached_ns: None,
            costs: BTreeMap::new(),
            memory: None,
            lost: None,
        }
    }

    /// Instructions for each operation.
    pub fn each(&self, work: Work) -> Option<f64> {
        let cost = self.costs.get(&work)?;
        Some(cost.busy_ns as f64 / f64::from(cost.operations))
    }
}

impl Figures {
    /// Takes an answer in, and tells it in words.
    pub fn add(&mut self, answer: &Answer) -> Result<String> {
        let mut text = String::new();
        match answer {
            Answer::Attached { side, elapsed_ns } => {
                let side = self.side(*side)?;
                side.attached_ns = Some(
                    side.attached_ns
                        .map_or(*elapsed_ns, |it| it.min(*elapsed_ns)),
                );
                write!(
                    text,
                    "{}: attached in {:.1} ms",
                    side.name,
                    *elapsed_ns as f64 / 1e6
                )?;
            }
            Answer::Done { side, work, cost } => {
                let side = self.side(*side)?;
                let kept = side.costs.entry(*work).or_insert(*cost);
                if cost.busy_ns < kept.busy_ns {
                    *kept = *cost;
                }
                let each = |ns: u64| ns as f64 / f64::from(cost.operations);
                write!(
                    text,
                    "{}: {work:?}: {:.1} each (actor {:.1}, tool {:.1}, {} wake-ups)",
                    side.name,
                    each(cost.busy_ns),
                    each(cost.actor_ns),
                    each(cost.tool_ns),
                    cost.tool_wakeups
                )?;
                if let Some(probes) = cost.probes_ns {
                    write!(text, "; the eBPF programs alone {:.1}", each(probes))?;
                }
            }
            Answer::Profile { side, work, .. } => {
                let side = self.side(*side)?;
                match work {
                    Some(work) => write!(text, "{}: {work:?}: where the time goes", side.name)?,
                    None => write!(text, "{}: attaching: where the time goes", side.name)?,
                }
            }
            Answer::Resident { side, memory } => {
                let side = self.side(*side)?;
                let kept = side.memory.get_or_insert(*memory);
                if memory.peak > kept.peak {
                    *kept = *memory;
                }
                write!(text, "{}: {memory:?}", side.name)?;
            }
            Answer::Ended { side, lost, said } => {
                let side = self.side(*side)?;
                side.lost = side.lost.max(*lost);
                let last: Vec<&str> = said.lines().rev().take(2).collect();
                let last = last.join(" / ");
                write!(text, "{}: lost {lost:?}; it said last: {last}", side.name)?;
            }
        }
        Ok(text)
    }

    /// The side with nothing attached.
    pub fn nothing(&self) -> Result<&SideFigures> {
        self.sides.first().context("nothing was measured")
    }

    /// The first side for which this holds.
    pub fn find(&self, wanted: impl Fn(&Side) -> bool) -> Option<&SideFigures> {
        self.sides.iter().find(|side| wanted(&side.side))
    }

    /// The tracer with JSON, if it was measured.
    pub fn json(&self) -> Option<&SideFigures> {
        self.find(
            |side| matches!(side, Side::Tracer(args) if args.iter().any(|arg| arg == "--json")),
        )
    }

    fn side(&mut self, index: usize) -> Result<&mut SideFigures> {
        self.sides
            .get_mut(index)
            .context("the guest tells of a side that was not asked for")
    }
}
