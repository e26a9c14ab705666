//! One key in one namespace: its first value and what became of it, in the order of time.

use std::{cmp::Ordering, sync::Arc};

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{At, Through};
use crate::{
    attribute::requester::{Unasked, by_arguments, unasked},
    event::{Component, Container, Event, Kubernetes, Process, Requester, Sysctl, ValueType},
    rendered::Rendered,
};

/// One key in one namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// What the kernel gave it as the namespace was made; absent where that was not seen.
    pub initial: Option<Initial>,
    /// What followed, in the order of time.
    pub entries: Vec<Entry>,
    /// How many entries between the first and the last that are here were forgotten. None of them
    /// was the last change.
    pub forgotten: u64,
    /// Entries were forgotten whose last was not later than this, in nanoseconds since boot.
    pub forgotten_ns: Option<u64>,
    /// When the last of the entries was that lines tell in different ways, in nanoseconds since boot.
    #[serde(default)]
    pub disputed_ns: Option<u64>,
}

/// The first value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Initial {
    /// The value.
    pub value: SmolStr,
    /// That of the node's own namespace at that moment.
    pub node: Option<SmolStr>,
}

/// Something that became of a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// A write was seen.
    Write(Write),
    /// The value was found to be another one, without a write.
    Drift(Drift),
}

/// A write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Write {
    /// The run of the tracer that saw it.
    pub session: Arc<Rendered<String>>,
    /// When it began, in nanoseconds since boot.
    pub begun_ns: u64,
    /// When it returned.
    pub at: At,
    /// Who wrote.
    pub author: Arc<Author>,
    /// The text given, where it could be read.
    pub requested: Option<SmolStr>,
    /// The kernel's memory before and after.
    pub memory: Memory,
    /// Why the kernel refused; absent where it did not.
    pub error: Option<SmolStr>,
    /// On whose behalf; absent where that is not known.
    pub requester: Option<Arc<Requester>>,
    /// Through which other key it came; absent where the key itself was written.
    #[serde(default)]
    pub through: Option<Through>,
    /// The kernel function that handled it, where that is known.
    #[serde(default)]
    pub handler: Option<SmolStr>,
    /// What is known of why it was made, where no requester is.
    pub unasked: Unasked,
    /// Whether it is certain what the writer is: nothing of what that rests on was cut.
    pub is_author_proven: bool,
}

/// The kernel's memory of a key, before a write and after. A write of which it is not known, though the
/// kernel's memory can be read for the key, is no entry but a flaw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Memory {
    /// As the key's file shows it.
    Read {
        /// When the write began. What another write that was under way did meanwhile is not in it.
        old: SmolStr,
        /// When it returned.
        new: SmolStr,
    },
    /// The kernel handles the key in a way of its own, so that it can't be read.
    NotDecoded,
}

/// A value that is there without a write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// The run of the tracer that found it.
    pub session: Arc<Rendered<String>>,
    /// When it was found.
    pub at: At,
    /// What the writes that were seen had left; absent where there were none.
    pub expected: Option<SmolStr>,
    /// What was there.
    pub found: SmolStr,
}

/// Who did something, as far as a verdict tells of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Author {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// comm of the thread.
    pub name: String,
    /// Unique over pids that are used again.
    pub entity_id: String,
    /// The network namespace that the process itself was in.
    pub netns: Option<u32>,
    /// What it is.
    pub component: Option<Arc<Rendered<Component>>>,
    /// The container that it is in.
    pub container: Option<Arc<Rendered<Container>>>,
    /// The pod that it is in.
    pub k8s: Option<Arc<Rendered<Kubernetes>>>,
}

impl Author {
    pub(super) fn of(process: &Process, event: &Event) -> Self {
        Self {
            pid: process.pid,
            name: process.name.clone(),
            entity_id: process.entity_id.clone(),
            netns: process.namespaces.net,
            component: event.component.clone(),
            container: event.container.known().cloned(),
            k8s: event.k8s.clone(),
        }
    }

    /// Whether an event tells the same of its process.
    pub(super) fn is_of(&self, process: &Process, event: &Event) -> bool {
        self.entity_id == process.entity_id
            && self.name == process.name
            && self.netns == process.namespaces.net
            && self.component == event.component
            && self.container.as_ref() == event.container.known()
            && self.k8s == event.k8s
    }
}

impl Memory {
    fn of(sysctl: &Sysctl) -> Option<Self> {
        match (&sysctl.old, &sysctl.new) {
            _ if sysctl.type_ == ValueType::NotDecoded => Some(Self::NotDecoded),
            (Some(old), Some(new)) => Some(Self::Read {
                old: old.clone(),
                new: new.clone(),
            }),
            (Some(_) | None, Some(_) | None) => None,
        }
    }
}

impl Write {
    /// A write as an event tells it; nothing where the event does not tell what became of the value.
    pub(super) fn of(sysctl: &Sysctl, event: &Event, at: At, author: Arc<Author>) -> Option<Self> {
        Some(Self {
            session: event.trace.session.clone(),
            begun_ns: event.event.boottime_ns,
            at,
            author,
            requested: sysctl.requested.clone(),
            memory: Memory::of(sysctl)?,
            error: event.error.as_ref().map(|error| error.code.clone()),
            requester: (sysctl.requester.clone()).or_else(|| by_arguments(event).map(Arc::new)),
            through: None,
            handler: sysctl.handler.clone(),
            unasked: unasked(event),
            is_author_proven: !event
                .trace
                .truncated
                .iter()
                .any(|cut| cut.starts_with("process.")),
        })
    }

    /// The value as it began; absent where the kernel's memory can't be read.
    pub const fn old(&self) -> Option<&SmolStr> {
        match &self.memory {
            Memory::Read { old, .. } => Some(old),
            Memory::NotDecoded => None,
        }
    }

    /// The value as it returned; absent where the kernel's memory can't be read.
    pub const fn became(&self) -> Option<&SmolStr> {
        match &self.memory {
            Memory::Read { new, .. } => Some(new),
            Memory::NotDecoded => None,
        }
    }

    /// Whether the kernel's memory can be read for this key.
    pub const fn is_decoded(&self) -> bool {
        match self.memory {
            Memory::Read { .. } => true,
            Memory::NotDecoded => false,
        }
    }

    /// Whether the value was another one afterwards than before, going by what it read itself. A key
    /// that can't be read is taken to be changed by every write that the kernel took.
    pub fn is_change(&self) -> bool {
        match &self.memory {
            Memory::Read { old, new } => old != new,
            Memory::NotDecoded => self.error.is_none(),
        }
    }

    /// What the write left: the kernel's memory, or, where that can't be read, what was asked.
    pub fn left(&self) -> Option<&SmolStr> {
        match (&self.memory, &self.error) {
            (Memory::Read { new, .. }, _) => Some(new),
            (Memory::NotDecoded, None) => self.requested.as_ref(),
            (Memory::NotDecoded, Some(_)) => None,
        }
    }

    /// Whether the kernel holds what was asked for.
    pub fn is_as_asked(&self) -> bool {
        match (&self.requested, self.left()) {
            (Some(requested), Some(left)) => is_same(requested, left),
            (Some(_) | None, None) | (None, Some(_)) => false,
        }
    }

    /// Whether both were under way at the same time.
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.begun_ns <= other.at.boottime_ns && other.begun_ns <= self.at.boottime_ns
    }
}

impl Entry {
    /// When it was.
    pub const fn at(&self) -> &At {
        match self {
            Self::Write(write) => &write.at,
            Self::Drift(drift) => &drift.at,
        }
    }

    /// What was there afterwards, where that is known.
    pub fn left(&self) -> Option<&SmolStr> {
        match self {
            Self::Write(write) => write.left(),
            Self::Drift(drift) => Some(&drift.found),
        }
    }

    /// What was there before, where that was seen.
    pub(super) const fn found(&self) -> Option<&SmolStr> {
        match self {
            Self::Write(write) => write.old(),
            Self::Drift(drift) => Some(&drift.found),
        }
    }

    const fn session(&self) -> &Arc<Rendered<String>> {
        match self {
            Self::Write(write) => &write.session,
            Self::Drift(drift) => &drift.session,
        }
    }

    /// Whether the value was another one afterwards. Of two writes that were under way at the same
    /// time, what the one that ended first left was there before the other ended.
    fn is_change_after(&self, before: Option<&Self>) -> bool {
        let write = match self {
            Self::Write(write) => write,
            Self::Drift(_) => return true,
        };
        match (before, &write.memory) {
            (Some(Self::Write(before)), Memory::Read { new, .. }) if write.overlaps(before) => {
                before.left() != Some(new)
            }
            (Some(_) | None, Memory::Read { .. } | Memory::NotDecoded) => write.is_change(),
        }
    }

    /// Whether both have the same number in the same stream.
    fn is_of_number_of(&self, other: &Self) -> bool {
        let number = self.at().sequence;
        number != 0 && number == other.at().sequence && self.session() == other.session()
    }

    /// The order of two: by time, and of the same moment the same, whichever came first.
    fn stands_by(&self, other: &Self) -> Ordering {
        let told = |one: &Self| serde_json::to_string(one).unwrap_or_default();
        let ns = |one: &Self| one.at().boottime_ns;
        ns(self)
            .cmp(&ns(other))
            .then_with(|| self.rank().cmp(&other.rank()))
            // Copies of which one lacks something.
            .then_with(|| told(self).cmp(&told(other)))
    }

    /// Where it stands among entries of the same moment.
    fn rank(&self) -> (u64, &str, &str, &str, &str) {
        fn text(text: Option<&SmolStr>) -> &str {
            text.map_or("", SmolStr::as_str)
        }
        let session = self.session().as_str();
        match self {
            Self::Write(Write {
                at,
                author,
                requested,
                ..
            }) => (
                at.sequence,
                session,
                &author.entity_id,
                text(requested.as_ref()),
                text(self.left()),
            ),
            Self::Drift(Drift {
                at,
                expected,
                found,
                ..
            }) => (at.sequence, session, "", text(expected.as_ref()), found),
        }
    }
}

/// What a history says last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Final<'a> {
    /// The value of the beginning still stands.
    Initial(&'a Initial),
    /// This changed it last.
    Changed(&'a Entry),
    /// Nothing that was seen changed it; this is what the first write found.
    Found(&'a SmolStr),
}

impl History {
    /// Adds an entry where its time belongs, once, and forgets the oldest where there are too many: some
    /// at once, so that not each entry moves all others.
    pub(super) fn add(&mut self, entry: Entry, most: usize) {
        let ns = entry.at().boottime_ns;
        let is_last = self
            .entries
            .last()
            .is_none_or(|last| last.at().boottime_ns < ns);
        if is_last {
            self.entries.push(entry);
        } else {
            let at = self
                .entries
                .partition_point(|one| one.stands_by(&entry).is_lt());
            if self.entries.get(at) == Some(&entry) {
                return;
            }
            if self.entries.iter().any(|one| one.is_of_number_of(&entry)) {
                self.disputed_ns = self.disputed_ns.max(Some(ns));
            }
            self.entries.insert(at, entry);
        }
        if self.entries.len() > most {
            self.forget_oldest((most / 4).max(1));
        }
    }

    /// Where the entries are that changed the value, the last first.
    fn changes(&self) -> impl Iterator<Item = usize> {
        (0..self.entries.len()).rev().filter(|at| {
            let before = at.checked_sub(1).map(|before| &self.entries[before]);
            self.entries[*at].is_change_after(before)
        })
    }

    /// Whether a write that is one of the entries changed the value.
    pub fn is_change(&self, write: &Write) -> bool {
        let is_it = |entry: &Entry| matches!(entry, Entry::Write(one) if std::ptr::eq(one, write));
        match self.entries.iter().position(is_it) {
            Some(at) => self.changes().any(|change| change == at),
            None => write.is_change(),
        }
    }

    /// The last change stays, however old it is.
    fn forget_oldest(&mut self, count: usize) {
        let last_change = self.changes().next();
        let kept = last_change
            .filter(|at| *at < count)
            .map(|at| self.entries.remove(at));
        self.entries.drain(..count);
        if let Some(kept) = kept {
            self.entries.insert(0, kept);
        }
        self.forgotten += count as u64;
    }

    /// Forgets what was before a moment: another namespace had the number then.
    pub(super) fn forget_before(&mut self, ns: u64) {
        self.entries.retain(|entry| entry.at().boottime_ns >= ns);
        self.forgotten = 0;
        self.disputed_ns = self.disputed_ns.filter(|disputed_ns| *disputed_ns >= ns);
    }

    /// The value that it has, going by what was seen.
    pub fn value(&self) -> Option<&SmolStr> {
        let left = self.entries.iter().rev().find_map(Entry::left);
        left.or_else(|| self.initial.as_ref().map(|initial| &initial.value))
    }

    /// What it goes back to.
    pub fn last(&self) -> Option<Final<'_>> {
        if let Some(entry) = self.changes().next().and_then(|at| self.entries.get(at)) {
            return Some(Final::Changed(entry));
        }
        if let Some(initial) = &self.initial {
            return Some(Final::Initial(initial));
        }
        self.entries.iter().find_map(Entry::left).map(Final::Found)
    }

    /// The writes, in the order of time.
    pub fn writes(&self) -> impl DoubleEndedIterator<Item = &Write> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Write(write) => Some(write),
            Entry::Drift(_) => None,
        })
    }

    pub(super) fn last_ns(&self) -> u64 {
        self.entries
            .last()
            .map_or(0, |entry| entry.at().boottime_ns)
    }
}

/// Whether two texts stand for the same value: blanks between words do not count, and numbers may be
/// written in other ways that the kernel takes (`0x400`, `010`, `+8`).
pub fn is_same(one: &str, other: &str) -> bool {
    let mut ones = one.split_ascii_whitespace();
    let mut others = other.split_ascii_whitespace();
    loop {
        match (ones.next(), others.next()) {
            (None, None) => return true,
            (Some(one), Some(other)) if one == other => {}
            (Some(one), Some(other)) => match (number(one), number(other)) {
                (Some(one), Some(other)) if one == other => {}
                (Some(_) | None, Some(_) | None) => return false,
            },
            (Some(_), None) | (None, Some(_)) => return false,
        }
    }
}

/// As the kernel reads one (`proc_dointvec`): a sign, then base 16 behind 0x, 8 behind 0, else 10.
fn number(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (base, digits) =
        if let Some(digits) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
            (16, digits)
        } else if digits.len() > 1 && digits.starts_with('0') {
            (8, &digits[1..])
        } else {
            (10, digits)
        };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let number = u64::from_str_radix(digits, base).ok()?;
    Some(sign * i128::from(number))
}
