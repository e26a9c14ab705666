//! A write that is held up half-way: its text lies in memory that comes only when it is let go.

use std::{
    ffi::c_void,
    fs::File,
    io::{self, Read as _},
    num::NonZeroUsize,
    os::fd::{AsRawFd as _, FromRawFd as _},
    ptr::NonNull,
    thread,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use nix::{
    errno::Errno,
    sys::mman::{MapFlags, ProtFlags, mmap_anonymous},
};

use super::loops;

const PAGE: usize = 4096;

// Of linux/userfaultfd.h.
const API: u64 = 0xaa;
const UFFDIO_API: libc::c_ulong = 0xc018_aa3f;
const UFFDIO_REGISTER: libc::c_ulong = 0xc020_aa00;
const UFFDIO_COPY: libc::c_ulong = 0xc028_aa03;
const MODE_MISSING: u64 = 1;
const MESSAGE: usize = 32;
const EVENT_PAGEFAULT: u8 = 0x12;

/// Begins to write, says so when the kernel waits for the text within the write, and goes on when a
/// byte comes on standard input or its end does. Says then what the kernel made of it.
///
/// # Errors
/// When the write can't be held up. That the kernel refuses it is none.
pub fn write(key: &str, value: &str) -> Result<()> {
    let file = loops::open_key(key)?;
    let page = Page::new()?;
    let answer = thread::scope(|scope| {
        let writer = scope.spawn(|| page.write_to(&file, value.len()));
        page.wait()?;
        println!("held up");
        io::stdin().lines().next().transpose()?;
        page.fill(value.as_bytes())?;
        writer.join().map_err(|_| anyhow!("the writer panicked"))
    })?;
    match answer {
        Ok(_) => println!("taken"),
        Err(error) => println!("refused: {error}"),
    }
    Ok(())
}

/// A page of memory that is not there yet.
struct Page {
    /// Tells who waits for it, and takes its content.
    faults: File,
    start: NonNull<c_void>,
}

// SAFETY: the memory is only handed to system calls, which may come from any thread.
unsafe impl Sync for Page {}

impl Page {
    fn new() -> Result<Self> {
        // SAFETY: a system call with a plain number.
        let fd = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) };
        let fd = Errno::result(fd).context("userfaultfd")?;
        // SAFETY: the descriptor is new and nobody else's.
        let faults = unsafe { File::from_raw_fd(i32::try_from(fd)?) };
        let length = NonZeroUsize::new(PAGE).context("a page")?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: new memory, wherever there is room.
        let start = unsafe { mmap_anonymous(None, length, access, MapFlags::MAP_PRIVATE)? };
        let page = Self { faults, start };
        page.control(UFFDIO_API, &mut [API, 0, 0])?;
        let mut range = [page.address(), PAGE as u64, MODE_MISSING, 0];
        page.control(UFFDIO_REGISTER, &mut range)?;
        Ok(page)
    }

    fn address(&self) -> u64 {
        self.start.as_ptr() as u64
    }

    fn control<const N: usize>(
        &self,
        request: libc::c_ulong,
        argument: &mut [u64; N],
    ) -> Result<()> {
        let fd = self.faults.as_raw_fd();
        // SAFETY: each request takes a structure of as many numbers as are given.
        let done = unsafe { libc::ioctl(fd, request as _, argument.as_mut_ptr()) };
        Errno::result(done).with_context(|| format!("userfaultfd {request:x}"))?;
        Ok(())
    }

    /// Writes the beginning of the page.
    fn write_to(&self, file: &File, length: usize) -> nix::Result<usize> {
        // SAFETY: the page is longer, and lives for longer.
        let done = unsafe { libc::write(file.as_raw_fd(), self.start.as_ptr(), length) };
        Errno::result(done).map(isize::cast_unsigned)
    }

    /// Returns when somebody waits for the page.
    fn wait(&self) -> Result<()> {
        let mut message = [0; MESSAGE];
        (&self.faults).read_exact(&mut message)?;
        ensure!(message[0] == EVENT_PAGEFAULT, "{message:?}");
        Ok(())
    }

    /// Makes the page, with this in it.
    fn fill(&self, content: &[u8]) -> Result<()> {
        let mut source = [0_u8; PAGE];
        let place = source.get_mut(..content.len());
        place
            .context("longer than a page")?
            .copy_from_slice(content);
        let source = source.as_ptr() as u64;
        let mut copy = [self.address(), source, PAGE as u64, 0, 0];
        self.control(UFFDIO_COPY, &mut copy)
    }
}
