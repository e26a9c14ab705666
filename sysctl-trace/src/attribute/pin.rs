//! Files that keep network namespaces: /run/netns/NAME and the like.

use std::{fs, os::unix::fs::MetadataExt as _, path::PathBuf};

/// Where `ip netns`, CNI and podman, and docker keep them. /var/run is /run.
const FOLDERS: [&str; 2] = ["/run/netns", "/run/docker/netns"];

/// How many files of a folder are looked at.
const FILES_MAX: usize = 4096;

/// The look-up of files by namespace.
#[derive(Debug, Default)]
pub struct Pins {
    /// Device of the file system that namespaces are files of; `None` where it could not be found.
    device: Option<u64>,
}

impl Pins {
    /// Finds out what namespaces look like here.
    pub fn new() -> Self {
        let own = fs::metadata("/proc/self/ns/net");
        Self {
            device: own.map(|data| data.dev()).ok(),
        }
    }

    /// The file that keeps the namespace with this number.
    pub fn find(&self, inum: u32) -> Option<String> {
        let device = self.device?;
        let is_it = |path: &PathBuf| {
            fs::metadata(path)
                .is_ok_and(|data| data.dev() == device && data.ino() == u64::from(inum))
        };
        FOLDERS
            .iter()
            .filter_map(|folder| fs::read_dir(folder).ok())
            .flat_map(|files| files.take(FILES_MAX))
            .filter_map(|file| Some(file.ok()?.path()))
            .find(is_it)
            .map(|path| path.to_string_lossy().into_owned())
    }
}
