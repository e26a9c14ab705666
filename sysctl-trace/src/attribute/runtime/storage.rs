//! The storage that podman and CRI-O share: bundles and the lists of names. Pure.

use serde::Deserialize;

/// Folders of containers, by id, for each driver: the state of this boot first.
pub(super) const FOLDERS: [&str; 5] = [
    "run/containers/storage/overlay-containers",
    "var/lib/containers/storage/overlay-containers",
    "run/containers/storage/vfs-containers",
    "var/lib/containers/storage/vfs-containers",
    "var/lib/containers/storage/btrfs-containers",
];
/// Whose containers those are that do not say.
pub(super) const RUNTIME: &str = "podman";

/// Files that list containers: those that stay, and those that go with the boot.
pub(super) fn lists() -> impl Iterator<Item = String> {
    FOLDERS.iter().flat_map(|folder| {
        ["containers.json", "volatile-containers.json"].map(|name| format!("{folder}/{name}"))
    })
}

/// What a list says of a container.
pub(super) struct Entry {
    pub(super) name: Option<String>,
    pub(super) image: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    /// JSON as text.
    #[serde(default)]
    metadata: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Metadata {
    image_name: Option<String>,
    name: Option<String>,
}

/// The entry of a container in a list.
pub(super) fn entry(json: &[u8], id: &str) -> Option<Entry> {
    let all: Vec<Listed> = serde_json::from_slice(json).ok()?;
    let listed = all.into_iter().find(|listed| listed.id == id)?;
    let metadata: Metadata = listed
        .metadata
        .and_then(|metadata| serde_json::from_str(&metadata).ok())
        .unwrap_or_default();
    let first = listed.names.unwrap_or_default().into_iter().next();
    Some(Entry {
        name: metadata.name.or(first),
        image: metadata.image_name,
    })
}
