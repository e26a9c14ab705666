//! Whether a live value is what the writes that were seen account for. Pure.
//!
//! A value is read while others write, and events take a moment to come. So a difference counts
//! only where everything up to the reading is known, nobody wrote around that time, and a second
//! reading some time later finds the same.

use std::time::Duration;

use smol_str::SmolStr;

use crate::ledger::{Entry, History};

/// After this time a difference is looked at again.
pub const AGAIN: Duration = Duration::from_secs(1);

/// Writes so close to each other, or to a reading, are taken to be at the same time.
const CLOSE_NS: u64 = 500_000_000;

/// What a value was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// The value.
    pub value: &'a str,
    /// Before it was read, in nanoseconds since boot.
    pub begun_ns: u64,
}

/// What a reading says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// What was expected, or nothing that can be compared.
    Fits,
    /// Somebody wrote at that time.
    Unclear,
    /// Not what the writes that were seen had left.
    Differs {
        /// What they had left.
        expected: SmolStr,
    },
}

/// Compares a reading with a history that is whole up to the end of the reading.
pub fn judge(history: &History, found: Found<'_>) -> Judgement {
    let Some(expected) = expected(history) else {
        return Judgement::Fits;
    };
    if is_same(expected, found.value) {
        return Judgement::Fits;
    }
    let last_ns = history.entries.last().map(|entry| entry.at().boottime_ns);
    match last_ns {
        Some(last_ns) if found.begun_ns < last_ns.saturating_add(CLOSE_NS) => Judgement::Unclear,
        // Of writes at the same time, the last event need not be of the last write.
        Some(last_ns) if is_of_race(history, last_ns, found.value) => Judgement::Fits,
        Some(_) | None => Judgement::Differs {
            expected: expected.clone(),
        },
    }
}

/// What should be there, where that can be said: of a key whose memory can't be read, only what was
/// asked is known.
fn expected(history: &History) -> Option<&SmolStr> {
    let is_known = |entry: &Entry| match entry {
        Entry::Write(write) => write.is_decoded(),
        Entry::Drift(_) => true,
    };
    let is_telling = history.entries.last().is_none_or(is_known);
    history.value().filter(|_| is_telling)
}

fn is_of_race(history: &History, last_ns: u64, found: &str) -> bool {
    let mut entries = history.entries.iter().rev();
    entries
        .by_ref()
        .take_while(|entry| entry.at().boottime_ns.saturating_add(CLOSE_NS) >= last_ns)
        .any(|entry| entry.left().is_some_and(|left| is_same(left, found)))
}

/// Blanks between words do not count.
fn is_same(one: &str, other: &str) -> bool {
    one.split_ascii_whitespace()
        .eq(other.split_ascii_whitespace())
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
