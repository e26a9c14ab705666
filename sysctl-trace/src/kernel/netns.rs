//! Network namespaces as the kernel shows them: the one that a thread or process is in, and the
//! files that stand for them.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::fs::MetadataExt as _,
    },
};

use rustix::{
    ioctl,
    net::{AddressFamily, SocketType, socket},
    thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe},
};

use crate::event::NetnsId;

/// That of the calling thread. The cookie is 0 on kernels that do not tell it (before 5.14).
pub fn current() -> io::Result<NetnsId> {
    Ok(NetnsId {
        inum: of_thread()?,
        cookie: cookie().unwrap_or(0),
    })
}

/// The number of the one that the calling thread is in.
pub fn of_thread() -> io::Result<u32> {
    let inode = fs::metadata("/proc/thread-self/ns/net")?.ino();
    u32::try_from(inode).map_err(io::Error::other)
}

/// The number of the one that a process is in, by its main thread.
pub fn of_process(pid: u32) -> io::Result<u32> {
    let link = fs::read_link(format!("/proc/{pid}/ns/net"))?;
    let inum = link.to_str().and_then(inum_in);
    inum.ok_or_else(|| io::Error::other("it names no network namespace"))
}

/// The number in `net:[NUMBER]`, as links of /proc and roots of mounts show it.
pub fn inum_in(text: &str) -> Option<u32> {
    text.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

/// The number of the one that a file stands for; `None` where it stands for none.
pub fn of_file(file: &File) -> io::Result<Option<u32>> {
    if !is_netns(file) {
        return Ok(None);
    }
    let inode = file.metadata()?.ino();
    u32::try_from(inode).map(Some).map_err(io::Error::other)
}

fn is_netns(file: &File) -> bool {
    const NSFS_MAGIC: u64 = 0x6e73_6673;
    const CLONE_NEWNET: i32 = 0x4000_0000;
    let on_nsfs = rustix::fs::fstatfs(file)
        .is_ok_and(|filesystem| u64::try_from(filesystem.f_type) == Ok(NSFS_MAGIC));
    // SAFETY: the file is of nsfs, where this number is NS_GET_NSTYPE, which touches no memory.
    on_nsfs && unsafe { ioctl::ioctl(file, NamespaceType) } == Ok(CLONE_NEWNET)
}

/// Moves the calling thread, and no other, into the namespace that a file stands for. It stays
/// there, so this is for threads that end soon.
pub fn enter(file: &File) -> io::Result<()> {
    let network = Some(LinkNameSpaceType::Network);
    Ok(move_into_link_name_space(file.as_fd(), network)?)
}

/// Moves the calling thread, and no other, into a new namespace, which ends with it.
pub fn make() -> io::Result<()> {
    // SAFETY: only UnshareFlags::FILES would take file descriptors from other threads.
    Ok(unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?)
}

/// NS_GET_NSTYPE: the kind of a namespace as its CLONE_NEW* flag.
struct NamespaceType;

// SAFETY: the ioctl takes no argument, and its result is the return value.
unsafe impl ioctl::Ioctl for NamespaceType {
    type Output = i32;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> ioctl::Opcode {
        ioctl::opcode::none(0xb7, 3)
    }

    fn as_ptr(&mut self) -> *mut std::ffi::c_void {
        std::ptr::null_mut()
    }

    unsafe fn output_from_ptr(
        result: ioctl::IoctlOutput,
        _: *mut std::ffi::c_void,
    ) -> rustix::io::Result<i32> {
        Ok(result)
    }
}

/// A socket belongs to the namespace that it was made in.
fn cookie() -> io::Result<u64> {
    let socket = socket(AddressFamily::UNIX, SocketType::DGRAM, None)?;
    let mut cookie = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to where `cookie` lies.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    match result {
        0 => Ok(cookie),
        _ => Err(io::Error::last_os_error()),
    }
}
