//! What a verdict rests on, one fact each, in the order of time.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Asked, Confidence, Facts, Seen,
    decide::{Decision, Root, component},
    specification::asks_too,
    words::{asks, component_name, inside},
};
use crate::{
    event::Sureness,
    ledger::{At, Author, Cause, Entry, Flaw, History, Namespace, Write},
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
        list.extend(of_window(seen, decision));
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
            let mut text = match &created.author {
                Some(author) => format!("{} made the namespace", who(facts, author)),
                None => "the namespace was made".to_owned(),
            };
            if let Some(initial) = history.and_then(|history| history.initial.as_ref()) {
                text.push_str(&format!("; the kernel gave it {}", initial.value));
                if let Some(node) = &initial.node {
                    text.push_str(&format!(" (the node had {node})"));
                }
            }
            list.push(Evidence::at(&created.at, text));
        }
        None => {
            if let Some(begun) = &seen.window.begun {
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
        of_history(facts, history, list);
    }
    if let Some(end) = seen.namespace.and_then(|known| known.destroyed.as_ref()) {
        list.push(Evidence::at(end, "the namespace ended".to_owned()));
    }
}

fn of_history(facts: &Facts<'_>, history: &History, list: &mut Vec<Evidence>) {
    let skipped = history.entries.len().saturating_sub(ENTRIES_MAX);
    let left_out = history.forgotten + skipped as u64;
    if left_out > 0 {
        list.push(format!("{left_out} earlier writes are left out").into());
    }
    for entry in &history.entries[skipped..] {
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
    let held = match (&write.old, &write.new) {
        (Some(old), Some(new)) if old == new => format!("{new} as before"),
        (Some(old), Some(new)) => format!("from {old} to {new}"),
        (Some(_) | None, Some(_) | None) => "the kernel's memory can't be read".to_owned(),
    };
    match &write.error {
        Some(error) => text.push_str(&format!(": refused ({error}), {held}")),
        None => text.push_str(&format!(": {held}")),
    }
    if !write.is_as_asked() && write.error.is_none() && write.is_decoded {
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

fn of_window(seen: &Seen<'_>, decision: &Decision<'_>) -> Option<Evidence> {
    let text = match &decision.flaw {
        Some(Flaw::Gap(gap)) => match gap.cause {
            Cause::Lost(count) => format!("the tracer lost {count} events since"),
            Cause::Missing(count) => format!("{count} lines of the stream are missing since"),
            Cause::NoTracer => "for a time since then no tracer ran".to_owned(),
            Cause::NotUnderstood(count) => format!("{count} lines since are not understood"),
        },
        Some(Flaw::Filtered) => format!(
            "the stream passed filters that may have left out writes: {}",
            filters(seen)
        ),
        Some(Flaw::NoStart) => {
            "the stream does not say when it begins and what was left out".to_owned()
        }
        Some(Flaw::Forgotten) => "the recorder had no room for all that happened".to_owned(),
        None => match (decision.root, decision.confidence) {
            (Root::Write(_) | Root::Kernel(_), Confidence::Observed | Confidence::Inferred)
                if reaches_back(seen, decision) =>
            {
                "nothing was lost since, and no other write changed it".to_owned()
            }
            (Root::ChangedUnseen, _) => "no event was lost".to_owned(),
            (
                Root::Write(_)
                | Root::Kernel(_)
                | Root::Requested(_)
                | Root::BeforeTracing
                | Root::NotWatched
                | Root::Undecided,
                _,
            ) => return None,
        },
    };
    Some(text.into())
}

/// Whether the ledger itself has the value's beginning.
fn reaches_back(seen: &Seen<'_>, decision: &Decision<'_>) -> bool {
    matches!(decision.root, Root::Write(_))
        || seen
            .namespace
            .is_some_and(|known: &Namespace| known.created.is_some())
}

fn filters(seen: &Seen<'_>) -> String {
    let options = seen.window.filters.iter();
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
