//! What may be missing, and what an event lacks to count. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::Place;
use crate::event::{Action, Event, Lost, Outcome, Sysctl, ValueType};

/// Why it can't be said that nothing else happened, and when that was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flaw {
    /// From this moment on, in nanoseconds since boot.
    pub from_ns: u64,
    /// Until this one.
    pub to_ns: u64,
    /// What it is.
    pub kind: Kind,
}

/// What may be missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The tracer lost events: all that it lost in the time in question.
    Lost(Lost),
    /// So many lines are missing in the stream.
    Missing(u64),
    /// So many lines are not understood.
    NotUnderstood(u64),
    /// No tracer ran.
    NoTracer,
    /// The tracer did not watch for keys that begin and end, and this is one that may.
    BirthsUnwatched,
    /// An event lacks what it would need to count.
    Unusable(Defect),
    /// Lines of a stream contradict each other.
    Contradiction,
    /// Filters kept events out of the stream.
    Filtered,
    /// The stream does not say when it begins and what its filters were.
    NoStart,
    /// Entries were forgotten for want of room.
    Forgotten,
}

/// What an event lacks to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Defect {
    /// The key: it is absent or cut.
    Key,
    /// A value of the kernel's memory: it is absent or cut.
    Value,
    /// The process, or whether it is in a container.
    Process,
    /// The network namespace, or what tells it from others.
    Netns,
    /// How long it took: when it ended is not known.
    Duration,
    /// Whether the kernel took it.
    Outcome,
    /// Its number in the stream.
    Sequence,
}

/// An event that can't count, and what it may be about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unusable {
    /// When it may have been, at the earliest.
    pub from_ns: u64,
    /// And at the latest.
    pub to_ns: u64,
    /// The place; any where it is absent.
    pub place: Option<Place>,
    /// The key; any where it is absent.
    pub key: Option<SmolStr>,
    /// What is missing.
    pub defect: Defect,
}

impl Unusable {
    /// An event as one that can't count, if it can't.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let defect = defect(event).or_else(|| is_placeless(event).then_some(Defect::Netns))?;
        let begun_ns = event.event.boottime_ns;
        let ended_ns = match event.event.duration {
            None if event.event.action == Action::SysctlWrite => u64::MAX,
            None | Some(_) => event.event.ended_ns(),
        };
        let is_cut = |name: &str| event.trace.truncated.iter().any(|cut| cut == name);
        let key = match &event.sysctl {
            Some(sysctl) if event.event.action != Action::NetnsDestroy => {
                let is_whole = !is_cut("sysctl.path") && !sysctl.key.is_empty();
                is_whole.then(|| sysctl.key.clone())
            }
            Some(_) | None => None,
        };
        let is_of_netns = || key.as_ref().is_none_or(|key| key.starts_with("net."));
        let place = match &event.netns {
            Some(netns) if netns.inum.is_some() => Some(Place::Netns(netns.id())),
            None if !is_of_netns() => Some(Place::Node),
            Some(_) | None => None,
        };
        Some(Self {
            from_ns: begun_ns,
            to_ns: ended_ns,
            place,
            key,
            defect,
        })
    }

    /// Whether it may be about a key in a place.
    pub(super) fn may_be_about(&self, key: &str, place: Place) -> bool {
        let is_place = match (self.place, place) {
            (None, _) | (Some(Place::Node), Place::Node) => true,
            // Without a cookie it may be any that had this number.
            (Some(Place::Netns(one)), Place::Netns(other)) => {
                one.inum == other.inum
                    && (one.cookie == other.cookie || one.cookie == 0 || other.cookie == 0)
            }
            (Some(Place::Node), Place::Netns(_)) | (Some(Place::Netns(_)), Place::Node) => false,
        };
        is_place && self.key.as_ref().is_none_or(|own| own == key)
    }

    /// What is no less than both.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            from_ns: self.from_ns.min(other.from_ns),
            to_ns: self.to_ns.max(other.to_ns),
            place: self.place.filter(|_| self.place == other.place),
            key: self.key.filter(|key| other.key.as_ref() == Some(key)),
            defect: self.defect.min(other.defect),
        }
    }
}

/// Whether an event has all that it needs to count, also for the place that it is of.
pub fn is_usable(event: &Event) -> bool {
    defect(event).is_none() && !is_placeless(event)
}

/// What an event lacks to count, if anything.
pub fn defect(event: &Event) -> Option<Defect> {
    let has_inum = |event: &Event| {
        event
            .netns
            .as_ref()
            .is_some_and(|netns| netns.inum.is_some())
    };
    match event.event.action {
        Action::SysctlWrite => of_write(event),
        Action::SysctlDrift => match &event.sysctl {
            None => Some(Defect::Key),
            Some(sysctl) if sysctl.new.is_none() => Some(Defect::Value),
            Some(_) if !has_inum(event) => Some(Defect::Netns),
            Some(_) => None,
        },
        Action::NetnsCreate if event.event.outcome == Outcome::Failure => None,
        Action::NetnsCreate | Action::NetnsDestroy => (!has_inum(event)).then_some(Defect::Netns),
        Action::SysctlRegister | Action::SysctlUnregister => {
            event.table.is_none().then_some(Defect::Key)
        }
        // They say nothing of a value.
        Action::NetnsEnter
        | Action::NetnsBind
        | Action::EventsLost
        | Action::TraceStart
        | Action::TraceEnd => None,
    }
}

fn of_write(event: &Event) -> Option<Defect> {
    let Some(sysctl) = &event.sysctl else {
        return Some(Defect::Key);
    };
    if sysctl.key.is_empty() {
        return Some(Defect::Key);
    }
    for cut in &event.trace.truncated {
        match &**cut {
            "sysctl.key" | "sysctl.path" => return Some(Defect::Key),
            "sysctl.old" | "sysctl.new" if sysctl.type_ != ValueType::NotDecoded => {
                return Some(Defect::Value);
            }
            _ => {}
        }
    }
    let is_known = sysctl.old.is_some() && sysctl.new.is_some();
    let netns = event.netns.as_ref();
    // Where the cgroup could not be read, the line says so, and who it was is not proven.
    let is_cut = |cut: &std::borrow::Cow<'_, str>| cut == "process.cgroup";
    let is_placed = !event.container.is_not_told()
        || event.trace.truncated.iter().any(is_cut)
        || minor(event).is_none_or(|minor| minor < 3);
    if event.process.is_none() || !is_placed {
        Some(Defect::Process)
    } else if netns.is_some_and(|netns| netns.inum.is_none()) {
        Some(Defect::Netns)
    } else if event.event.duration.is_none() {
        Some(Defect::Duration)
    } else if sysctl.type_ != ValueType::NotDecoded && !is_known {
        Some(Defect::Value)
    } else {
        let is_refused = event.event.outcome == Outcome::Failure;
        (is_refused != event.error.is_some()).then_some(Defect::Outcome)
    }
}

/// Whether a write to a key that a namespace may have names none.
fn is_placeless(event: &Event) -> bool {
    let is_of_netns = |sysctl: &Sysctl| sysctl.key.starts_with("net.");
    event.event.action == Action::SysctlWrite
        && event.netns.is_none()
        && event.sysctl.as_ref().is_some_and(is_of_netns)
}

/// What kinds of events were lost, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kinds {
    /// So many of each action.
    Told(BTreeMap<Action, u64>),
    /// Before schema 1.3 it is not told which programs the kernel passed over. Writes were watched by
    /// two programs at each end, namespaces and program starts by one, so it was these.
    OfNamespaces,
    /// Any.
    Unknown,
}

impl Kinds {
    /// What an event says of the events that were lost.
    pub(super) fn of(event: &Event) -> Self {
        let Some(lost) = event.trace.lost else {
            return Self::Unknown;
        };
        let told = &event.trace.lost_by_action;
        if !told.is_empty() {
            let count = told.values().fold(0, |sum: u64, n| sum.saturating_add(*n));
            // What is not told of may be of any action.
            return match count >= lost.total() {
                true => Self::Told(told.clone()),
                false => Self::Unknown,
            };
        }
        let is_passed_over = Lost {
            probe_missed: 0,
            ..lost
        }
        .total()
            == 0;
        match is_passed_over && minor(event).is_some_and(|minor| minor < 3) {
            true => Self::OfNamespaces,
            false => Self::Unknown,
        }
    }

    /// What is no less than both.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Told(mut one), Self::Told(other)) => {
                for (action, count) in other {
                    let sum = one.entry(action).or_default();
                    *sum = sum.saturating_add(count);
                }
                Self::Told(one)
            }
            (Self::OfNamespaces, Self::OfNamespaces) => Self::OfNamespaces,
            (Self::Told(_) | Self::OfNamespaces | Self::Unknown, _) => Self::Unknown,
        }
    }

    /// Whether some of them may have been what is in question.
    pub(super) fn may_hide(&self, what: Hidden, key: &str, place: Place) -> bool {
        let hides = |action| can_hide(action, what, key, place);
        match self {
            Self::Told(counts) => counts
                .iter()
                .any(|(action, count)| *count > 0 && hides(*action)),
            Self::OfNamespaces => [
                Action::NetnsCreate,
                Action::NetnsDestroy,
                Action::NetnsEnter,
            ]
            .into_iter()
            .any(hides),
            Self::Unknown => true,
        }
    }
}

/// What must not have gone unseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// A change of the key's value in the place.
    Change,
    /// That the place came to be.
    Birth,
}

/// Whether an event of an action, had it been lost, could be what must not have gone unseen.
pub fn can_hide(action: Action, what: Hidden, key: &str, place: Place) -> bool {
    match action {
        Action::SysctlWrite
        | Action::SysctlDrift
        | Action::TraceStart
        | Action::TraceEnd
        | Action::EventsLost => true,
        Action::NetnsCreate => what == Hidden::Birth || !place.is_unique(),
        // Another with its number may have come after it.
        Action::NetnsDestroy => !place.is_unique(),
        Action::NetnsEnter | Action::NetnsBind => false,
        Action::SysctlRegister | Action::SysctlUnregister => may_be_born_again(key),
    }
}

/// Whether a key may end and come to be again while its namespace, or the node, goes on: with a device
/// or a module. Of keys that are not known it is assumed.
pub fn may_be_born_again(key: &str) -> bool {
    let depth = key.split('.').count();
    let is_lasting = ["net.core.", "net.unix."]
        .iter()
        .any(|folder| key.starts_with(folder))
        || (depth == 3 && key.starts_with("net.ipv4."))
        || (depth == 2 && ["kernel.", "vm.", "fs."].iter().any(|f| key.starts_with(f)));
    !is_lasting
}

/// The minor version of the schema that an event follows, where its major is ours.
pub(super) fn minor(event: &Event) -> Option<u32> {
    let (major, minor) = event.schema.version.split_once('.')?;
    (major == "1").then(|| minor.parse().ok())?
}
