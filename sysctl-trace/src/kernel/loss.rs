//! From what the programs and the kernel have counted to what is lost. Pure.

use std::collections::BTreeMap;

use sysctl_trace_ebpf::settings::{Losses, Program};

use super::probes;
use crate::event::{Action, Lost};

/// A figure for each program, in the order of [`Program`].
pub type PerProgram<T> = [T; Program::COUNT as usize];

/// What is lost, by the action that the events would have had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByAction {
    known: BTreeMap<Action, Lost>,
    /// Records that can't be understood: they may have been of any action.
    pub undecodable: u64,
}

impl ByAction {
    /// All of it.
    pub fn total(&self) -> Lost {
        let undecodable = Lost {
            unreadable: self.undecodable,
            ..Lost::default()
        };
        let each = self.known.values();
        each.fold(undecodable, |sum, lost| sum.and(lost))
    }

    /// How many events of each action, as far as that is known.
    pub fn counts(&self) -> BTreeMap<Action, u64> {
        let counts = self
            .known
            .iter()
            .map(|(&action, lost)| (action, lost.total()));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// What has come since an earlier count.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let since = |(action, lost): (&Action, &Lost)| {
            let earlier = earlier.known.get(action).copied().unwrap_or_default();
            (*action, lost.since(&earlier))
        };
        Self {
            known: self.known.iter().map(since).collect(),
            undecodable: self.undecodable.saturating_sub(earlier.undecodable),
        }
    }

    /// Adds what has come since.
    pub fn add(&mut self, since: &Self) {
        for (&action, lost) in &since.known {
            let sum = self.known.entry(action).or_default();
            *sum = sum.and(lost);
        }
        self.undecodable = self.undecodable.saturating_add(since.undecodable);
    }
}

/// What is lost. `counted`: by the programs. `passed_over`: how often the kernel did not run one;
/// 0 where it is not attached or the kernel does not tell.
///
/// A write is told by either of two programs at each end. One that the kernel passed over is lost
/// only where the other did not deal with it in its place.
pub fn lost(counted: &PerProgram<Losses>, passed_over: &PerProgram<u64>) -> ByAction {
    let mut lost = ByAction::default();
    for program in Program::ALL {
        let counted = &counted[program as usize];
        let own = lost.known.entry(probes::action(program)).or_default();
        own.ring_full += counted.ring_full;
        match program {
            Program::NetnsCreate
            | Program::NetnsDestroy
            | Program::NetnsEnter
            | Program::NetnsExec
            | Program::TableRegister
            | Program::TableUnregister => {
                own.probe_missed += passed_over[program as usize];
                own.unreadable += counted.unreadable;
                own.in_flight += counted.in_flight;
            }
            Program::ReturnTrampoline | Program::ReturnKprobe => {
                own.unreadable += counted.unreadable;
            }
            // The two of them together, below.
            Program::EnterTrampoline | Program::EnterKprobe => {}
        }
    }
    let writes = lost.known.entry(Action::SysctlWrite).or_default();
    *writes = writes.and(&entries(counted, passed_over));
    lost
}

/// What is lost of writes by two programs that stand in for each other.
fn entries(counted: &PerProgram<Losses>, passed_over: &PerProgram<u64>) -> Lost {
    let counted = |program: Program| &counted[program as usize];
    let passed_over = |program: Program| passed_over[program as usize];
    let unseen = |one: Program, other: Program| {
        let by_both =
            |missing, present| u64::saturating_sub(passed_over(missing), counted(present).handled);
        by_both(one, other).max(by_both(other, one))
    };
    // Where the first does not succeed, the second tries again, and mostly does not either.
    let (trampoline, kprobe) = (Program::EnterTrampoline, Program::EnterKprobe);
    let (first, second) = (counted(trampoline), counted(kprobe));
    // A return that nobody saw the programs also notice by themselves, when the thread writes
    // again.
    let noticed = first.return_missed + second.return_missed;
    let returns = unseen(Program::ReturnTrampoline, Program::ReturnKprobe).max(noticed);
    Lost {
        ring_full: 0,
        in_flight: first.in_flight.max(second.in_flight),
        probe_missed: unseen(trampoline, kprobe) + returns,
        unreadable: first.unreadable.max(second.unreadable),
    }
}

#[cfg(test)]
#[path = "loss_tests.rs"]
mod tests;
