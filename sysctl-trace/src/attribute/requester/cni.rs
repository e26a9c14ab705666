//! Keys in the configuration of CNI networks.

use serde_json::{Map, Value};

use super::{TEXT_MAX, path_of};
use crate::{
    attribute::runtime::State,
    event::{Requester, RequesterSource},
};

/// Folders of networks' configuration: the usual one, and those of distributions of Kubernetes.
const FOLDERS: [&str; 3] = [
    "etc/cni/net.d",
    "var/lib/rancher/k3s/agent/etc/cni/net.d",
    "var/snap/microk8s/current/args/cni-network",
];
/// How the names of such files end.
const SUFFIXES: [&str; 3] = [".conf", ".conflist", ".json"];
/// How many files are read in one folder.
const FILES_MAX: usize = 64;
/// How many keys are kept of all networks.
const KEYS_MAX: usize = 256;
/// What the plugin tuning puts the interface's name in place of.
const INTERFACE: &str = "IFNAME";

/// A key that a network's configuration gives to a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tuned {
    plugin: String,
    /// As a path; a name in it may be [`INTERFACE`].
    path: String,
    pub(super) requester: Requester,
}

impl Tuned {
    /// Whether this plugin is given this key.
    pub(super) fn is(&self, plugin: &str, path: &str) -> bool {
        let is_same = |own: &str, name: &str| own == name || own == INTERFACE;
        let (own, names) = (self.path.split('/'), path.split('/'));
        self.plugin == plugin
            && own.clone().count() == names.clone().count()
            && own.zip(names).all(|(own, name)| is_same(own, name))
    }
}

/// What the configuration of networks asks the plugin of this name to set this key to, in the order
/// of the files' names. Which of them a pod gets is its runtime's choice: mostly the first.
pub fn networks(state: &State, plugin: &str, key: &str) -> Vec<Requester> {
    let path = path_of(key);
    read(state)
        .into_iter()
        .filter(|tuned| tuned.is(plugin, &path))
        .map(|tuned| tuned.requester)
        .collect()
}

/// The keys in the configuration of all networks.
pub(super) fn read(state: &State) -> Vec<Tuned> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        let names = state.configurations(folder).into_iter();
        let is_network = |name: &String| SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
        for name in names.filter(is_network).take(FILES_MAX) {
            let path = format!("{folder}/{name}");
            if let Some(bytes) = state.configuration(&path) {
                found.extend(tuned(&bytes, &format!("/{path}")));
            }
        }
    }
    found.truncate(KEYS_MAX);
    found
}

/// The keys in one file. Pure.
fn tuned(json: &[u8], file: &str) -> Vec<Tuned> {
    let mut found = Vec::new();
    if let Ok(network) = serde_json::from_slice(json) {
        walk(&network, &mut |plugin, key, value| {
            found.push(Tuned {
                plugin: plugin.to_owned(),
                path: path_of(key),
                requester: Requester {
                    source: RequesterSource::CniConfiguration,
                    value: value.to_owned(),
                    file: Some(file.to_owned()),
                    line: line(json, key),
                },
            });
        });
    }
    found
}

/// Plugins stand in a list of a network, or are a network by themselves; some are given to others as
/// part of their own configuration.
fn walk(value: &Value, told: &mut impl FnMut(&str, &str, &str)) {
    match value {
        Value::Object(object) => {
            tell(object, told);
            object.values().for_each(|inner| walk(inner, told));
        }
        Value::Array(list) => list.iter().for_each(|inner| walk(inner, told)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn tell(plugin: &Map<String, Value>, told: &mut impl FnMut(&str, &str, &str)) {
    let name = plugin.get("type").and_then(Value::as_str);
    let sysctls = plugin.get("sysctl").and_then(Value::as_object);
    let (Some(name), Some(sysctls)) = (name, sysctls) else {
        return;
    };
    for (key, value) in sysctls {
        if let Some(value) = value.as_str()
            && key.len().max(value.len()) <= TEXT_MAX
        {
            told(name, key, value);
        }
    }
}

/// The line of a key, where it stands in the text only once.
fn line(json: &[u8], key: &str) -> Option<u32> {
    let quoted = format!("\"{key}\"");
    let text = str::from_utf8(json).ok()?;
    let mut places = text.match_indices(&quoted);
    let (at, _) = places.next()?;
    if places.next().is_some() {
        return None;
    }
    let above = text.get(..at)?.bytes().filter(|&byte| byte == b'\n');
    u32::try_from(above.count() + 1).ok()
}

#[cfg(test)]
#[path = "cni_tests.rs"]
mod tests;
