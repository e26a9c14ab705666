//! Makes a usable machine of a bare kernel.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, ensure};
use nix::{
    mount::{MsFlags, mount},
    sys::resource::{RLIM_INFINITY, Resource, setrlimit},
};

/// What it takes to find the plan, the port and a disk.
const BASICS: &[(&str, &str)] = &[("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")];

/// What cases need, in the order in which they are mounted. In a user land all this is systemd's.
const REST: &[(&str, &str)] = &[
    ("devpts", "/dev/pts"),
    ("tmpfs", "/dev/shm"),
    ("tmpfs", "/tmp"),
    ("tmpfs", "/run"),
    ("cgroup2", "/sys/fs/cgroup"),
    ("tracefs", "/sys/kernel/tracing"),
    ("bpf", "/sys/fs/bpf"),
];

const OPEN_FILES: u64 = 65_536;

/// Mounts what the guest begins with.
pub fn mount_basics() -> Result<()> {
    mount_all(BASICS)
}

/// Mounts all else that the cases take for granted.
pub fn mount_rest() -> Result<()> {
    mount_all(REST)
}

fn mount_all(mounts: &[(&str, &str)]) -> Result<()> {
    for (kind, folder) in mounts {
        // Folders in sysfs are there already and cannot be made.
        let _ = fs::create_dir_all(folder);
        mount(
            Some(*kind),
            *folder,
            Some(*kind),
            MsFlags::empty(),
            None::<&str>,
        )
        .with_context(|| format!("mounting {kind} on {folder}"))?;
    }
    Ok(())
}

/// The rest: limits, busybox's applets, the loopback interface.
pub fn prepare() -> Result<()> {
    setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY)
        .context("raising RLIMIT_MEMLOCK")?;
    setrlimit(Resource::RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES).context("raising RLIMIT_NOFILE")?;
    busybox(&["--install", "-s", "/bin"])?;
    busybox(&["ip", "link", "set", "lo", "up"])
}

fn busybox(args: &[&str]) -> Result<()> {
    let status = Command::new("/bin/busybox")
        .args(args)
        .status()
        .context("starting busybox")?;
    ensure!(status.success(), "busybox {}: {status}", args.join(" "));
    Ok(())
}
