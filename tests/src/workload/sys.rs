//! The system calls that the standard library and nix have no form of.

use std::{
    fs::File,
    io, mem,
    os::{
        fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
        unix::fs::MetadataExt as _,
    },
};

use anyhow::{Context as _, Result};
use nix::{
    errno::Errno,
    sched::CloneFlags,
    sys::socket::{AddressFamily, SockFlag, SockType, socket},
    time::{ClockId, clock_gettime},
};

/// <linux/nsfs.h>: `_IO(0xb7, 1)`.
const NS_GET_USERNS: libc::c_ulong = 0xb701;

/// Nanoseconds since boot, suspended time included.
///
/// # Errors
/// Never on Linux.
pub fn boottime_ns() -> Result<u64> {
    nanoseconds(ClockId::CLOCK_BOOTTIME)
}

/// Nanoseconds of the monotonic clock.
///
/// # Errors
/// Never on Linux.
pub fn monotonic_ns() -> Result<u64> {
    nanoseconds(ClockId::CLOCK_MONOTONIC)
}

/// CLOCK_REALTIME minus CLOCK_BOOTTIME, from the tightest of several pairs of readings.
///
/// # Errors
/// Never on Linux.
pub fn realtime_offset_ns() -> Result<i64> {
    let mut best = (u64::MAX, 0);
    for _ in 0..20 {
        let before = nanoseconds(ClockId::CLOCK_BOOTTIME)?;
        let real = nanoseconds(ClockId::CLOCK_REALTIME)?;
        let after = nanoseconds(ClockId::CLOCK_BOOTTIME)?;
        let width = after - before;
        let offset = i64::try_from(real)? - i64::try_from(before + width / 2)?;
        best = best.min((width, offset));
    }
    Ok(best.1)
}

/// The number in a link such as `/proc/thread-self/ns/net`.
///
/// # Errors
/// When the link cannot be read.
pub fn namespace_inum(kind: &str) -> Result<u32> {
    let path = format!("/proc/thread-self/ns/{kind}");
    let link = std::fs::read_link(&path).with_context(|| format!("reading {path}"))?;
    let link = link.to_string_lossy();
    let (_, number) = link.split_once(":[").context("the link has a new form")?;
    Ok(number.trim_end_matches(']').parse()?)
}

/// The user namespace that owns the caller's namespace of this kind.
///
/// # Errors
/// When the kernel does not say.
pub fn owner_inum(kind: &str) -> Result<u32> {
    let path = format!("/proc/thread-self/ns/{kind}");
    let file = File::open(&path).with_context(|| format!("opening {path}"))?;
    // SAFETY: NS_GET_USERNS takes no argument and returns a new descriptor.
    let owner = Errno::result(unsafe { libc::ioctl(file.as_raw_fd(), NS_GET_USERNS) })
        .context("asking for the owner of a namespace")?;
    // SAFETY: the kernel has just made the descriptor and nobody else knows it.
    let owner = File::from(unsafe { OwnedFd::from_raw_fd(owner) });
    Ok(u32::try_from(owner.metadata()?.ino())?)
}

/// SO_NETNS_COOKIE of the caller's network namespace; `None` where the kernel does not have it.
///
/// # Errors
/// When it has, but does not say.
pub fn netns_cookie() -> Result<Option<u64>> {
    // A unix socket lets go of its namespace as it is closed, others do so later.
    let socket = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .context("making a socket")?;
    let mut cookie = 0_u64;
    let mut length = libc::socklen_t::try_from(size_of::<u64>())?;
    // SAFETY: both pointers are to live variables, and the length is the first one's.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    match Errno::result(done) {
        Ok(_) => Ok(Some(cookie)),
        Err(Errno::ENOPROTOOPT) => Ok(None),
        Err(error) => Err(error).context("asking for SO_NETNS_COOKIE"),
    }
}

/// How a new process is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloneCall {
    /// clone(2).
    Clone,
    /// clone3(2).
    Clone3,
    /// clone3(2) asking for a pid that is taken: it fails after the namespaces were made.
    Clone3WithPid(libc::pid_t),
}

/// Forks with these flags: the child's id in the parent, `None` in the child.
///
/// # Errors
/// When the kernel refuses.
pub fn clone(call: CloneCall, flags: CloneFlags) -> nix::Result<Option<libc::pid_t>> {
    let flags = u64::from(flags.bits().cast_unsigned());
    let signal = libc::SIGCHLD.cast_unsigned();
    let pid = match call {
        CloneCall::Clone => {
            let flags = flags | u64::from(signal);
            // SAFETY: without CLONE_VM and with no stack given this is fork(2), and the workload
            // has one thread whenever it makes a process.
            unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) }
        }
        CloneCall::Clone3 | CloneCall::Clone3WithPid(_) => {
            let wanted = match call {
                CloneCall::Clone3WithPid(pid) => pid,
                CloneCall::Clone | CloneCall::Clone3 => 0,
            };
            // SAFETY: clone_args is made of integers, and all zero asks for nothing.
            let mut args: libc::clone_args = unsafe { mem::zeroed() };
            args.flags = flags;
            args.exit_signal = u64::from(signal);
            if wanted != 0 {
                args.set_tid = (&raw const wanted) as u64;
                args.set_tid_size = 1;
            }
            // SAFETY: as above; args and the pid that it points to live until the call is over.
            unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args)) }
        }
    };
    match Errno::result(pid)? {
        0 => Ok(None),
        pid => Ok(Some(pid as libc::pid_t)),
    }
}

/// Where a descriptor stands in its file.
///
/// # Errors
/// When it has no position.
pub fn position(fd: BorrowedFd<'_>) -> io::Result<u64> {
    let position = nix::unistd::lseek(fd, 0, nix::unistd::Whence::SeekCur)?;
    Ok(position.cast_unsigned())
}

/// What a clock says.
///
/// # Errors
/// When there is no such clock.
pub fn nanoseconds(clock: ClockId) -> Result<u64> {
    let time = clock_gettime(clock)?;
    Ok(u64::try_from(time.tv_sec())? * 1_000_000_000 + u64::try_from(time.tv_nsec())?)
}
