//! What a verdict rests on, one fact each, in the order of time.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Asked, Facts, Seen,
    birth::Copied,
    decide::{Decision, Root, component},
    helper,
    specification::asks_too,
    words::{asks, component_name, inside},
};
use crate::{
    event::{Lost, Sureness},
    ledger::{At, Author, Defect, Entry, Flaw, History, Kind, Memory, Namespace, Write},
    time::Moment,
};

/// How many entries of a history are told one by one; the last ones are.
const ENTRIES_MAX: usize = 8;

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Evidence {
    /// When it was; absent where it is about no moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub at: Option<Moment>,
    /// The number of the event in the stream; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The fact in words.
    pub text: String,
}

impl Evidence {
    fn at(at: &At, text: String) -> Self {
        Self {
            at: Some(at.timestamp),
            sequence: Some(at.sequence).filter(|number| *number > 0),
            text,
        }
    }
}

impl From<String> for Evidence {
    fn from(text: String) -> Self {
        Self {
            at: None,
            sequence: None,
            text,
        }
    }
}

/// The facts behind a decision.
pub(super) fn list(facts: &Facts<'_>, decision: &Decision<'_>) -> Vec<Evidence> {
    let mut list = Vec::new();
    if let Some(guest) = &facts.held.on_node {
        list.push(Evidence::from(on_node(guest)));
    }
    if facts.held.shown_by.is_some() {
        let text = format!(
            "{} is one for the whole node, by the kernel's word",
            facts.key
        );
        list.push(text.into());
    }
    if let Some(seen) = &facts.seen {
        of_ledger(facts, seen, &mut list);
    } else {
        list.push(
            "no tracer watched, and no recording was given"
                .to_owned()
                .into(),
        );
    }
    of_files(facts, decision, &mut list);
    if let Some(seen) = &facts.seen {
        list.append(&mut of_window(seen, decision));
    }
    list.extend(of_now(facts));
    list
}

/// `pod shop/web uses the node's own network namespace`
pub(crate) fn on_node(guest: &str) -> String {
    format!("{guest} uses the node's own network namespace")
}

fn of_ledger(facts: &Facts<'_>, seen: &Seen<'_>, list: &mut Vec<Evidence>) {
    let history = seen.namespace.and_then(|known| known.keys.get(facts.key));
    match seen.namespace.and_then(|known| known.created.as_ref()) {
        Some(created) => {
            let what = match facts.born_with() {
                Some(folder) => format!("the keys in {folder}"),
                None => "the namespace".to_owned(),
            };
            let mut text = match &created.author {
                Some(author) => format!("{} made {what}", who(facts, author)),
                None if facts.born_with().is_some() => format!("{what} came to be"),
                None => "the namespace was made".to_owned(),
            };
            if let Some(initial) = history.and_then(|history| history.initial.as_ref()) {
                text.push_str(&format!("; the kernel gave it {}", initial.value));
                if let Some(node) = &initial.node {
                    text.push_str(&format!(" (the node had {node})"));
                }
                if let Some(Copied { key, write }) = facts.copied() {
                    text.push_str(&format!(", which {key} had"));
                    list.extend(write.map(|write| set(facts, &key, &initial.value, write)));
                }
            }
            list.push(Evidence::at(&created.at, text));
        }
        None => {
            if let Some(begun) = &seen.window.begun() {
                let what = if facts.is_node {
                    "tracing began; what was set before was not seen"
                } else {
                    "tracing began; the namespace was not seen being made"
                };
                list.push(Evidence::at(begun, what.to_owned()));
            }
        }
    }
    if let Some(history) = history {
        of_history(facts, seen, history, list);
    }
    if let Some(end) = seen.namespace.and_then(|known| known.destroyed.as_ref()) {
        list.push(Evidence::at(end, "the namespace ended".to_owned()));
    }
}

fn of_history(facts: &Facts<'_>, seen: &Seen<'_>, history: &History, list: &mut Vec<Evidence>) {
    let skipped = history.entries.len().saturating_sub(ENTRIES_MAX);
    let left_out = history.forgotten + skipped as u64;
    if left_out > 0 {
        list.push(format!("{left_out} earlier writes are left out").into());
    }
    let told = &history.entries[skipped..];
    let first = list.len();
    list.extend(settings(facts, seen, told));
    for entry in told {
        list.push(match entry {
            Entry::Write(write) => Evidence::at(&write.at, wrote(facts, write)),
            Entry::Drift(drift) => Evidence::at(
                &drift.at,
                match &drift.expected {
                    Some(expected) => {
                        format!("{} was found in place of {expected}", drift.found)
                    }
                    None => format!("{} was found", drift.found),
                },
            ),
        });
    }
    list[first..].sort_by_key(|fact| fact.at);
}

/// The settings that had the kernel start those who wrote, each once.
fn settings(facts: &Facts<'_>, seen: &Seen<'_>, told: &[Entry]) -> Vec<Evidence> {
    let writes = told.iter().filter_map(|entry| match entry {
        Entry::Write(write) => Some(write),
        Entry::Drift(_) => None,
    });
    let mut list: Vec<Evidence> = Vec::new();
    for (key, value, setting) in writes.filter_map(|write| helper::setting(seen, write)) {
        let fact = set(facts, key, value, setting);
        if !list.contains(&fact) {
            list.push(fact);
        }
    }
    list
}

/// `kernel.core_pattern was set to |/bin/x by sh[34]`
fn set(facts: &Facts<'_>, key: &str, value: &str, write: &Write) -> Evidence {
    let author = who(facts, &write.author);
    Evidence::at(&write.at, format!("{key} was set to {value} by {author}"))
}

/// `runc:[2:INIT][343] (runc init) wrote "1024": 4096, then 1024`
fn wrote(facts: &Facts<'_>, write: &Write) -> String {
    let mut text = who(facts, &write.author);
    if let Some(netns) = facts.elsewhere(&write.author) {
        text.push_str(&format!(", in network namespace {netns},"));
    }
    match &write.requested {
        Some(requested) => text.push_str(&format!(" wrote \"{requested}\"")),
        None => text.push_str(" wrote"),
    }
    if let Some(through) = &write.through {
        text.push_str(&format!(" to {}, {}", through.key, through.effect.words()));
    }
    let held = match &write.memory {
        Memory::NotDecoded if write.through.is_some() => "the value before is not known".to_owned(),
        Memory::Read { old, new } if old == new => format!("{new} as before"),
        Memory::Read { old, new } => format!("from {old} to {new}"),
        Memory::NotDecoded => "the kernel's memory can't be read".to_owned(),
    };
    match &write.error {
        Some(error) => text.push_str(&format!(": refused ({error}), {held}")),
        None => text.push_str(&format!(": {held}")),
    }
    if !write.is_as_asked() && write.error.is_none() && write.is_decoded() {
        text.push_str(", not what was asked");
    }
    text
}

/// `runc:[2:INIT][343] (runc init)`, and the container that it is in, unless that is the namespace's.
pub(super) fn who(facts: &Facts<'_>, author: &Author) -> String {
    let mut text = format!("{}[{}]", author.name, author.pid);
    if let Some(component) = component(author) {
        text.push_str(&format!(" ({}", component_name(component)));
        match component.confidence {
            Sureness::Observed => {}
            Sureness::Inferred => text.push_str(", inferred"),
        }
        text.push(')');
    }
    if let Some(inside) = inside(facts, author) {
        text.push_str(&format!(" {inside}"));
    }
    text
}

fn of_files(facts: &Facts<'_>, decision: &Decision<'_>, list: &mut Vec<Evidence>) {
    let told = match decision.root {
        Root::Write(write) => facts.requester(write),
        Root::Kernel(_) => facts.refused().map(|(_, requester)| requester),
        Root::Requested(_)
        | Root::BeforeTracing
        | Root::NotWatched
        | Root::ChangedUnseen
        | Root::Undecided => None,
    };
    if let Some(requester) = told {
        list.push(asks(requester).into());
    }
    match &facts.held.asked {
        Asked::For(requester) if told == Some(&**requester) => {}
        Asked::For(requester) => {
            let too = match decision.root {
                Root::Write(write) if told.is_none() => asks_too(facts, write),
                Root::Write(_)
                | Root::Kernel(_)
                | Root::Requested(_)
                | Root::BeforeTracing
                | Root::NotWatched
                | Root::ChangedUnseen
                | Root::Undecided => None,
            };
            list.push(too.unwrap_or_else(|| asks(requester)).into());
        }
        Asked::Nothing => list.push(
            if facts.is_node {
                "no file in sysctl.d asks for a value".to_owned()
            } else {
                "the container's specification asks for no value".to_owned()
            }
            .into(),
        ),
        Asked::Unknown => {}
    }
}

fn of_window(seen: &Seen<'_>, decision: &Decision<'_>) -> Vec<Evidence> {
    let mut list = Vec::new();
    if let Some(proof) = decision.proof() {
        list.extend(harmless(proof.harmless()));
    }
    let text = match &decision.flaw {
        Some(flaw) => flawed(seen, flaw),
        None => match decision.root {
            Root::Write(_) | Root::Kernel(_) if reaches_back(seen, decision) => {
                match list.is_empty() {
                    true => "nothing was lost since, and no other write changed it".to_owned(),
                    false => "no other write changed it".to_owned(),
                }
            }
            Root::ChangedUnseen => "no event was lost".to_owned(),
            Root::Write(_)
            | Root::Kernel(_)
            | Root::Requested(_)
            | Root::BeforeTracing
            | Root::NotWatched
            | Root::Undecided => return list,
        },
    };
    list.push(text.into());
    list.extend(open_end(decision));
    list
}

/// A stream that breaks off, or goes on without what is asked, proves something up to a moment only.
fn open_end(decision: &Decision<'_>) -> Option<Evidence> {
    let as_of = decision.proof()?.as_of().filter(|as_of| as_of.is_open)?;
    Some(Evidence {
        at: Some(as_of.timestamp),
        sequence: None,
        text: "the recording does not tell what came after this moment".to_owned(),
    })
}

/// What was lost that can't hide a change.
fn harmless((lost, is_by_rule): (Lost, bool)) -> Option<Evidence> {
    let count = lost.total();
    if count == 0 {
        return None;
    }
    let mut text = format!(
        "the tracer lost {} since, {} of this key here",
        events(count),
        match count {
            1 => "which can't hide a write",
            _ => "none of which can hide a write",
        }
    );
    if is_by_rule {
        text.push_str(
            " (programs that the kernel passed over: before schema 1.3 those of namespaces, as \
             writes were watched by two)",
        );
    }
    Some(text.into())
}

fn events(count: u64) -> String {
    match count {
        1 => "1 event".to_owned(),
        _ => format!("{count} events"),
    }
}

fn flawed(seen: &Seen<'_>, flaw: &Flaw) -> String {
    match &flaw.kind {
        Kind::Lost(lost) => lost_since(lost),
        Kind::Missing(1) => "1 line of the stream is missing since".to_owned(),
        Kind::Missing(count) => format!("{count} lines of the stream are missing since"),
        Kind::NoTracer => "for a time since then no tracer ran".to_owned(),
        Kind::BirthsUnwatched => {
            "the tracer did not watch for keys that begin and end with a device or a module"
                .to_owned()
        }
        Kind::NotUnderstood(1) => "1 line since is not understood".to_owned(),
        Kind::NotUnderstood(count) => format!("{count} lines since are not understood"),
        Kind::Unusable(defect) => format!(
            "an event since then does not tell {}, so that it may have changed the value",
            match defect {
                Defect::Key => "which key it is about",
                Defect::Value => "what the kernel's memory held",
                Defect::Process => "which process it was, or whether that is in a container",
                Defect::Netns => "in which network namespace it was",
                Defect::Duration => "when it ended",
                Defect::Outcome => "whether the kernel took it",
                Defect::Sequence => "its number in the stream",
            }
        ),
        Kind::Contradiction => "lines of the stream contradict each other".to_owned(),
        Kind::Filtered => format!(
            "the stream passed filters that may have left out writes: {}",
            filters(seen)
        ),
        Kind::NoStart => "the stream does not say when it begins and what was left out".to_owned(),
        Kind::Forgotten => "the recorder had no room for all that happened".to_owned(),
    }
}

/// `the tracer lost 5 events since: the ring buffer was full (2), the kernel passed over a probe (3)`
fn lost_since(lost: &Lost) -> String {
    let Lost {
        ring_full,
        in_flight,
        probe_missed,
        unreadable,
    } = *lost;
    let count = lost.total();
    if count == 0 {
        return "the tracer lost events since; how many is not told".to_owned();
    }
    let causes = [
        (ring_full, "the ring buffer was full"),
        (in_flight, "too many writes were under way"),
        (probe_missed, "the kernel passed over a probe"),
        (unreadable, "the kernel's memory could not be read"),
    ];
    let told: Vec<&(u64, &str)> = causes.iter().filter(|(count, _)| *count > 0).collect();
    let causes = match told.as_slice() {
        // As is usual.
        [(count, _)] if *count == ring_full => {
            return format!("the tracer lost {} since", events(*count));
        }
        [(_, cause)] => (*cause).to_owned(),
        several => several
            .iter()
            .map(|(count, cause)| format!("{cause} ({count})"))
            .collect::<Vec<_>>()
            .join(", "),
    };
    format!("the tracer lost {} since: {causes}", events(count))
}

/// Whether the ledger itself has the value's beginning.
fn reaches_back(seen: &Seen<'_>, decision: &Decision<'_>) -> bool {
    matches!(decision.root, Root::Write(_))
        || seen
            .namespace
            .is_some_and(|known: &Namespace| known.created.is_some())
}

fn filters(seen: &Seen<'_>) -> String {
    let options = seen.window.filters().into_iter();
    let texts = options.map(|(option, values)| format!("--{option} {}", values.join(" ")));
    texts.collect::<Vec<_>>().join(", ")
}

fn of_now(facts: &Facts<'_>) -> Option<Evidence> {
    let value = facts.held.value.as_ref()?;
    let mut text = if facts.is_node {
        format!("the node holds {value} now")
    } else {
        format!("the namespace holds {value} now")
    };
    if let Some(node) = facts.held.node.as_ref().filter(|_| !facts.is_node) {
        text.push_str(&format!("; the node holds {node}"));
    }
    if let Some(default) = &facts.held.default {
        text.push_str(&format!("; this kernel gives a new namespace {default}"));
    }
    Some(text.into())
}
