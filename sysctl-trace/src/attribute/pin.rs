//! Files that keep network namespaces: /run/netns/NAME and the like.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use crate::kernel::netns;

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

/// A file, and the network namespace that it keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The file.
    pub path: String,
    /// The namespace's number.
    pub inum: u32,
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
        files()
            .find(|path| self.inum(path) == Some(inum))
            .map(|path| path.to_string_lossy().into_owned())
    }

    /// Every file that keeps a network namespace: those in the usual folders to the front, then
    /// those that are mounted elsewhere in the caller's mount namespace, each once. The mounts of
    /// other mount namespaces are not looked at.
    pub fn all(&self) -> io::Result<Vec<Pin>> {
        let in_folders = files().filter_map(|path| {
            let inum = self.inum(&path)?;
            let path = path.to_string_lossy().into_owned();
            Some(Pin { path, inum })
        });
        let mut pins: Vec<Pin> = in_folders.collect();
        for pin in mounted(&fs::read_to_string("/proc/self/mountinfo")?) {
            // Another mount may hide it.
            if !pins.contains(&pin) && self.inum(Path::new(&pin.path)) == Some(pin.inum) {
                pins.push(pin);
            }
        }
        Ok(pins)
    }

    fn inum(&self, path: &Path) -> Option<u32> {
        let data = fs::metadata(path).ok()?;
        let is_namespace = self.device == Some(data.dev());
        u32::try_from(data.ino()).ok().filter(|_| is_namespace)
    }
}

/// A path without what leads to /run by another name.
pub fn below_run(path: &str) -> &str {
    path.strip_prefix("/var")
        .filter(|rest| rest.starts_with("/run/"))
        .unwrap_or(path)
}

/// All that lies in the usual folders.
fn files() -> impl Iterator<Item = PathBuf> {
    FOLDERS
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flat_map(|files| files.take(FILES_MAX))
        .filter_map(|file| Some(file.ok()?.path()))
}

/// The network namespaces among the mounts that /proc/PID/mountinfo tells.
fn mounted(mountinfo: &str) -> Vec<Pin> {
    mountinfo.lines().filter_map(mount).collect()
}

/// `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS … - TYPE …`, where the root of a namespace's mount is
/// `net:[NUMBER]`.
fn mount(line: &str) -> Option<Pin> {
    let (mount, filesystem) = line.split_once(" - ")?;
    if filesystem.split(' ').next() != Some("nsfs") {
        return None;
    }
    let mut fields = mount.split(' ').skip(3);
    let (root, point) = (fields.next()?, fields.next()?);
    Some(Pin {
        inum: netns::inum_in(root)?,
        path: unescaped(point)?,
    })
}

/// A path of mountinfo, where `\040` stands for a space: three octal digits of a byte.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('\\');
    bytes.extend(parts.next()?.bytes());
    for part in parts {
        let (digits, rest) = part.split_at_checked(3)?;
        bytes.push(u8::from_str_radix(digits, 8).ok()?);
        bytes.extend(rest.bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
#[path = "pin_tests.rs"]
mod tests;
