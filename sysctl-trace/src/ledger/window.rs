//! What was watched: since when, and what is missing in between.

use std::collections::BTreeMap;

use globset::GlobBuilder;
use serde::{Deserialize, Serialize};

use super::{At, Passed};
use crate::event::{Action, Event, Lost};

/// How many gaps are told apart. When there are more, two neighbours become one, with what lies
/// between them: less is then taken to be seen, never more.
const GAPS_MAX: usize = 64;

/// Loss is told within this time, in nanoseconds: tracers look for it twice a second.
const LOSS_TOLD_WITHIN_NS: u64 = 2_000_000_000;

/// How many tracers' numbers of events are followed.
const SESSIONS_MAX: usize = 16;

/// What was watched.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Since when everything is seen; absent where the stream does not tell.
    pub begun: Option<At>,
    /// Until when.
    pub until: Option<At>,
    /// When something is missing.
    pub gaps: Vec<Gap>,
    /// What the stream's filters left out, by the names of their options.
    pub filters: BTreeMap<String, Vec<String>>,
    /// The last number of an event of each tracer.
    #[serde(skip)]
    sequences: Vec<(String, u64)>,
}

/// A time in which something may be missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// After this moment, in nanoseconds since boot.
    pub from_ns: u64,
    /// Before this one.
    pub to_ns: u64,
    /// What is missing.
    pub cause: Cause,
}

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The tracer lost so many events.
    Lost(u64),
    /// So many lines are missing in the stream.
    Missing(u64),
    /// No tracer ran.
    NoTracer,
    /// So many lines are not understood.
    NotUnderstood(u64),
}

/// Why it can't be said that nothing else happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flaw {
    /// Something is missing.
    Gap(Gap),
    /// Filters kept events out of the stream.
    Filtered,
    /// The stream does not say when it begins and what its filters were.
    NoStart,
    /// Entries were forgotten for want of room.
    Forgotten,
}

impl Window {
    pub(super) fn take(&mut self, event: &Event, at: &At) {
        self.count(&event.trace.session, at.sequence, at.boottime_ns);
        match event.event.action {
            Action::TraceStart => self.start(event, at),
            Action::EventsLost => self.lose(event, at),
            Action::NetnsCreate
            | Action::NetnsDestroy
            | Action::SysctlWrite
            | Action::NetnsEnter
            | Action::NetnsBind
            | Action::SysctlRegister
            | Action::SysctlUnregister
            | Action::TraceEnd
            | Action::SysctlDrift => {}
        }
        self.reach(at);
    }

    /// The same for events of which nothing else is wanted.
    pub(super) fn pass(&mut self, passed: &Passed) {
        self.count(&passed.session, passed.first_sequence, passed.first_ns);
        let known = self.sequences.iter_mut();
        let mut known = known.filter(|(name, _)| *name == *passed.session);
        if let Some((_, last)) = known.next() {
            *last = passed.last_sequence.max(*last);
        }
        self.reach(&passed.until);
    }

    fn reach(&mut self, at: &At) {
        if self
            .until
            .is_none_or(|until| until.boottime_ns < at.boottime_ns)
        {
            self.until = Some(*at);
        }
    }

    fn start(&mut self, event: &Event, at: &At) {
        match (self.begun, self.until) {
            // Another tracer took over.
            (Some(_), Some(until)) => self.add(until.boottime_ns, at.boottime_ns, Cause::NoTracer),
            // What came before has no beginning of its own, so it does not count as whole.
            (Some(_) | None, Some(_) | None) => self.begun = Some(*at),
        }
        for (option, values) in &event.trace.filters {
            self.filters
                .entry(option.clone())
                .or_default()
                .extend_from_slice(values);
        }
    }

    fn lose(&mut self, event: &Event, at: &At) {
        let lost = event.trace.lost.as_ref().map_or(0, Lost::total);
        let begun = self.begun.map_or(0, |begun| begun.boottime_ns);
        // Without the earlier moment it may have been at any time.
        let from_ns = event.trace.since_boottime_ns.unwrap_or(begun);
        self.add(from_ns, at.boottime_ns, Cause::Lost(lost));
    }

    /// Follows the numbers of events: a hole means that lines are missing.
    fn count(&mut self, session: &str, sequence: u64, boottime_ns: u64) {
        if sequence == 0 {
            return;
        }
        let known = self.sequences.iter_mut().find(|(name, _)| name == session);
        let (last, is_new) = match known {
            // Where one comes late, those between have been counted.
            Some((_, last)) => (std::mem::replace(last, sequence.max(*last)), false),
            None => {
                if self.sequences.len() >= SESSIONS_MAX {
                    self.sequences.remove(0);
                }
                self.sequences.push((session.to_owned(), sequence));
                (0, true)
            }
        };
        let missing = sequence.saturating_sub(last.saturating_add(1));
        // A stream that begins in its middle has no beginning; that is told apart.
        if missing > 0 && !(is_new && self.begun.is_none()) {
            // One of them may have told of loss, which was shortly before.
            let until = self.until.map_or(0, |until| until.boottime_ns);
            let from_ns = until.saturating_sub(LOSS_TOLD_WITHIN_NS);
            self.add(from_ns, boottime_ns, Cause::Missing(missing));
        }
    }

    pub(super) fn add(&mut self, from_ns: u64, to_ns: u64, cause: Cause) {
        self.gaps.push(Gap {
            from_ns,
            to_ns,
            cause,
        });
        if self.gaps.len() <= GAPS_MAX {
            return;
        }
        // The two that are closest together, so that as little as possible is taken as missing.
        self.gaps.sort_by_key(|gap| gap.from_ns);
        let pairs = self.gaps.windows(2).enumerate();
        let distance = |pair: &[Gap]| pair[1].from_ns.saturating_sub(pair[0].to_ns);
        if let Some((at, _)) = pairs.min_by_key(|(_, pair)| distance(pair)) {
            let second = self.gaps.remove(at + 1);
            let first = &mut self.gaps[at];
            first.to_ns = first.to_ns.max(second.to_ns);
            first.cause = first.cause.and(second.cause);
        }
    }

    /// Whether all that was written to a key after a moment and before another was seen; or why that
    /// can't be said.
    pub fn flaw_between(&self, from_ns: u64, to_ns: u64, key: &str) -> Option<Flaw> {
        let Some(begun) = self.begun else {
            return Some(Flaw::NoStart);
        };
        if from_ns < begun.boottime_ns {
            return Some(Flaw::NoStart);
        }
        if !self.passes(key) {
            return Some(Flaw::Filtered);
        }
        // The last, as what is seen after it counts.
        let within = |gap: &&Gap| gap.to_ns > from_ns && gap.from_ns < to_ns;
        let last = self.gaps.iter().filter(within).max_by_key(|gap| gap.to_ns);
        last.map(|gap| Flaw::Gap(gap.clone()))
    }

    /// Whether the filters let all writes to a key pass.
    fn passes(&self, key: &str) -> bool {
        self.filters.iter().all(|(option, values)| {
            let is_wanted = |pattern: &String| {
                let glob = GlobBuilder::new(pattern).backslash_escape(true).build();
                glob.is_ok_and(|glob| glob.compile_matcher().is_match(key))
            };
            option == "key"
                && values.iter().any(is_wanted)
                && !values.iter().any(|value| value.starts_with('!'))
        })
    }
}

impl Cause {
    const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::NoTracer, _) | (_, Self::NoTracer) => Self::NoTracer,
            (Self::Missing(one), Self::Missing(other)) => Self::Missing(one.saturating_add(other)),
            (
                Self::Lost(one) | Self::Missing(one) | Self::NotUnderstood(one),
                Self::Lost(other) | Self::Missing(other) | Self::NotUnderstood(other),
            ) => Self::Lost(one.saturating_add(other)),
        }
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
