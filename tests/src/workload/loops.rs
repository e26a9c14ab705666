//! One operation again and again: bursts, and what the benchmark measures.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt as _,
    path::PathBuf,
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sched::{CloneFlags, CpuSet, sched_setaffinity, unshare},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

use super::sys;

/// What a burst did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Burst {
    /// The process that wrote.
    pub pid: u32,
    /// Path of the key below /proc/sys.
    pub path: String,
    /// How many writes the kernel took.
    pub succeeded: u64,
    /// How many it refused.
    pub failed: u64,
    /// Writes besides, by the same process to the same key, that put its text back.
    pub restoring: u64,
}

/// The key of the loops.
const KEY: &str = "net.core.somaxconn";

/// The values that are written in turn.
const VALUES: [&[u8]; 2] = [b"1000\n", b"1001\n"];

/// Operations before the clock starts.
const WARM_UP: u64 = 100;

/// Writes back to back from one CPU.
///
/// # Errors
/// When the key cannot be opened, read or put back.
pub fn burst(key: Option<&str>, count: u64) -> Result<Burst> {
    let mut cpus = CpuSet::new();
    cpus.set(0)?;
    sched_setaffinity(Pid::from_raw(0), &cpus).context("staying on one CPU")?;
    let path = path_of(key.unwrap_or(KEY));
    let file = open(&path)?;
    let before = Kept::new(&file)?;
    let succeeded = turns(count)
        .filter(|text| file.write_at(text, 0).is_ok())
        .count() as u64;
    before.restore()?;
    let pid = std::process::id();
    Ok(Burst {
        pid,
        path,
        succeeded,
        failed: count - succeeded,
        restoring: 1,
    })
}

/// Writes one value.
///
/// # Errors
/// When the kernel refuses.
pub fn write(key: &str, value: &str) -> Result<()> {
    open(&path_of(key))?
        .write_at(value.as_bytes(), 0)
        .with_context(|| format!("writing {key}"))?;
    Ok(())
}

/// Nanoseconds for each write.
///
/// # Errors
/// When the kernel refuses one.
pub fn writes(count: u64) -> Result<u64> {
    let file = open(&path_of(KEY))?;
    let before = Kept::new(&file)?;
    let mut texts = turns(u64::MAX);
    let each = timed(count, || {
        let text = texts.next().context("there is always another")?;
        file.write_at(text, 0).context("writing")
    })?;
    before.restore()?;
    Ok(each)
}

/// Nanoseconds for each read.
///
/// # Errors
/// When the kernel refuses one.
pub fn reads(count: u64) -> Result<u64> {
    let file = open(&path_of(KEY))?;
    let mut text = [0; 64];
    timed(count, || file.read_at(&mut text, 0).context("reading"))
}

/// Nanoseconds for each network namespace made, the end of the one before included.
///
/// # Errors
/// When the kernel refuses one.
pub fn namespaces(count: u64) -> Result<u64> {
    timed(count, || {
        unshare(CloneFlags::CLONE_NEWNET).context("making a namespace")
    })
}

fn timed<T>(count: u64, mut once: impl FnMut() -> Result<T>) -> Result<u64> {
    ensure!(count > 0, "a loop of no turns takes no time");
    for _ in 0..WARM_UP.min(count) {
        once()?;
    }
    let begin = sys::monotonic_ns()?;
    for _ in 0..count {
        once()?;
    }
    Ok((sys::monotonic_ns()? - begin) / count)
}

fn turns(count: u64) -> impl Iterator<Item = &'static [u8]> {
    (0..count).map(|turn| VALUES[usize::from(turn % 2 == 1)])
}

fn path_of(key: &str) -> String {
    if key.contains('/') {
        key.to_owned()
    } else {
        key.replace('.', "/")
    }
}

/// Opens a key's file to write to.
///
/// # Errors
/// When it can't be opened.
pub(super) fn open_key(key: &str) -> Result<File> {
    open(&path_of(key))
}

fn open(path: &str) -> Result<File> {
    let path = PathBuf::from("/proc/sys").join(path);
    let file = OpenOptions::new().read(true).write(true).open(&path);
    file.with_context(|| format!("opening {}", path.display()))
}

/// A key's text, put back on drop if not before.
struct Kept<'a> {
    file: &'a File,
    text: Option<Vec<u8>>,
}

impl<'a> Kept<'a> {
    fn new(file: &'a File) -> Result<Self> {
        let mut text = vec![0; 4096];
        let length = file.read_at(&mut text, 0).context("reading the key")?;
        text.truncate(length);
        Ok(Self {
            file,
            text: Some(text),
        })
    }

    fn restore(mut self) -> Result<()> {
        self.put_back()
    }

    fn put_back(&mut self) -> Result<()> {
        if let Some(text) = self.text.take() {
            self.file
                .write_at(&text, 0)
                .context("putting the key back")?;
        }
        Ok(())
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.put_back() {
            eprintln!("workload: {error:#}");
        }
    }
}
