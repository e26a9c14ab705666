//! From what the programs and the kernel have counted to what is lost. Pure.

use sysctl_trace_ebpf::settings::{Losses, Program};

use crate::event::Lost;

/// A figure for each program, in the order of [`Program`].
pub type PerProgram<T> = [T; Program::COUNT as usize];

/// What is lost. `counted`: by the programs. `passed_over`: how often the kernel did not run one;
/// 0 where it is not attached or the kernel does not tell.
///
/// A write is told by either of two programs at each end. One that the kernel passed over is lost
/// only where the other did not deal with it in its place.
pub fn lost(counted: &PerProgram<Losses>, passed_over: &PerProgram<u64>) -> Lost {
    let counted = |program: Program| &counted[program as usize];
    let passed_over = |program: Program| passed_over[program as usize];
    let unseen = |one: Program, other: Program| {
        let by_both =
            |missing, present| u64::saturating_sub(passed_over(missing), counted(present).handled);
        by_both(one, other).max(by_both(other, one))
    };

    let mut lost = Lost::default();
    for program in [
        Program::NetnsCreate,
        Program::NetnsDestroy,
        Program::NetnsEnter,
        Program::NetnsExec,
        Program::TableRegister,
        Program::TableUnregister,
    ] {
        lost.probe_missed += passed_over(program);
    }
    for program in Program::ALL {
        lost.ring_full += counted(program).ring_full;
    }
    for program in [
        Program::NetnsCreate,
        Program::NetnsDestroy,
        Program::NetnsEnter,
        Program::NetnsExec,
        Program::TableRegister,
        Program::TableUnregister,
        Program::ReturnTrampoline,
        Program::ReturnKprobe,
    ] {
        lost.unreadable += counted(program).unreadable;
    }
    // Where the first does not succeed, the second tries again, and mostly does not either.
    let (trampoline, kprobe) = (Program::EnterTrampoline, Program::EnterKprobe);
    let (first, second) = (counted(trampoline), counted(kprobe));
    lost.unreadable += first.unreadable.max(second.unreadable);
    lost.in_flight += first.in_flight.max(second.in_flight);
    lost.in_flight += counted(Program::NetnsEnter).in_flight;
    lost.probe_missed += unseen(trampoline, kprobe);
    // A return that nobody saw the programs also notice by themselves, when the thread writes
    // again.
    let noticed = first.return_missed + second.return_missed;
    lost.probe_missed += unseen(Program::ReturnTrampoline, Program::ReturnKprobe).max(noticed);
    lost
}

#[cfg(test)]
#[path = "loss_tests.rs"]
mod tests;
