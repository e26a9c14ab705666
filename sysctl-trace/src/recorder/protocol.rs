//! What is asked of a recorder and what it answers. Pure.

use std::sync::Arc;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    event::{NetnsId, Owner},
    ledger::{At, Excerpt, Ledger, Place},
    rendered::Rendered,
};

/// Version of the protocol. Recorder and asker must agree.
pub const VERSION: u32 = 1;

/// A request is shorter than this, in bytes, its newline included.
pub const REQUEST_MAX: usize = 64 << 10;

/// A line of either side.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Message<T> {
    /// [`VERSION`] of the side that wrote it.
    pub version: u32,
    /// What it says.
    pub body: T,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Which network namespaces are known.
    Candidates,
    /// What became of the values of these places.
    Excerpt(Vec<Place>),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// To [`Request::Candidates`].
    Candidates(Candidates),
    /// To [`Request::Excerpt`].
    Excerpt(Box<Excerpt>),
    /// The request can't be answered.
    Refused(String),
}

/// The network namespaces that are known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Candidates {
    /// The node's own.
    pub node: Option<NetnsId>,
    /// All that something was heard of, by number.
    pub namespaces: Vec<Candidate>,
}

/// A network namespace that something was heard of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// What tells it from all others.
    pub id: NetnsId,
    /// When it was made; absent where that was not seen.
    pub created: Option<At>,
    /// When it ended; absent while it is there.
    pub destroyed: Option<At>,
    /// Whose it is, as far as the latest event knew.
    pub owner: Option<Arc<Rendered<Owner>>>,
}

/// A line that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is of another version.
    #[error("it speaks version {0} of the protocol, not {VERSION}")]
    Version(u32),
    /// It is no such message.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// A line, with its newline.
pub fn encode<T: Serialize>(body: T) -> Result<Vec<u8>, serde_json::Error> {
    let version = VERSION;
    let mut line = serde_json::to_vec(&Message { version, body })?;
    line.push(b'\n');
    Ok(line)
}

/// What a line says. Its version is looked at first: the rest of another one may be anything.
pub fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, Error> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } = serde_json::from_slice(line)?;
    if version != VERSION {
        return Err(Error::Version(version));
    }
    Ok(serde_json::from_slice::<Message<T>>(line)?.body)
}

impl Request {
    /// The places whose values it asks for.
    pub fn places(&self) -> &[Place] {
        match self {
            Self::Candidates => &[],
            Self::Excerpt(places) => places,
        }
    }

    /// What a ledger says to it.
    pub fn answer(&self, ledger: &Ledger) -> Response {
        match self {
            Self::Candidates => Response::Candidates(Candidates::of(ledger)),
            Self::Excerpt(places) => Response::Excerpt(Box::new(ledger.excerpt(places))),
        }
    }
}

impl Candidates {
    fn of(ledger: &Ledger) -> Self {
        let mut namespaces: Vec<Candidate> = ledger
            .namespaces()
            .filter_map(|namespace| {
                let Place::Netns(id) = namespace.place else {
                    return None;
                };
                Some(Candidate {
                    id,
                    created: namespace.created.as_ref().map(|created| created.at),
                    destroyed: namespace.destroyed,
                    owner: namespace.owner.clone(),
                })
            })
            .collect();
        namespaces.sort_unstable_by_key(|candidate| candidate.id);
        Self {
            node: ledger.node(),
            namespaces,
        }
    }
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
