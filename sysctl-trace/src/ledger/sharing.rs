//! Whose a key below `net.` is: each network namespace's own, or one for the whole node. And which keys
//! are two names of one value. Both are the kernel's word, as a stream tells it at its start.

use smol_str::SmolStr;

use super::{Namespace, Window, reach::is_of_device};

/// Whose a key below `net.` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Each network namespace has its own.
    Own,
    /// It is one for the whole node, whichever namespaces show it.
    Shared,
    /// No stream tells.
    Unknown,
}

impl Window {
    /// Whose a key is; keys that are not below `net.` are the node's, and nothing is shared.
    ///
    /// `node`: what is known of the node's own network namespace. A stream tells of the keys that were
    /// there as it began, and nothing of those that a module brought later.
    pub fn sharing(&self, key: &str, node: Option<&Namespace>) -> Sharing {
        if !key.starts_with("net.") || is_of_device(key) {
            return Sharing::Own;
        }
        let told = || self.sessions.iter().map(|session| session.is_shared(key));
        if told().any(|shared| shared == Some(true)) {
            return Sharing::Shared;
        }
        let came_later = node.is_some_and(|node| {
            let table = node.table_of(key);
            table.is_some_and(|table| table.began.is_some())
        });
        match self.sessions.is_empty() || came_later || told().any(|shared| shared.is_none()) {
            true => Sharing::Unknown,
            false => Sharing::Own,
        }
    }

    /// Other names of a key's value.
    pub fn aliases<'w>(&'w self, key: &'w str) -> impl Iterator<Item = &'w SmolStr> {
        let groups = self.sessions.iter().flat_map(|session| session.aliases());
        let its = groups.filter(move |group| group.iter().any(|name| name == key));
        its.flatten().filter(move |name| *name != key)
    }
}

#[cfg(test)]
#[path = "sharing_tests.rs"]
mod tests;
