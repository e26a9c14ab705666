//! Who lives in a network namespace that was there before the tracer: asked of /proc.

use std::{fs, os::unix::fs::MetadataExt as _};

/// How many processes are looked at.
const PROCESSES_MAX: usize = 65_536;

/// The cgroups of the processes in the namespace with this number, those that started first to the
/// front.
pub fn cgroups(inum: u32) -> Vec<String> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let mut pids: Vec<u32> = processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .take(PROCESSES_MAX)
        .filter(|pid| {
            fs::metadata(format!("/proc/{pid}/ns/net"))
                .is_ok_and(|data| data.ino() == u64::from(inum))
        })
        .collect();
    pids.sort_unstable();
    let mut paths: Vec<String> = pids
        .iter()
        .filter_map(|pid| path(&fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?))
        .collect();
    paths.dedup();
    paths
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
