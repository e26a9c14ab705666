//! Who asked for a container's keys, by the state of its runtime. Pure.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use super::{TEXT_MAX, is_same_text, path_of};
use crate::{
    attribute::runtime::Known,
    event::{Requester, RequesterSource},
};

/// How many keys of one container are kept.
const KEYS_MAX: usize = 256;

const PORT_START: &str = "net/ipv4/ip_unprivileged_port_start";
const PING_GROUPS: &str = "net/ipv4/ping_group_range";

/// Keys that docker and containerd's CRI set unasked, with their values.
const DEFAULTS: [(&str, &str); 2] = [(PORT_START, "0"), (PING_GROUPS, "0 2147483647")];
/// The same of CRI-O, as distributions of Kubernetes configure it.
const CRIO_DEFAULTS: [(&str, &str); 1] = [(PING_GROUPS, "0 2147483647")];
/// The same of podman.
const PODMAN_DEFAULTS: [(&str, &str); 1] = [(PING_GROUPS, "0 0")];

/// Who asked for this key of a container. Nothing where no state has the key.
///
/// Engines put their defaults into the same specification: a pod that asks for a default, with its
/// value, can't be told from one that does not.
pub fn of_container(known: &Known, key: &str) -> Option<Requester> {
    let path = path_of(key);
    requests(known)
        .find(|(name, _, _)| path_of(name) == path)
        .map(|(_, value, place)| requester(known, &path, value, place))
}

/// All that was asked for of one container, by key.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asked(BTreeMap<String, Arc<Requester>>);

impl Asked {
    /// What the state of a runtime tells.
    pub fn of(known: &Known) -> Self {
        let mut asked = BTreeMap::new();
        for (name, value, place) in requests(known).take(KEYS_MAX) {
            if let Entry::Vacant(entry) = asked.entry(path_of(name)) {
                let requester = requester(known, entry.key(), value, place);
                entry.insert(Arc::new(requester));
            }
        }
        Self(asked)
    }

    /// Who asked for the key with this path below /proc/sys.
    pub fn requester(&self, path: &str) -> Option<Arc<Requester>> {
        self.0.get(path).cloned()
    }
}

/// Where in a container's state a key stands.
#[derive(Clone, Copy)]
enum Place {
    /// What the user gave docker.
    User,
    /// The specification of the container itself.
    Own,
    /// That of its pod's sandbox.
    Sandbox,
}

/// Keys and values; the place that tells most comes first.
fn requests(known: &Known) -> impl Iterator<Item = (&str, &str, Place)> {
    let places = [
        (&known.user_sysctls, Place::User),
        (&known.sysctls, Place::Own),
        (&known.sandbox_sysctls, Place::Sandbox),
    ];
    let is_short = |key: &str, value: &str| key.len() <= TEXT_MAX && value.len() <= TEXT_MAX;
    places.into_iter().flat_map(move |(sysctls, place)| {
        sysctls
            .iter()
            .filter(move |(key, value)| is_short(key, value))
            .map(move |(key, value)| (key.as_str(), value.as_str(), place))
    })
}

fn requester(known: &Known, path: &str, value: &str, place: Place) -> Requester {
    let file = match place {
        Place::User => &known.user_sysctls_file,
        Place::Own => &known.sysctls_file,
        Place::Sandbox => &known.sandbox_sysctls_file,
    };
    Requester {
        source: source(known, path, value, place),
        value: value.to_owned(),
        file: file.clone(),
        line: None,
    }
}

fn source(known: &Known, path: &str, value: &str, place: Place) -> RequesterSource {
    let is_in_pod = known.pod.is_some();
    let of_pod = |otherwise| {
        if is_in_pod {
            RequesterSource::PodSecurityContext
        } else {
            otherwise
        }
    };
    // docker's own files tell what the user asked for, so all else is docker's.
    let is_told_apart = known.runtime == "docker" && known.user_sysctls_file.is_some();
    match place {
        Place::User => of_pod(RequesterSource::DockerOption),
        Place::Own if is_told_apart => RequesterSource::EngineDefault,
        Place::Own | Place::Sandbox if is_default(&known.runtime, is_in_pod, path, value) => {
            RequesterSource::EngineDefault
        }
        Place::Own | Place::Sandbox => of_pod(RequesterSource::OciSpec),
    }
}

/// Where a key of a pod's sandbox was asked for, by what its engine was given.
pub(super) fn source_in_pod(runtime: &str, path: &str, value: &str) -> RequesterSource {
    if is_default(runtime, true, path, value) {
        RequesterSource::EngineDefault
    } else {
        RequesterSource::PodSecurityContext
    }
}

fn is_default(runtime: &str, is_in_pod: bool, path: &str, value: &str) -> bool {
    let defaults: &[_] = match runtime {
        "docker" => &DEFAULTS,
        // Those of ctr have none.
        "containerd" if is_in_pod => &DEFAULTS,
        "cri-o" => &CRIO_DEFAULTS,
        "podman" => &PODMAN_DEFAULTS,
        _ => &[],
    };
    defaults
        .iter()
        .any(|(key, default)| *key == path && is_same_text(default, value))
}

#[cfg(test)]
#[path = "container_tests.rs"]
mod tests;
