//! What every other case rests on. It fails loudly, so that no other case has to check.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use nix::unistd::geteuid;

use super::Context;

/// Asserts the surroundings that the other cases take for granted.
pub fn run(context: &Context) -> Result<()> {
    ensure!(geteuid().is_root(), "the guest does not run as root");

    let release = read("/proc/sys/kernel/osrelease")?;
    ensure!(
        release.starts_with(&format!("{}.", context.kernel)),
        "asked for kernel {}, got {release}",
        context.kernel
    );

    let btf = fs::metadata("/sys/kernel/btf/vmlinux").context("the kernel offers no BTF")?;
    ensure!(
        btf.len() > 1_000_000,
        "the kernel's BTF has only {} bytes",
        btf.len()
    );

    let processors = read("/proc/cpuinfo")?
        .lines()
        .filter(|l| l.starts_with("processor"))
        .count();
    ensure!(
        processors == 2,
        "two processors are expected, there are {processors}"
    );

    let mounts = read("/proc/mounts")?;
    for (kind, folder) in [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("devtmpfs", "/dev"),
        ("tmpfs", "/tmp"),
        ("tmpfs", "/run"),
        ("cgroup2", "/sys/fs/cgroup"),
        ("tracefs", "/sys/kernel/tracing"),
        ("bpf", "/sys/fs/bpf"),
    ] {
        ensure!(
            mounts.lines().any(|line| {
                let mut fields = line.split(' ').skip(1);
                fields.next() == Some(folder) && fields.next() == Some(kind)
            }),
            "no {kind} is mounted on {folder}"
        );
    }

    ensure!(
        read("/sys/class/net/lo/flags")? == "0x9",
        "the loopback interface is not up"
    );
    for program in ["sysctl-trace", "demo", "demo-scenario", "busybox", "sh"] {
        ensure!(
            Path::new("/bin").join(program).exists(),
            "/bin/{program} is missing"
        );
    }
    let sysctl = Path::new("/proc/sys/net/core/somaxconn");
    let value = fs::read_to_string(sysctl).context("reading net.core.somaxconn")?;
    fs::write(sysctl, &value).context("writing net.core.somaxconn")?;
    Ok(())
}

fn read(path: &str) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    Ok(text.trim_end().to_owned())
}
