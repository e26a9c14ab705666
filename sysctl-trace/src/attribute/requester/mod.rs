//! On whose behalf a key was written: where the value was asked for.
//!
//! Components write for others: an OCI runtime what a container's specification has, a CNI plugin
//! what a network's configuration has, sysctl(8) what files in sysctl.d have. What a component
//! writes for is decided by its name and its arguments; then the place is looked at for the key. All
//! here can also be asked without a write: what the node holds is the same later.
//!
//! A key stands in specifications and files by one of two names, `net.core.somaxconn` or
//! `net/core/somaxconn`; both are taken everywhere.

mod arguments;
mod cni;
mod container;
mod look_up;
mod pattern;
mod pinns;
mod sysctl_d;
mod unasked;

pub use arguments::{Inputs, Reader};
pub use cni::networks;
pub use container::{Asked, of_container};
pub use look_up::{LookUp, Written};
pub use sysctl_d::sysctl_files;
pub use unasked::{Unasked, by_arguments, may_be_from, of_pinns, unasked};

use smol_str::SmolStr;

use crate::event::{Component, Stage};

/// Longest value or pattern that is told, in bytes: the kernel takes no more for most keys. What is
/// longer is passed over rather than told in part.
const TEXT_MAX: usize = 4096;

/// What a component writes keys on behalf of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behalf {
    /// Nobody that could be told.
    Nobody,
    /// The container that it is about to become: an OCI runtime.
    Container,
    /// The container that the namespace is made for: CRI-O's pinns.
    Namespace,
    /// A network's configuration, by the CNI plugin of this name.
    Network(SmolStr),
    /// Files of settings.
    Files(Inputs),
}

/// What a process writes on behalf of, by what it is and how it was called. Pure.
pub fn behalf(component: &Component, args: Option<&[String]>) -> Behalf {
    let files = |inputs: Option<Inputs>| inputs.map_or(Behalf::Nobody, Behalf::Files);
    match (component.name.as_str(), component.stage) {
        ("runc" | "crun" | "youki", Some(Stage::Child | Stage::Init)) => Behalf::Container,
        ("pinns", _) => Behalf::Namespace,
        ("systemd-sysctl", _) => files(arguments::of_systemd(args)),
        ("sysctl(8)", _) => files(args.and_then(arguments::of_procps)),
        (name, _) => match name.strip_prefix("cni:") {
            Some(plugin) => Behalf::Network(plugin.into()),
            None => Behalf::Nobody,
        },
    }
}

/// Whether two texts are the same but for blanks.
fn is_same_text(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}

/// A key by either of its names as a path below /proc/sys. The separator that comes first is the
/// separator: where that is a dot, dots and slashes change places, as in sysctl.d(5).
pub fn path_of(key: &str) -> String {
    let is_dotted = key
        .find(['.', '/'])
        .is_some_and(|at| key[at..].starts_with('.'));
    let swapped: String = if is_dotted {
        let swap = |character| match character {
            '.' => '/',
            '/' => '.',
            other => other,
        };
        key.chars().map(swap).collect()
    } else {
        key.to_owned()
    };
    let names: Vec<_> = swapped.split('/').filter(|name| !name.is_empty()).collect();
    names.join("/")
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
