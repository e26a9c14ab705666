//! Network namespaces by their inode number.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use nix::sys::stat::stat;

/// That of the process.
pub fn of_process(pid: u32) -> Result<u32> {
    let path = format!("/proc/{pid}/ns/net");
    let link = fs::read_link(&path).with_context(|| format!("reading {path}"))?;
    of_link(&link.to_string_lossy())
}

/// That which a link of /proc/PID/ns names: `net:[4026531840]`.
pub fn of_link(link: &str) -> Result<u32> {
    link.trim()
        .strip_prefix("net:[")
        .and_then(|rest| rest.strip_suffix(']'))
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("{link:?} names no network namespace"))
}

/// That which is pinned at the path.
pub fn of_pin(path: &Path) -> Result<u32> {
    let found = stat(path).with_context(|| format!("looking at {}", path.display()))?;
    u32::try_from(found.st_ino).context("an inode number out of range")
}
