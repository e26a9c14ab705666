//! A process of our own that reads live values from within network namespaces.
//!
//! It is forked before anything else is done, keeps CAP_SYS_ADMIN and nothing else, and is handed
//! open files of namespaces by the recorder, which has no such capability any more. It reads fixed
//! keys, goes back to its own namespace, and ends with the recorder.

use std::{
    convert::Infallible,
    fs::File,
    io::{self, IoSlice, IoSliceMut, Read as _},
    mem::MaybeUninit,
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
};

use caps::{CapSet, Capability, CapsHashSet};
use rustix::{
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
    },
    process::{
        Pid, Signal, WaitOptions, getpid, getppid, kill_process, set_parent_process_death_signal,
        waitpid,
    },
};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use tokio::io::{Interest, unix::AsyncFd};

use crate::{
    decode::text_of,
    event::NetnsId,
    kernel::{clock, netns},
};

/// What the process is called: its entering of namespaces is not told.
pub const NAME: &str = "sysctl-tr:live";

/// How many keys are read at most.
pub const KEYS_MAX: usize = 16;

/// Values that are longer are not told.
const VALUE_MAX: usize = 512;

/// A message is shorter than this: all keys, each byte of a value as six in JSON.
const MESSAGE_MAX: usize = KEYS_MAX * VALUE_MAX * 6 + 512;

/// The process. It ends when this is dropped.
#[derive(Debug)]
pub struct Reader {
    socket: OwnedFd,
    pid: Pid,
}

/// What was read in a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The number that it was asked by.
    pub id: u64,
    /// The namespace that it was read in; absent where it could not be entered.
    pub netns: Option<NetnsId>,
    /// Before the first key was read, in nanoseconds since boot.
    pub begun_ns: u64,
    /// After the last one was.
    pub ended_ns: u64,
    /// The values, in the order of the keys; absent where one can't be read.
    pub values: Vec<Option<SmolStr>>,
}

/// Why there is no such process.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It would be let into no namespace.
    #[error("it takes CAP_SYS_ADMIN")]
    Privilege,
    /// It can't be started.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The process, as the event loop sees it.
#[derive(Debug)]
pub struct Readings {
    socket: AsyncFd<OwnedFd>,
    /// Absent in tests, which play its part.
    pid: Option<Pid>,
    buffer: Vec<u8>,
}

impl Reader {
    /// Starts it. `paths` are those of the keys below /proc/sys. This process must have one thread
    /// only.
    pub fn start(paths: &[&str]) -> Result<Self, Error> {
        if !caps::has_cap(None, CapSet::Permitted, Capability::CAP_SYS_ADMIN).unwrap_or(false) {
            return Err(Error::Privilege);
        }
        let kind = SocketType::SEQPACKET;
        let flags = SocketFlags::CLOEXEC;
        let (socket, its) = socketpair(AddressFamily::UNIX, kind, flags, None)
            .map_err(|error| Error::Io(error.into()))?;
        let parent = getpid();
        // SAFETY: there is no other thread, so that the child may do whatever this process may.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error().into()),
            0 => {
                drop(socket);
                // It ends as the recorder does, without a word.
                let status = i32::from(serve(its, parent, paths).is_err());
                // SAFETY: ends this process without what the parent wanted done at its own end.
                unsafe { libc::_exit(status) }
            }
            pid => {
                rustix::io::ioctl_fionbio(&socket, true).map_err(io::Error::from)?;
                let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData);
                let pid = pid.map_err(io::Error::from)?;
                Ok(Self { socket, pid })
            }
        }
    }

    /// Makes it part of the event loop, in which this must be called.
    pub fn listen(self) -> io::Result<Readings> {
        Readings::new(self.socket, Some(self.pid))
    }
}

impl Readings {
    pub(super) fn new(socket: OwnedFd, pid: Option<Pid>) -> io::Result<Self> {
        // SAFETY: the socket owns its descriptor and keeps it for as long as it lives.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) };
        Ok(Self {
            socket: socket.map_err(io::Error::from)?,
            pid,
            buffer: vec![0; MESSAGE_MAX],
        })
    }

    /// Its process id.
    pub fn pid(&self) -> Option<u32> {
        self.pid
            .map(|pid| pid.as_raw_nonzero().get().cast_unsigned())
    }

    /// Asks for the values in the namespace that a file stands for.
    pub fn ask(&self, id: u64, namespace: &File) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let files = [namespace.as_fd()];
        control.push(SendAncillaryMessage::ScmRights(&files));
        let id = id.to_ne_bytes();
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        sendmsg(&self.socket, &[IoSlice::new(&id)], &mut control, flags)?;
        Ok(())
    }

    /// Waits for what it has read. An error where it is gone. Safe to cancel.
    pub async fn next(&mut self) -> io::Result<Reading> {
        let Self { socket, buffer, .. } = self;
        let receive = |socket: &mut OwnedFd| {
            let (length, _) = rustix::net::recv(socket, &mut buffer[..], RecvFlags::DONTWAIT)?;
            Ok(length)
        };
        let length = socket.async_io_mut(Interest::READABLE, receive).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        serde_json::from_slice(&buffer[..length]).map_err(io::Error::from)
    }
}

impl Drop for Readings {
    fn drop(&mut self) {
        if let Some(pid) = self.pid {
            // It may be gone already.
            let _ = kill_process(pid, Signal::KILL);
            let _ = waitpid(Some(pid), WaitOptions::empty());
        }
    }
}

/// The life of the process, after the fork.
fn serve(socket: OwnedFd, parent: Pid, paths: &[&str]) -> anyhow::Result<Infallible> {
    let socket = alone(socket)?;
    keep_one_capability()?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    anyhow::ensure!(getppid() == Some(parent), "the recorder is gone");
    let home = File::open("/proc/self/ns/net")?;
    loop {
        let (id, file) = receive(&socket)?;
        let reading = file.map_or_else(|| unread(id), |file| read(id, &file, paths));
        netns::enter(&home)?;
        let message = serde_json::to_vec(&reading)?;
        rustix::net::send(&socket, &message, SendFlags::NOSIGNAL)?;
    }
}

/// Lets go of all that belongs to the recorder: files, its folder, what its terminal sends.
fn alone(socket: OwnedFd) -> io::Result<OwnedFd> {
    const OWN: i32 = 3;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::process::chdir("/")?;
    // SAFETY: plain system calls on numbers; nothing that is closed is used afterwards, and the
    // objects that own those files are forgotten.
    unsafe {
        for number in 0..OWN {
            libc::dup2(null.as_raw_fd(), number);
        }
        let number = socket.as_raw_fd();
        if number != OWN {
            libc::dup2(number, OWN);
        }
        std::mem::forget((socket, null));
        libc::syscall(libc::SYS_close_range, OWN + 1, u32::MAX, 0);
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
            libc::signal(signal, libc::SIG_IGN);
        }
        Ok(std::os::fd::FromRawFd::from_raw_fd(OWN))
    }
}

fn keep_one_capability() -> anyhow::Result<()> {
    let kept: CapsHashSet = [Capability::CAP_SYS_ADMIN].into();
    caps::clear(None, CapSet::Ambient)?;
    caps::clear(None, CapSet::Inheritable)?;
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)?;
    rustix::thread::set_no_new_privs(true)?;
    let name = std::ffi::CString::new(NAME)?;
    rustix::thread::set_name(&name)?;
    Ok(())
}

/// The next question. An error where the recorder is gone.
fn receive(socket: &OwnedFd) -> io::Result<(u64, Option<File>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut id = [0; 8];
    let mut slices = [IoSliceMut::new(&mut id)];
    let received = recvmsg(socket, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if received.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut file = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(files) = message {
            file = files.map(File::from).last();
        }
    }
    Ok((u64::from_ne_bytes(id), file))
}

fn unread(id: u64) -> Reading {
    let now_ns = clock::boottime_ns();
    Reading {
        id,
        netns: None,
        begun_ns: now_ns,
        ended_ns: now_ns,
        values: Vec::new(),
    }
}

/// Reads the keys in a namespace. What is none is not entered.
fn read(id: u64, namespace: &File, paths: &[&str]) -> Reading {
    if !netns::of_file(namespace).is_ok_and(|inum| inum.is_some()) {
        return unread(id);
    }
    let entered = netns::enter(namespace).and_then(|()| netns::current());
    let Ok(netns) = entered else {
        return unread(id);
    };
    let begun_ns = clock::boottime_ns();
    let values = paths.iter().map(|path| value(path).ok().flatten());
    Reading {
        values: values.collect(),
        netns: Some(netns),
        begun_ns,
        ended_ns: clock::boottime_ns(),
        id,
    }
}

/// A value in one read, without its last newline; absent where it is too long.
fn value(path: &str) -> io::Result<Option<SmolStr>> {
    let mut buffer = [0; VALUE_MAX];
    let length = File::open(format!("/proc/sys/{path}"))?.read(&mut buffer)?;
    let text = &buffer[..length];
    Ok((length < VALUE_MAX).then(|| text_of(text.strip_suffix(b"\n").unwrap_or(text))))
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
