//! What one run of a tracer told: since when, until when, and what is missing of it.

use std::collections::BTreeMap;

use globset::GlobBuilder;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{
    At, Passed, Place,
    flaw::{Defect, Flaw, Hidden, Kind, Kinds, Unusable, may_be_born_again, minor},
    reach::reaching,
};
use crate::event::{Action, Event, Lost, SOMAXCONN};

/// Loss is told within this time, in nanoseconds: tracers look for it twice a second. Events come in
/// the order of their numbers to within this time, too.
pub(super) const TOLD_WITHIN_NS: u64 = 2_000_000_000;

/// How long an event may take from the clock to its place in the stream.
const ON_THE_WAY_NS: u64 = 20_000_000;

/// How many runs of numbers are told apart. When there are more, the shortest counts as missing.
const RUNS_MAX: usize = 1024;

/// How many times of loss are told apart, and unusable events. When there are more, two become one.
const EACH_MAX: usize = 64;

/// No namespace has this number; here it stands for all.
const ANY_INUM: u32 = 0;

/// What one run of a tracer told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    pub(super) name: SmolStr,
    pub(super) start: Option<Start>,
    /// What `trace-end` says is the last number.
    end: Option<u64>,
    /// The latest of its events.
    pub(super) until: Option<At>,
    /// The numbers that were seen, in their order; neighbours are one.
    runs: Vec<Run>,
    losses: Vec<Loss>,
    unusable: Vec<Unusable>,
    /// Whether the kernel gives network namespaces cookies.
    has_cookies: bool,
    /// When there were events of a network namespace without its cookie, by its number.
    without_cookie: BTreeMap<u32, (u64, u64)>,
    /// Lines differ that tell how it began or ended, or an event is of no number.
    is_contradictory: bool,
}

/// How it began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) at: At,
    /// What the filters left out, by the names of their options; absent where that is not known.
    pub(super) filters: Option<BTreeMap<String, Vec<String>>>,
    /// Keys below `net.` that are one for the whole node, where that is told.
    shared: Option<Vec<SmolStr>>,
    /// Keys that are names of the same value, as far as that is told.
    #[serde(default)]
    aliases: Vec<Vec<SmolStr>>,
    watched: Vec<Action>,
}

/// Numbers one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Run {
    first: u64,
    last: u64,
    /// When the first was.
    first_ns: u64,
    /// When the latest of them was.
    until_ns: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Loss {
    from_ns: u64,
    to_ns: u64,
    /// Absent where the event does not say it.
    lost: Option<Lost>,
    kinds: Kinds,
}

/// What is asked of a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matter<'m> {
    pub(super) key: &'m str,
    pub(super) place: Place,
    pub(super) hidden: Hidden,
    /// Whether the session is the one that the ledger is fed by, event by event.
    pub(super) is_live: bool,
}

impl Session {
    pub(super) const fn new(name: SmolStr) -> Self {
        Self {
            name,
            start: None,
            end: None,
            until: None,
            runs: Vec::new(),
            losses: Vec::new(),
            unusable: Vec::new(),
            has_cookies: false,
            without_cookie: BTreeMap::new(),
            is_contradictory: false,
        }
    }

    /// `is_live`: the tracer itself hands over its events, so that numbers say nothing more.
    pub(super) fn take(&mut self, event: &Event, at: &At, is_live: bool) {
        if !is_live {
            self.number(Run {
                first: at.sequence,
                last: at.sequence,
                first_ns: at.boottime_ns,
                until_ns: at.boottime_ns,
            });
            self.look_for_cookie(event, at);
        }
        self.reach(at);
        match event.event.action {
            Action::TraceStart => self.begin(event, at),
            Action::TraceEnd => self.finish(event),
            Action::EventsLost => self.lose(event, at),
            Action::NetnsCreate
            | Action::NetnsDestroy
            | Action::SysctlWrite
            | Action::NetnsEnter
            | Action::NetnsBind
            | Action::SysctlRegister
            | Action::SysctlUnregister
            | Action::SysctlDrift => {}
        }
        if let Some(unusable) = Unusable::of(event) {
            self.add_unusable(unusable);
        }
    }

    pub(super) fn pass(&mut self, passed: &Passed) {
        self.has_cookies |= passed.has_cookie;
        self.number(Run {
            first: passed.first_sequence,
            last: passed.last_sequence,
            first_ns: passed.first_ns,
            until_ns: passed.until.boottime_ns,
        });
        self.reach(&passed.until);
    }

    /// The node's own cookie is not always known; that of all others is, where there are any.
    fn look_for_cookie(&mut self, event: &Event, at: &At) {
        let Some(netns) = event.netns.as_ref() else {
            return;
        };
        if event.event.action == Action::TraceStart {
            return;
        }
        if netns.cookie.is_some() {
            self.has_cookies = true;
            return;
        }
        let ns = at.boottime_ns;
        let is_full = self.without_cookie.len() >= EACH_MAX;
        let inum = netns
            .inum
            .filter(|inum| !is_full || self.without_cookie.contains_key(inum));
        let inum = inum.unwrap_or(ANY_INUM);
        let (from_ns, to_ns) = self.without_cookie.entry(inum).or_insert((ns, ns));
        *from_ns = ns.min(*from_ns);
        *to_ns = ns.max(*to_ns);
    }

    fn reach(&mut self, at: &At) {
        let key = |at: &At| (at.boottime_ns, at.sequence);
        if self.until.is_none_or(|until| key(&until) < key(at)) {
            self.until = Some(*at);
        }
    }

    fn begin(&mut self, event: &Event, at: &At) {
        let start = Start::of(event, at);
        match &self.start {
            Some(known) if *known == start => {}
            Some(known) => {
                self.is_contradictory = true;
                self.start = Some(known.common(&start));
            }
            None => self.start = Some(start),
        }
    }

    fn finish(&mut self, event: &Event) {
        // One that does not say how much there was is as good as none.
        let Some(end) = &event.trace.end else { return };
        let is_last = end.events == event.event.sequence;
        let is_known = self.end.is_some_and(|known| known != end.events);
        self.is_contradictory |= !is_last || is_known;
        self.end = Some(self.end.unwrap_or(0).max(end.events));
    }

    fn lose(&mut self, event: &Event, at: &At) {
        let loss = Loss {
            // Without the earlier moment it may have been at any time.
            from_ns: event.trace.since_boottime_ns.unwrap_or(0),
            to_ns: at.boottime_ns,
            lost: event.trace.lost,
            kinds: Kinds::of(event),
        };
        if self.losses.contains(&loss) {
            return;
        }
        insert(&mut self.losses, loss, |loss| (loss.from_ns, loss.to_ns));
        if self.losses.len() > EACH_MAX {
            let spans = self.losses.iter().map(|loss| (loss.from_ns, loss.to_ns));
            let near = nearest(spans);
            let second = self.losses.remove(near + 1);
            let first = self.losses.remove(near);
            self.losses.insert(near, first.or(second));
        }
    }

    fn add_unusable(&mut self, unusable: Unusable) {
        if self.unusable.contains(&unusable) {
            return;
        }
        insert(&mut self.unusable, unusable, |one| (one.from_ns, one.to_ns));
        if self.unusable.len() > EACH_MAX {
            let spans = self.unusable.iter().map(|one| (one.from_ns, one.to_ns));
            let near = nearest(spans);
            let second = self.unusable.remove(near + 1);
            let first = self.unusable.remove(near);
            self.unusable.insert(near, first.or(second));
        }
    }

    /// Numbers were seen. In a stream each event has one.
    fn number(&mut self, run: Run) {
        if run.first == 0 || run.last < run.first {
            self.is_contradictory = true;
            return;
        }
        // Mostly the next one.
        if let Some(last) = self.runs.last_mut()
            && last.last.checked_add(1) == Some(run.first)
        {
            last.last = run.last;
            last.until_ns = last.until_ns.max(run.until_ns);
            return;
        }
        self.number_out_of_order(run);
    }

    #[cold]
    fn number_out_of_order(&mut self, mut run: Run) {
        let touches = |one: &Run, first: u64| one.last.saturating_add(1) >= first;
        let from = self.runs.partition_point(|one| !touches(one, run.first));
        let to = self
            .runs
            .partition_point(|one| one.first <= run.last.saturating_add(1));
        for one in self.runs.drain(from..to.max(from)) {
            match one.first.cmp(&run.first) {
                std::cmp::Ordering::Less => run.first_ns = one.first_ns,
                std::cmp::Ordering::Equal => run.first_ns = run.first_ns.min(one.first_ns),
                std::cmp::Ordering::Greater => {}
            }
            run.first = run.first.min(one.first);
            run.last = run.last.max(one.last);
            run.until_ns = run.until_ns.max(one.until_ns);
        }
        self.runs.insert(from, run);
        if self.runs.len() > RUNS_MAX {
            let inner = self.runs.iter().enumerate().skip(1).take(RUNS_MAX - 1);
            let shortest = inner.min_by_key(|(_, run)| run.until_ns.saturating_sub(run.first_ns));
            if let Some((at, _)) = shortest {
                self.runs.remove(at);
            }
        }
    }

    /// Whether it says how it ended.
    pub(super) const fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Whether it lets all pass that could change a key in a place.
    pub(super) fn lets_pass(&self, matter: Matter<'_>) -> bool {
        let filters = self.start.as_ref().and_then(|start| start.filters.as_ref());
        filters.is_some_and(|filters| {
            // Creations have this key.
            let sees_creations = matter.hidden == Hidden::Change && matter.place.is_unique();
            passes(filters, matter.key)
                && reaching(matter.key).all(|key| passes(filters, &key))
                && (sees_creations || passes(filters, SOMAXCONN))
        })
    }

    /// Whether it tells when keys begin and end.
    fn sees_births(&self) -> bool {
        self.start.as_ref().is_some_and(|start| {
            [Action::SysctlRegister, Action::SysctlUnregister]
                .iter()
                .all(|action| start.watched.contains(action))
        })
    }

    /// When something may be missing of what is asked.
    pub(super) fn flaws(&self, matter: Matter<'_>) -> Vec<Flaw> {
        let whole = |kind| Flaw {
            from_ns: 0,
            to_ns: u64::MAX,
            kind,
        };
        let mut flaws = Vec::new();
        if self.is_contradictory {
            flaws.push(whole(Kind::Contradiction));
        }
        if self
            .start
            .as_ref()
            .is_none_or(|start| start.filters.is_none())
        {
            flaws.push(whole(Kind::NoStart));
        }
        if may_be_born_again(matter.key) && !self.sees_births() {
            flaws.push(whole(Kind::BirthsUnwatched));
        }
        if !matter.is_live {
            self.holes(&mut flaws);
        }
        self.lost(matter, &mut flaws);
        let unusable = self.unusable.iter().filter(|one| self.matters(one, matter));
        flaws.extend(unusable.map(|one| Flaw {
            from_ns: one.from_ns,
            to_ns: one.to_ns,
            kind: Kind::Unusable(one.defect),
        }));
        if let Place::Netns(id) = matter.place
            && self.has_cookies
        {
            let may_be_it = [id.inum, ANY_INUM];
            let times = may_be_it
                .iter()
                .filter_map(|inum| self.without_cookie.get(inum));
            flaws.extend(times.map(|(from_ns, to_ns)| Flaw {
                from_ns: *from_ns,
                to_ns: *to_ns,
                kind: Kind::Unusable(Defect::Netns),
            }));
        }
        flaws
    }

    fn matters(&self, unusable: &Unusable, matter: Matter<'_>) -> bool {
        let is_placeless = unusable.defect == Defect::Netns && unusable.place.is_none();
        if let Some(key) = unusable.key.as_ref().filter(|_| is_placeless) {
            // It is the node's, as it should be. Where the stream does not tell, it may have lost its
            // namespace.
            if self.is_shared(key) == Some(true) {
                return false;
            }
        }
        unusable.may_be_about(matter.key, matter.place)
    }

    /// Whether the stream says that a key below `net.` is one for the whole node; nothing where it does
    /// not tell.
    pub(super) fn is_shared(&self, key: &str) -> Option<bool> {
        let shared = self.start.as_ref()?.shared.as_ref()?;
        Some(shared.iter().any(|one| one == key))
    }

    /// Keys that are names of the same value, each group a list, as far as the stream tells.
    pub(super) fn aliases(&self) -> &[Vec<SmolStr>] {
        self.start.as_ref().map_or(&[], |start| &start.aliases)
    }

    /// Lines that are missing. They may have told of loss, which was shortly before.
    fn holes(&self, flaws: &mut Vec<Flaw>) {
        let mut hole = |from_ns: u64, to_ns: u64, count: u64| {
            flaws.push(Flaw {
                from_ns: from_ns.saturating_sub(TOLD_WITHIN_NS),
                to_ns: to_ns.saturating_add(TOLD_WITHIN_NS),
                kind: Kind::Missing(count),
            });
        };
        if let Some(first) = self.runs.first().filter(|first| first.first > 1) {
            hole(0, first.first_ns, first.first - 1);
        }
        for pair in self.runs.windows(2) {
            let &[before, after] = pair else { continue };
            let to_ns = after.first_ns.max(before.until_ns);
            hole(before.until_ns, to_ns, after.first - before.last - 1);
        }
        let last = self.runs.last();
        if let (Some(end), Some(last)) = (self.end, last) {
            if last.last < end {
                hole(last.until_ns, u64::MAX, end - last.last);
            } else if last.last > end {
                hole(0, u64::MAX, last.last - end);
            }
        }
    }

    /// Loss that may hide what is asked, each with the sum of all such loss.
    fn lost(&self, matter: Matter<'_>, flaws: &mut Vec<Flaw>) {
        let may_hide = |loss: &&Loss| loss.kinds.may_hide(matter.hidden, matter.key, matter.place);
        flaws.extend(self.losses.iter().filter(may_hide).map(|loss| Flaw {
            from_ns: loss.from_ns.saturating_sub(ON_THE_WAY_NS),
            to_ns: loss.to_ns,
            kind: Kind::Lost(loss.lost.unwrap_or_default()),
        }));
    }

    /// What was lost after a moment that can't hide what is asked.
    pub(super) fn harmless_loss(&self, from_ns: u64, matter: Matter<'_>) -> (Lost, bool) {
        let harmless = self.losses.iter().filter(|loss| {
            loss.to_ns >= from_ns && !loss.kinds.may_hide(matter.hidden, matter.key, matter.place)
        });
        let mut is_by_rule = false;
        let mut sum = Lost::default();
        for loss in harmless {
            sum = sum.and(&loss.lost.unwrap_or_default());
            is_by_rule |= loss.kinds == Kinds::OfNamespaces;
        }
        (sum, is_by_rule)
    }
}

impl Start {
    fn of(event: &Event, at: &At) -> Self {
        let trace = &event.trace;
        let is_told = match minor(event) {
            // They were left out where there were none.
            Some(0..3) => true,
            // They are named apart, so that one that is gone is missed.
            Some(_) => trace.filtered_by.as_ref().is_some_and(|names| {
                names.len() == trace.filters.len()
                    && names.iter().all(|name| trace.filters.contains_key(name))
            }),
            None => false,
        };
        Self {
            at: *at,
            filters: is_told.then(|| trace.filters.clone()),
            shared: trace.keys.as_ref().map(|keys| keys.shared.clone()),
            aliases: trace
                .keys
                .as_ref()
                .map(|keys| keys.aliases.clone())
                .unwrap_or_default(),
            watched: trace.watched.clone(),
        }
    }
}

impl Start {
    /// What two lines agree in, in whatever order they come.
    fn common(&self, other: &Self) -> Self {
        let rank = |one: &Self| (one.at.boottime_ns, one.at.sequence);
        let first = if rank(other) < rank(self) {
            other
        } else {
            self
        };
        let watched = self
            .watched
            .iter()
            .filter(|one| other.watched.contains(one));
        Self {
            at: first.at,
            filters: self
                .filters
                .clone()
                .filter(|_| self.filters == other.filters),
            shared: self.shared.clone().filter(|_| self.shared == other.shared),
            aliases: match self.aliases == other.aliases {
                true => self.aliases.clone(),
                false => Vec::new(),
            },
            watched: watched.copied().collect(),
        }
    }
}

impl Loss {
    fn or(self, other: Self) -> Self {
        Self {
            from_ns: self.from_ns.min(other.from_ns),
            to_ns: self.to_ns.max(other.to_ns),
            lost: self
                .lost
                .zip(other.lost)
                .map(|(one, other)| one.and(&other)),
            kinds: self.kinds.or(other.kinds),
        }
    }
}

/// Whether filters let all writes to a key pass.
fn passes(filters: &BTreeMap<String, Vec<String>>, key: &str) -> bool {
    filters.iter().all(|(option, values)| {
        let is_wanted = |pattern: &String| {
            let glob = GlobBuilder::new(pattern).backslash_escape(true).build();
            glob.is_ok_and(|glob| glob.compile_matcher().is_match(key))
        };
        option == "key"
            && values.iter().any(is_wanted)
            && !values.iter().any(|value| value.starts_with('!'))
    })
}

/// Puts a value where it belongs by its times.
fn insert<T>(list: &mut Vec<T>, value: T, times: impl Fn(&T) -> (u64, u64)) {
    let at = list.partition_point(|one| times(one) <= times(&value));
    list.insert(at, value);
}

/// The first of two neighbours with the least time between them.
fn nearest(spans: impl Iterator<Item = (u64, u64)>) -> usize {
    let spans: Vec<_> = spans.collect();
    let between = |pair: &[(u64, u64)]| pair[1].0.saturating_sub(pair[0].1);
    let pairs = spans.windows(2).enumerate();
    pairs
        .min_by_key(|(_, pair)| between(pair))
        .map_or(0, |(at, _)| at)
}
