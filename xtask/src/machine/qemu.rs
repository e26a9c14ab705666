//! QEMU's command line and its process.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _, Seek as _},
    os::{fd::AsRawFd as _, unix::process::CommandExt as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result};

/// The emulator.
pub const PROGRAM: &str = "qemu-system-x86_64";

/// What the guest's processors run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// The host's processors.
    Kvm,
    /// Emulation; the processors take turns.
    Tcg,
    /// Emulation with a clock that counts instructions: one is one nanosecond.
    TcgCounted,
}

impl fmt::Display for Accelerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kvm => "KVM",
            Self::Tcg => "emulated",
            Self::TcgCounted => "emulated, counting instructions",
        })
    }
}

/// The size of a machine.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Processors.
    pub processors: u32,
    /// Memory, in MiB.
    pub memory_mib: u32,
}

/// A machine to be started.
#[derive(Clone, Copy, Debug)]
pub struct Machine<'a> {
    /// What it runs on.
    pub accelerator: Accelerator,
    /// Its size.
    pub shape: Shape,
    /// The image of its kernel.
    pub kernel: &'a Path,
    /// What the kernel is told on top of [`KERNEL_ARGUMENTS`].
    pub arguments: &'a [&'a str],
    /// Its first file system.
    pub initramfs: &'a File,
    /// The image of its disk, which it cannot change: what it writes is gone with it.
    pub disk: Option<&'a Path>,
    /// The file for what it writes to its first serial port.
    pub console: &'a Path,
}

/// A running QEMU. It ends when this is dropped or this process ends, whatever the reason.
#[derive(Debug)]
pub struct Qemu {
    child: Child,
    complaints: File,
}

impl Qemu {
    /// Starts a machine. Its second serial port is returned as a pair of pipes.
    pub fn start(machine: &Machine<'_>) -> Result<(Self, ChildStdin, ChildStdout)> {
        // QEMU opens files by path, and this one has none of its own.
        let initramfs = machine.initramfs.as_raw_fd();
        let initramfs = format!("/proc/{}/fd/{initramfs}", std::process::id());
        let arguments = [KERNEL_ARGUMENTS, machine.arguments].concat().join(" ");
        let complaints = tempfile::tempfile().context("making a temporary file")?;
        let mut command = Command::new(PROGRAM);
        command
            .args([
                "-nodefaults",
                "-no-user-config",
                "-display",
                "none",
                "-no-reboot",
            ])
            .args(accelerator_arguments(machine.accelerator))
            .arg("-smp")
            .arg(machine.shape.processors.to_string())
            .arg("-m")
            .arg(machine.shape.memory_mib.to_string())
            .arg("-kernel")
            .arg(machine.kernel)
            .args(["-initrd", &initramfs, "-append", &arguments])
            .arg("-serial")
            .arg(format!("file:{}", machine.console.display()))
            .args([
                "-chardev",
                "stdio,id=frames,signal=off",
                "-serial",
                "chardev:frames",
            ])
            .args(machine.disk.map(disk_arguments).into_iter().flatten())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(complaints.try_clone().context("duplicating a file")?);
        // SAFETY: between fork and exec only this one system call is made, which allocates nothing.
        unsafe {
            command.pre_exec(die_with_parent);
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("starting {PROGRAM}"))?;
        let input = child.stdin.take().context("QEMU has no standard input")?;
        let output = child.stdout.take().context("QEMU has no standard output")?;
        Ok((Self { child, complaints }, input, output))
    }

    /// Its exit status, when it has ended.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("waiting for QEMU")
    }

    /// What it has complained about on its standard error, in one line.
    pub fn complaints(&mut self) -> String {
        let mut text = String::new();
        // Without complaints there is still the failure itself.
        let _ = self.complaints.rewind();
        let _ = self.complaints.read_to_string(&mut text);
        text.trim().replace('\n', "; ")
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        // It may have ended already, which is just as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn die_with_parent() -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Ok(())
}

fn accelerator_arguments(accelerator: Accelerator) -> &'static [&'static str] {
    match accelerator {
        Accelerator::Kvm => &["-accel", "kvm", "-cpu", "host"],
        // QEMU before 8.1 with a thread for each processor runs stale code where the kernel has
        // patched it, which attaching a tracer makes it do: "Oops: int3" within seconds. One
        // thread for all is no slower here. And 7.2 gets cmpxchg16b wrong.
        Accelerator::Tcg => &["-accel", "tcg,thread=single", "-cpu", "max,-cx16"],
        Accelerator::TcgCounted => &[
            "-accel",
            "tcg,thread=single",
            "-cpu",
            "max,-cx16",
            "-icount",
            "shift=0,sleep=off",
        ],
    }
}

fn disk_arguments(disk: &Path) -> [String; 2] {
    // A comma ends a value unless it is doubled.
    let disk = disk.display().to_string().replace(',', ",,");
    [
        "-drive".to_owned(),
        format!("file={disk},format=raw,if=virtio,snapshot=on,cache=unsafe"),
    ]
}

/// What every kernel is told. Whatever is wrong with it ends in a panic, and a panic ends QEMU: no
/// hang that could be a message goes unseen.
const KERNEL_ARGUMENTS: &[&str] = &[
    "console=ttyS0",
    "loglevel=5",
    "panic=-1",
    "oops=panic",
    "softlockup_panic=1",
    "hung_task_panic=1",
];
