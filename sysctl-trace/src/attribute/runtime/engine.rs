//! State of the OCI runtimes: runc's `state.json` and crun's `status`. Pure.
//!
//! Both are written when the container's keys are set already, so a look while that happens finds
//! nothing.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Known, cgroups::from_mount};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct State {
    id: String,
    config: Option<Config>,
    cgroup_paths: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    sysctl: Option<BTreeMap<String, String>>,
    namespaces: Option<Vec<Namespace>>,
    labels: Option<Vec<String>>,
}

impl Config {
    /// The file that the keys come from: runc notes its bundle as a label.
    fn spec_file(&self) -> Option<String> {
        let mut labels = self.labels.iter().flatten();
        let bundle = labels.find_map(|label| label.strip_prefix("bundle="))?;
        let bundle = bundle.trim_end_matches('/');
        bundle
            .starts_with('/')
            .then(|| format!("{bundle}/config.json"))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Namespace {
    #[serde(rename = "type")]
    kind: String,
    path: Option<String>,
}

/// What runc's `state.json` tells of a container with this cgroup. `file` is its path.
pub(super) fn runc(id: &str, json: &[u8], cgroup: &str, file: String) -> Option<Known> {
    let state: State = serde_json::from_slice(json).ok()?;
    if state.id != id {
        return None;
    }
    let folders = state.cgroup_paths.unwrap_or_default();
    // In version 2 there is one folder, and it has no controller's name.
    let paths: Vec<_> = folders
        .iter()
        .filter_map(|(controller, folder)| from_mount(folder, controller.is_empty()))
        .collect();
    let is_cgroup_same = (!paths.is_empty()).then(|| paths.contains(&cgroup));
    let config = state.config.unwrap_or_default();
    let sysctls_file = config.spec_file().or(Some(file));
    let netns_path = config
        .namespaces
        .and_then(|all| all.into_iter().find(|n| n.kind == "NEWNET")?.path)
        .filter(|path| !path.is_empty());
    Some(Known {
        id: id.into(),
        runtime: "runc".into(),
        sysctls: config.sysctl.unwrap_or_default(),
        sysctls_file,
        netns_path,
        cgroups_path: paths.first().map(|&path| path.to_owned()),
        is_cgroup_same,
        ..Known::default()
    })
}

/// crun's `status`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Status {
    cgroup_path: String,
    pub(super) bundle: String,
}

impl Status {
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// crun may put the container's program into a folder within the container's own.
    pub(super) fn agrees(&self, cgroup: &str) -> Option<bool> {
        let path = self.cgroup_path.trim_start_matches('/');
        let cgroup = cgroup.trim_start_matches('/');
        if path.is_empty() || cgroup.is_empty() {
            return None;
        }
        let below = path.strip_prefix(cgroup);
        Some(below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }
}
