//! The one place that opens files of runtimes.

use std::{
    fs::{self, File, OpenOptions},
    io::Read,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Component, Path, PathBuf},
};

/// The largest file that is read, in bytes.
const SIZE_MAX: u64 = 4 << 20;
/// How many folders are listed at most.
const FOLDERS_MAX: usize = 64;

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
        self.contents(file)
    }

    fn contents(&self, file: File) -> Option<Vec<u8>> {
        let metadata = file.metadata().ok()?;
        let is_fit = metadata.is_file() && metadata.uid() == self.owner;
        if !is_fit || metadata.len() > SIZE_MAX {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(SIZE_MAX + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= SIZE_MAX).then_some(bytes)
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
