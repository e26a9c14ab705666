//! Whether an executable is the node's own file, whatever mount it was opened by.
//!
//! Services with private mounts and programs below `ip netns exec` run files of the node by mounts
//! of their own. The kernel tells device and inode number; the node's file of that name tells its.

use std::{
    collections::HashMap,
    fs::{self, Metadata},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use smol_str::SmolStr;

/// How many files are remembered. When there are more, all are forgotten and looked at anew.
const REMEMBERED_MAX: usize = 1024;

/// Where programs of the node lie, for a process that has ended.
const FOLDERS: [&str; 8] = [
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib/systemd",
    "/lib/systemd",
    "/usr/libexec",
    "/bin",
    "/sbin",
    "/usr/local/bin",
];

/// A file, as the kernel knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileId {
    pub inode: u64,
    /// With 20 bits for the minor.
    pub dev: u32,
}

/// Files that were looked at.
#[derive(Debug, Default)]
pub(super) struct NodeFiles(HashMap<(FileId, SmolStr), bool>);

impl NodeFiles {
    /// Whether this file is one of the node's, which only root can change. `path`: where the process
    /// has it, if that is known.
    pub(super) fn has(&mut self, file: FileId, name: &str, path: Option<&str>) -> bool {
        if file.inode == 0 || name.is_empty() || name.contains('/') {
            return false;
        }
        let key = (file, SmolStr::new(name));
        if let Some(known) = self.0.get(&key) {
            return *known;
        }
        let is_same = |path: &str| {
            fs::metadata(path).is_ok_and(|found| of(&found) == file && is_roots(Path::new(path)))
        };
        let is_node_file = path.is_some_and(is_same)
            || FOLDERS
                .iter()
                .any(|folder| is_same(&format!("{folder}/{name}")));
        if self.0.len() >= REMEMBERED_MAX {
            self.0.clear();
        }
        self.0.insert(key, is_node_file);
        is_node_file
    }
}

fn of(found: &Metadata) -> FileId {
    /// Bits of a minor within the kernel.
    const MINOR_BITS: u32 = 20;
    let dev = found.dev();
    let (major, minor) = (rustix::fs::major(dev), rustix::fs::minor(dev));
    FileId {
        inode: found.ino(),
        dev: major << MINOR_BITS | minor,
    }
}

/// Whether none but root can write a file, or put another in its place.
fn is_roots(path: &Path) -> bool {
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    let Ok(path) = path.canonicalize() else {
        return false;
    };
    path.ancestors().all(|part| {
        fs::symlink_metadata(part)
            .is_ok_and(|found| found.uid() == 0 && found.mode() & WRITABLE_BY_OTHERS == 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_roots_is_known_by_its_inode_alone() {
        let path = Path::new("/bin/sh").canonicalize().unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let file = of(&fs::metadata(&path).unwrap());
        let other = FileId {
            inode: file.inode + 1,
            ..file
        };
        let mut files = NodeFiles::default();
        for _ in 0..2 {
            assert!(files.has(file, name, None));
            assert!(!files.has(other, name, path.to_str()));
            assert!(!files.has(file, "no such program", None));
            assert!(!files.has(FileId { inode: 0, dev: 0 }, name, None));
        }
    }

    #[test]
    fn a_file_that_others_can_write_proves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        fs::write(&path, "").unwrap();
        // Below /tmp, where anyone may put a file.
        let file = of(&fs::metadata(&path).unwrap());
        assert!(!NodeFiles::default().has(file, "program", path.to_str()));
    }
}
