//! Keys that came to be while it was traced, with a device or a module: who made them, and where their
//! first values are from.

use smol_str::SmolStr;

use super::{Facts, words::name};
use crate::ledger::{Author, Entry, Namespace, Write, reach::template};

/// The key that a first value was copied from.
#[derive(Clone, Debug)]
pub(super) struct Copied<'a> {
    /// The key.
    pub(super) key: String,
    /// The write that had set it; absent where none was seen.
    pub(super) write: Option<&'a Write>,
}

impl Facts<'_> {
    /// The folder of the key, where it came to be while it was traced.
    pub(super) fn born_with(&self) -> Option<&str> {
        self.namespace()?.born_with.as_deref()
    }

    /// Who made the key's folder.
    pub(super) fn maker(&self) -> String {
        match self.maker_of_keys() {
            Some(author) => format!("{}[{}]", name(author), author.pid),
            None => "somebody".to_owned(),
        }
    }

    /// What the first value was copied from, where that was seen: it had the same value at that moment.
    pub(super) fn copied(&self) -> Option<Copied<'_>> {
        let namespace = self.namespace()?;
        namespace.born_with.as_ref()?;
        let at_ns = namespace.created.as_ref()?.at.boottime_ns;
        let initial = namespace.keys.get(self.key)?.initial.as_ref()?;
        let key = template(self.key)?;
        let (value, write) = value_at(namespace, &key, at_ns)?;
        (*value == initial.value).then_some(Copied { key, write })
    }

    fn maker_of_keys(&self) -> Option<&Author> {
        self.namespace()?.created.as_ref()?.author.as_deref()
    }
}

/// What a key had at a moment, and the write that had set it.
fn value_at<'a>(
    namespace: &'a Namespace,
    key: &str,
    at_ns: u64,
) -> Option<(&'a SmolStr, Option<&'a Write>)> {
    let history = namespace.keys.get(key)?;
    let (before, after): (Vec<_>, Vec<_>) = history
        .entries
        .iter()
        .partition(|entry| entry.at().boottime_ns <= at_ns);
    let Some(value) = before.iter().rev().find_map(|entry| entry.left()) else {
        return match after.first()? {
            Entry::Write(write) => Some((write.old()?, None)),
            Entry::Drift(_) => None,
        };
    };
    let change = before.iter().rev().find_map(|entry| match entry {
        Entry::Write(write) => history.is_change(write).then_some(Some(write)),
        Entry::Drift(_) => Some(None),
    });
    let its = |write: &&Write| write.left() == Some(value);
    Some((value, change.flatten().filter(its)))
}
