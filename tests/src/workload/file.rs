//! A key's open file, and one write to it with everything the log says about it.

use std::{
    fs::{File, OpenOptions},
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::fs::FileExt as _,
    },
    path::Path,
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    errno::Errno,
    fcntl::{OFlag, SpliceFFlags, splice},
    unistd::pipe2,
};

use super::{
    actor,
    buffer::Buffer,
    keys::Key,
    log::{Actor, Answer, Bytes, Log, Netns, Record, Window, Write},
    netns, sys,
    uring::Ring,
};

/// How text is given to the kernel.
pub enum Method<'a> {
    /// write(2), wherever the descriptor stands.
    Write,
    /// pwrite(2).
    Pwrite(u64),
    /// writev(2), cut into pieces at these places.
    Writev(Vec<usize>),
    /// pwritev(2).
    Pwritev(Vec<usize>, u64),
    /// splice(2) from a pipe that the text was written to.
    Splice,
    /// splice(2) from a pipe that holds the buffer's own pages, cut at these places.
    SplicePages(Vec<usize>),
    /// An io_uring.
    Ring(&'a mut Ring, u64),
}

impl Method<'_> {
    fn name(&self) -> String {
        match self {
            Self::Write => "write".into(),
            Self::Pwrite(position) => format!("pwrite at {position}"),
            Self::Writev(cuts) => format!("writev cut at {cuts:?}"),
            Self::Pwritev(cuts, position) => format!("pwritev at {position} cut at {cuts:?}"),
            Self::Splice => "splice".into(),
            Self::SplicePages(cuts) => format!("splice of own pages cut at {cuts:?}"),
            Self::Ring(_, position) => format!("io_uring at {position}"),
        }
    }
}

/// A key's open file. It stays with the network namespace that it was opened in.
#[derive(Debug)]
pub struct KeyFile {
    file: File,
    key: Key,
    netns: Option<Netns>,
    readable: bool,
}

impl KeyFile {
    /// Opens the key's file for the namespaces that the caller is in.
    ///
    /// # Errors
    /// When there is no such key here, or it may not be written.
    pub fn open(key: &Key) -> Result<Self> {
        let path = Path::new("/proc/sys").join(&key.path);
        let mut options = OpenOptions::new();
        let file = options.read(!key.write_only).write(true).open(&path);
        let file = file.with_context(|| format!("opening {}", path.display()))?;
        let netns = if key.is_per_netns() {
            Some(netns::current()?)
        } else {
            None
        };
        Ok(Self {
            file,
            key: key.clone(),
            netns,
            readable: !key.write_only,
        })
    }

    /// The file's text as it is now, without the newline at its end; `None` for a key that cannot
    /// be read.
    ///
    /// # Errors
    /// When reading fails.
    pub fn text(&self) -> Result<Option<Bytes>> {
        if !self.readable {
            return Ok(None);
        }
        let mut bytes = vec![0; 8192];
        let length = self
            .file
            .read_at(&mut bytes, 0)
            .with_context(|| format!("reading {}", self.key.path))?;
        ensure!(
            length < bytes.len(),
            "{} is longer than expected",
            self.key.path
        );
        bytes.truncate(length);
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        Ok(Some(Bytes(bytes)))
    }

    /// Writes from the buffer and logs it.
    ///
    /// # Errors
    /// When what surrounds the write fails; a refused write is no error.
    pub fn write(&self, log: &Log, buffer: &Buffer, method: Method<'_>) -> Result<Answer> {
        let old = self.text()?;
        let mut record = self.attempt(buffer, method)?;
        record.old = old;
        record.new = self.text()?;
        let answer = record.result.clone();
        log.add(&Record::Write(Box::new(record)))?;
        Ok(answer)
    }

    /// Writes ordinary memory and logs it.
    ///
    /// # Errors
    /// As [`KeyFile::write`].
    pub fn write_text(&self, log: &Log, text: &[u8], method: Method<'_>) -> Result<Answer> {
        self.write(log, &Buffer::ready(text), method)
    }

    /// Writes and logs, and insists that the kernel takes it.
    ///
    /// # Errors
    /// As [`KeyFile::write`], and when the kernel refuses.
    pub fn set(&self, log: &Log, text: &[u8]) -> Result<()> {
        let answer = self.write_text(log, text, Method::Pwrite(0))?;
        ensure!(
            matches!(answer, Answer::Took(_)),
            "{} does not take {:?}: {answer:?}",
            self.key.path,
            Bytes::from(text)
        );
        Ok(())
    }

    /// Whether the key is gone, with the namespace that it was of.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        let answer = self.file.read_at(&mut [0], 0);
        answer.is_err_and(|error| error.raw_os_error() == Some(libc::ENOENT))
    }

    /// Writes to a key that is gone, and logs it.
    ///
    /// # Errors
    /// As [`KeyFile::write`], and when the kernel takes it.
    pub fn write_stale(&self, log: &Log, text: &[u8]) -> Result<()> {
        let mut record = self.attempt(&Buffer::ready(text), Method::Pwrite(0))?;
        ensure!(
            record.result == Answer::Refused("ENOENT".into()),
            "a key that is gone can be written: {:?}",
            record.result
        );
        record.stale = true;
        record.types.push("not-decoded".into());
        log.add(&Record::Write(Box::new(record)))
    }

    /// Writes without looking at the file before and after, and without logging.
    ///
    /// # Errors
    /// When what surrounds the write fails.
    pub fn attempt(&self, buffer: &Buffer, mut method: Method<'_>) -> Result<Write> {
        let mut actor = actor::current()?;
        let how = method.name();
        let position = self.position_of(&method)?;
        let from_ns = sys::boottime_ns()?;
        let answer = self.perform(buffer, &mut method)?;
        let to_ns = sys::boottime_ns()?;
        if let Method::Ring(ring, _) = method {
            actor.thread = ring.workers()?;
        }
        let window = Window { from_ns, to_ns };
        Ok(self.record(actor, window, how, position, buffer, answer))
    }

    /// The record of a write that was performed elsewhere.
    pub fn record(
        &self,
        actor: Actor,
        window: Window,
        how: String,
        position: u64,
        buffer: &Buffer,
        answer: nix::Result<u64>,
    ) -> Write {
        Write {
            window,
            actor,
            how,
            path: self.key.path.clone(),
            netns: self.netns,
            types: self.key.types.iter().map(ToString::to_string).collect(),
            requested: buffer.content().map(Bytes::from),
            position,
            size: buffer.len() as u64,
            result: match answer {
                Ok(taken) => Answer::Took(taken),
                Err(error) => Answer::Refused(format!("{error:?}")),
            },
            old: None,
            new: None,
            race: None,
            stale: false,
        }
    }

    /// The bare system call, for a child that must not do anything else.
    pub fn raw_pwrite(&self, buffer: &Buffer, position: i64) -> nix::Result<u64> {
        let fd = self.file.as_raw_fd();
        // SAFETY: the kernel checks the address.
        returned(unsafe { libc::pwrite(fd, buffer.start(), buffer.len(), position) })
    }

    fn position_of(&self, method: &Method<'_>) -> Result<u64> {
        match method {
            Method::Pwrite(position) | Method::Pwritev(_, position) | Method::Ring(_, position) => {
                Ok(*position)
            }
            Method::Write | Method::Writev(_) | Method::Splice | Method::SplicePages(_) => {
                Ok(sys::position(self.file.as_fd())?)
            }
        }
    }

    fn perform(&self, buffer: &Buffer, method: &mut Method<'_>) -> Result<nix::Result<u64>> {
        let fd = self.file.as_raw_fd();
        Ok(match method {
            Method::Write => {
                // SAFETY: the kernel checks the address.
                returned(unsafe { libc::write(fd, buffer.start(), buffer.len()) })
            }
            Method::Pwrite(position) => self.raw_pwrite(buffer, (*position).try_into()?),
            Method::Writev(cuts) => {
                let pieces = buffer.pieces(cuts);
                let count = libc::c_int::try_from(pieces.len())?;
                // SAFETY: the array lives until the call is over; the kernel checks its addresses.
                returned(unsafe { libc::writev(fd, pieces.as_ptr(), count) })
            }
            Method::Pwritev(cuts, position) => {
                let pieces = buffer.pieces(cuts);
                let count = libc::c_int::try_from(pieces.len())?;
                let position = (*position).try_into()?;
                // SAFETY: as for writev.
                returned(unsafe { libc::pwritev(fd, pieces.as_ptr(), count, position) })
            }
            Method::Splice => self.splice(buffer, &[], false)?,
            Method::SplicePages(cuts) => self.splice(buffer, cuts, true)?,
            Method::Ring(ring, position) => ring.write(self.file.as_fd(), buffer, *position)?,
        })
    }

    fn splice(&self, buffer: &Buffer, cuts: &[usize], pages: bool) -> Result<nix::Result<u64>> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC).context("making a pipe")?;
        let pieces = buffer.pieces(cuts);
        // SAFETY: the array lives until the call is over; the kernel checks its addresses.
        let filled = returned(unsafe {
            if pages {
                libc::vmsplice(writer.as_raw_fd(), pieces.as_ptr(), pieces.len(), 0)
            } else {
                libc::write(writer.as_raw_fd(), buffer.start(), buffer.len())
            }
        })
        .context("filling the pipe")?;
        ensure!(
            filled == buffer.len() as u64,
            "the pipe took {filled} bytes"
        );
        let spliced = splice(
            reader,
            None,
            &self.file,
            None,
            buffer.len(),
            SpliceFFlags::empty(),
        );
        Ok(spliced.map(|taken| taken as u64))
    }
}

fn returned(value: libc::ssize_t) -> nix::Result<u64> {
    Errno::result(value)
        .map(libc::ssize_t::cast_unsigned)
        .map(|taken| taken as u64)
}
