//! Looks in the node's configuration for what a program writes, once for each program.

use std::sync::Arc;

use smol_str::SmolStr;

use super::{
    Behalf,
    arguments::Reader,
    cni::{self, Tuned},
    sysctl_d::{self, Assignment},
};
use crate::{attribute::runtime::State, event::Requester};

/// What a process wrote.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// The key, as a path below /proc/sys.
    pub path: &'a str,
    /// The text; absent where it could not be read.
    pub requested: Option<&'a str>,
    /// Only the beginning of the text is known.
    pub is_cut: bool,
}

/// The configuration that the last such process was given: a program reads it when it starts, and
/// what it writes then comes one key after the other.
#[derive(Debug, Default)]
pub struct LookUp {
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    /// `process.entity_id`.
    process: String,
    behalf: Behalf,
    found: Found,
}

#[derive(Debug)]
enum Found {
    Networks(SmolStr, Vec<Tuned>),
    Files(Reader, Vec<Assignment>),
}

impl LookUp {
    /// Where the text that a process wrote stands in the configuration of the node. Programs write
    /// it as it stands there, so a place with another value is not where it came from.
    pub fn find(
        &mut self,
        state: &State,
        behalf: &Behalf,
        process: &str,
        written: Written<'_>,
    ) -> Option<Arc<Requester>> {
        let is_same = |last: &Last| last.process == process && last.behalf == *behalf;
        if !self.last.as_ref().is_some_and(is_same) {
            self.last = read(state, behalf).map(|found| Last {
                process: process.to_owned(),
                behalf: behalf.clone(),
                found,
            });
        }
        self.last.as_ref()?.found.requester(written).map(Arc::new)
    }
}

fn read(state: &State, behalf: &Behalf) -> Option<Found> {
    match behalf {
        Behalf::Nobody | Behalf::Container | Behalf::Namespace => None,
        Behalf::Network(plugin) => Some(Found::Networks(plugin.clone(), cni::read(state))),
        Behalf::Files(inputs) => Some(Found::Files(inputs.reader, sysctl_d::read(state, inputs))),
    }
}

impl Found {
    fn requester(&self, written: Written<'_>) -> Option<Requester> {
        match self {
            Self::Networks(plugin, all) => all
                .iter()
                .filter(|tuned| tuned.is(plugin, written.path))
                .map(|tuned| &tuned.requester)
                .find(|requester| written.is(&requester.value))
                .cloned(),
            // The last of the same value is the one that makes it stay.
            Self::Files(reader, all) => sysctl_d::requesters(all, *reader, written.path)
                .into_iter()
                .rfind(|requester| written.is(&requester.value)),
        }
    }
}

impl Written<'_> {
    /// Whether this value can be what was written. Some programs change the white space in it.
    fn is(&self, value: &str) -> bool {
        let Some(requested) = self.requested else {
            return true;
        };
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        let requested = requested.split_whitespace().collect::<Vec<_>>().join(" ");
        if self.is_cut {
            value.starts_with(&requested)
        } else {
            value == requested
        }
    }
}

#[cfg(test)]
#[path = "look_up_tests.rs"]
mod tests;
