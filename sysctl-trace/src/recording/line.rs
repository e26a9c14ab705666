//! One line in full: an event, or what is wrong with it.

use std::borrow::Cow;

use serde::Deserialize;
use smol_str::SmolStr;

use super::{Problem, problem::shown};
use crate::{
    event::{Event, Schema},
    ledger::{At, Passed},
    time::Moment,
};

const MAJOR: &str = "1";

/// What a line says.
#[derive(Debug)]
pub(super) enum Line {
    /// This.
    Event(Box<Event>),
    /// Nothing that is understood.
    Unknown {
        /// Why.
        problem: Problem,
        /// The boot that it is of, and where it stands in its stream, as far as that can be read.
        outline: Option<(String, Passed)>,
    },
}

/// The least of an event.
#[derive(Deserialize)]
struct Outline {
    #[serde(rename = "@timestamp")]
    timestamp: Moment,
    event: Place,
    host: Host,
    trace: Trace,
}

#[derive(Deserialize)]
struct Place {
    sequence: u64,
    boottime_ns: u64,
    #[serde(default)]
    duration: u64,
}

#[derive(Deserialize)]
struct Host {
    boot: Boot,
}

#[derive(Deserialize)]
struct Boot {
    id: String,
}

#[derive(Deserialize)]
struct Trace {
    session: String,
}

#[derive(Deserialize)]
struct Versioned<'a> {
    #[serde(borrow)]
    schema: Name<'a>,
}

#[derive(Deserialize)]
struct Name<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    version: Cow<'a, str>,
}

/// Reads a line that is not empty.
pub(super) fn parse(line: &[u8]) -> Line {
    match serde_json::from_slice::<Event>(line) {
        Ok(event) => match refusal(&event.schema) {
            None => Line::Event(Box::new(event)),
            Some(problem) => Line::Unknown {
                problem,
                outline: None,
            },
        },
        Err(error) => unknown(line, &error),
    }
}

fn refusal(Schema { name, version }: &Schema) -> Option<Problem> {
    if name != "sysctl-trace" {
        return Some(Problem::NotOurs);
    }
    let major = version.split('.').next();
    (major != Some(MAJOR)).then(|| Problem::OtherMajor(shown(version)))
}

#[cold]
fn unknown(line: &[u8], error: &serde_json::Error) -> Line {
    if !error.is_data() {
        // serde_json counts lines within the text, of which there is one.
        let problem = Problem::NotJson(shown(&error.to_string()));
        return Line::Unknown {
            problem,
            outline: None,
        };
    }
    let Ok(Versioned { schema }) = serde_json::from_slice(line) else {
        return Line::Unknown {
            problem: Problem::NotOurs,
            outline: None,
        };
    };
    let schema = Schema {
        name: Cow::Owned(schema.name.into_owned()),
        version: Cow::Owned(schema.version.into_owned()),
    };
    let known = refusal(&schema);
    Line::Unknown {
        problem: known.unwrap_or_else(|| Problem::NotUnderstood(shown(&error.to_string()))),
        outline: serde_json::from_slice(line).ok().map(Outline::passed),
    }
}

impl Outline {
    fn passed(self) -> (String, Passed) {
        let Self {
            timestamp,
            event:
                Place {
                    sequence,
                    boottime_ns,
                    duration,
                },
            host,
            trace,
        } = self;
        let ended_ns = boottime_ns.saturating_add(duration);
        let passed = Passed {
            session: SmolStr::new(trace.session),
            first_sequence: sequence,
            first_ns: ended_ns,
            last_sequence: sequence,
            has_cookie: false,
            until: At {
                boottime_ns: ended_ns,
                timestamp,
                sequence,
            },
        };
        (host.boot.id, passed)
    }
}
