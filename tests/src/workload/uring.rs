//! Writing through io_uring.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use anyhow::{Context as _, Result};
use io_uring::{IoUring, opcode, types};
use nix::errno::Errno;

use super::{actor, buffer::Buffer, log::Thread};

/// An io_uring of the calling process. The kernel serves writes to files such as those below
/// /proc/sys in threads that it adds to the process; they stay in the namespaces that the process
/// is in when they start, so a ring is made after the namespaces.
pub struct Ring(IoUring);

impl Ring {
    /// Sets up a ring.
    ///
    /// # Errors
    /// When the kernel refuses: every kernel that is tested has io_uring.
    pub fn new() -> Result<Self> {
        Ok(Self(IoUring::new(4).context("setting up an io_uring")?))
    }

    /// Writes and waits for the answer.
    ///
    /// # Errors
    /// The outer one when the ring fails, the inner one when the write is refused.
    pub fn write(
        &mut self,
        fd: BorrowedFd<'_>,
        buffer: &Buffer,
        position: u64,
    ) -> Result<nix::Result<u64>> {
        let length = u32::try_from(buffer.len())?;
        let entry = opcode::Write::new(types::Fd(fd.as_raw_fd()), buffer.start().cast(), length)
            .offset(position)
            .build();
        // SAFETY: the buffer and the descriptor live until the answer is there, below.
        unsafe { self.0.submission().push(&entry) }.context("filling the ring")?;
        self.0.submit_and_wait(1).context("submitting")?;
        let answer = self
            .0
            .completion()
            .next()
            .context("the ring has no answer")?
            .result();
        Ok(u64::try_from(answer).map_err(|_| Errno::from_raw(-answer)))
    }

    /// The threads that may have performed the last write.
    ///
    /// # Errors
    /// When there is none.
    pub fn workers(&self) -> Result<Thread> {
        actor::io_workers()
    }
}
