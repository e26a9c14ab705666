//! Who lives in a network namespace: asked of /proc.
//!
//! A process lives where its main thread is. Other threads may be elsewhere on a visit, as those of
//! container engines are; they are not asked for, as it would take one look at each.

use std::{fs, io};

use crate::kernel::netns;

/// A process that was there a moment ago.
#[derive(Debug)]
pub struct Resident {
    /// Its pid.
    pub pid: u32,
    /// The number of the namespace that it lives in; an error where it may not be looked at.
    pub netns: io::Result<u32>,
}

/// Every process. Those that end meanwhile are passed over; an error where /proc cannot be read.
pub fn all() -> io::Result<impl Iterator<Item = Resident>> {
    let resident = |entry: io::Result<fs::DirEntry>| {
        let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let netns = netns::of_process(pid);
        let is_there = !netns.as_ref().is_err_and(is_gone);
        is_there.then_some(Resident { pid, netns })
    };
    Ok(fs::read_dir("/proc")?.filter_map(resident))
}

/// The cgroups of the processes in the namespace with this number, those that started first to the
/// front.
pub fn cgroups(inum: u32) -> Vec<String> {
    let Ok(residents) = all() else {
        return Vec::new();
    };
    let is_in = |resident: &Resident| matches!(resident.netns, Ok(found) if found == inum);
    let mut pids: Vec<u32> = residents
        .filter(is_in)
        .map(|resident| resident.pid)
        .collect();
    sort_by_start(&mut pids);
    let mut paths: Vec<String> = pids.iter().filter_map(|&pid| cgroup(pid)).collect();
    paths.dedup();
    paths
}

/// Puts those that started first to the front, and those that are gone to the end. Pids alone do
/// not tell: they begin anew.
pub fn sort_by_start(pids: &mut [u32]) {
    if pids.len() > 1 {
        pids.sort_by_cached_key(|&pid| (start(pid).unwrap_or(u64::MAX), pid));
    }
}

/// The cgroup of a process, as a path from the root of the hierarchy that counts.
pub fn cgroup(pid: u32) -> Option<String> {
    path(&fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)
}

/// When a process started, in ticks since boot.
fn start(pid: u32) -> Option<u64> {
    start_in(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The 22nd field of /proc/PID/stat. The second is a name in brackets, and may have any in it.
fn start_in(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(19)?.parse().ok()
}

/// Whether an error of /proc says that the process has ended.
pub fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

/// The path in the hierarchy that counts: version 2 where the process is not at its root there,
/// else that of the pids controller. As in the kernel's records.
fn path(cgroup: &str) -> Option<String> {
    let mut unified = None;
    let mut pids = None;
    for line in cgroup.lines() {
        // ID:CONTROLLERS:PATH, and the path may have colons of its own.
        let mut parts = line.splitn(3, ':');
        let (id, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        if id == "0" && controllers.is_empty() {
            unified = Some(path);
        } else if controllers.split(',').any(|name| name == "pids") {
            pids = Some(path);
        }
    }
    match (unified, pids) {
        (Some("/") | None, Some(pids)) => Some(pids.to_owned()),
        (unified, _) => unified.map(ToOwned::to_owned),
    }
}

#[cfg(test)]
#[path = "resident_tests.rs"]
mod tests;
