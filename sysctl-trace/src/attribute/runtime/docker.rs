//! dockerd's files of a container. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Known, spec::add_labels};

/// `config.v2.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Config {
    name: Option<String>,
    config: Option<Inner>,
    network_settings: Option<NetworkSettings>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Inner {
    image: Option<String>,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct NetworkSettings {
    sandbox_key: Option<String>,
}

impl Config {
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }
}

/// `hostconfig.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct HostConfig {
    sysctls: Option<BTreeMap<String, String>>,
}

impl HostConfig {
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }
}

/// Adds what dockerd wrote down. `host` comes with the file that it was read from.
pub(super) fn add(known: &mut Known, config: Config, host: Option<(HostConfig, String)>) {
    known.name = config
        .name
        .map(|name| name.trim_start_matches('/').to_owned())
        .filter(|name| !name.is_empty());
    let inner = config.config.unwrap_or_default();
    known.image = inner.image.filter(|image| !image.is_empty());
    let labels = inner.labels.unwrap_or_default();
    known.is_sandbox = labels
        .get("io.kubernetes.docker.type")
        .is_some_and(|kind| kind == "podsandbox");
    if !known.is_sandbox {
        known.sandbox_id = labels
            .get("io.kubernetes.sandbox.id")
            .filter(|id| !id.is_empty())
            .map(Into::into);
    }
    add_labels(known, labels);
    known.netns_path = known.netns_path.take().or_else(|| {
        let key = config.network_settings?.sandbox_key?;
        (!key.is_empty()).then_some(key)
    });
    if let Some((host, file)) = host {
        known.user_sysctls = host.sysctls.unwrap_or_default();
        known.user_sysctls_file = Some(file);
    }
}
