//! What is known of one place: how it came to be, whose it is, and the histories of its keys.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{
    At, Place,
    history::{Author, Entry, History, Initial},
    table::Table,
};
use crate::{
    event::{Event, Owner, dotted},
    rendered::Rendered,
};

/// Keys that come and go of so many devices and modules are known in each place.
const TABLES_MAX: usize = 256;

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
    /// Keys that came or went while the namespace was there.
    #[serde(default)]
    pub tables: Vec<Table>,
    /// The folder of the key that is asked for, where what is told is the key's own life.
    #[serde(skip)]
    pub born_with: Option<SmolStr>,
    /// Histories were forgotten whose last entry was not later than this, in nanoseconds since boot.
    pub forgotten_ns: Option<u64>,
    /// When the owner was told.
    #[serde(skip)]
    owner_at: (u64, u64),
    /// How many entries the histories have.
    #[serde(skip)]
    pub(super) entries: usize,
    /// How it began, where there will never be another one of its name.
    #[serde(skip)]
    beginning: Option<Box<Beginning>>,
    /// Where its number is used again: all that tells which of those that had it is the last.
    #[serde(skip)]
    lives: Option<Box<Lives>>,
}

/// How a namespace came to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Creation {
    /// When.
    pub at: At,
    /// By whom.
    pub author: Option<Arc<Author>>,
    /// Lines that tell of it contradict each other.
    #[serde(default)]
    pub is_disputed: bool,
}

/// A namespace's creation, and a key's value then.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Beginning {
    pub(super) creation: Creation,
    pub(super) initial: Option<(SmolStr, Initial)>,
}

impl Beginning {
    fn rank(&self) -> (u64, u64) {
        rank(&self.creation.at)
    }

    /// Takes the same creation as another line tells it. That line may have been robbed of something.
    /// What comes of two does not depend on which came first.
    fn merge(&mut self, other: Self) {
        if *self == other {
            return;
        }
        self.creation.is_disputed = true;
        let text = |author: &Option<Arc<Author>>| serde_json::to_string(author).ok();
        if text(&other.creation.author) > text(&self.creation.author) {
            self.creation.author = other.creation.author;
        }
        self.initial = match (self.initial.take(), other.initial) {
            (Some((key, own)), Some((other_key, other))) if key == other_key => {
                let initial = Initial {
                    value: own.value.max(other.value),
                    node: own.node.max(other.node),
                };
                Some((key, initial))
            }
            (own, other) => own.max(other),
        };
    }
}

/// The latest of those that had a number, one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
struct Lives {
    /// The latest creation.
    beginning: Option<Beginning>,
    /// The latest end, and the one before.
    ends: [Option<At>; 2],
    /// When something else was last heard.
    heard_ns: u64,
}

impl Lives {
    /// When the last of them began, as far as is known, and when it ended.
    fn last(&self) -> (u64, Option<At>) {
        let ns = |at: &At| at.boottime_ns;
        let began = self.beginning.as_ref();
        let created_ns = began.map_or(0, |began| ns(&began.creation.at));
        let [end, earlier] = &self.ends;
        let end_ns = end.as_ref().map_or(0, ns);
        if end.is_none() || created_ns > end_ns || self.heard_ns > end_ns {
            (created_ns.max(end_ns), None)
        } else {
            (created_ns.max(earlier.as_ref().map_or(0, ns)), *end)
        }
    }
}

/// What tells which of two was later, also of two that were at the same moment.
const fn rank(at: &At) -> (u64, u64) {
    (at.boottime_ns, at.sequence)
}

impl Namespace {
    /// `forgotten_ns`: until when something of it may have been forgotten.
    pub(super) fn new(place: Place, forgotten_ns: Option<u64>) -> Self {
        Self {
            place,
            created: None,
            destroyed: None,
            owner: None,
            keys: BTreeMap::new(),
            tables: Vec::new(),
            born_with: None,
            forgotten_ns,
            owner_at: (0, 0),
            entries: 0,
            beginning: None,
            lives: (!place.is_unique()).then(Box::default),
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
        self.place.is_unique()
    }

    /// What others are told of it: the namespace of a pod is the pod's.
    pub(super) fn handed_on(&self) -> Self {
        let mut told = Self {
            owner_at: (0, 0),
            entries: 0,
            beginning: None,
            lives: None,
            ..self.clone()
        };
        let is_of_one = |owner: &Owner| {
            let k8s = owner.k8s.as_ref();
            k8s.is_some_and(|k8s| k8s.container.is_some())
        };
        if let Some(owner) = told.owner.take_if(|owner| is_of_one(owner)) {
            told.owner = Some(Arc::new(Rendered::new(owner.value().clone().of_pod())));
        }
        told
    }

    /// It came to be.
    pub(super) fn begin(&mut self, beginning: Beginning) {
        if let Some(lives) = &mut self.lives {
            match &mut lives.beginning {
                Some(known) if known.rank() == beginning.rank() => known.merge(beginning),
                Some(known) if known.rank() > beginning.rank() => return,
                Some(_) | None => lives.beginning = Some(beginning),
            }
            self.turn();
            return;
        }
        match &mut self.beginning {
            Some(known) if known.rank() == beginning.rank() => known.merge(beginning),
            // Two tracers may tell of it.
            Some(known) if known.rank() < beginning.rank() => return,
            Some(_) | None => self.beginning = Some(Box::new(beginning)),
        }
        let beginning = self.beginning.as_deref().cloned();
        self.be_begun(beginning);
    }

    /// What is told of how it came to be.
    fn be_begun(&mut self, beginning: Option<Beginning>) {
        for history in self.keys.values_mut() {
            history.initial = None;
        }
        self.created = beginning.as_ref().map(|began| began.creation.clone());
        if let Some((key, initial)) = beginning.and_then(|began| began.initial) {
            self.history(&key).initial = Some(initial);
        }
    }

    /// It ended.
    pub(super) fn end(&mut self, at: At) {
        let later = |one: Option<At>| one.is_none_or(|one| rank(&one) < rank(&at));
        match &mut self.lives {
            Some(lives) => {
                let [end, earlier] = &mut lives.ends;
                let is_same =
                    |one: Option<At>| one.is_some_and(|one| one.boottime_ns == at.boottime_ns);
                if later(*end) {
                    let before = end.replace(at);
                    if !is_same(before) {
                        *earlier = before;
                    }
                } else if later(*earlier) && !is_same(*end) {
                    *earlier = Some(at);
                }
                self.turn();
            }
            None if later(self.destroyed) => self.destroyed = Some(at),
            None => {}
        }
    }

    /// Something happened in it.
    pub(super) fn hear(&mut self, at: &At) {
        if let Some(lives) = &mut self.lives
            && lives.heard_ns < at.boottime_ns
        {
            lives.heard_ns = at.boottime_ns;
            if self.destroyed.is_some() {
                self.turn();
            }
        }
    }

    /// Keeps what is known of the last of those that had its number.
    fn turn(&mut self) {
        let Some(lives) = &self.lives else { return };
        let (from_ns, destroyed) = lives.last();
        let is_its = |began: &&Beginning| began.creation.at.boottime_ns >= from_ns;
        let beginning = lives.beginning.as_ref().filter(is_its).cloned();
        self.destroyed = destroyed;
        if self.owner_at.0 < from_ns {
            self.owner = None;
        }
        self.forgotten_ns = self.forgotten_ns.filter(|ns| *ns >= from_ns);
        for history in self.keys.values_mut() {
            history.forget_before(from_ns);
        }
        self.be_begun(beginning);
        self.keys
            .retain(|_, history| history.initial.is_some() || !history.entries.is_empty());
        self.entries = self
            .keys
            .values()
            .map(|history| history.entries.len())
            .sum();
    }

    /// An entry of one of its keys. One about another that had its number before is not taken.
    pub(super) fn enter(&mut self, key: &SmolStr, entry: Entry, most: usize) {
        if let Some(lives) = &self.lives
            && entry.at().boottime_ns < lives.last().0
        {
            return;
        }
        let history = self.history(key);
        let before = history.entries.len();
        history.add(entry, most);
        let after = history.entries.len();
        self.entries = (self.entries + after).saturating_sub(before);
    }

    fn history(&mut self, key: &SmolStr) -> &mut History {
        let forgotten_ns = self.forgotten_ns;
        // Mostly it is there, and its name need not be copied.
        if !self.keys.contains_key(key) {
            let history = History {
                forgotten_ns,
                ..History::default()
            };
            self.keys.insert(key.clone(), history);
        }
        self.keys.entry(key.clone()).or_default()
    }

    /// What an event says of its owner.
    pub(super) fn learn_owner(&mut self, event: &Event, at: &At) {
        let Some(owner) = event.netns.as_ref().and_then(|netns| netns.owner.as_ref()) else {
            return;
        };
        let rank = (at.boottime_ns, at.sequence);
        let is_later = self.owner.is_none() || self.owner_at <= rank;
        let is_its = self
            .lives
            .as_ref()
            .is_none_or(|lives| lives.last().0 <= at.boottime_ns);
        if is_later && is_its {
            self.owner = Some(owner.clone());
            self.owner_at = rank;
        }
    }

    /// Keys came to be, or ended. Of each table the last life is kept.
    pub(super) fn turn_table(&mut self, table: Table) {
        let is_its = |known: &&mut Table| Table::name(&known.keys) == Table::name(&table.keys);
        let Some(known) = self.tables.iter_mut().find(is_its) else {
            self.tables.push(table);
            if self.tables.len() > TABLES_MAX {
                self.forget_table();
            }
            return;
        };
        let ns = |at: &At| at.boottime_ns;
        if let Some((at, _)) = &table.began
            && known.began.as_ref().is_none_or(|(own, _)| ns(own) < ns(at))
        {
            let ended = known.ended;
            *known = Table { ended, ..table };
        } else if let (Some((at, _)), Some((own, _))) = (&table.began, &known.began)
            && ns(at) == ns(own)
        {
            known.merge(&table);
        } else if let Some(at) = &table.ended
            && known.ended.as_ref().is_none_or(|own| ns(own) < ns(at))
        {
            known.ended = table.ended;
        }
    }

    /// The one that nothing was heard of for longest goes.
    fn forget_table(&mut self) {
        let tables = self.tables.iter().enumerate();
        let oldest = tables.min_by_key(|(_, table)| table.last_ns());
        if let Some((at, _)) = oldest {
            let table = self.tables.remove(at);
            self.forgotten_ns = self.forgotten_ns.max(Some(table.last_ns()));
        }
    }

    /// The keys that a key came with, as far as that was seen; the latest where there are several.
    pub fn table_of(&self, key: &str) -> Option<&Table> {
        let its = self
            .tables
            .iter()
            .filter(|table| table.holds(key).is_some());
        its.max_by_key(|table| table.last_ns())
    }

    /// Tells of a key what belongs to its present life.
    pub(super) fn be_reborn(&mut self, key: &str, table: &Table) {
        let Some(name) = table.holds(key) else { return };
        let Some(since_ns) = table.began_or_ended_ns() else {
            return;
        };
        self.born_with = Some(table.keys.path.clone());
        let is_known = self.keys.contains_key(key);
        let history = self.history(&SmolStr::new(key));
        history
            .entries
            .retain(|entry| entry.at().boottime_ns >= since_ns);
        history.initial = None;
        let began = table.began.as_ref().filter(|_| table.is_there());
        self.created = began.map(|(at, author)| Creation {
            at: *at,
            author: author.clone(),
            is_disputed: table.is_disputed,
        });
        let value = began.and_then(|_| table.keys.values.get(&dotted(name)));
        match value {
            Some(value) => {
                self.history(&SmolStr::new(key)).initial = Some(Initial {
                    value: value.clone(),
                    node: None,
                });
            }
            None if !is_known => {
                self.keys.remove(key);
            }
            None => {}
        }
    }

    pub(super) fn last_ns(&self) -> u64 {
        let created = self.created.as_ref().map(|created| created.at.boottime_ns);
        let keys = self.keys.values().map(History::last_ns);
        keys.chain(created).max().unwrap_or_default()
    }
}
