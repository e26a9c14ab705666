//! What this kernel gives a new network namespace: one is made, read and left.

use super::{
    enter::{self, Handle, apart},
    key::Keys,
    values::{Values, read_here},
};
use crate::kernel::netns;

/// What the thread is called that makes the namespace. A running tracer sees it do so.
const THREAD: &str = "sysctl-tr:fresh";

/// Values of a namespace that nobody has written to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fresh {
    /// The keys below net/ as they are in a new namespace.
    pub values: Values,
    /// The same keys in the node's own, read just before: a value that differs was not copied from
    /// there. One that is the same may be.
    pub node: Values,
}

/// Makes a namespace as a process in the node's own does, and reads the keys below net/ in both.
/// The calling thread stays where it is. It takes CAP_SYS_ADMIN.
pub fn read(keys: &Keys) -> Result<Fresh, enter::Error> {
    let node = Handle::node()?;
    let work = || {
        node.enter()?;
        let node = read_here(keys);
        netns::make().map_err(|source| enter::Error::Make { source })?;
        let values = read_here(keys);
        Ok(Fresh { values, node })
    };
    let mut results = apart(THREAD, 1, || vec![work()]);
    results.pop().unwrap_or(Err(enter::Error::Thread))
}

#[cfg(test)]
#[path = "fresh_tests.rs"]
mod tests;
