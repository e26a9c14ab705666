//! Why a key was written, where no place is known that asks for the value: what that leaves open. Pure.
//!
//! That no place was found is no proof that there is none. Programs that apply files or
//! specifications end within milliseconds, and their arguments with them.

use serde::{Deserialize, Serialize};

use super::{arguments, container::source_in_pod, is_same_text, path_of, pinns};
use crate::{
    attribute::redact::REDACTED,
    event::{Component, Event, Requester, RequesterSource, Stage, Sureness},
    rendered::Rendered,
};

/// What is known of why a process wrote a key, where no place is known that asks for the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unasked {
    /// Its own arguments name the key and the value.
    OwnArguments,
    /// It is a component that writes by its own rules: it applies no files and no specifications.
    OwnRules,
    /// It is a program of a container, which applies no container's specification. What files of
    /// the node it may apply is not known.
    Contained,
    /// It may be any program.
    AnyProgram,
    /// It applies files, and its arguments could not be read.
    NoArguments,
    /// It applies files, and the value was not found in those that it was given.
    Files,
    /// It applies a container's specification, and the value was not found in one.
    Specification,
    /// It applies the configuration of a network, and the value was not found in one.
    Configuration,
}

/// CNI plugins that set keys by their own rules, and none that they are given.
const PLUGINS: [&str; 19] = [
    "bandwidth",
    "bridge",
    "calico",
    "dhcp",
    "dummy",
    "firewall",
    "flannel",
    "host-device",
    "host-local",
    "ipvlan",
    "loopback",
    "macvlan",
    "portmap",
    "ptp",
    "sbr",
    "static",
    "tap",
    "vlan",
    "vrf",
];

/// Why the write that an event tells of was made, going by the event alone.
pub fn unasked(event: &Event) -> Unasked {
    let component = event.component.as_deref().map(Rendered::value);
    let process = event.process.as_deref();
    let args = process.and_then(|process| process.args.as_deref());
    let sysctl = event.sysctl.as_ref();
    let path = sysctl.map_or("", |sysctl| sysctl.path.as_str());
    let requested = sysctl.and_then(|sysctl| sysctl.requested.as_deref());
    if args.is_some_and(|args| names(args, path, requested)) {
        return Unasked::OwnArguments;
    }
    let Some(component) = component else {
        return Unasked::AnyProgram;
    };
    match by_component(component, args, path) {
        // Its name is not proven, so it may be something else.
        Unasked::OwnRules | Unasked::Contained if component.confidence == Sureness::Inferred => {
            Unasked::AnyProgram
        }
        why => why,
    }
}

/// Who asked for what an event says was written, where the arguments of the process tell, and the
/// tracer did not know yet.
pub fn by_arguments(event: &Event) -> Option<Requester> {
    let component = event.component.as_deref()?;
    let args = event.process.as_deref()?.args.as_deref()?;
    let sysctl = event.sysctl.as_ref()?;
    of_pinns(component, args, &sysctl.path, sysctl.requested.as_deref())
}

/// On whose behalf CRI-O's pinns wrote: it is started for nothing but a pod's sandbox.
pub fn of_pinns(
    component: &Component,
    args: &[String],
    path: &str,
    requested: Option<&str>,
) -> Option<Requester> {
    if component.name != "pinns" {
        return None;
    }
    let value = pinns::value(args, path)?;
    if requested.is_some_and(|requested| !is_same_text(requested, &value)) {
        return None;
    }
    let source = source_in_pod("cri-o", path, &value);
    Some(Requester {
        source,
        value,
        file: None,
        line: None,
    })
}

fn by_component(component: &Component, args: Option<&[String]>, path: &str) -> Unasked {
    match component.name.as_str() {
        "container-process" => Unasked::Contained,
        "sysctl(8)" => match args.map(arguments::of_procps) {
            Some(Some(_)) => Unasked::Files,
            // It was given settings; which, its arguments do not tell any more.
            Some(None) => Unasked::AnyProgram,
            None => Unasked::NoArguments,
        },
        "systemd-sysctl" => match args {
            Some(_) => Unasked::Files,
            None => Unasked::NoArguments,
        },
        // By its profiles, and by files where it is told to apply them again.
        "tuned" => Unasked::Files,
        "runc" | "crun" | "youki" => match component.stage {
            Some(Stage::Parent | Stage::Child | Stage::Init) | None => Unasked::Specification,
        },
        // Containers of these have keys in their own configuration.
        "pinns" | "cri-o" | "lxc" | "lxd" | "incus" => Unasked::Specification,
        // It is asked for the keys of single devices by options of a network.
        "dockerd" if is_of_device(path) => Unasked::Specification,
        // Rules of udev may have keys in them.
        "program" | "systemd-udevd" => Unasked::AnyProgram,
        name => match name.strip_prefix("cni:") {
            Some(plugin) if PLUGINS.contains(&plugin) => Unasked::OwnRules,
            Some(_) => Unasked::Configuration,
            None => Unasked::OwnRules,
        },
    }
}

/// Whether a key belongs to a single network device: `net/ipv4/conf/eth0/rp_filter`.
fn is_of_device(path: &str) -> bool {
    let names: Vec<_> = path.split('/').collect();
    matches!(names.as_slice(), ["net", _, "conf" | "neigh", device, ..] if !["all", "default"].contains(device))
}

/// Whether arguments name the key and the value that was written.
fn names(args: &[String], path: &str, requested: Option<&str>) -> bool {
    let Some(requested) = requested.map(str::trim).filter(|text| !text.is_empty()) else {
        return false;
    };
    if path.is_empty() || args.iter().any(|arg| arg == REDACTED) {
        return false;
    }
    let mut own = args.iter().skip(1);
    own.any(|arg| assigns(arg, path, requested))
        || taken_apart(args, path, requested)
        || shell_names(args, path, requested)
}

/// `KEY` and `VALUE` one after the other: some programs take their own arguments apart in place.
fn taken_apart(args: &[String], path: &str, requested: &str) -> bool {
    let mut pairs = args.get(1..).unwrap_or_default().windows(2);
    let pair =
        |pair: &[String]| path_of(pair[0].trim()) == path && is_same_text(&pair[1], requested);
    pairs.any(pair)
}

/// `KEY=VALUE`
fn assigns(text: &str, path: &str, requested: &str) -> bool {
    let (key, value) = text.split_once('=').unwrap_or_default();
    path_of(key.trim()) == path && is_same_text(value, requested)
}

/// A shell's own text that has both: `sh -c 'sysctl -w kernel.x=31'`, which a shell with the applet
/// executes itself, or `sh -c 'echo 31 > /proc/sys/kernel/x'`.
fn shell_names(args: &[String], path: &str, requested: &str) -> bool {
    let mut texts = args.iter().skip_while(|arg| *arg != "-c").skip(1);
    let Some(text) = texts.next() else {
        return false;
    };
    let mut words = text
        .split_ascii_whitespace()
        .map(|word| word.trim_matches(['"', '\'', ';']));
    words.clone().any(|word| assigns(word, path, requested))
        || (text.contains(&format!("/proc/sys/{path}")) && words.any(|word| word == requested))
}

/// Whether a value that was asked for in this kind of place can have come to be by such a write.
pub const fn may_be_from(why: Unasked, source: RequesterSource) -> bool {
    let is_file = match source {
        RequesterSource::SysctlFile => true,
        RequesterSource::PodSecurityContext
        | RequesterSource::DockerOption
        | RequesterSource::OciSpec
        | RequesterSource::EngineDefault
        | RequesterSource::CniConfiguration => false,
    };
    match why {
        Unasked::OwnArguments | Unasked::OwnRules => false,
        Unasked::Contained => is_file,
        Unasked::AnyProgram
        | Unasked::NoArguments
        | Unasked::Files
        | Unasked::Specification
        | Unasked::Configuration => true,
    }
}

#[cfg(test)]
#[path = "unasked_tests.rs"]
mod tests;
