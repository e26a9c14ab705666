//! The guest's first file system: a cpio archive in the format "newc", as the kernel takes it.
//!
//! The format: <https://docs.kernel.org/driver-api/early-userspace/buffer-format.html>.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Seek, Write},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// Folders that are there whatever else is.
const FOLDERS: &[&str] = &[
    "bin", "dev", "etc", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "var",
];

/// The first process's standard streams are opened before anything is mounted.
const DEVICES: &[(&str, u32, u32)] = &[("dev/console", 5, 1), ("dev/null", 1, 3)];

/// What lies at a path.
#[derive(Clone, Debug)]
enum Entry {
    Folder,
    Device { major: u32, minor: u32 },
    Link(PathBuf),
    Bytes { mode: u32, bytes: Vec<u8> },
    File { mode: u32, source: PathBuf },
}

/// An archive in the making: paths relative to the root, and what lies there.
#[derive(Clone, Debug)]
pub struct Initramfs {
    // Sorted, so a folder comes before what is in it.
    entries: BTreeMap<String, Entry>,
}

impl Initramfs {
    /// An archive with the basic folders and devices.
    pub fn new() -> Self {
        let mut archive = Self {
            entries: BTreeMap::new(),
        };
        for folder in FOLDERS {
            archive.insert(folder, Entry::Folder);
        }
        for (path, major, minor) in DEVICES {
            archive.insert(
                path,
                Entry::Device {
                    major: *major,
                    minor: *minor,
                },
            );
        }
        archive
    }

    /// Adds a small file with this content.
    pub fn add_bytes(&mut self, path: &str, bytes: &[u8]) {
        self.insert(
            path,
            Entry::Bytes {
                mode: 0o644,
                bytes: bytes.to_vec(),
            },
        );
    }

    /// Adds a program from the host.
    pub fn add_program(&mut self, path: &str, source: &Path) -> Result<()> {
        if !source.is_file() {
            bail!("{} is not a file", source.display());
        }
        self.insert(
            path,
            Entry::File {
                mode: 0o755,
                source: source.to_owned(),
            },
        );
        Ok(())
    }

    /// Adds a symbolic link.
    pub fn add_link(&mut self, path: &str, target: &Path) {
        self.insert(path, Entry::Link(target.to_owned()));
    }

    /// Adds everything below a folder of the host, such as an unpacked package. Its `bin`, `sbin`
    /// and `lib*` may be links into `usr` or not.
    pub fn add_tree(&mut self, source: &Path) -> Result<()> {
        let context = || format!("reading {}", source.display());
        let mut left = vec![PathBuf::new()];
        while let Some(relative) = left.pop() {
            for item in fs::read_dir(source.join(&relative)).with_context(context)? {
                let item = item.with_context(context)?;
                let kind = item.file_type().with_context(context)?;
                let relative = relative.join(item.file_name());
                let Some(path) = relative.to_str() else {
                    bail!("{} is not UTF-8", relative.display())
                };
                if kind.is_dir() {
                    self.insert(path, Entry::Folder);
                    left.push(relative);
                } else if kind.is_symlink() {
                    let target = fs::read_link(item.path()).with_context(context)?;
                    self.insert(path, Entry::Link(target));
                } else {
                    let mode = item.metadata().with_context(context)?.permissions().mode() & 0o7777;
                    self.insert(
                        path,
                        Entry::File {
                            mode,
                            source: item.path(),
                        },
                    );
                }
            }
        }
        Ok(())
    }

    fn insert(&mut self, path: &str, entry: Entry) {
        for (index, _) in path.match_indices('/') {
            self.entries
                .entry(path[..index].to_owned())
                .or_insert(Entry::Folder);
        }
        self.entries.insert(path.to_owned(), entry);
    }

    /// Writes the archive to a file without a name, which goes away with its handle.
    pub fn write(&self) -> Result<File> {
        let file = tempfile::tempfile().context("making a temporary file")?;
        let mut archive = Archive {
            writer: BufWriter::new(file),
            serial: 0,
        };
        for (path, entry) in &self.entries {
            archive
                .entry(path, entry)
                .with_context(|| format!("packing {path}"))?;
        }
        let mut file = archive.finish().context("packing the initramfs")?;
        file.rewind().context("packing the initramfs")?;
        Ok(file)
    }
}

struct Archive<W: Write> {
    writer: W,
    serial: u32,
}

impl<W: Write> Archive<W> {
    fn entry(&mut self, path: &str, entry: &Entry) -> io::Result<()> {
        match entry {
            Entry::Folder => self.member(path, FOLDER | 0o755, (0, 0), &[]),
            Entry::Device { major, minor } => {
                self.member(path, CHARACTER_DEVICE | 0o600, (*major, *minor), &[])
            }
            Entry::Link(target) => self.member(
                path,
                LINK | 0o777,
                (0, 0),
                target.as_os_str().as_encoded_bytes(),
            ),
            Entry::Bytes { mode, bytes } => self.member(path, FILE | mode, (0, 0), bytes),
            Entry::File { mode, source } => {
                self.member(path, FILE | mode, (0, 0), &fs::read(source)?)
            }
        }
    }

    fn member(&mut self, path: &str, mode: u32, device: (u32, u32), data: &[u8]) -> io::Result<()> {
        let size = u32::try_from(data.len()).map_err(io::Error::other)?;
        let name_size = u32::try_from(path.len() + 1).map_err(io::Error::other)?;
        self.serial += 1;
        let links = 1;
        let (owner, group, time, checksum) = (0, 0, 0, 0);
        let mut header = b"070701".to_vec();
        for field in [
            self.serial,
            mode,
            owner,
            group,
            links,
            time,
            size,
            0,
            0,
            device.0,
            device.1,
            name_size,
            checksum,
        ] {
            header.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        header.extend_from_slice(path.as_bytes());
        header.push(0);
        self.padded(&header)?;
        self.padded(data)
    }

    /// Header with name, and data, each end on a multiple of four.
    fn padded(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes)?;
        self.writer
            .write_all(&[0; 3][..bytes.len().wrapping_neg() % 4])
    }
}

impl Archive<BufWriter<File>> {
    fn finish(mut self) -> io::Result<File> {
        self.member("TRAILER!!!", 0, (0, 0), &[])?;
        self.writer
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
    }
}

#[cfg(test)]
#[path = "initramfs_tests.rs"]
mod tests;
