//! Lays what a thread did beside what was traced of it.

use super::{Step, fields};
use crate::{
    trace::{Action, Event},
    workload::log::Created,
};

/// One line of the two columns.
#[derive(Clone, Copy, Debug)]
pub enum Pairing<'a> {
    /// Both tell of it.
    Both(Step<'a>, &'a Event),
    /// Only the log does.
    Missing(Step<'a>),
    /// Only the trace does.
    Extra(&'a Event),
}

/// Pairs steps and events in their order, as many as possible: first those that look the same,
/// then, in the gaps between these, those that are at least of the same kind, so that one wrong
/// field is told as that and not as one event missing and another too many.
pub fn align<'a>(steps: &[Step<'a>], events: &[&'a Event]) -> Vec<Pairing<'a>> {
    let mut pairings = Vec::with_capacity(steps.len());
    let (mut step, mut event) = (0, 0);
    let same = common(steps.len(), events.len(), |step, event| {
        looks_like(steps[step], events[event])
    });
    for (next_step, next_event) in same.into_iter().chain([(steps.len(), events.len())]) {
        fill_gap(
            &mut pairings,
            &steps[step..next_step],
            &events[event..next_event],
        );
        if next_step < steps.len() {
            pairings.push(Pairing::Both(steps[next_step], events[next_event]));
        }
        (step, event) = (next_step + 1, next_event + 1);
    }
    pairings
}

fn fill_gap<'a>(pairings: &mut Vec<Pairing<'a>>, steps: &[Step<'a>], events: &[&'a Event]) {
    let mut taken = 0;
    let alike = common(steps.len(), events.len(), |step, event| {
        is_of_kind(steps[step], events[event])
    });
    let mut alike = alike.into_iter().peekable();
    for (index, step) in steps.iter().enumerate() {
        match alike.next_if(|(paired, _)| *paired == index) {
            None => pairings.push(Pairing::Missing(*step)),
            Some((_, event)) => {
                pairings.extend(
                    events[taken..event]
                        .iter()
                        .map(|event| Pairing::Extra(event)),
                );
                pairings.push(Pairing::Both(*step, events[event]));
                taken = event + 1;
            }
        }
    }
    pairings.extend(events[taken..].iter().map(|event| Pairing::Extra(event)));
}

/// The longest common subsequence, as pairs of indexes.
fn common(left: usize, right: usize, equal: impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    // Both are mostly the same, so that only little is left between what begins and ends alike.
    let shorter = left.min(right);
    let head = (0..shorter).take_while(|at| equal(*at, *at)).count();
    let tail = (1..=shorter - head)
        .take_while(|at| equal(left - at, right - at))
        .count();
    let between = longest(left - head - tail, right - head - tail, |l, r| {
        equal(head + l, head + r)
    });
    (0..head)
        .map(|at| (at, at))
        .chain(between.into_iter().map(|(l, r)| (head + l, head + r)))
        .chain((1..=tail).rev().map(|at| (left - at, right - at)))
        .collect()
}

fn longest(left: usize, right: usize, equal: impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    let mut longest = vec![vec![0_u32; right + 1]; left + 1];
    for l in (0..left).rev() {
        for r in (0..right).rev() {
            longest[l][r] = if equal(l, r) {
                longest[l + 1][r + 1] + 1
            } else {
                longest[l + 1][r].max(longest[l][r + 1])
            };
        }
    }
    let mut pairs = Vec::new();
    let (mut l, mut r) = (0, 0);
    while l < left && r < right {
        if equal(l, r) {
            pairs.push((l, r));
            (l, r) = (l + 1, r + 1);
        } else if longest[l + 1][r] >= longest[l][r + 1] {
            l += 1;
        } else {
            r += 1;
        }
    }
    pairs
}

fn looks_like(step: Step<'_>, event: &Event) -> bool {
    if !is_of_kind(step, event) || fields::outcome(step) != event.event.outcome {
        return false;
    }
    match (step, &event.sysctl) {
        (Step::Write(write), Some(sysctl)) => {
            sysctl.requested == fields::requested(write).map(|(text, _)| text)
                && sysctl.size == Some(write.size)
                && sysctl.position == Some(write.position)
        }
        (Step::Write(_), None) => false,
        (Step::Create(creation), _) => match &creation.result {
            Created::Made { netns, .. } => {
                event.netns.as_ref().and_then(|found| found.inum) == Some(netns.inum)
            }
            Created::Undone { .. } | Created::Refused { .. } => true,
        },
        (Step::Enter(entry), _) => {
            event.netns.as_ref().and_then(|found| found.inum) == Some(entry.netns.inum)
        }
    }
}

fn is_of_kind(step: Step<'_>, event: &Event) -> bool {
    match (step, event.event.action) {
        (Step::Create(_), Action::NetnsCreate) | (Step::Enter(_), Action::NetnsEnter) => true,
        (Step::Write(write), Action::SysctlWrite) => event
            .sysctl
            .as_ref()
            .is_some_and(|sysctl| sysctl.path == write.path),
        (
            Step::Create(_) | Step::Write(_) | Step::Enter(_),
            Action::NetnsCreate
            | Action::NetnsDestroy
            | Action::SysctlWrite
            | Action::NetnsEnter
            | Action::NetnsBind
            | Action::EventsLost
            | Action::TraceStart
            | Action::SysctlDrift
            | Action::SysctlRegister
            | Action::SysctlUnregister
            | Action::TraceEnd,
        ) => false,
    }
}
