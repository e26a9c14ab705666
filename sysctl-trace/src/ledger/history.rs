//! One key in one namespace: its first value and what became of it, in the order of time.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::At;
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
}

/// The first value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// When it returned.
    pub at: At,
    /// Who wrote.
    pub author: Arc<Author>,
    /// The text given, where it could be read.
    pub requested: Option<SmolStr>,
    /// The value before; absent where the kernel handles the key in a way of its own.
    pub old: Option<SmolStr>,
    /// The value after; absent as `old`.
    pub new: Option<SmolStr>,
    /// Why the kernel refused; absent where it did not.
    pub error: Option<SmolStr>,
    /// On whose behalf; absent where that is not known.
    pub requester: Option<Arc<Requester>>,
    /// What is known of why it was made, where no requester is.
    pub unasked: Unasked,
    /// Whether the kernel's memory can be read for this key.
    pub is_decoded: bool,
}

/// A value that is there without a write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
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
            container: event.container.clone(),
            k8s: event.k8s.clone(),
        }
    }

    /// Whether an event tells the same of its process.
    pub(super) fn is_of(&self, process: &Process, event: &Event) -> bool {
        self.entity_id == process.entity_id
            && self.name == process.name
            && self.netns == process.namespaces.net
            && self.component == event.component
            && self.container == event.container
            && self.k8s == event.k8s
    }
}

impl Write {
    pub(super) fn of(sysctl: &Sysctl, event: &Event, at: At, author: Arc<Author>) -> Self {
        Self {
            at,
            author,
            requested: sysctl.requested.clone(),
            old: sysctl.old.clone(),
            new: sysctl.new.clone(),
            error: event.error.as_ref().map(|error| error.code.clone()),
            requester: (sysctl.requester.clone()).or_else(|| by_arguments(event).map(Arc::new)),
            unasked: unasked(event),
            is_decoded: sysctl.type_ != ValueType::NotDecoded,
        }
    }

    /// Whether the value was another one afterwards. A key that can't be read is taken to be changed
    /// by every write that the kernel took.
    pub fn is_change(&self) -> bool {
        if self.is_decoded {
            self.old != self.new
        } else {
            self.error.is_none()
        }
    }

    /// What the write left: the kernel's memory, or, where that can't be read, what was asked.
    pub fn left(&self) -> Option<&SmolStr> {
        match (self.is_decoded, &self.error) {
            (true, _) => self.new.as_ref(),
            (false, None) => self.requested.as_ref(),
            (false, Some(_)) => None,
        }
    }

    /// Whether the kernel holds what was asked for.
    pub fn is_as_asked(&self) -> bool {
        match (&self.requested, self.left()) {
            (Some(requested), Some(left)) => is_same(requested, left),
            (Some(_) | None, None) | (None, Some(_)) => false,
        }
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

    fn is_change(&self) -> bool {
        match self {
            Self::Write(write) => write.is_change(),
            Self::Drift(_) => true,
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
    pub(super) fn beginning(initial: Initial) -> Self {
        Self {
            initial: Some(initial),
            ..Self::default()
        }
    }

    /// Adds an entry where its time belongs, and forgets the oldest where there are too many: some at
    /// once, so that not each entry moves all others.
    pub(super) fn add(&mut self, entry: Entry, most: usize) {
        let ns = entry.at().boottime_ns;
        let later = self.entries.iter().rev();
        let later = later.take_while(|e| e.at().boottime_ns > ns).count();
        self.entries.insert(self.entries.len() - later, entry);
        if self.entries.len() > most {
            self.forget_oldest((most / 4).max(1));
        }
    }

    /// The last change stays, however old it is.
    fn forget_oldest(&mut self, count: usize) {
        let last_change = self.entries.iter().rposition(Entry::is_change);
        let kept = last_change
            .filter(|at| *at < count)
            .map(|at| self.entries.remove(at));
        self.entries.drain(..count);
        if let Some(kept) = kept {
            self.entries.insert(0, kept);
        }
        self.forgotten += count as u64;
    }

    /// The value that it has, going by what was seen.
    pub fn value(&self) -> Option<&SmolStr> {
        let left = self.entries.iter().rev().find_map(Entry::left);
        left.or_else(|| self.initial.as_ref().map(|initial| &initial.value))
    }

    /// What it goes back to.
    pub fn last(&self) -> Option<Final<'_>> {
        if let Some(entry) = self.entries.iter().rev().find(|entry| entry.is_change()) {
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
