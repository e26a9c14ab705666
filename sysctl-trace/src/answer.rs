//! The answer to one question: a value, its place, and the verdict on it. What `why` prints and other
//! programs read.

use std::{borrow::Cow, sync::Arc};

use schemars::JsonSchema;
use serde::Serialize;
use smol_str::SmolStr;

use crate::{
    event::{Netns, Owner},
    ledger::Place,
    rendered::Rendered,
    verdict::{Facts, Verdict},
};

/// Version of the form of an answer: `major.minor`, as with events.
pub const ANSWER_VERSION: &str = "1.1";

/// A value and who set it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "sysctl-trace answer")]
pub struct Answer {
    /// Name and version of this form.
    pub schema: Form,
    /// The network namespace; absent for keys of the whole node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<Netns>,
    /// The key and its value.
    pub sysctl: Setting,
    /// Who set it.
    pub verdict: Verdict,
}

/// Name and version of the form that an answer has.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Form {
    /// Always `sysctl-trace-answer`.
    pub name: Cow<'static, str>,
    /// [`ANSWER_VERSION`] at the time of writing.
    pub version: Cow<'static, str>,
}

/// A key and its value.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Setting {
    /// Dotted name.
    #[schemars(with = "String")]
    pub key: SmolStr,
    /// The value now, or at the end of the recording; absent where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub value: Option<SmolStr>,
    /// The value of the node's own namespace: now, or where only a recording is asked, as the
    /// namespace was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub node: Option<SmolStr>,
    /// Whether the value was read when the question was asked.
    pub live: bool,
}

impl Answer {
    /// The answer that the facts give.
    pub fn of(facts: &Facts<'_>) -> Self {
        Self {
            schema: Form {
                name: Cow::Borrowed("sysctl-trace-answer"),
                version: Cow::Borrowed(ANSWER_VERSION),
            },
            netns: netns(facts),
            sysctl: Setting {
                key: facts.key.into(),
                value: facts.value().cloned(),
                node: facts.node_value().filter(|_| !facts.is_node).cloned(),
                live: facts.held.value.is_some(),
            },
            verdict: Verdict::of(facts),
        }
    }
}

fn netns(facts: &Facts<'_>) -> Option<Netns> {
    let place = facts.seen.and_then(|seen| Some(seen.namespace?.place));
    let cookie = match place {
        Some(Place::Netns(id)) if id.cookie != 0 => Some(id.cookie),
        Some(Place::Netns(_) | Place::Node) | None => facts.held.cookie,
    };
    Some(Netns {
        inum: Some(facts.inum()?),
        cookie: cookie.map(crate::decode::decimal),
        user_ns: None,
        owner: facts
            .owner()
            .map(|owner: &Owner| Arc::new(Rendered::new(owner.clone()))),
    })
}
