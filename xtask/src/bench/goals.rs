//! What the tracer is meant to cost at most, and whether it does.

use sysctl_trace_tests::bench::terms::{Side, Work};

use super::figures::{Figures, SideFigures};

/// A goal.
struct Goal {
    text: &'static str,
    /// At most this.
    limit: f64,
    unit: &'static str,
    /// What the tracer costs, given what it costs with nothing attached.
    measure: fn(&SideFigures, &SideFigures) -> Option<f64>,
}

const GOALS: [Goal; 6] = [
    Goal {
        text: "added to a write, user space included",
        limit: 6_000.0,
        unit: "instructions",
        measure: |nothing, side| added(nothing, side, Work::Write),
    },
    Goal {
        text: "added to a read",
        limit: 1.0,
        unit: "%",
        measure: |nothing, side| percent(nothing, side, Work::Read),
    },
    Goal {
        text: "added to a new network namespace",
        limit: 0.5,
        unit: "%",
        measure: charged,
    },
    Goal {
        text: "from start to attached",
        limit: 500.0,
        unit: "ms",
        measure: |_, side| Some(side.attached_ns? as f64 / 1e6),
    },
    Goal {
        text: "resident memory",
        limit: 32.0,
        unit: "MB",
        measure: |_, side| Some(side.memory?.resident as f64 * 1024.0 / 1e6),
    },
    Goal {
        text: "events lost of 40,000 back to back",
        limit: 0.0,
        unit: "",
        measure: |_, side| Some(side.lost? as f64),
    },
];

/// What a tool adds to one operation, in instructions.
pub fn added(nothing: &SideFigures, side: &SideFigures, work: Work) -> Option<f64> {
    Some(side.each(work)? - nothing.each(work)?)
}

/// The same in per cent of what it takes with nothing attached.
pub fn percent(nothing: &SideFigures, side: &SideFigures, work: Work) -> Option<f64> {
    Some(added(nothing, side, work)? / nothing.each(work)? * 100.0)
}

/// What the eBPF programs and the tool's process take for a new namespace, in per cent. The
/// difference to one with nothing attached would drown in how much namespaces differ.
fn charged(nothing: &SideFigures, side: &SideFigures) -> Option<f64> {
    let cost = side.costs.get(&Work::Netns)?;
    let taken = (cost.tool_ns + cost.probes_ns?) as f64 / f64::from(cost.operations);
    Some(taken / nothing.each(Work::Netns)? * 100.0)
}

/// A row for each goal: goal, limit, the tracer, bpftrace, whether it is met.
pub fn rows(figures: &Figures) -> Vec<[String; 5]> {
    let (Ok(nothing), Some(ours)) = (figures.nothing(), figures.json()) else {
        return Vec::new();
    };
    let bpftrace = figures.find(|side| *side == Side::Bpftrace);
    GOALS
        .iter()
        .filter_map(|goal| {
            let value = (goal.measure)(nothing, ours)?;
            let theirs = bpftrace.and_then(|side| (goal.measure)(nothing, side));
            let met = if value <= goal.limit { "yes" } else { "no" };
            let show = |value: f64| {
                let decimals = usize::from(value.abs() < 100.0 && value != 0.0);
                let number = super::page::number(value, decimals);
                format!("{number} {}", goal.unit).trim_end().to_owned()
            };
            Some([
                goal.text.to_owned(),
                format!(
                    "≤ {} {}",
                    super::page::number(goal.limit, usize::from(goal.limit.fract() != 0.0)),
                    goal.unit
                )
                .trim_end()
                .to_owned(),
                show(value),
                theirs.map(show).unwrap_or_default(),
                met.to_owned(),
            ])
        })
        .collect()
}
