//! What is wrong with a recording or with a line of it, in words.

use std::{fmt, io};

use thiserror::Error;

use super::Source;

/// How much of a text that stands in the recording is shown.
const SHOWN_MAX: usize = 200;

/// Why a recording can't be read.
#[derive(Debug, Error)]
pub enum Error {
    /// It could not be opened.
    #[error("opening {from}: {error}")]
    Open {
        /// What.
        from: Source,
        /// Why.
        error: io::Error,
    },
    /// It is a folder.
    #[error("{0} is a directory; give a file of events, as `sysctl-trace watch --json` writes it")]
    Directory(Source),
    /// It could not be read.
    #[error("reading {from}: {error}")]
    Read {
        /// What.
        from: Source,
        /// Why.
        error: io::Error,
    },
    /// Bytes that were there are gone.
    #[error("{0} became shorter while it was read")]
    Shortened(Source),
    /// There is nothing in it.
    #[error("{0} has no events: it is empty")]
    Empty(Source),
    /// There is only the beginning of a line in it.
    #[error("{0} has no events: its only line is cut, or no event")]
    OnlyCut(Source),
    /// It is not in lines of text.
    #[error("{from} is compressed; read it with `{command} | sysctl-trace why --from - …`")]
    Compressed {
        /// What.
        from: Source,
        /// What makes text of it.
        command: String,
    },
    /// None of its lines is an event.
    #[error(
        "{from} has no events: line {line} {problem}; lines as `sysctl-trace watch --json` writes \
         them are needed"
    )]
    NoEvents {
        /// What.
        from: Source,
        /// The number of the first line that is not empty.
        line: u64,
        /// What is wrong with it.
        problem: Problem,
    },
    /// It was written by a release that speaks in another way.
    #[error(
        "line {line} of {from} follows version {version} of the schema, and this release reads 1.x"
    )]
    OtherMajor {
        /// What.
        from: Source,
        /// The number of the first such line.
        line: u64,
        /// Which version.
        version: String,
    },
    /// Events of several boots.
    #[error("{}", several_boots(.from, .boots))]
    SeveralBoots {
        /// What.
        from: Source,
        /// The boots, in the order of their first events.
        boots: Vec<Boot>,
    },
    /// The wanted boot is not in it.
    #[error("{from} has no events of boot {wanted}; it has {}", list(.boots))]
    OtherBoots {
        /// What.
        from: Source,
        /// What was wanted.
        wanted: String,
        /// The boots that are in it.
        boots: Vec<Boot>,
    },
    /// More namespaces are meant than can be told apart.
    #[error("more than {0} network namespaces of the recording go by that name; name one of them")]
    TooMany(usize),
}

/// A boot of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot {
    /// `host.boot.id`.
    pub id: String,
    /// `host.name` in its first event.
    pub host: String,
    /// How many events are of it.
    pub events: u64,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// It is not JSON.
    #[error("is not JSON ({0})")]
    NotJson(String),
    /// It is longer than any event.
    #[error("is longer than 1 MiB")]
    TooLong,
    /// It is JSON, and not an event of this tool.
    #[error("is not an event of sysctl-trace: its schema.name is not \"sysctl-trace\"")]
    NotOurs,
    /// It follows another major version of the schema.
    #[error("follows version {0} of the schema, and this release reads 1.x")]
    OtherMajor(String),
    /// It is one, but says something that this release does not know.
    #[error("is not understood ({0})")]
    NotUnderstood(String),
}

impl Error {
    /// Why a file could not be read any further.
    pub(super) fn reading(from: &Source, error: io::Error) -> Self {
        let from = from.clone();
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Shortened(from),
            _ => Self::Read { from, error },
        }
    }
}

impl Boot {
    fn shown(&self) -> String {
        let Self { id, host, events } = self;
        format!("{} on {} ({events} events)", shown(id), shown(host))
    }
}

/// Text of a recording made harmless for a terminal, and not too long.
pub(super) fn shown(text: &str) -> String {
    text.chars()
        .take(SHOWN_MAX)
        .flat_map(char::escape_debug)
        .collect()
}

fn list(boots: &[Boot]) -> impl fmt::Display {
    let boots: Vec<String> = boots.iter().map(Boot::shown).collect();
    boots.join(", ")
}

fn several_boots(from: &Source, boots: &[Boot]) -> String {
    let mut text = format!("{from} has events of several boots:");
    for boot in boots {
        text.push_str("\n  ");
        text.push_str(&boot.shown());
    }
    let id = boots.first().map(|boot| shown(&boot.id));
    let id = id.unwrap_or_default();
    text.push_str(&format!(
        "\nname the one that is meant (--boot {id}), or make a file of each: jq -c \
         'select(.host.boot.id == \"{id}\")'"
    ));
    text
}
