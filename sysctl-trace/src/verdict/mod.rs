//! What the ledger proves about a present value: who set it, what that rests on, and who did not.
//! Pure: facts in, a verdict out.
//!
//! What was seen outranks what files say: a specification that asks for a value proves nothing while
//! no write was seen, so such a verdict is *inferred*. Nothing is claimed as *observed* while
//! something may be missing between the cause and now.

mod birth;
mod decide;
mod evidence;
pub mod helper;
pub mod keys;
mod sharing;
mod specification;
mod suspects;
mod words;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use smol_str::SmolStr;

pub use evidence::Evidence;
pub(crate) use evidence::on_node;
pub use suspects::{Finding, Found, Suspect};

use crate::{
    event::{Kubernetes, Owner, Requester},
    ledger::{Namespace, Window},
    rendered::Rendered,
    time::Moment,
};

/// What is known when the question is asked.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The key, dotted.
    pub key: &'a str,
    /// Whether it is the node's own: a key of the whole node, or of its own network namespace.
    pub is_node: bool,
    /// What a tracer saw; absent where none watched.
    pub seen: Option<Seen<'a>>,
    /// What is there now; all absent where only a recording is asked.
    pub held: Held,
}

/// What a tracer saw.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// What was watched.
    pub window: &'a Window,
    /// What is known of the namespace; absent where nothing happened in it.
    pub namespace: Option<&'a Namespace>,
    /// What is known of the keys of the whole node; absent where nothing is.
    pub node: Option<&'a Namespace>,
    /// What is known of the node's own network namespace; absent where nothing is.
    pub node_netns: Option<&'a Namespace>,
}

/// What the node holds now.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// The value.
    pub value: Option<SmolStr>,
    /// The value of the node's own namespace.
    pub node: Option<SmolStr>,
    /// What this kernel gives a new namespace.
    pub default: Option<SmolStr>,
    /// What was asked for in files.
    pub asked: Asked,
    /// The number of the network namespace.
    pub inum: Option<u32>,
    /// The kernel's cookie of it.
    pub cookie: Option<u64>,
    /// Whose it is.
    pub owner: Option<Arc<Rendered<Owner>>>,
    /// Who was asked about, where that uses the node's own network namespace: `pod shop/web`.
    pub on_node: Option<String>,
    /// The namespace that was asked about, where the key is one for the whole node: `netns 4026532281`.
    pub shown_by: Option<String>,
}

/// What the files of the container, or of the node, ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Asked {
    /// They were not found, or not looked at.
    #[default]
    Unknown,
    /// Nothing, for this key.
    Nothing,
    /// A value.
    For(Arc<Requester>),
}

/// Who set a value.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Verdict {
    /// In one sentence.
    pub sentence: String,
    /// In a word: a component's name, `kernel`, `node` or `unknown`.
    pub word: String,
    /// What set it.
    pub cause: Cause,
    /// How sure that is.
    pub confidence: Confidence,
    /// Up to when a stream proves it; absent where a tracer watches as it is asked, or where nothing
    /// was proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub as_of: Option<Moment>,
    /// Why it is not observed; absent where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What it rests on, in the order of time.
    pub evidence: Vec<Evidence>,
    /// Each suspect, in the order in which people ask.
    pub suspects: Vec<Finding>,
    /// What would settle it; absent where it is observed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_settle: Option<String>,
}

/// What set a value.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Cause {
    /// The kernel, to a constant of its own, when it made the namespace (or booted).
    KernelConstant,
    /// The kernel, when it made the namespace; from what is not known.
    KernelSetUp,
    /// The kernel copied the node's value when it made the namespace.
    InheritedFromNode,
    /// A write.
    Written(Box<Writer>),
    /// Nobody saw the write, but this is where the value is asked for.
    Requested(Requester),
    /// It was set before tracing began, or before the namespace was first seen.
    BeforeTracing,
    /// Nobody watched, and the files do not tell.
    NotWatched,
    /// It is another value than the writes that were seen had left, and none was lost.
    ChangedUnseen,
    /// Something is missing, so that it can't be said.
    Undecided,
}

/// Who wrote, and for whom.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Writer {
    /// The component, from the table in the README; absent where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// comm of the process.
    pub name: String,
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// `process.entity_id` in the stream.
    pub entity_id: String,
    /// The name or id of the container that the process is in; absent where it is in none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The id of that container, in full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
    /// The pod that the process is in, as in events; absent where it is in none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k8s: Option<Kubernetes>,
    /// When.
    #[schemars(with = "String")]
    pub at: Moment,
    /// On whose behalf; absent where that is not known, or on nobody else's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester: Option<Requester>,
}

/// How sure a verdict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// It can't be said.
    Unknown,
    /// Everything known fits, but it was not seen as a whole.
    Inferred,
    /// It was seen, and nothing that could change it was missed.
    Observed,
}

/// Why a verdict is not observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It was there before tracing began, or its beginning was not seen.
    BeforeTracing,
    /// Nobody watched.
    NotWatched,
    /// Events were lost, or lines of the recording, or there was no tracer for a time.
    EventsLost,
    /// An event lacks what it would need to count, or lines contradict each other.
    Unusable,
    /// Filters kept events out of the recording.
    Filtered,
    /// The recording does not say where it begins.
    NoStart,
    /// The recorder had no room for all.
    Forgotten,
    /// What the writer is, is inferred.
    ComponentInferred,
    /// The kernel holds another value than the writer asked for: a race of two, or a conversion.
    OtherThanAsked,
    /// The kernel's memory can't be read for this key.
    NotDecoded,
    /// The first value was not seen; where it comes from is known from the kernel's source.
    KernelSource,
    /// The value is not what the files ask for.
    OtherThanRequested,
    /// The value is another one than was left, and nobody was seen to change it.
    ValueDiffers,
    /// The value is not known.
    NoValue,
    /// The key belongs to a namespace of another kind.
    OtherNamespace,
    /// Whether each network namespace has its own, or it is one for the whole node, is not known.
    OwnOrShared,
}

impl Verdict {
    /// What the facts prove.
    pub fn of(facts: &Facts<'_>) -> Self {
        let decision = decide::decide(facts);
        Self {
            sentence: words::sentence(facts, &decision),
            word: words::word(&decision),
            evidence: evidence::list(facts, &decision),
            suspects: suspects::list(facts, &decision),
            would_settle: words::would_settle(facts, &decision),
            cause: decision.cause(facts),
            confidence: decision.confidence(),
            as_of: decision
                .proof()
                .and_then(|proof| Some(proof.as_of()?.timestamp)),
            reason: decision.reason,
        }
    }

    /// Whether there is an answer.
    pub fn is_decided(&self) -> bool {
        self.confidence != Confidence::Unknown
    }
}

impl Facts<'_> {
    /// The value now, or at the end of the recording.
    pub fn value(&self) -> Option<&SmolStr> {
        let seen = || self.namespace()?.keys.get(self.key)?.value();
        self.held.value.as_ref().or_else(seen)
    }

    /// The value of the node's own namespace now, or as the namespace was made.
    pub fn node_value(&self) -> Option<&SmolStr> {
        let at_first = || {
            let history = self.namespace()?.keys.get(self.key)?;
            history.initial.as_ref()?.node.as_ref()
        };
        self.held.node.as_ref().or_else(at_first)
    }

    /// Whose namespace it is.
    pub fn owner(&self) -> Option<&Owner> {
        let seen = self.namespace().and_then(|known| known.owner.as_ref());
        // What a recorder knew outlives the container.
        seen.or(self.held.owner.as_ref()).map(|owner| &***owner)
    }

    /// The number of the network namespace; absent for keys of the whole node.
    pub fn inum(&self) -> Option<u32> {
        let seen = self.namespace().and_then(Namespace::inum);
        seen.or(self.held.inum)
    }

    fn namespace(&self) -> Option<&Namespace> {
        self.seen.as_ref()?.namespace
    }
}

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
pub(crate) mod story;
#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
#[cfg(test)]
mod wording_tests;
