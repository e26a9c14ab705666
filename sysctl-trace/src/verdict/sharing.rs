//! Whether a key below `net.` may be the whole node's, where no stream tells whose it is.

use super::{Facts, Seen, keys::is_of_each_netns};
use crate::ledger::{Hidden, Namespace, Place, Sharing, Since};

/// Whether the value that a namespace shows may be the whole node's, which others may have set: the
/// stream does not tell whose the key is, and nothing that was seen does.
pub(super) fn is_perhaps_shared(facts: &Facts<'_>, seen: &Seen<'_>, namespace: &Namespace) -> bool {
    let key = facts.key;
    if facts.is_node || is_of_each_netns(key) {
        return false;
    }
    match seen.window.sharing(key, seen.node_netns) {
        Sharing::Own => return false,
        Sharing::Shared | Sharing::Unknown => {}
    }
    // Keys that are the whole node's are read-only elsewhere.
    let history = namespace.keys.get(key);
    let is_written = history.is_some_and(|history| {
        let mut writes = history.writes();
        writes.any(|write| write.error.is_none() && write.through.is_none())
    });
    let is_told = history.is_some_and(|history| history.initial.is_some());
    if is_written || (is_told && namespace.born_with.is_none()) {
        return false;
    }
    let Some(born_ns) = namespace.born_with.as_ref().and_then(|_| {
        let created = namespace.created.as_ref();
        created.map(|created| created.at.boottime_ns)
    }) else {
        return true;
    };
    // It came with a module: nobody may have written to the node's since.
    let node = [seen.node, seen.node_netns].into_iter().flatten();
    let mut histories = node.filter_map(|node| node.keys.get(key));
    let is_written = histories.any(|history| {
        let mut writes = history.writes();
        writes.any(|write| write.at.boottime_ns >= born_ns && write.error.is_none())
    });
    let places = [Some(Place::Node), seen.node_netns.map(|node| node.place)];
    let is_whole = |place| {
        let since = Since {
            key,
            place,
            from_ns: born_ns,
            to_ns: None,
            hidden: Hidden::Change,
        };
        seen.window.flaw(&since).is_none()
    };
    is_written || !places.into_iter().flatten().all(is_whole)
}
