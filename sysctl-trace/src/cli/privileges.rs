//! Gives back what is only needed to attach.

use anyhow::{Context as _, ensure};
use caps::{CapSet, Capability, CapsHashSet};

/// What a running trace needs: maps, and a look at processes and executables of others in /proc.
const KEPT: [Capability; 3] = [
    Capability::CAP_BPF,
    Capability::CAP_SYS_PTRACE,
    Capability::CAP_DAC_READ_SEARCH,
];

/// Keeps only the capabilities of a running trace, for good: neither this process nor one it
/// might start gets others again. Without any capability there is nothing to give back.
///
/// Capabilities belong to threads, so this must come before a second one is started.
pub fn give_back() -> anyhow::Result<()> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    ensure!(
        threads == 1,
        "cannot give back privileges: {threads} threads hold them"
    );
    give_back_of_thread().context("cannot give back privileges")
}

fn give_back_of_thread() -> anyhow::Result<()> {
    let permitted = caps::read(None, CapSet::Permitted)?;
    if permitted.is_empty() {
        return Ok(());
    }
    let kept: CapsHashSet = KEPT
        .into_iter()
        .filter(|capability| permitted.contains(capability))
        .collect();
    // Without this one the bounding set can't be changed; it only matters to what is executed,
    // and no_new_privs holds for that.
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP)? {
        for capability in caps::read(None, CapSet::Bounding)? {
            if !KEPT.contains(&capability) {
                caps::drop(None, CapSet::Bounding, capability)?;
            }
        }
    }
    caps::clear(None, CapSet::Ambient)?;
    caps::clear(None, CapSet::Inheritable)?;
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)?;
    rustix::thread::set_no_new_privs(true).context("no_new_privs")
}

#[cfg(test)]
#[path = "privileges_tests.rs"]
mod tests;
