//! The one place that opens files of runtimes.

use std::{
    fs::{self, File, OpenOptions},
    io::Read,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Component, Path, PathBuf},
};

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, ResolveFlags, openat, openat2};

/// The largest file that is read, in bytes.
const SIZE_MAX: u64 = 4 << 20;
/// How many folders are listed at most.
const FOLDERS_MAX: usize = 64;
/// How many entries of a folder of configuration are looked at.
const ENTRIES_MAX: usize = 1024;
/// The largest file of configuration that is read, in bytes.
const CONFIGURATION_MAX: u64 = 256 << 10;

/// Files below a root that belong to one owner.
#[derive(Clone, Debug)]
pub(super) struct Files {
    root: PathBuf,
    owner: u32,
}

impl Files {
    pub(super) fn new(root: &Path, owner: u32) -> Self {
        Self {
            root: root.into(),
            owner,
        }
    }

    /// The contents of a file, if it is a regular one of the owner and not too large. A link in
    /// place of the file is not followed, and nothing waits for a pipe.
    pub(super) fn read(&self, path: &str) -> Option<Vec<u8>> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(self.below(path)?)
            .ok()?;
        self.contents(file, SIZE_MAX)
    }

    /// The same of a file of configuration, where links are in use: they are followed, but never out
    /// of the root. A file without a length is not read.
    pub(super) fn read_configuration(&self, path: &str) -> Option<Vec<u8>> {
        let file = self.open_linked(path, OFlags::empty())?;
        // Such as those of proc, where to read may be to take away.
        if file.metadata().ok()?.len() == 0 {
            return None;
        }
        self.contents(file, CONFIGURATION_MAX)
    }

    /// Names of the files and links in a folder of configuration, sorted by their bytes; none where
    /// it can't be read.
    pub(super) fn configurations(&self, path: &str) -> Vec<String> {
        let Some(folder) = self.open_linked(path, OFlags::DIRECTORY) else {
            return Vec::new();
        };
        let Ok(entries) = Dir::read_from(folder) else {
            return Vec::new();
        };
        let mut names: Vec<_> = entries
            .take(ENTRIES_MAX)
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type() != FileType::Directory)
            .filter_map(|entry| entry.file_name().to_str().ok().map(ToOwned::to_owned))
            .collect();
        names.sort();
        names
    }

    fn open_linked(&self, path: &str, flags: OFlags) -> Option<File> {
        self.below(path)?;
        let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let root = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, &self.root, root, Mode::empty()).ok()?;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let file = openat2(root, path, flags, Mode::empty(), resolve).ok()?;
        Some(file.into())
    }

    fn contents(&self, file: File, size_max: u64) -> Option<Vec<u8>> {
        let metadata = file.metadata().ok()?;
        let is_fit = metadata.is_file() && metadata.uid() == self.owner;
        if !is_fit || metadata.len() > size_max {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(size_max + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= size_max).then_some(bytes)
    }

    /// Names of the folders in a folder, sorted; none where it can't be read.
    pub(super) fn folders(&self, path: &str) -> Vec<String> {
        let Some(entries) = self.below(path).and_then(|path| fs::read_dir(path).ok()) else {
            return Vec::new();
        };
        let mut names: Vec<_> = entries
            .take(FOLDERS_MAX)
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    /// A path below the root; absent for one that could lead out of it.
    fn below(&self, path: &str) -> Option<PathBuf> {
        let path = Path::new(path);
        path.components()
            .all(|component| matches!(component, Component::Normal(_)))
            .then(|| self.root.join(path))
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
