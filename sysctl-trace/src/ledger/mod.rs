//! The ordered history of every key in every namespace, as far as it was seen. Pure: events in,
//! histories out.
//!
//! What a ledger knows depends on the set of events that it took, not on their order, and an event that
//! is taken twice counts once.
//!
//! Memory is bounded. What has to go goes in this order: namespaces that are gone, the oldest first;
//! then the histories that nothing was added to for longest. A verdict is told so.

mod coverage;
mod flaw;
mod history;
mod namespace;
pub mod reach;
mod room;
mod session;
mod sharing;
mod table;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

pub use coverage::{AsOf, Gap, Proof, Since, Window};
pub use flaw::{Defect, Flaw, Hidden, Kind, can_hide, defect, is_usable, may_be_born_again};
pub use history::{Author, Drift, Entry, Final, History, Initial, Memory, Write, is_same};
pub use namespace::{Creation, Namespace};
pub use reach::{Effect, Through};
pub use sharing::Sharing;
pub use table::Table;

use crate::{
    event::{Action, Event, Host, NetnsId, Outcome},
    rendered::Rendered,
    time::Moment,
};
use namespace::Beginning;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Namespaces.
    pub namespaces: usize,
    /// Entries of histories, all together.
    pub entries: usize,
    /// Entries of one history.
    pub entries_each: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            namespaces: 4096,
            entries: 16_384,
            entries_each: 32,
        }
    }
}

/// Where a key lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A key of the whole node, such as `vm.swappiness`.
    Node,
    /// A key of a network namespace.
    Netns(NetnsId),
}

/// When something happened (a write: when it was over), and where it stands in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// Nanoseconds since boot, suspended time included.
    pub boottime_ns: u64,
    /// The same as time of day.
    pub timestamp: Moment,
    /// `event.sequence`; 0 where the event has no number.
    pub sequence: u64,
}

impl At {
    fn of(event: &Event) -> Self {
        Self {
            boottime_ns: event.event.ended_ns(),
            timestamp: event.timestamp,
            sequence: event.event.sequence,
        }
    }
}

impl Place {
    /// The place that an event is about: its network namespace, or, where it names none, the node.
    pub fn of(event: &Event) -> Self {
        let netns = event.netns.as_ref();
        netns.map_or(Self::Node, |netns| Self::Netns(netns.id()))
    }

    /// Whether it is a network namespace with its cookie.
    pub const fn has_cookie(self) -> bool {
        matches!(self, Self::Netns(id) if id.cookie != 0)
    }

    /// Whether it is a network namespace without its cookie.
    pub const fn lacks_cookie(self) -> bool {
        matches!(self, Self::Netns(id) if id.cookie == 0)
    }

    /// Whether there will never be another one of that name.
    const fn is_unique(self) -> bool {
        match self {
            Self::Node => true,
            Self::Netns(id) => id.cookie != 0,
        }
    }
}

/// Events one after the other, without a hole in their numbers, of which nothing else is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The run of the tracer that they are of.
    pub session: SmolStr,
    /// `event.sequence` of the first; 0 where they have no numbers.
    pub first_sequence: u64,
    /// When the first was, in nanoseconds since boot.
    pub first_ns: u64,
    /// `event.sequence` of the last.
    pub last_sequence: u64,
    /// Whether one of them names a network namespace with its cookie.
    pub has_cookie: bool,
    /// The latest of them.
    pub until: At,
}

/// What a ledger knows of some places, to be handed on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Excerpt {
    /// What was watched.
    pub window: Window,
    /// The node's own network namespace, where it is known.
    pub node: Option<NetnsId>,
    /// The places.
    pub namespaces: Vec<Namespace>,
    /// How many namespaces were forgotten for want of room.
    pub forgotten: u64,
}

/// All histories.
#[derive(Debug, Default)]
pub struct Ledger {
    limits: Limits,
    window: Window,
    /// The machine and its boot; events of others are not taken.
    host: Option<Arc<Rendered<Host>>>,
    strangers: u64,
    /// The node's own network namespace, and what told it.
    node: Option<((u64, u64), NetnsId)>,
    places: HashMap<Place, Namespace>,
    /// Those that are gone, in this order.
    gone: VecDeque<Place>,
    entries: usize,
    forgotten: u64,
    /// The latest moment of a namespace that was forgotten.
    forgotten_ns: Option<u64>,
    /// The author of the event before, who is likely to be that of the next.
    last_author: Option<Arc<Author>>,
}

impl Ledger {
    /// Nothing seen yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Nothing seen yet, of the tracer that will hand over all its events: nothing is missing but
    /// what it tells of.
    pub fn live(limits: Limits) -> Self {
        let mut ledger = Self::new(limits);
        ledger.window.be_live();
        ledger
    }

    /// Learns from an event. They may come in any order.
    pub fn take(&mut self, event: &Event) {
        let host = self.host.get_or_insert_with(|| event.host.clone());
        if !Arc::ptr_eq(host, &event.host) && host.boot.id != event.host.boot.id {
            self.strangers += 1;
            return;
        }
        let at = At::of(event);
        self.window.take(event, &at);
        match event.event.action {
            Action::TraceStart => self.start(event, &at),
            Action::EventsLost | Action::TraceEnd => {}
            Action::NetnsCreate => self.create(event, at),
            Action::NetnsDestroy => self.destroy(event, at),
            Action::SysctlWrite | Action::SysctlDrift => self.enter(event, at),
            Action::NetnsEnter | Action::NetnsBind => self.meet(event, &at),
            Action::SysctlRegister | Action::SysctlUnregister => self.turn(event, at),
        }
    }

    /// Learns of an event that it was, and whose its namespace is; not what became of the key.
    pub fn glance(&mut self, event: &Event) {
        let at = At::of(event);
        self.window.take(event, &at);
        self.meet(event, &at);
    }

    /// Learns of an event that it was, and what it lacks.
    pub fn note(&mut self, event: &Event) {
        let at = At::of(event);
        self.window.take(event, &at);
    }

    /// Learns that events went by. They are of the machine and boot that it is all about.
    pub fn pass(&mut self, passed: &Passed) {
        self.window.pass(passed);
    }

    /// Something is missing in the stream, as its reader knows.
    pub fn miss(&mut self, gap: Gap) {
        self.window.add(gap);
    }

    /// Nothing is missing up to this moment, also where no event says so.
    pub fn is_whole_until(&mut self, at: At) {
        self.window.vouch(at);
    }

    /// What was watched.
    pub const fn window(&self) -> &Window {
        &self.window
    }

    /// The node's own network namespace, where the stream tells it.
    pub fn node(&self) -> Option<NetnsId> {
        self.node.map(|(_, id)| id)
    }

    /// The machine that it is all about.
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref().map(|host| &***host)
    }

    /// How many events of another machine or boot came by; they were not taken.
    pub const fn strangers(&self) -> u64 {
        self.strangers
    }

    /// All places, in no order.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        self.places.values()
    }

    /// What is known of a place.
    pub fn namespace(&self, place: Place) -> Option<&Namespace> {
        self.places.get(&place)
    }

    /// What is known of these places, and of the window.
    pub fn excerpt(&self, places: &[Place]) -> Excerpt {
        Excerpt {
            window: self.window.clone(),
            node: self.node(),
            namespaces: places
                .iter()
                .filter_map(|place| Some(self.places.get(place)?.handed_on()))
                .collect(),
            forgotten: self.forgotten,
        }
    }

    fn start(&mut self, event: &Event, at: &At) {
        let Some(netns) = event.netns.as_ref().filter(|netns| netns.inum.is_some()) else {
            return;
        };
        let rank = (at.boottime_ns, at.sequence);
        if self.node.is_none_or(|(known, _)| known <= rank) {
            self.node = Some((rank, netns.id()));
        }
    }

    fn create(&mut self, event: &Event, at: At) {
        if event.event.outcome != Outcome::Success || defect(event).is_some() {
            return;
        }
        let place = Place::of(event);
        let author = self.author(event);
        let initial = event.sysctl.as_ref().and_then(|sysctl| {
            let value = sysctl.new.clone()?;
            let node = sysctl.init_netns.clone();
            Some((sysctl.key.clone(), Initial { value, node }))
        });
        let beginning = Beginning {
            creation: Creation {
                at,
                author,
                is_disputed: false,
            },
            initial,
        };
        self.change(place, |namespace| {
            namespace.learn_owner(event, &at);
            namespace.begin(beginning);
        });
    }

    fn destroy(&mut self, event: &Event, at: At) {
        if defect(event).is_some() {
            return;
        }
        // Also where nothing else is known of it: that may come later.
        self.change(Place::of(event), |namespace| {
            namespace.learn_owner(event, &at);
            namespace.end(at);
        });
    }

    fn enter(&mut self, event: &Event, at: At) {
        let (Some(entry), Some(sysctl)) = (self.entry(event, at), &event.sysctl) else {
            // It says at least that the namespace is there.
            self.meet(event, &at);
            return;
        };
        let most = self.limits.entries_each;
        let key = &sysctl.key;
        self.change(Place::of(event), |namespace| {
            namespace.hear(&at);
            namespace.learn_owner(event, &at);
            namespace.enter(key, entry, most);
        });
        if self.entries > self.limits.entries {
            self.shorten();
        }
    }

    fn entry(&mut self, event: &Event, at: At) -> Option<Entry> {
        let sysctl = event.sysctl.as_ref()?;
        if defect(event).is_some() {
            return None;
        }
        if event.event.action == Action::SysctlDrift {
            return Some(Entry::Drift(Drift {
                session: event.trace.session.clone(),
                at,
                expected: sysctl.old.clone(),
                found: sysctl.new.clone()?,
            }));
        }
        let author = self.author(event)?;
        Write::of(sysctl, event, at, author).map(Entry::Write)
    }

    /// Learns that the place of an event is there, and what the event says of its owner.
    fn meet(&mut self, event: &Event, at: &At) {
        if event
            .netns
            .as_ref()
            .is_none_or(|netns| netns.inum.is_none())
        {
            return;
        }
        self.change(Place::of(event), |namespace| {
            namespace.hear(at);
            namespace.learn_owner(event, at);
        });
    }

    /// Keys came to be, or ended.
    fn turn(&mut self, event: &Event, at: At) {
        let Some(keys) = &event.table else { return };
        if defect(event).is_some() {
            return;
        }
        let author = self.author(event);
        let is_cut = event
            .trace
            .truncated
            .iter()
            .any(|cut| ["table", "sysctl.path"].contains(&&**cut));
        let is_new = event.event.action == Action::SysctlRegister;
        let table = Table {
            keys: (**keys).clone(),
            is_cut,
            is_disputed: false,
            began: is_new.then_some((at, author)),
            ended: (!is_new).then_some(at),
        };
        self.change(Place::of(event), |namespace| {
            namespace.hear(&at);
            namespace.learn_owner(event, &at);
            namespace.turn_table(table);
        });
    }

    /// Changes what is known of a place, and counts what that adds.
    fn change<T>(&mut self, place: Place, change: impl FnOnce(&mut Namespace) -> T) -> T {
        if !self.places.contains_key(&place) {
            self.make_room();
        }
        let forgotten_ns = self.forgotten_ns;
        let namespace = self
            .places
            .entry(place)
            .or_insert_with(|| Namespace::new(place, forgotten_ns));
        let was_gone = namespace.destroyed.is_some();
        let before = namespace.entries;
        let changed = change(namespace);
        let after = namespace.entries;
        let is_gone = namespace.destroyed.is_some();
        self.entries = (self.entries + after).saturating_sub(before);
        if is_gone != was_gone {
            self.leave(place, is_gone);
        }
        changed
    }

    fn author(&mut self, event: &Event) -> Option<Arc<Author>> {
        let process = event.process.as_ref()?;
        if let Some(last) = &self.last_author
            && last.is_of(process, event)
        {
            return Some(last.clone());
        }
        let author = Arc::new(Author::of(process, event));
        self.last_author = Some(author.clone());
        Some(author)
    }
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
