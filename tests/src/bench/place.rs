//! Where the acting processes live: as deep as those of a container under Kubernetes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

/// Levels of cgroups, with names of the lengths that kubelet and containerd give.
const CGROUPS: [&str; 4] = [
    "kubepods.slice",
    "kubepods-burstable.slice",
    "kubepods-burstable-pod3f0c2f4e_6a0e_4c67_9a3c_0f6f5f2f7b1d.slice",
    "cri-containerd-5d1c0a6e3b7f4892a1d0c9e8f7a6b5c4d3e2f1a0918273645546372819a0b1c2.scope",
];

/// Programs between the benchmark and the process that acts, which is the last of them. Together
/// with the benchmark and the guest's first process it has five ancestors.
const PROGRAMS: [&str; 4] = [
    "containerd-shim-runc-v2",
    "runc",
    "entrypoint",
    "sysctl-writer",
];

/// A file system of its own for the programs' names: they are links to the one that runs.
const FOLDER: &str = "/lib/bench";

/// Makes cgroups and programs, and all processes alike.
///
/// # Errors
/// When the guest does not let it.
pub fn prepare() -> Result<()> {
    // What a fork costs depends on how a process's memory happens to lie.
    fs::write("/proc/sys/kernel/randomize_va_space", "0").context("turning randomness off")?;
    // Every now and then the kernel would gather small pages into a huge one, at the cost of
    // thousands of events. Huge pages that are made at once stay as they are by default.
    let rest = "/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs";
    fs::write(rest, u32::MAX.to_string()).with_context(|| format!("writing {rest}"))?;
    let cgroup = cgroup();
    fs::create_dir_all(&cgroup).with_context(|| format!("making {}", cgroup.display()))?;
    fs::create_dir_all(FOLDER).context("making a folder for programs")?;
    let program = std::env::current_exe().context("finding this program")?;
    for name in PROGRAMS {
        let link = Path::new(FOLDER).join(name);
        if !link.exists() {
            fs::hard_link(&program, &link)
                .with_context(|| format!("linking {}", link.display()))?;
        }
    }
    Ok(())
}

fn cgroup() -> PathBuf {
    CGROUPS
        .iter()
        .fold(PathBuf::from("/sys/fs/cgroup"), |path, name| {
            path.join(name)
        })
}

/// Starts `act` with this argument below the other programs, in the cgroup. What it prints can be
/// read from the child.
///
/// # Errors
/// When it cannot be started.
pub fn start(argument: &str) -> Result<Child> {
    command(0, argument)
        .stdout(Stdio::piped())
        .spawn()
        .context("starting the first of the programs")
}

/// In one of the programs: starts the next and waits for it. In the last, returns true.
///
/// # Errors
/// When the next one failed.
pub fn is_last(level: usize, argument: &str) -> Result<bool> {
    if level == 0 {
        let procs = cgroup().join("cgroup.procs");
        fs::write(&procs, "0").with_context(|| format!("writing {}", procs.display()))?;
    }
    if level + 1 == PROGRAMS.len() {
        return Ok(true);
    }
    let status = command(level + 1, argument)
        .status()
        .context("starting the next program")?;
    ensure!(
        status.success(),
        "the program at level {} failed",
        level + 1
    );
    Ok(false)
}

fn command(level: usize, argument: &str) -> Command {
    let mut command = Command::new(Path::new(FOLDER).join(PROGRAMS[level]));
    command
        .args(["act", &level.to_string(), argument])
        .stdin(Stdio::null());
    command
}
