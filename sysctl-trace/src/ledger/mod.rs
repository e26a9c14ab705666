//! The ordered history of every key in every namespace, as far as it was seen. Pure: events in,
//! histories out.
//!
//! Memory is bounded. What has to go goes in this order: namespaces that are gone, the oldest first;
//! then the histories that nothing was added to for longest. A verdict is told so.

mod history;
mod window;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

pub use history::{Author, Drift, Entry, Final, History, Initial, Write, is_same};
pub use window::{Cause, Flaw, Gap, Window};

use crate::{
    event::{Action, Event, Host, NetnsId, Outcome, Owner},
    rendered::Rendered,
    time::Moment,
};

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
    /// The latest of them.
    pub until: At,
}

/// What is known of one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Namespace {
    /// Which it is.
    pub place: Place,
    /// Who made it, and when; absent where that was not seen.
    pub created: Option<Creation>,
    /// When it ended; absent while it is there.
    pub destroyed: Option<At>,
    /// Whose it is, as far as the latest event knew.
    pub owner: Option<Arc<Rendered<Owner>>>,
    /// The histories of its keys.
    pub keys: BTreeMap<SmolStr, History>,
    /// Histories were forgotten whose last entry was not later than this, in nanoseconds since boot.
    pub forgotten_ns: Option<u64>,
}

/// How a namespace came to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Creation {
    /// When.
    pub at: At,
    /// By whom.
    pub author: Option<Arc<Author>>,
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
    node: Option<NetnsId>,
    places: HashMap<Place, Namespace>,
    /// Those that are gone, in this order.
    gone: VecDeque<Place>,
    entries: usize,
    forgotten: u64,
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

    /// Learns from an event. Events come in the order of their stream.
    pub fn take(&mut self, event: &Event) {
        let host = self.host.get_or_insert_with(|| event.host.clone());
        if !Arc::ptr_eq(host, &event.host) && host.boot.id != event.host.boot.id {
            self.strangers += 1;
            return;
        }
        let at = At::of(event);
        self.window.take(event, &at);
        match event.event.action {
            Action::TraceStart => {
                self.node = event.netns.as_ref().map(|netns| netns.id()).or(self.node);
            }
            Action::EventsLost | Action::TraceEnd => {}
            Action::NetnsCreate => self.create(event, at),
            Action::NetnsDestroy => self.destroy(event, at),
            Action::SysctlWrite | Action::SysctlDrift => self.enter(event, at),
            Action::NetnsEnter
            | Action::NetnsBind
            | Action::SysctlRegister
            | Action::SysctlUnregister => {
                self.meet(event);
            }
        }
    }

    /// Learns of an event that it was, and whose its namespace is; not what became of the key.
    pub fn glance(&mut self, event: &Event) {
        self.window.take(event, &At::of(event));
        if event.netns.is_some() {
            self.meet(event);
        }
    }

    /// Learns that events went by. They are of the machine and boot that it is all about.
    pub fn pass(&mut self, passed: &Passed) {
        self.window.pass(passed);
    }

    /// Something is missing in the stream, as its reader knows.
    pub fn miss(&mut self, gap: Gap) {
        self.window.add(gap.from_ns, gap.to_ns, gap.cause);
    }

    /// Nothing is missing up to this moment, also where no event says so.
    pub fn is_whole_until(&mut self, at: At) {
        self.window.until = Some(at);
    }

    /// What was watched.
    pub const fn window(&self) -> &Window {
        &self.window
    }

    /// The node's own network namespace, where the stream tells it.
    pub const fn node(&self) -> Option<NetnsId> {
        self.node
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
            node: self.node,
            namespaces: places
                .iter()
                .filter_map(|place| Some(self.places.get(place)?.clone().told()))
                .collect(),
            forgotten: self.forgotten,
        }
    }

    fn create(&mut self, event: &Event, at: At) {
        let Some(netns) = &event.netns else { return };
        if event.event.outcome != Outcome::Success {
            return;
        }
        let place = Place::Netns(netns.id());
        // Whatever had this number before is gone.
        self.forget(place);
        self.make_room();
        let author = self.author(event);
        let mut namespace = Namespace {
            created: Some(Creation { at, author }),
            owner: netns.owner.clone(),
            ..Namespace::new(place)
        };
        if let Some(sysctl) = &event.sysctl
            && let Some(value) = &sysctl.new
        {
            let initial = Initial {
                value: value.clone(),
                node: sysctl.init_netns.clone(),
            };
            let key = sysctl.key.clone();
            namespace.keys.insert(key, History::beginning(initial));
        }
        self.places.insert(place, namespace);
    }

    fn destroy(&mut self, event: &Event, at: At) {
        let Some(netns) = &event.netns else { return };
        let place = Place::Netns(netns.id());
        if let Some(namespace) = self.places.get_mut(&place) {
            namespace.learn_owner(netns.owner.as_ref());
            if namespace.destroyed.replace(at).is_none() {
                self.gone.push_back(place);
            }
        }
    }

    fn enter(&mut self, event: &Event, at: At) {
        let Some(entry) = self.entry(event, at) else {
            return;
        };
        let Some(sysctl) = &event.sysctl else { return };
        let most = self.limits.entries_each;
        let namespace = self.meet(event);
        let history = namespace.keys.entry(sysctl.key.clone()).or_default();
        let before = history.entries.len();
        history.add(entry, most);
        let after = history.entries.len();
        self.entries = self.entries + after - before;
        if self.entries > self.limits.entries {
            self.shorten();
        }
    }

    fn entry(&mut self, event: &Event, at: At) -> Option<Entry> {
        let sysctl = event.sysctl.as_ref()?;
        if event.event.action == Action::SysctlDrift {
            return Some(Entry::Drift(Drift {
                at,
                expected: sysctl.old.clone(),
                found: sysctl.new.clone()?,
            }));
        }
        let author = self.author(event)?;
        Some(Entry::Write(Write::of(sysctl, event, at, author)))
    }

    /// The place that an event is about, with what the event says of its owner.
    fn meet(&mut self, event: &Event) -> &mut Namespace {
        let netns = event.netns.as_ref();
        let place = Place::of(event);
        match self.places.get(&place) {
            // Another has its number by now, and was not seen being made.
            Some(known) if known.destroyed.is_some() && !place.is_unique() => self.forget(place),
            Some(_) => {}
            None => self.make_room(),
        }
        let namespace = self
            .places
            .entry(place)
            .or_insert_with(|| Namespace::new(place));
        namespace.learn_owner(netns.and_then(|netns| netns.owner.as_ref()));
        namespace
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

    fn make_room(&mut self) {
        while self.places.len() >= self.limits.namespaces {
            let places = match self.oldest_gone() {
                Some(place) => vec![place],
                None => self.oldest(),
            };
            if places.is_empty() {
                return;
            }
            for place in places {
                self.forget(place);
                self.forgotten += 1;
            }
        }
    }

    fn oldest_gone(&self) -> Option<Place> {
        self.gone.front().copied()
    }

    /// Of those that are still there, the ones that nothing was heard of for longest; never the node.
    /// Several at a time where there are many, as all are looked at.
    fn oldest(&self) -> Vec<Place> {
        let node = self.node.map(Place::Netns);
        let mut places: Vec<(u64, Place)> = self
            .places
            .values()
            .filter(|namespace| namespace.place != Place::Node && Some(namespace.place) != node)
            .map(|namespace| (namespace.last_ns(), namespace.place))
            .collect();
        places.sort_unstable();
        places.truncate((self.limits.namespaces / 64).max(1));
        places.into_iter().map(|(_, place)| place).collect()
    }

    fn forget(&mut self, place: Place) {
        let Some(namespace) = self.places.remove(&place) else {
            return;
        };
        self.entries -= namespace.entries();
        if namespace.destroyed.is_some()
            && let Some(at) = self.gone.iter().position(|gone| *gone == place)
        {
            self.gone.remove(at);
        }
    }

    /// Forgets until a quarter of the room for entries is free.
    fn shorten(&mut self) {
        let target = self.limits.entries / 4 * 3;
        while self.entries > target {
            let Some(place) = self.oldest_gone() else {
                break;
            };
            self.forget(place);
            self.forgotten += 1;
        }
        if self.entries <= target {
            return;
        }
        let mut histories: Vec<(u64, Place, SmolStr)> = self
            .places
            .values()
            .flat_map(|namespace| {
                let entries = namespace.keys.iter();
                let with_entries = entries.filter(|(_, history)| !history.entries.is_empty());
                with_entries.map(|(key, history)| (history.last_ns(), namespace.place, key.clone()))
            })
            .collect();
        histories.sort_unstable_by_key(|(last_ns, _, _)| *last_ns);
        for (last_ns, place, key) in histories {
            if self.entries <= target {
                return;
            }
            if let Some(namespace) = self.places.get_mut(&place)
                && let Some(history) = namespace.keys.remove(&key)
            {
                self.entries -= history.entries.len();
                namespace.forgotten_ns = namespace.forgotten_ns.max(Some(last_ns));
            }
        }
    }
}

impl Namespace {
    const fn new(place: Place) -> Self {
        Self {
            place,
            created: None,
            destroyed: None,
            owner: None,
            keys: BTreeMap::new(),
            forgotten_ns: None,
        }
    }

    /// The number of the network namespace; absent for the whole node.
    pub const fn inum(&self) -> Option<u32> {
        match self.place {
            Place::Node => None,
            Place::Netns(id) => Some(id.inum),
        }
    }

    /// Whether it is told from all others by more than its number, which is used again.
    pub const fn has_cookie(&self) -> bool {
        match self.place {
            Place::Node => true,
            Place::Netns(id) => id.cookie != 0,
        }
    }

    /// As it is told: the namespace of a pod is the pod's.
    fn told(mut self) -> Self {
        let is_of_one = |owner: &Owner| {
            owner
                .k8s
                .as_ref()
                .is_some_and(|k8s| k8s.container.is_some())
        };
        if let Some(owner) = self.owner.take_if(|owner| is_of_one(owner)) {
            self.owner = Some(Arc::new(Rendered::new(owner.value().clone().of_pod())));
        }
        self
    }

    fn learn_owner(&mut self, owner: Option<&Arc<Rendered<Owner>>>) {
        if let Some(owner) = owner {
            self.owner = Some(owner.clone());
        }
    }

    fn entries(&self) -> usize {
        self.keys
            .values()
            .map(|history| history.entries.len())
            .sum()
    }

    fn last_ns(&self) -> u64 {
        let created = self.created.as_ref().map(|created| created.at.boottime_ns);
        let keys = self.keys.values().map(History::last_ns);
        keys.chain(created).max().unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
