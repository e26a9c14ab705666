//! From facts to a cause and how sure it is.

use smol_str::SmolStr;

use super::{
    Asked, Cause, Confidence, Facts, Reason, Seen, Writer,
    keys::{Origin, is_of_other_namespace, origin},
};
use crate::{
    event::{Component, Container, Requester, Sureness},
    ledger::{self, Author, Drift, Entry, Final, Flaw, History, Namespace, Write, is_same},
    rendered::Rendered,
};

/// What was found, and what it rests on.
#[derive(Clone, Debug)]
pub(super) struct Decision<'a> {
    pub(super) root: Root<'a>,
    pub(super) confidence: Confidence,
    pub(super) reason: Option<Reason>,
    /// What may be missing since then.
    pub(super) flaw: Option<Flaw>,
}

/// What a value goes back to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Root<'a> {
    /// What the kernel gave it, from there.
    Kernel(Origin),
    Write(&'a Write),
    Requested(&'a Requester),
    BeforeTracing,
    NotWatched,
    ChangedUnseen,
    Undecided,
}

/// The last that was seen to give a value.
struct Basis<'a> {
    root: Root<'a>,
    /// The value it gave.
    left: Option<&'a SmolStr>,
    since_ns: u64,
    /// Why it is not certain, whatever came later.
    doubt: Option<Reason>,
}

impl<'a> Decision<'a> {
    const fn unknown(root: Root<'a>, reason: Reason) -> Self {
        Self {
            root,
            confidence: Confidence::Unknown,
            reason: Some(reason),
            flaw: None,
        }
    }

    const fn inferred(root: Root<'a>, reason: Reason) -> Self {
        Self {
            root,
            confidence: Confidence::Inferred,
            reason: Some(reason),
            flaw: None,
        }
    }

    /// As the verdict has it.
    pub(super) fn cause(&self, facts: &Facts<'_>) -> Cause {
        match self.root {
            Root::Kernel(Origin::Constant) => Cause::KernelConstant,
            Root::Kernel(Origin::Node) => Cause::InheritedFromNode,
            Root::Kernel(Origin::Computed | Origin::Unknown) => Cause::KernelSetUp,
            Root::Write(write) => Cause::Written(writer(facts, write)),
            Root::Requested(requester) => Cause::Requested(requester.clone()),
            Root::BeforeTracing => Cause::BeforeTracing,
            Root::NotWatched => Cause::NotWatched,
            Root::ChangedUnseen => Cause::ChangedUnseen,
            Root::Undecided => Cause::Undecided,
        }
    }
}

fn writer(facts: &Facts<'_>, write: &Write) -> Writer {
    let author = &*write.author;
    Writer {
        component: component(author).map(|component| component.name.to_string()),
        name: author.name.clone(),
        pid: author.pid,
        entity_id: author.entity_id.clone(),
        container: container(author).map(|container| name_of(container).to_owned()),
        container_id: container(author).map(|container| container.id.to_string()),
        k8s: author.k8s.as_deref().map(|k8s| k8s.value().clone()),
        at: write.at.timestamp,
        requester: facts.requester(write).cloned(),
    }
}

/// What an author is.
pub(super) fn component(author: &Author) -> Option<&Component> {
    author.component.as_deref().map(Rendered::value)
}

/// The container that an author is in.
pub(super) fn container(author: &Author) -> Option<&Container> {
    author.container.as_deref().map(Rendered::value)
}

/// A container's name, or its id.
pub(super) fn name_of(container: &Container) -> &str {
    container.name.as_deref().unwrap_or(&container.id)
}

/// The decision.
pub(super) fn decide<'a>(facts: &'a Facts<'_>) -> Decision<'a> {
    if is_of_other_namespace(facts.key) {
        return Decision::unknown(Root::Undecided, Reason::OtherNamespace);
    }
    match &facts.seen {
        Some(seen) => by_ledger(facts, seen).unwrap_or_else(|| Decision {
            flaw: missed(facts.key, seen),
            ..by_files(facts, Root::BeforeTracing, Reason::BeforeTracing)
        }),
        None => by_files(facts, Root::NotWatched, Reason::NotWatched),
    }
}

/// What the ledger proves; nothing where it does not reach back to the value.
fn by_ledger<'a>(facts: &'a Facts<'_>, seen: &'a Seen<'_>) -> Option<Decision<'a>> {
    let namespace = seen.namespace?;
    let history = namespace.keys.get(facts.key);
    let basis = basis(facts.key, namespace, history)?;
    let flaw = flaw(facts.key, seen, namespace, basis.since_ns);
    let value = facts.value();
    let differs = match (value, basis.left) {
        (Some(value), Some(left)) => !is_same(value, left),
        (None, Some(_) | None) | (Some(_), None) => false,
    };
    if differs {
        return Some(match flaw {
            Some(flaw) => undecided(flaw),
            None => Decision::unknown(Root::ChangedUnseen, Reason::ValueDiffers),
        });
    }
    if matches!(basis.root, Root::ChangedUnseen) {
        return Some(match flaw {
            Some(flaw) => undecided(flaw),
            None => Decision::unknown(basis.root, Reason::ValueDiffers),
        });
    }
    if matches!(basis.root, Root::BeforeTracing) {
        return None;
    }
    let Some(flaw) = flaw else {
        return Some(match basis.doubt {
            Some(doubt) => Decision::inferred(basis.root, doubt),
            None => Decision {
                root: basis.root,
                confidence: Confidence::Observed,
                reason: None,
                flaw: None,
            },
        });
    };
    // Without a cookie it may even be another namespace by now.
    if !namespace.has_cookie() || !is_verified_after(&flaw, facts, history) {
        return Some(undecided(flaw));
    }
    Some(Decision {
        flaw: Some(flaw.clone()),
        ..Decision::inferred(basis.root, reason(&flaw))
    })
}

/// What may be missing since tracing began: a namespace whose beginning was not seen may have been made
/// then.
fn missed(key: &str, seen: &Seen<'_>) -> Option<Flaw> {
    let begun = seen.window.begun?;
    seen.window.flaw_between(begun.boottime_ns, u64::MAX, key)
}

/// The last that gave the value, as far as it was seen.
fn basis<'a>(
    key: &str,
    namespace: &'a Namespace,
    history: Option<&'a History>,
) -> Option<Basis<'a>> {
    let created_ns = namespace.created.as_ref().map(|made| made.at.boottime_ns);
    let last = history.and_then(|history| Some((history, history.last()?)));
    match (last, created_ns) {
        (Some((history, Final::Changed(Entry::Write(write)))), _) => Some(written(history, write)),
        (Some((history, Final::Changed(Entry::Drift(drift)))), _) => {
            Some(drifted(history, drift, created_ns))
        }
        (Some((_, Final::Initial(initial))), Some(since_ns)) => Some(Basis {
            root: Root::Kernel(origin(key)),
            left: Some(&initial.value),
            since_ns,
            doubt: None,
        }),
        (Some((_, Final::Found(found))), Some(since_ns)) => Some(Basis {
            root: Root::Kernel(origin(key)),
            left: Some(found),
            since_ns,
            doubt: Some(Reason::KernelSource),
        }),
        (None, Some(since_ns)) => Some(Basis {
            root: Root::Kernel(origin(key)),
            left: None,
            since_ns,
            doubt: Some(Reason::KernelSource),
        }),
        (
            Some((
                history,
                Final::Initial(ledger::Initial { value: found, .. }) | Final::Found(found),
            )),
            None,
        ) => Some(Basis {
            root: Root::BeforeTracing,
            left: Some(found),
            since_ns: history.entries.first()?.at().boottime_ns,
            doubt: None,
        }),
        (None, None) => None,
    }
}

fn written<'a>(history: &'a History, last: &'a Write) -> Basis<'a> {
    let (write, raced) = if last.is_as_asked() {
        (last, false)
    } else {
        // Of two that race, the one that returned first may have won.
        let winner = history
            .writes()
            .rev()
            .find(|write| write.is_change() && write.is_as_asked() && write.left() == last.left());
        (winner.unwrap_or(last), true)
    };
    let sureness = component(&write.author).map(|component| component.confidence);
    let doubt = match sureness {
        _ if !write.is_decoded => Some(Reason::NotDecoded),
        _ if raced => Some(Reason::OtherThanAsked),
        Some(Sureness::Observed) => None,
        Some(Sureness::Inferred) | None => Some(Reason::ComponentInferred),
    };
    Basis {
        root: Root::Write(write),
        left: last.left(),
        since_ns: last.at.boottime_ns,
        doubt,
    }
}

/// It was changed unseen since what was seen before that.
fn drifted<'a>(history: &History, drift: &'a Drift, created_ns: Option<u64>) -> Basis<'a> {
    let before = history.entries.iter().rev().nth(1);
    let before_ns = before.map(|entry| entry.at().boottime_ns).or(created_ns);
    Basis {
        root: Root::ChangedUnseen,
        left: Some(&drift.found),
        since_ns: before_ns.unwrap_or(drift.at.boottime_ns),
        doubt: None,
    }
}

/// What may be missing since a moment, as long as the namespace was there.
fn flaw(key: &str, seen: &Seen<'_>, namespace: &Namespace, since_ns: u64) -> Option<Flaw> {
    // Without a cookie another namespace may have its number since, unseen.
    let end = namespace.destroyed.filter(|_| namespace.has_cookie());
    let end_ns = end.map_or(u64::MAX, |end| end.boottime_ns);
    let forgotten = namespace.forgotten_ns.filter(|ns| *ns >= since_ns);
    let is_known = namespace.keys.contains_key(key);
    match forgotten {
        Some(_) if !is_known => Some(Flaw::Forgotten),
        Some(_) | None => seen.window.flaw_between(since_ns, end_ns, key),
    }
}

/// Whether the value was seen to be the same after what may be missing.
fn is_verified_after(flaw: &Flaw, facts: &Facts<'_>, history: Option<&History>) -> bool {
    if facts.held.value.is_some() {
        return true;
    }
    let last_ns = history
        .and_then(|history| history.entries.last())
        .map(|entry| entry.at().boottime_ns);
    match flaw {
        Flaw::Gap(gap) => last_ns.is_some_and(|last_ns| last_ns >= gap.to_ns),
        Flaw::Forgotten => false,
        // Nothing says that something is missing.
        Flaw::Filtered | Flaw::NoStart => true,
    }
}

fn undecided<'a>(flaw: Flaw) -> Decision<'a> {
    Decision {
        flaw: Some(flaw.clone()),
        ..Decision::unknown(Root::Undecided, reason(&flaw))
    }
}

const fn reason(flaw: &Flaw) -> Reason {
    match flaw {
        Flaw::Gap(_) => Reason::EventsLost,
        Flaw::Filtered => Reason::Filtered,
        Flaw::NoStart => Reason::NoStart,
        Flaw::Forgotten => Reason::Forgotten,
    }
}

/// What files and defaults suggest, where no tracer saw how the value came about.
fn by_files<'a>(facts: &'a Facts<'_>, root: Root<'a>, reason: Reason) -> Decision<'a> {
    let Some(value) = facts.value() else {
        return Decision::unknown(root, Reason::NoValue);
    };
    if let Asked::For(requester) = &facts.held.asked
        && facts.refused().is_none()
    {
        return if is_same(&requester.value, value) {
            Decision::inferred(Root::Requested(requester), reason)
        } else {
            Decision::unknown(root, Reason::OtherThanRequested)
        };
    }
    let is = |other: &Option<SmolStr>| other.as_ref().is_some_and(|other| is_same(other, value));
    match origin(facts.key) {
        from @ Origin::Constant if is(&facts.held.default) => {
            Decision::inferred(Root::Kernel(from), reason)
        }
        from @ Origin::Node if !facts.is_node && is(&facts.held.node) => {
            Decision::inferred(Root::Kernel(from), reason)
        }
        Origin::Constant | Origin::Node | Origin::Computed | Origin::Unknown => {
            Decision::unknown(root, reason)
        }
    }
}
