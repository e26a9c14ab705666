//! From facts to a cause and how sure it is.

use smol_str::SmolStr;

use super::{
    Asked, Cause, Confidence, Facts, Reason, Seen, Writer,
    keys::{Origin, is_of_other_namespace, origin},
    sharing::is_perhaps_shared,
};
use crate::{
    event::{Component, Container, NetnsId, Requester, Sureness},
    ledger::{
        self, Author, Drift, Entry, Final, Flaw, Hidden, History, Kind, Namespace, Place, Proof,
        Since, Write, is_same,
    },
    rendered::Rendered,
};

/// What was found, and what it rests on.
#[derive(Clone, Debug)]
pub(super) struct Decision<'a> {
    pub(super) root: Root<'a>,
    certainty: Certainty,
    pub(super) reason: Option<Reason>,
    /// What may be missing since then.
    pub(super) flaw: Option<Flaw>,
}

/// How sure a decision is. What is observed has a proof that nothing was missed since.
#[derive(Clone, Debug)]
enum Certainty {
    Unknown,
    /// With what the stream proves all the same.
    Inferred(Option<Proof>),
    Observed(Proof),
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
            certainty: Certainty::Unknown,
            reason: Some(reason),
            flaw: None,
        }
    }

    const fn inferred(root: Root<'a>, reason: Reason) -> Self {
        Self {
            root,
            certainty: Certainty::Inferred(None),
            reason: Some(reason),
            flaw: None,
        }
    }

    /// The only way to what is observed.
    const fn observed(root: Root<'a>, proof: Proof) -> Self {
        Self {
            root,
            certainty: Certainty::Observed(proof),
            reason: None,
            flaw: None,
        }
    }

    /// How sure it is.
    pub(super) const fn confidence(&self) -> Confidence {
        match self.certainty {
            Certainty::Unknown => Confidence::Unknown,
            Certainty::Inferred(_) => Confidence::Inferred,
            Certainty::Observed(_) => Confidence::Observed,
        }
    }

    /// That nothing is missing since, where that is so.
    pub(super) const fn proof(&self) -> Option<&Proof> {
        match &self.certainty {
            Certainty::Unknown | Certainty::Inferred(None) => None,
            Certainty::Inferred(Some(proof)) | Certainty::Observed(proof) => Some(proof),
        }
    }

    /// As the verdict has it.
    pub(super) fn cause(&self, facts: &Facts<'_>) -> Cause {
        match self.root {
            Root::Kernel(Origin::Constant) => Cause::KernelConstant,
            Root::Kernel(Origin::Node) => Cause::InheritedFromNode,
            Root::Kernel(Origin::Computed | Origin::Unknown) => Cause::KernelSetUp,
            Root::Write(write) => Cause::Written(Box::new(writer(facts, write))),
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
            flaw: missed(facts, seen),
            ..by_files(facts, Root::BeforeTracing, Reason::BeforeTracing)
        }),
        None => by_files(facts, Root::NotWatched, Reason::NotWatched),
    }
}

/// What the ledger proves; nothing where it does not reach back to the value.
fn by_ledger<'a>(facts: &'a Facts<'_>, seen: &'a Seen<'_>) -> Option<Decision<'a>> {
    let namespace = seen.namespace?;
    let history = namespace.keys.get(facts.key);
    if is_perhaps_shared(facts, seen, namespace) {
        return Some(Decision::unknown(Root::Undecided, Reason::OwnOrShared));
    }
    let basis = basis(facts.key, namespace, history)?;
    let proven = prove(facts.key, seen, namespace, basis.since_ns);
    let value = facts.value();
    let differs = match (value, basis.left) {
        (Some(value), Some(left)) => !is_same(value, left),
        (None, Some(_) | None) | (Some(_), None) => false,
    };
    if differs || matches!(basis.root, Root::ChangedUnseen) {
        return Some(match proven {
            Err(flaw) => undecided(flaw),
            Ok(_) => Decision::unknown(Root::ChangedUnseen, Reason::ValueDiffers),
        });
    }
    if matches!(basis.root, Root::BeforeTracing) {
        return None;
    }
    let flaw = match proven {
        Ok(proof) => {
            return Some(match basis.doubt {
                Some(doubt) => Decision {
                    certainty: Certainty::Inferred(Some(proof)),
                    ..Decision::inferred(basis.root, doubt)
                },
                None => Decision::observed(basis.root, proof),
            });
        }
        Err(flaw) => flaw,
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
fn missed(facts: &Facts<'_>, seen: &Seen<'_>) -> Option<Flaw> {
    let begun = seen.window.begun()?;
    let place = match seen.namespace {
        Some(namespace) => namespace.place,
        None => facts.held.inum.map_or(Place::Node, |inum| {
            Place::Netns(NetnsId {
                inum,
                cookie: facts.held.cookie.unwrap_or(0),
            })
        }),
    };
    seen.window.flaw(&Since {
        key: facts.key,
        place,
        from_ns: begun.boottime_ns,
        to_ns: None,
        hidden: if facts.is_node {
            Hidden::Change
        } else {
            Hidden::Birth
        },
    })
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
        (last, has_rival(history, last))
    } else {
        // Of two that race, the one that returned first may have won.
        let winner = history.writes().rev().find(|write| {
            write.is_as_asked() && write.left() == last.left() && history.is_change(write)
        });
        (winner.unwrap_or(last), true)
    };
    let sureness = component(&write.author).map(|component| component.confidence);
    let doubt = match sureness {
        _ if !write.is_decoded() => Some(Reason::NotDecoded),
        _ if raced => Some(Reason::OtherThanAsked),
        Some(Sureness::Observed) if write.is_author_proven => None,
        Some(Sureness::Observed | Sureness::Inferred) | None => Some(Reason::ComponentInferred),
    };
    Basis {
        root: Root::Write(write),
        left: last.left(),
        since_ns: last.at.boottime_ns,
        doubt,
    }
}

/// Whether another process wrote at the same time and found the same value as it was done: either may
/// have been the last.
fn has_rival(history: &History, write: &Write) -> bool {
    history.writes().any(|other| {
        other.author.entity_id != write.author.entity_id
            && other.error.is_none()
            && other.left() == write.left()
            && other.overlaps(write)
    })
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

/// That nothing is missing since a moment, as long as the namespace was there; or what may be.
fn prove(key: &str, seen: &Seen<'_>, namespace: &Namespace, since_ns: u64) -> Result<Proof, Flaw> {
    // Without a cookie another namespace may have its number since, unseen.
    let end = namespace.destroyed.filter(|_| namespace.has_cookie());
    let history = namespace.keys.get(key);
    let forgotten_ns = history.map_or(namespace.forgotten_ns, |history| history.forgotten_ns);
    if let Some(to_ns) = forgotten_ns.filter(|ns| *ns >= since_ns) {
        return Err(Flaw {
            from_ns: since_ns,
            to_ns,
            kind: Kind::Forgotten,
        });
    }
    let created = namespace.created.as_ref().filter(|made| made.is_disputed);
    let created_ns = created.map(|made| made.at.boottime_ns);
    let disputed_ns = history
        .and_then(|history| history.disputed_ns)
        .max(created_ns);
    if let Some(ns) = disputed_ns.filter(|ns| *ns >= since_ns) {
        return Err(Flaw {
            from_ns: ns,
            to_ns: ns,
            kind: Kind::Contradiction,
        });
    }
    seen.window.prove(&Since {
        key,
        place: namespace.place,
        from_ns: since_ns,
        to_ns: end.map(|end| end.boottime_ns),
        hidden: Hidden::Change,
    })
}

/// Whether the value was seen to be the same after what may be missing.
fn is_verified_after(flaw: &Flaw, facts: &Facts<'_>, history: Option<&History>) -> bool {
    if facts.held.value.is_some() {
        return true;
    }
    let last_ns = history
        .and_then(|history| history.entries.last())
        .map(|entry| entry.at().boottime_ns);
    match flaw.kind {
        Kind::Lost(_)
        | Kind::Missing(_)
        | Kind::NotUnderstood(_)
        | Kind::NoTracer
        | Kind::Unusable(_)
        | Kind::Contradiction => last_ns.is_some_and(|last_ns| last_ns > flaw.to_ns),
        Kind::Forgotten => false,
        // Nothing says that something is missing.
        Kind::Filtered | Kind::NoStart | Kind::BirthsUnwatched => true,
    }
}

fn undecided<'a>(flaw: Flaw) -> Decision<'a> {
    Decision {
        flaw: Some(flaw.clone()),
        ..Decision::unknown(Root::Undecided, reason(&flaw))
    }
}

const fn reason(flaw: &Flaw) -> Reason {
    match flaw.kind {
        Kind::Lost(_)
        | Kind::Missing(_)
        | Kind::NotUnderstood(_)
        | Kind::NoTracer
        | Kind::BirthsUnwatched => Reason::EventsLost,
        Kind::Unusable(_) | Kind::Contradiction => Reason::Unusable,
        Kind::Filtered => Reason::Filtered,
        Kind::NoStart => Reason::NoStart,
        Kind::Forgotten => Reason::Forgotten,
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
