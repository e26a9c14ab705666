//! A booted guest: its frames, its console, its deadline.

use std::{
    fmt, fs,
    fs::File,
    path::PathBuf,
    process::{self, ChildStdin},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use sysctl_trace_tests::protocol::{Flavour, Frame, Report};

use super::{
    console,
    initramfs::Initramfs,
    kernels::Kernel,
    qemu::{Accelerator, Machine, Qemu, Shape},
    userland::{self, Userland},
};
use crate::paths;

/// How long a guest may take to its first report, under emulation on a busy machine.
pub const BOOT_DEADLINE: Duration = Duration::from_secs(120);

/// How often the console is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// What is shown of a console.
const TAIL_LINES: usize = 40;

/// Tells the guests of one process apart.
static SERIAL: AtomicU32 = AtomicU32::new(0);

/// A running guest.
#[derive(Debug)]
pub struct Guest {
    // First, so that QEMU is gone before its files are.
    qemu: Qemu,
    input: Option<ChildStdin>,
    frames: Receiver<Frame>,
    console: PathBuf,
    // QEMU opens it by way of this handle.
    _initramfs: File,
}

/// Why a guest ended before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In one line.
    pub reason: String,
    /// The end of what the console showed.
    pub console: String,
    /// The file with all of it.
    pub log: PathBuf,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if self.console.is_empty() {
            return f.write_str("\nthe console shows nothing");
        }
        write!(
            f,
            "\nthe end of the console ({} has all of it):",
            self.log.display()
        )?;
        for line in self.console.lines() {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl Guest {
    /// Starts booting, into a user land if one is given.
    pub fn boot(
        kernel: &Kernel,
        mut initramfs: Initramfs,
        accelerator: Accelerator,
        shape: Shape,
        userland: Option<(&Userland, Flavour)>,
    ) -> Result<Self> {
        let (mut disk, mut arguments) = (None, Vec::new());
        if userland.is_none() {
            kernel.add_modules(&mut initramfs)?;
        }
        if let Some((userland, flavour)) = userland {
            userland.add_to(&mut initramfs)?;
            disk = Some(userland.disk());
            arguments = userland::kernel_arguments(flavour);
        }
        let folder = paths::workspace()?.join("target/vm");
        paths::make_folder(&folder)?;
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let console = folder.join(format!(
            "console-{}-{}-{serial}.log",
            kernel.label,
            process::id()
        ));
        let initramfs = initramfs.write()?;
        let (qemu, input, mut output) = Qemu::start(&Machine {
            accelerator,
            shape,
            kernel: &kernel.image,
            arguments: &arguments,
            initramfs: &initramfs,
            disk: disk.as_deref(),
            console: &console,
        })?;
        let (sender, frames) = channel();
        thread::spawn(move || {
            while let Ok(Some(frame)) = Frame::read_from(&mut output) {
                if sender.send(frame).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            qemu,
            input: Some(input),
            frames,
            console,
            _initramfs: initramfs,
        })
    }

    /// Waits until the guest is set up; its release.
    pub fn ready(&mut self, patience: Duration) -> Result<String> {
        match self.next(Some(Instant::now() + patience))? {
            Frame::Report(Report::Ready { release }) => Ok(release),
            other => Err(self
                .failure(&format!("the guest began with {other:?}"))
                .into()),
        }
    }

    /// The next frame. A guest that broke, ended or passed the deadline is a [`Failure`].
    pub fn next(&mut self, deadline: Option<Instant>) -> Result<Frame> {
        loop {
            match self.frames.recv_timeout(LOOK) {
                Ok(Frame::Report(Report::Broken { reason })) => {
                    return Err(self.failure(&format!("the guest broke: {reason}")).into());
                }
                // A result may be a little late, mere output may not go on for ever.
                Ok(frame @ Frame::Report(_)) => return Ok(frame),
                Ok(frame) if deadline.is_none_or(|deadline| Instant::now() < deadline) => {
                    return Ok(frame);
                }
                Ok(_) => return Err(self.failure("the guest passed its deadline").into()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended_early()?.into()),
            }
            if console::verdict(&self.console_text()).is_some_and(|trouble| trouble.fatal) {
                // What the kernel still has to say takes a moment.
                thread::sleep(LOOK * 2);
                return Err(self.failure("the guest's kernel gave up").into());
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(self.failure("the guest passed its deadline").into());
            }
        }
    }

    /// What hands input to the guest; only the first call gets it.
    pub fn take_input(&mut self) -> Option<ChildStdin> {
        self.input.take()
    }

    /// Ends a guest that did what it should, and removes its console's log.
    pub fn finish(self) -> Result<()> {
        let Self { qemu, console, .. } = self;
        drop(qemu);
        fs::remove_file(&console).with_context(|| format!("removing {}", console.display()))
    }

    fn ended_early(&mut self) -> Result<Failure> {
        // The pipe closes a moment before the process ends.
        let limit = Instant::now() + Duration::from_secs(5);
        let mut status = self.qemu.ended()?;
        while status.is_none() && Instant::now() < limit {
            thread::sleep(Duration::from_millis(10));
            status = self.qemu.ended()?;
        }
        Ok(match status {
            Some(status) if status.success() => self.failure("the guest ended without a result"),
            Some(status) => {
                let complaints = self.qemu.complaints();
                self.failure(&format!("QEMU failed ({status}): {complaints}"))
            }
            None => self.failure("the guest sent something that is no frame"),
        })
    }

    fn failure(&self, reason: &str) -> Failure {
        let text = self.console_text();
        let reason = match console::verdict(&text) {
            Some(trouble) => format!("{trouble} ({reason})"),
            None => reason.to_owned(),
        };
        Failure {
            reason,
            console: console::tail(&text, TAIL_LINES),
            log: self.console.clone(),
        }
    }

    fn console_text(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.console).unwrap_or_default()).into_owned()
    }
}
