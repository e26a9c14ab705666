//! What was watched: by which runs of tracers, since when, until when, and what is missing in between.
//!
//! What stands here depends on the set of events that were taken and not on their order. Where more
//! comes than there is room for, less is taken to be seen, never more.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{
    At, Passed, Place,
    flaw::{Flaw, Hidden, Kind},
    session::{Matter, Session, TOLD_WITHIN_NS},
};
use crate::{
    event::{Event, Lost},
    time::Moment,
};

/// How many runs of tracers are told apart. Of any more nothing counts as seen.
const SESSIONS_MAX: usize = 64;

/// What was watched.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    pub(super) sessions: Vec<Session>,
    /// A tracer hands over its events itself: nothing is missing but what it tells of.
    is_live: bool,
    /// The latest that was seen, or up to which a tracer vouches for all.
    until: Option<At>,
    /// What the reader of a stream knows to be missing.
    gaps: Vec<Gap>,
    /// Where the run of the event before stands.
    #[serde(skip)]
    latest: usize,
}

/// A time in which something may be missing, as the reader of a stream knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// After this moment, in nanoseconds since boot.
    pub from_ns: u64,
    /// Before this one.
    pub to_ns: u64,
    /// How many lines are not understood.
    pub lines: u64,
}

/// A value's time: a key in a place since a moment.
#[derive(Clone, Copy, Debug)]
pub struct Since<'q> {
    /// The key, dotted.
    pub key: &'q str,
    /// Where it lives.
    pub place: Place,
    /// From when on nothing may be missing, in nanoseconds since boot.
    pub from_ns: u64,
    /// Until when; absent where it goes on.
    pub to_ns: Option<u64>,
    /// What must not have gone unseen.
    pub hidden: Hidden,
}

/// That nothing is missing in a value's time. Made only where there is no flaw in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof {
    as_of: Option<AsOf>,
    /// What was lost meanwhile, and can't hide a change.
    harmless: Lost,
    is_by_rule: bool,
}

/// Up to when a stream proves something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AsOf {
    /// The moment, in nanoseconds since boot.
    pub boottime_ns: u64,
    /// The same as time of day.
    pub timestamp: Moment,
    /// Whether the stream goes on, or breaks off, after it: then it has to be said.
    pub is_open: bool,
}

impl Proof {
    /// Up to when it holds; absent where a tracer watches as it is asked.
    pub const fn as_of(&self) -> Option<AsOf> {
        self.as_of
    }

    /// What was lost meanwhile but can't hide a change, and whether that is known by a rule only.
    pub const fn harmless(&self) -> (Lost, bool) {
        (self.harmless, self.is_by_rule)
    }
}

/// From one moment to another, both included.
type Span = (u64, u64);

impl Window {
    /// A tracer hands over its events itself.
    pub(super) const fn be_live(&mut self) {
        self.is_live = true;
    }

    pub(super) fn take(&mut self, event: &Event, at: &At) {
        let is_live = self.is_live;
        if let Some(session) = self.session(&event.trace.session) {
            session.take(event, at, is_live);
        }
        self.reach(at);
    }

    /// The same for events of which nothing else is wanted.
    pub(super) fn pass(&mut self, passed: &Passed) {
        if let Some(session) = self.session(&passed.session) {
            session.pass(passed);
        }
        self.reach(&passed.until);
    }

    pub(super) fn add(&mut self, gap: Gap) {
        self.gaps.push(gap);
        if self.gaps.len() > SESSIONS_MAX {
            let all = self.gaps.drain(..);
            let one = all.reduce(|one, other| Gap {
                from_ns: one.from_ns.min(other.from_ns),
                to_ns: one.to_ns.max(other.to_ns),
                lines: one.lines.saturating_add(other.lines),
            });
            self.gaps.extend(one);
        }
    }

    /// Nothing is missing up to this moment, also where no event says so.
    pub(super) fn vouch(&mut self, at: At) {
        self.until = Some(at);
    }

    fn reach(&mut self, at: &At) {
        let key = |at: &At| (at.boottime_ns, at.sequence);
        if self.until.is_none_or(|until| key(&until) < key(at)) {
            self.until = Some(*at);
        }
    }

    fn session(&mut self, name: &str) -> Option<&mut Session> {
        let is_it = |session: &Session| session.name == name;
        if !self.sessions.get(self.latest).is_some_and(is_it) {
            let known = self.sessions.iter().position(is_it);
            self.latest = match known {
                Some(at) => at,
                None if self.sessions.len() < SESSIONS_MAX => {
                    self.sessions.push(Session::new(SmolStr::new(name)));
                    self.sessions.len() - 1
                }
                None => return None,
            };
        }
        self.sessions.get_mut(self.latest)
    }

    /// Since when something was watched; absent where no stream tells.
    pub fn begun(&self) -> Option<At> {
        let begun = self.sessions.iter();
        let begun = begun.filter_map(|session| Some(session.start.as_ref()?.at));
        begun.min_by_key(|at| (at.boottime_ns, at.sequence))
    }

    /// The latest that was seen, or up to which a tracer vouches for all.
    pub const fn until(&self) -> Option<At> {
        self.until
    }

    /// What the reader of a stream knows to be missing.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// What filters left out, by the names of their options; those of all tracers together.
    pub fn filters(&self) -> Vec<(&str, &[String])> {
        let starts = self.sessions.iter().filter_map(|one| one.start.as_ref());
        let filters = starts.filter_map(|start| start.filters.as_ref()).flatten();
        let mut all: Vec<_> = filters
            .map(|(option, values)| (option.as_str(), values.as_slice()))
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Why it can't be said that nothing is missing, if it can't.
    pub fn flaw(&self, since: &Since<'_>) -> Option<Flaw> {
        self.prove(since).err()
    }

    /// That nothing is missing, or the last that may be.
    ///
    /// # Errors
    /// Something may be missing.
    pub fn prove(&self, since: &Since<'_>) -> Result<Proof, Flaw> {
        let whole = |kind| Flaw {
            from_ns: since.from_ns,
            to_ns: u64::MAX,
            kind,
        };
        let begun = self.begun().ok_or_else(|| whole(Kind::NoStart))?;
        if since.from_ns < begun.boottime_ns {
            return Err(whole(Kind::NoStart));
        }
        let matter = Matter {
            key: since.key,
            place: since.place,
            hidden: since.hidden,
            is_live: self.is_live,
        };
        let watching = |session: &&Session| session.lets_pass(matter);
        if !self.sessions.iter().any(|session| watching(&session)) {
            let started = self.sessions.iter();
            let mut told = started.filter_map(|session| session.start.as_ref()?.filters.as_ref());
            let kind = match told.next() {
                Some(_) => Kind::Filtered,
                None => Kind::NoStart,
            };
            return Err(whole(kind));
        }
        // In an order that does not depend on which was heard of first.
        let mut sessions: Vec<&Session> = self.sessions.iter().filter(watching).collect();
        sessions.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let watches: Vec<Watch> = sessions
            .into_iter()
            .filter_map(|session| self.watch(session, matter))
            .collect();
        let last_ns = match (self.is_live, self.until) {
            (true, _) => u64::MAX,
            (false, Some(until)) => until.boottime_ns,
            (false, None) => since.from_ns,
        };
        let to_ns = since
            .to_ns
            .unwrap_or(last_ns)
            .min(last_ns)
            .max(since.from_ns);
        let asked = (since.from_ns, to_ns);
        let sure = |watch: &Watch| watch.covered(watch.sure_ns);
        let whole = |watch: &Watch| watch.covered(watch.until_ns);
        let unsure = uncovered(asked, watches.iter().flat_map(sure));
        let unseen = uncovered(asked, watches.iter().flat_map(whole));
        let as_of_ns = match unsure.first() {
            None => to_ns,
            // Only the last moments of the stream are not sure.
            Some((first_ns, _))
                if is_end(*first_ns, last_ns)
                    && !watches
                        .iter()
                        .any(|w| w.is_flawed_after(*first_ns, &unseen)) =>
            {
                first_ns.saturating_sub(1).max(since.from_ns)
            }
            Some(_) => return Err(self.worst(&unseen, &unsure, &watches)),
        };
        let harmless = self.sessions.iter().filter(watching);
        let (harmless, is_by_rule) = harmless
            .map(|session| session.harmless_loss(since.from_ns, matter))
            .fold((Lost::default(), false), |(sum, by_rule), (lost, rule)| {
                (sum.and(&lost), by_rule | rule)
            });
        Ok(Proof {
            as_of: self.as_of(as_of_ns, !unsure.is_empty()),
            harmless,
            is_by_rule,
        })
    }

    fn as_of(&self, boottime_ns: u64, is_open: bool) -> Option<AsOf> {
        let until = self.until.filter(|_| !self.is_live)?;
        let earlier_ns = until.boottime_ns.saturating_sub(boottime_ns);
        Some(AsOf {
            boottime_ns,
            timestamp: until.timestamp.earlier(earlier_ns),
            is_open,
        })
    }

    fn watch(&self, session: &Session, matter: Matter<'_>) -> Option<Watch> {
        let start_ns = session.start.as_ref()?.at.boottime_ns;
        let last_ns = session.until?.boottime_ns;
        let (sure_ns, until_ns) = if self.is_live {
            (u64::MAX, u64::MAX)
        } else if session.has_ended() {
            (last_ns, last_ns)
        } else {
            // Loss may not have been told yet.
            (last_ns.saturating_sub(TOLD_WITHIN_NS), last_ns)
        };
        let mut flaws = session.flaws(matter);
        flaws.extend(self.gaps.iter().map(|gap| Flaw {
            from_ns: gap.from_ns,
            to_ns: gap.to_ns,
            kind: Kind::NotUnderstood(gap.lines),
        }));
        Some(Watch {
            start_ns,
            sure_ns,
            until_ns,
            flaws,
        })
    }

    /// What is to be said of the last moment that nobody saw whole.
    fn worst(&self, unseen: &[Span], unsure: &[Span], watches: &[Watch]) -> Flaw {
        let last = unseen.last().or(unsure.last()).copied();
        let (from_ns, to_ns) = last.unwrap_or((0, u64::MAX));
        let within = |flaw: &&Flaw| flaw.to_ns >= from_ns && flaw.from_ns <= to_ns;
        let flaws = || watches.iter().flat_map(|watch| &watch.flaws);
        let Some(worst) = flaws().filter(within).max_by_key(|flaw| flaw.to_ns) else {
            let is_left_out = self.is_left_out(from_ns, to_ns);
            return Flaw {
                from_ns,
                to_ns,
                kind: if is_left_out {
                    Kind::Filtered
                } else {
                    Kind::NoTracer
                },
            };
        };
        let kind = match &worst.kind {
            // All that was lost in the time in question.
            Kind::Lost(_) => {
                let first_ns = unseen.first().map_or(from_ns, |(first_ns, _)| *first_ns);
                let since = |flaw: &&Flaw| flaw.to_ns >= first_ns;
                let lost = flaws().filter(since).filter_map(|flaw| match &flaw.kind {
                    Kind::Lost(lost) => Some(lost),
                    Kind::Missing(_)
                    | Kind::NotUnderstood(_)
                    | Kind::NoTracer
                    | Kind::BirthsUnwatched
                    | Kind::Unusable(_)
                    | Kind::Contradiction
                    | Kind::Filtered
                    | Kind::NoStart
                    | Kind::Forgotten => None,
                });
                Kind::Lost(lost.fold(Lost::default(), |sum, lost| sum.and(lost)))
            }
            other @ (Kind::Missing(_)
            | Kind::NotUnderstood(_)
            | Kind::NoTracer
            | Kind::BirthsUnwatched
            | Kind::Unusable(_)
            | Kind::Contradiction
            | Kind::Filtered
            | Kind::NoStart
            | Kind::Forgotten) => other.clone(),
        };
        Flaw {
            from_ns: worst.from_ns,
            to_ns: worst.to_ns.max(to_ns),
            kind,
        }
    }

    /// Whether a tracer ran then, whose filters left out what is asked.
    fn is_left_out(&self, from_ns: u64, to_ns: u64) -> bool {
        self.sessions.iter().any(|session| {
            let start = session.start.as_ref();
            let (Some(start), Some(until)) = (start, session.until) else {
                return false;
            };
            let is_filtered = start.filters.as_ref().is_some_and(|all| !all.is_empty());
            is_filtered && start.at.boottime_ns <= to_ns && until.boottime_ns >= from_ns
        })
    }
}

/// What one run of a tracer saw of what is asked.
struct Watch {
    start_ns: u64,
    /// Up to here it is sure.
    sure_ns: u64,
    /// Up to here it told something.
    until_ns: u64,
    flaws: Vec<Flaw>,
}

impl Watch {
    /// Where it saw everything, up to a moment.
    fn covered(&self, until_ns: u64) -> Vec<Span> {
        if until_ns < self.start_ns {
            return Vec::new();
        }
        let flaws = self.flaws.iter().map(|flaw| (flaw.from_ns, flaw.to_ns));
        uncovered((self.start_ns, until_ns), flaws)
    }

    /// Whether something is missing of it after a moment, and nobody else saw that.
    fn is_flawed_after(&self, from_ns: u64, unseen: &[Span]) -> bool {
        self.flaws.iter().any(|flaw| {
            flaw.to_ns >= from_ns
                && unseen
                    .iter()
                    .any(|(first_ns, last_ns)| flaw.to_ns >= *first_ns && flaw.from_ns <= *last_ns)
        })
    }
}

/// Whether a stream has no more than its last moments from here on.
const fn is_end(from_ns: u64, last_ns: u64) -> bool {
    last_ns.saturating_sub(from_ns) <= TOLD_WITHIN_NS
}

/// What is left of a span without others, in the order of time.
fn uncovered((from_ns, to_ns): Span, covered: impl IntoIterator<Item = Span>) -> Vec<Span> {
    let mut covered: Vec<Span> = covered.into_iter().collect();
    covered.sort_unstable();
    let mut left = Vec::new();
    let mut next_ns = from_ns;
    for (first_ns, last_ns) in covered {
        if last_ns < next_ns {
            continue;
        }
        if first_ns > to_ns {
            break;
        }
        if first_ns > next_ns {
            left.push((next_ns, first_ns - 1));
        }
        if last_ns >= to_ns {
            return left;
        }
        next_ns = last_ns + 1;
    }
    left.push((next_ns, to_ns));
    left
}

#[cfg(test)]
#[path = "coverage_tests.rs"]
mod tests;
