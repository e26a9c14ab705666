//! `sysctl-trace doctor` where all is well, and where it is not.

use std::{
    io,
    os::unix::process::CommandExt as _,
    process::{Command, Output},
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::{Context, tracer::PROGRAM};

/// `BPF_PROG_LOAD` of bpf(2).
const BPF_PROG_LOAD: u64 = 5;

/// On every kernel: doctor finds a way to attach, and says so by its status.
pub fn finds_a_way(_: &Context) -> Result<()> {
    let output = Command::new(PROGRAM).args(["doctor", "--json"]).output()?;
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("what doctor --json prints")?;
    ensure!(
        output.status.code() == Some(0),
        "{}: {report:#}",
        output.status
    );
    ensure!(report["verdict"] != "fail", "{report:#}");
    let attached = report["checks"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|check| {
            check["status"] == "ok"
                && check["found"]
                    .as_str()
                    .is_some_and(|it| it.contains("proc_sys_write"))
        });
    ensure!(attached, "no probe on proc_sys_write: {report:#}");
    Ok(())
}

/// Where the kernel's own BTF is not to be seen, a file takes its place, and kprobes attach.
pub fn with_btf_file(_: &Context) -> Result<()> {
    let file = "/tmp/btf";
    std::fs::copy("/sys/kernel/btf/vmlinux", file)?;
    let mut run = Command::new(PROGRAM);
    run.args(["run", "--btf", file, "--", "sh", "-c"]);
    run.arg("cat /proc/sys/vm/swappiness > /proc/sys/vm/swappiness");
    // SAFETY: between fork and exec only system calls are made.
    unsafe { run.pre_exec(hide_btf) };
    let output = run.output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    let notices = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {notices}", output.status);
    ensure!(
        notices.contains("(kprobe/kretprobe)"),
        "attached otherwise: {notices}"
    );
    ensure!(told.contains("vm.swappiness"), "no event: {told}");
    Ok(())
}

/// Word for word, with the kernel's release and counts left out.
pub fn words(_: &Context) -> Result<()> {
    let doctor = || {
        let mut command = Command::new(PROGRAM);
        command.arg("doctor");
        command
    };
    let mut wrong = Vec::new();
    let mut compare = |name: &str, status: i32, golden: &str, output: io::Result<Output>| {
        let output = output.with_context(|| format!("doctor, {name}"))?;
        let told = plain(&String::from_utf8_lossy(&output.stdout));
        if output.status.code() != Some(status) || told != golden {
            wrong.push(format!("{name}: {}, and it says:\n{told}", output.status));
        }
        anyhow::Ok(())
    };

    compare(
        "good",
        0,
        include_str!("../../golden/doctor-good.txt"),
        doctor().output(),
    )?;
    compare(
        "not root",
        1,
        include_str!("../../golden/doctor-not-root.txt"),
        doctor().uid(65534).gid(65534).output(),
    )?;

    let filter = refusing_programs()?;
    let mut refused = doctor();
    // SAFETY: between fork and exec only system calls are made.
    unsafe {
        refused.pre_exec(move || seccompiler::apply_filter(&filter).map_err(io::Error::other));
    }
    compare(
        "refused",
        1,
        include_str!("../../golden/doctor-refused.txt"),
        refused.output(),
    )?;

    let mut without_btf = doctor();
    // SAFETY: as above.
    unsafe { without_btf.pre_exec(hide_btf) };
    compare(
        "without BTF",
        1,
        include_str!("../../golden/doctor-no-btf.txt"),
        without_btf.output(),
    )?;

    ensure!(
        wrong.is_empty(),
        "not as in tests/golden: {}",
        wrong.join("\n")
    );
    Ok(())
}

/// A filter such as containers have: programs are refused by EPERM, whatever the capabilities.
fn refusing_programs() -> Result<BpfProgram> {
    let load = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, BPF_PROG_LOAD)?;
    let rules = [(libc::SYS_bpf, vec![SeccompRule::new(vec![load])?])].into();
    let refuse = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, TargetArch::x86_64)?;
    Ok(filter.try_into()?)
}

/// Puts an empty folder over the kernel's BTF, for this process alone.
fn hide_btf() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
    mount(
        Some("none"),
        "/sys/kernel/btf",
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )?;
    Ok(())
}

/// The text without what differs between kernels that are alike.
fn plain(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let line = match (
            line.split_once("Linux "),
            line.split_once(" handlers of keys"),
        ) {
            (Some((before, rest)), _) => {
                let on = rest.split_once(" on ").map_or(rest, |(_, machine)| machine);
                format!("{before}Linux RELEASE on {on}")
            }
            (None, Some((before, after))) => {
                let before = before.trim_end_matches(|char: char| char.is_ascii_digit());
                format!("{before}N handlers of keys{after}")
            }
            (None, None) => line.to_owned(),
        };
        lines.push(line);
    }
    lines.join("\n") + "\n"
}
