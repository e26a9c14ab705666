//! Keys that come and go together, with a device or a module.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{At, Author};
use crate::event::{self, dotted};

/// The last life of keys that were registered together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The folder below /proc/sys, and the keys.
    pub keys: event::Table,
    /// Whether there are more keys than are named.
    pub is_cut: bool,
    /// Lines that tell of it contradict each other.
    #[serde(default)]
    pub is_disputed: bool,
    /// When they came to be, and by whom; absent where that was not seen.
    pub began: Option<(At, Option<Arc<Author>>)>,
    /// When they ended; absent while they are there.
    pub ended: Option<At>,
}

impl Table {
    /// Which it is among those of its folder: by the first of its names.
    pub(super) fn name(keys: &event::Table) -> (&str, Option<&SmolStr>) {
        let names = keys.values.keys().chain(&keys.unread);
        (&keys.path, names.min())
    }

    /// Takes the same keys as another line tells them. One of the lines may have been robbed of something,
    /// and which one came first is nothing.
    pub(super) fn merge(&mut self, other: &Self) {
        let author = |table: &Self| table.began.as_ref().and_then(|(_, author)| author.clone());
        if self.keys == other.keys && author(self) == author(other) {
            return;
        }
        let text = |table: &Self| serde_json::to_string(&(&table.keys, &table.began)).ok();
        if text(other) > text(self) {
            self.keys = other.keys.clone();
            self.began = other.began.clone();
        }
        self.is_cut = true;
        self.is_disputed = true;
    }

    /// The name of a key in the folder, where the key is one of these.
    pub(super) fn holds<'a>(&self, key: &'a str) -> Option<&'a str> {
        let folder = dotted(&self.keys.path);
        let name = key.strip_prefix(&*folder)?.strip_prefix('.')?;
        let is_named = || {
            let slashed = dotted(name);
            self.keys.values.contains_key(&slashed) || self.keys.unread.contains(&slashed)
        };
        (!name.contains('.') && (self.is_cut || is_named())).then_some(name)
    }

    /// From when on what was seen of a key is about this life of it.
    pub(super) fn began_or_ended_ns(&self) -> Option<u64> {
        let began = self.began.as_ref().map(|(at, _)| at.boottime_ns);
        let ended = self.ended.map(|at| at.boottime_ns);
        began.max(ended)
    }

    pub(super) fn last_ns(&self) -> u64 {
        self.began_or_ended_ns().unwrap_or_default()
    }

    /// Whether the keys are there.
    pub fn is_there(&self) -> bool {
        let began = self.began.as_ref().map(|(at, _)| at.boottime_ns);
        self.ended.is_none() || began > self.ended.map(|at| at.boottime_ns)
    }
}
