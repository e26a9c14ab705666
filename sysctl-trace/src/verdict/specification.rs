//! What is to be said of the place that a value can be asked for in: a container's specification, or
//! the files of the node.
//!
//! To clear it takes proof: the arguments of the writer, or that the writer is nothing that applies
//! what stands elsewhere. That it asks for the same value is evidence, never proof of the contrary.

use super::{
    Asked, Facts,
    suspects::Found,
    words::{asks, asks_for, name},
};
use crate::{
    attribute::requester::{Unasked, may_be_from},
    event::{Requester, RequesterSource},
    ledger::{History, Write, is_same},
};

/// Said of a specification that has only what the engine put into it.
const OF_NO_OWN: &str = "asks for no value of its own";
/// Said where neither a file nor an event tells.
const NOT_KNOWN: &str = "what it asks for is not known";

impl Facts<'_> {
    /// On whose behalf a write was made, as far as that is proven.
    ///
    /// What applies a container's specification writes nothing else. So where an event does not tell,
    /// as it came before the container, the specification itself does, if it asks for what was
    /// written.
    pub(super) fn requester<'a>(&'a self, write: &'a Write) -> Option<&'a Requester> {
        if let Some(requester) = write.requester.as_deref() {
            return Some(requester);
        }
        let Asked::For(asked) = &self.held.asked else {
            return None;
        };
        let requested = write.requested.as_deref()?;
        let is_applied = match (write.unasked, asked.source) {
            (_, RequesterSource::SysctlFile | RequesterSource::CniConfiguration) => false,
            (Unasked::Specification, _) => true,
            (
                Unasked::OwnArguments
                | Unasked::OwnRules
                | Unasked::Contained
                | Unasked::AnyProgram
                | Unasked::NoArguments
                | Unasked::Files
                | Unasked::Configuration,
                _,
            ) => false,
        };
        (is_applied && is_same(&asked.value, requested)).then_some(asked)
    }

    /// The last write of what the specification asks for, if the kernel refused it: whatever is there
    /// is not from it.
    pub(super) fn refused(&self) -> Option<(&Write, &Requester)> {
        let (write, requester) = self.last_asked()?;
        let is_asked = match &self.held.asked {
            Asked::Unknown => true,
            Asked::Nothing => false,
            Asked::For(now) => is_same(&now.value, &requester.value),
        };
        (is_asked && write.error.is_some() && !write.is_change()).then_some((write, requester))
    }

    /// The last write that was made for the specification.
    fn last_asked(&self) -> Option<(&Write, &Requester)> {
        let mut writes = self.history()?.writes().rev();
        writes.find_map(|write| {
            let requester = self.requester(write)?;
            let is_own =
                !is_default(requester) && requester.source != RequesterSource::CniConfiguration;
            is_own.then_some((write, requester))
        })
    }

    pub(super) fn history(&self) -> Option<&History> {
        self.namespace()?.keys.get(self.key)
    }

    /// Whether the value is the one that is asked for.
    pub(super) fn is_there(&self, requester: &Requester) -> bool {
        self.value()
            .is_some_and(|value| is_same(&requester.value, value))
    }
}

/// Beside a write that was not made for it, as far as is known.
pub(super) fn beside_write(facts: &Facts<'_>, write: &Write) -> (Found, String) {
    // Proven to be from elsewhere: a network's configuration, the engine's own default.
    if facts.requester(write).is_some() {
        return (Found::Eliminated, untouched(facts));
    }
    if let Some(too) = asks_too(facts, write) {
        return (Found::CannotSay, too);
    }
    let author = format!("{}[{}]", name(&write.author), write.author.pid);
    let why = match write.unasked {
        Unasked::OwnArguments | Unasked::OwnRules => {
            return (Found::Eliminated, untouched(facts));
        }
        Unasked::Contained if !facts.is_node => {
            return (Found::Eliminated, untouched(facts));
        }
        Unasked::Contained | Unasked::AnyProgram => {
            let before = facts.last_asked();
            let is_other = before.is_some_and(|(_, requester)| !facts.is_there(requester));
            return match facts.held.asked {
                Asked::Unknown if !is_other => (Found::CannotSay, NOT_KNOWN.to_owned()),
                Asked::Unknown | Asked::Nothing | Asked::For(_) => {
                    (Found::Eliminated, untouched(facts))
                }
            };
        }
        Unasked::NoArguments => {
            format!("{author} may have applied a file: its arguments could not be read")
        }
        Unasked::Files => {
            format!("{author} applies files, and in which the value was is not known")
        }
        Unasked::Specification => {
            format!("{author} applies specifications, and what this one asked for is not known")
        }
        Unasked::Configuration => {
            format!("{author} applies a network's configuration, which is not known")
        }
    };
    (Found::CannotSay, why)
}

/// Where it asks for the value that was written, and nothing proves that the writer did not have it
/// from there.
pub(super) fn asks_too(facts: &Facts<'_>, write: &Write) -> Option<String> {
    let Asked::For(requester) = &facts.held.asked else {
        return None;
    };
    let may_be = !is_default(requester)
        && facts.is_there(requester)
        && may_be_from(write.unasked, requester.source);
    may_be.then(|| format!("{} too", asks(requester)))
}

/// Where nothing was seen, only files and defaults tell.
pub(super) fn by_files(facts: &Facts<'_>) -> (Found, String) {
    match &facts.held.asked {
        Asked::For(requester) if !is_default(requester) && facts.is_there(requester) => {
            (Found::CannotSay, asks_for(requester))
        }
        Asked::Unknown => match (facts.refused(), facts.last_asked()) {
            (Some(_), _) => (Found::Eliminated, untouched(facts)),
            (None, Some((_, requester))) => (Found::CannotSay, asks_for(requester)),
            (None, None) => (Found::CannotSay, NOT_KNOWN.to_owned()),
        },
        Asked::Nothing | Asked::For(_) => (Found::Eliminated, untouched(facts)),
    }
}

/// What it asks for, none of which is what is there, or why it is there.
pub(super) fn untouched(facts: &Facts<'_>) -> String {
    if let Some((write, requester)) = facts.refused() {
        return refused(write, requester);
    }
    match &facts.held.asked {
        Asked::For(requester) if is_default(requester) => OF_NO_OWN.to_owned(),
        Asked::For(requester) if facts.is_there(requester) => {
            format!("asks for {} too, but that is not why", requester.value)
        }
        Asked::For(requester) => {
            format!("asks for {}, which is not what is there", requester.value)
        }
        Asked::Nothing => "asks for no value".to_owned(),
        Asked::Unknown => match facts.last_asked() {
            Some((write, requester)) if write.is_change() => {
                format!("{}, which was overwritten", asks_for(requester))
            }
            Some((write, requester)) if write.error.is_some() => refused(write, requester),
            Some((_, requester)) => format!("{}, which changed nothing", asks_for(requester)),
            None => match written_for_one(facts) {
                Some(write) => {
                    let author = format!("{}[{}]", name(&write.author), write.author.pid);
                    let requested = write.requested.as_deref().unwrap_or("?");
                    format!("what {author} wrote for it, \"{requested}\", was overwritten")
                }
                None => "nothing was written on its behalf".to_owned(),
            },
        },
    }
}

/// The last change by what applies specifications, where what this one asks for is not known.
fn written_for_one<'a>(facts: &'a Facts<'_>) -> Option<&'a Write> {
    let is_for_one = |write: &&Write| match write.unasked {
        Unasked::Specification => write.requester.is_none() && write.is_change(),
        Unasked::OwnArguments
        | Unasked::OwnRules
        | Unasked::Contained
        | Unasked::AnyProgram
        | Unasked::NoArguments
        | Unasked::Files
        | Unasked::Configuration => false,
    };
    facts.history()?.writes().rev().find(is_for_one)
}

fn refused(write: &Write, requester: &Requester) -> String {
    let error = write.error.as_deref().unwrap_or("?");
    format!(
        "{}, which the kernel refused ({error})",
        asks_for(requester)
    )
}

/// Whether it stands there only because the engine put it there.
pub(super) fn is_default(requester: &Requester) -> bool {
    requester.source == RequesterSource::EngineDefault
}
