//! Which keys below net/ are one for the whole node, and which keys are two names of one value: by what
//! the kernel holds of each, in the node's own network namespace and in a new one.
//!
//! Keys of devices are left out: they are a namespace's own, there may be very many, and a new
//! namespace has none of them.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use aya::Ebpf;
use smol_str::SmolStr;
use sysctl_trace_ebpf::settings::ValueKind;

use super::enter::{self, Handle, apart};
use crate::{
    event::{NetnsId, NodeKeys, dotted},
    kernel::{
        keys::{self, KeyFacts, KeyFile, Room, look_at},
        load::Facts,
        netns,
    },
};

const ROOT: &str = "/proc/sys";
/// What the thread is called that makes the namespace. A running tracer sees it do so.
const THREAD: &str = "sysctl-tr:fresh";
/// A node has some 1,500 without those of devices.
const KEYS_MAX: usize = 8192;

/// Folders with a folder for each device, and what is in them for no device.
const DEVICE_FOLDERS: [&str; 5] = [
    "net/ipv4/conf",
    "net/ipv6/conf",
    "net/ipv4/neigh",
    "net/ipv6/neigh",
    "net/mpls/conf",
];
const FOR_NO_DEVICE: [&str; 2] = ["all", "default"];
/// Of another file system. A look into it may have systemd mount that.
const NOT_KEYS: &str = "fs/binfmt_misc";

/// Why nothing is known of the keys.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel could not be asked.
    #[error(transparent)]
    Survey(#[from] keys::Error),
    /// The node's namespace could not be entered, or none be made.
    #[error(transparent)]
    Enter(#[from] enter::Error),
    /// A key's file could not be opened.
    #[error("a key below {ROOT} cannot be opened: {0}")]
    Open(#[from] io::Error),
    /// There are more keys than are looked at.
    #[error("there are more than {KEYS_MAX} keys below {ROOT}")]
    TooMany,
    /// A key was gone before it could be looked at.
    #[error("a key went away while it was looked at")]
    Gone,
}

/// What was found, and the namespace that was made for it. That ends soon.
#[derive(Debug)]
pub struct Shared {
    /// What the kernel says.
    pub keys: NodeKeys,
    /// The namespace that was new.
    pub fresh: NetnsId,
}

/// Asks the kernel, by the object whose probes are not attached yet. It takes CAP_SYS_ADMIN, as a
/// network namespace is made to compare with.
pub fn survey(ebpf: &mut Ebpf, facts: &Facts) -> Result<Shared, Error> {
    let _room = Room::make();
    let mut opened = apart(THREAD, 1, || vec![Opened::new()]);
    let opened = opened.pop().unwrap_or(Err(enter::Error::Thread.into()))?;
    let of_node = opened.node.len();
    let files: Vec<KeyFile> = opened.node.into_iter().chain(opened.fresh).collect();
    let found = look_at(ebpf, facts, &files)?;
    let found: Option<Vec<KeyFacts>> = found.into_iter().collect();
    let found = found.ok_or(Error::Gone)?;
    let (node, fresh) = found.split_at(of_node);
    Ok(Shared {
        keys: decide(node, fresh),
        fresh: opened.id,
    })
}

/// Files of keys, in two namespaces.
struct Opened {
    node: Vec<KeyFile>,
    /// Of the same paths, as far as they are there.
    fresh: Vec<KeyFile>,
    id: NetnsId,
    /// Keeps the new namespace.
    _namespace: File,
}

impl Opened {
    fn new() -> Result<Self, Error> {
        Handle::node()?.enter()?;
        let mut paths = Vec::new();
        collect(Path::new(ROOT), "", &mut paths)?;
        paths.sort_unstable();
        let open = |paths: &[PathBuf]| -> io::Result<Vec<KeyFile>> {
            let files = paths.iter().map(|path| KeyFile::open(path));
            files.filter_map(Result::transpose).collect()
        };
        let node = open(&paths)?;
        netns::make().map_err(|source| enter::Error::Make { source })?;
        let refused = |source| enter::Error::Make { source };
        let id = netns::current().map_err(refused)?;
        let namespace = File::open("/proc/thread-self/ns/net")?;
        paths.retain(|path| path.starts_with(Path::new(ROOT).join("net")));
        Ok(Self {
            node,
            fresh: open(&paths)?,
            id,
            _namespace: namespace,
        })
    }
}

/// All keys but those of devices.
fn collect(root: &Path, folder: &str, paths: &mut Vec<PathBuf>) -> Result<(), Error> {
    let Ok(entries) = fs::read_dir(root.join(folder)) else {
        // A module may have gone.
        return Ok(());
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if DEVICE_FOLDERS.contains(&folder) && !FOR_NO_DEVICE.contains(&name) {
            continue;
        }
        let path = match folder {
            "" => name.to_owned(),
            folder => format!("{folder}/{name}"),
        };
        match entry.file_type() {
            Ok(_) if path == NOT_KEYS => {}
            Ok(kind) if kind.is_dir() => collect(root, &path, paths)?,
            Ok(kind) if kind.is_file() => paths.push(root.join(path)),
            Ok(_) | Err(_) => {}
        }
        if paths.len() > KEYS_MAX {
            return Err(Error::TooMany);
        }
    }
    Ok(())
}

/// What the facts say. A key below net/ is one for the whole node where it belongs to no network
/// namespace, where a new one does not have it, or where it has the same memory in both.
fn decide(node: &[KeyFacts], fresh: &[KeyFacts]) -> NodeKeys {
    let fresh: HashMap<&Path, &KeyFacts> =
        fresh.iter().map(|key| (key.path.as_path(), key)).collect();
    let is_shared = |key: &&KeyFacts| {
        is_below_net(&key.path)
            && match (key.netns, fresh.get(key.path.as_path())) {
                (None, _) | (Some(_), None) => true,
                (Some(_), Some(other)) => key.data != 0 && key.data == other.data,
            }
    };
    let shared = node.iter().filter(is_shared).map(name).collect();
    // What is not decoded may have the address of something else there. What is shown in different
    // ways is not the same text, and of neighbours the key's name tells how.
    let mut memories: BTreeMap<(u64, u32), Vec<SmolStr>> = BTreeMap::new();
    let has_memory = |key: &&KeyFacts| {
        let is_told_by_name = [ValueKind::NotDecoded, ValueKind::NeighTime].contains(&key.kind);
        key.data != 0 && !is_told_by_name
    };
    for key in node.iter().filter(has_memory) {
        let memory = (key.data, key.kind as u32);
        memories.entry(memory).or_default().push(name(key));
    }
    let mut aliases: Vec<Vec<SmolStr>> = memories
        .into_values()
        .filter(|names| names.len() > 1)
        .collect();
    aliases.sort_unstable();
    NodeKeys { shared, aliases }
}

fn is_below_net(path: &Path) -> bool {
    path.starts_with(Path::new(ROOT).join("net"))
}

fn name(key: &KeyFacts) -> SmolStr {
    let path = key.path.strip_prefix(ROOT).unwrap_or(&key.path);
    dotted(&path.to_string_lossy())
}

#[cfg(test)]
#[path = "shared_tests.rs"]
mod tests;
