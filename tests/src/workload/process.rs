//! Children of the workload.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    num::NonZeroUsize,
    os::fd::AsFd as _,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::{
    fcntl::OFlag,
    poll::{PollFd, PollFlags, poll},
    sched::CloneFlags,
    sys::{
        mman::{MapFlags, ProtFlags, mmap_anonymous, munmap},
        wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid},
    },
    unistd::{Pid, pipe2},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    actor,
    sys::{self, CloneCall},
};

/// Runs `work` in a child and waits for it.
///
/// # Errors
/// When there can be no child, or the work fails in it; its error is on standard error then.
pub fn in_child(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let child = fork_with(CloneCall::Clone, CloneFlags::empty(), work)?;
    wait(child).with_context(|| format!("the child for {name}"))
}

/// Runs `work` in a child of this kind without waiting: the child's id. Before it begins, the child
/// looks who it is, while nothing hides that from it.
///
/// # Errors
/// When the kernel refuses to make it.
pub fn fork_with(
    call: CloneCall,
    flags: CloneFlags,
    work: impl FnOnce() -> Result<()>,
) -> nix::Result<Pid> {
    match sys::clone(call, flags)? {
        Some(pid) => Ok(Pid::from_raw(pid)),
        None => run_and_exit(|| actor::current().and_then(|_| work())),
    }
}

/// Waits for a child and insists that it succeeded.
///
/// # Errors
/// When it did not.
pub fn wait(child: Pid) -> Result<()> {
    match waitpid(child, None).context("waiting for a child")? {
        WaitStatus::Exited(_, 0) => Ok(()),
        other => bail!("it failed: {other:?}"),
    }
}

/// Waits until a child has ended, but leaves it to be seen in /proc until [`wait`].
///
/// # Errors
/// When there is no such child.
pub fn wait_but_keep(child: Pid) -> Result<()> {
    waitid(Id::Pid(child), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)
        .context("waiting for a child")?;
    Ok(())
}

/// In a child: does its work and ends it.
pub fn run_and_exit(work: impl FnOnce() -> Result<()>) -> ! {
    // What a panic would unwind through is the parent's, guards included.
    let status = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => 0,
        Ok(Err(error)) => {
            eprintln!("workload: {error:#}");
            1
        }
        Err(_) => 2,
    };
    exit_at_once(status)
}

/// Ends the calling process, leaving no time for anything.
pub fn exit_at_once(status: i32) -> ! {
    // SAFETY: it ends the process; nothing of it is used afterwards.
    unsafe { libc::_exit(status) }
}

/// A message of this length passes a pipe in one piece.
const PIPE_BUF: usize = libc::PIPE_BUF;

/// How long a message may take, in milliseconds.
const PATIENCE: u16 = 60_000;

/// A way for processes to tell each other one thing.
#[derive(Debug)]
pub struct Channel {
    reader: File,
    writer: File,
}

impl Channel {
    /// Makes one, before the processes.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn new() -> Result<Self> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC).context("making a pipe")?;
        Ok(Self {
            reader: reader.into(),
            writer: writer.into(),
        })
    }

    /// Says this; it must be short.
    ///
    /// # Errors
    /// When it cannot be said.
    pub fn tell(&self, message: &impl Serialize) -> Result<()> {
        let message = serde_json::to_vec(message)?;
        ensure!(
            message.len() <= PIPE_BUF,
            "the message is too long for one piece"
        );
        (&self.writer).write_all(&message).context("telling")
    }

    /// What the other side says.
    ///
    /// # Errors
    /// When it says nothing, or nothing of the kind.
    pub fn hear<T: DeserializeOwned>(&self) -> Result<T> {
        let mut polled = [PollFd::new(self.reader.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut polled, PATIENCE).context("waiting for a message")?;
        ensure!(ready == 1, "there was no message");
        let mut message = [0; PIPE_BUF];
        let length = (&self.reader)
            .read(&mut message)
            .context("reading a message")?;
        serde_json::from_slice(&message[..length]).context("what the message says")
    }
}

/// Numbers that parent and children share.
#[derive(Debug)]
pub struct SharedNumbers {
    page: NonNull<AtomicU64>,
}

// SAFETY: the memory holds atomics only, and stays until the value is dropped.
unsafe impl Send for SharedNumbers {}
// SAFETY: as above.
unsafe impl Sync for SharedNumbers {}

impl SharedNumbers {
    const SIZE: NonZeroUsize = NonZeroUsize::new(4096).expect("a page is not empty");

    /// Makes them, all zero, before the children.
    ///
    /// # Errors
    /// When no memory can be mapped.
    pub fn new() -> Result<Self> {
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: the kernel chooses the place, so that nothing else is there.
        let page = unsafe { mmap_anonymous(None, Self::SIZE, protection, MapFlags::MAP_SHARED) }
            .context("mapping shared memory")?;
        Ok(Self { page: page.cast() })
    }

    fn at(&self, index: usize) -> &AtomicU64 {
        assert!(index < Self::SIZE.get() / size_of::<AtomicU64>());
        // SAFETY: the place is within the page, aligned, and zeroed by the kernel.
        unsafe { self.page.add(index).as_ref() }
    }

    /// Adds to a number.
    pub fn add(&self, index: usize, count: u64) {
        self.at(index).fetch_add(count, Ordering::Relaxed);
    }

    /// Sets a number.
    pub fn set(&self, index: usize, value: u64) {
        self.at(index).store(value, Ordering::Release);
    }

    /// Reads a number.
    #[must_use]
    pub fn get(&self, index: usize) -> u64 {
        self.at(index).load(Ordering::Acquire)
    }
}

impl Drop for SharedNumbers {
    fn drop(&mut self) {
        // SAFETY: the page is this value's own, and no borrow of it outlives the value.
        let unmapped = unsafe { munmap(self.page.cast(), Self::SIZE.get()) };
        debug_assert!(unmapped.is_ok());
    }
}
