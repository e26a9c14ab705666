//! Where lines go: standard output or a file.
//!
//! Lines are gathered in one buffer and handed over in one write. Writing to a pipe or terminal
//! waits without blocking the rest of the program. A file never ends in half a line: when a write
//! fails, what was written of the last line is taken back.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::{
        fd::{AsFd, AsRawFd as _},
        unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    },
    path::Path,
};

use rustix::{fs::OFlags, termios::isatty};
use tokio::io::{Interest, unix::AsyncFd};

/// A place for lines.
#[derive(Debug)]
pub struct Sink {
    name: String,
    target: Target,
    terminal: bool,
    buffer: Vec<u8>,
    /// How much of the buffer has been handed over.
    sent: usize,
}

#[derive(Debug)]
enum Target {
    /// A pipe or terminal, with a descriptor of our own that does not block.
    Waiting(AsyncFd<File>),
    /// Anything else that is shared with others or not a file: standard output.
    Direct(File),
    /// A regular file of our own.
    Owned(File),
}

/// Why lines could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The reader of the pipe is gone. That is an ordinary end.
    #[error("{name}: the reader is gone")]
    Closed {
        /// Which sink.
        name: String,
    },
    /// The file can't be opened.
    #[error("cannot open {name} for writing")]
    Open {
        /// Its path.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The file took no more.
    #[error(
        "cannot write to {name} (lines missing: {missing}{})",
        if *.whole {"; it ends with the last whole one"} else {""}
    )]
    Write {
        /// Which sink.
        name: String,
        /// Why.
        source: io::Error,
        /// How many lines were to be written and are not.
        missing: usize,
        /// Whether the target holds whole lines only.
        whole: bool,
    },
}

impl Sink {
    /// Standard output. Must be called within the runtime.
    pub fn stdout() -> Result<Self, Error> {
        let name = String::from("standard output");
        match io::stdout().as_fd().try_clone_to_owned() {
            Ok(stdout) => Ok(Self::new(name, File::from(stdout), false)),
            Err(source) => Err(Error::Open { name, source }),
        }
    }

    /// A file, made if need be. What it holds stays until [`Sink::begin`]. Must be called within
    /// the runtime.
    pub fn file(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let opened = OpenOptions::new()
            .append(true)
            .create(true)
            .custom_flags(OFlags::NOCTTY.bits().cast_signed())
            .open(path);
        match opened {
            Ok(file) => Ok(Self::new(name, file, true)),
            Err(source) => Err(Error::Open { name, source }),
        }
    }

    fn new(name: String, file: File, ours: bool) -> Self {
        let terminal = isatty(&file);
        Self {
            name,
            target: Target::of(file, ours),
            terminal,
            buffer: Vec::new(),
            sent: 0,
        }
    }

    /// Empties a regular file of our own: from here on it holds this trace.
    pub fn begin(&self) -> Result<(), Error> {
        match &self.target {
            Target::Owned(file) => file.set_len(0).map_err(|source| Error::Write {
                name: self.name.clone(),
                source,
                missing: 0,
                whole: true,
            }),
            Target::Waiting(_) | Target::Direct(_) => Ok(()),
        }
    }

    /// The width of the terminal that reads, if one does.
    pub fn terminal_width(&self) -> Option<usize> {
        if !self.terminal {
            return None;
        }
        let size = match &self.target {
            Target::Waiting(file) => rustix::termios::tcgetwinsize(file),
            Target::Direct(file) | Target::Owned(file) => rustix::termios::tcgetwinsize(file),
        };
        // Serial lines have no size.
        match size {
            Ok(size) if size.ws_col > 0 => Some(size.ws_col.into()),
            Ok(_) | Err(_) => Some(80),
        }
    }

    /// Whether a terminal reads.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Where lines are appended, to be handed over by the next [`Sink::flush`].
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Whether there is something to hand over.
    pub fn is_pending(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Hands the buffer over. Safe to cancel: the next call goes on where this one stopped.
    pub async fn flush(&mut self) -> Result<(), Error> {
        match self.write_rest().await {
            Ok(()) => {
                self.buffer.clear();
                self.sent = 0;
                Ok(())
            }
            Err(source) => Err(self.failed(source)),
        }
    }

    /// Hands over what is pending; with nothing pending, waits until the reader is gone, which
    /// may be never.
    pub async fn flush_or_closed(&mut self) -> Result<(), Error> {
        if self.is_pending() {
            return self.flush().await;
        }
        match &self.target {
            Target::Waiting(file) if !self.terminal => match file.ready(Interest::ERROR).await {
                Ok(_) => Err(Error::Closed {
                    name: self.name.clone(),
                }),
                Err(source) => Err(self.failed(source)),
            },
            Target::Waiting(_) | Target::Direct(_) | Target::Owned(_) => {
                std::future::pending().await
            }
        }
    }

    async fn write_rest(&mut self) -> io::Result<()> {
        while self.sent < self.buffer.len() {
            let rest = &self.buffer[self.sent..];
            let written = match &mut self.target {
                Target::Waiting(file) => {
                    file.async_io(Interest::WRITABLE, |mut file| file.write(rest))
                        .await
                }
                Target::Direct(file) | Target::Owned(file) => file.write(rest),
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes back half a line, drops what can't be written any more, and names the failure.
    fn failed(&mut self, source: io::Error) -> Error {
        let name = self.name.clone();
        let sent = &self.buffer[..self.sent];
        let end = sent
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let half = (sent.len() - end) as u64;
        let missing = self.missing_from(end);
        let whole = match &self.target {
            Target::Owned(file) => take_back(file, half).is_ok(),
            Target::Waiting(_) | Target::Direct(_) => false,
        };
        self.buffer.clear();
        self.sent = 0;
        if source.kind() == io::ErrorKind::BrokenPipe {
            Error::Closed { name }
        } else {
            Error::Write {
                name,
                source,
                missing,
                whole,
            }
        }
    }

    /// How many lines wait to be handed over.
    pub fn missing(&self) -> usize {
        self.missing_from(self.sent)
    }

    fn missing_from(&self, start: usize) -> usize {
        let rest = &self.buffer[start..];
        rest.iter().filter(|byte| **byte == b'\n').count()
    }
}

impl Target {
    fn of(file: File, ours: bool) -> Self {
        let Ok(kind) = file.metadata().map(|metadata| metadata.file_type()) else {
            return Self::Direct(file);
        };
        if kind.is_file() && ours {
            return Self::Owned(file);
        }
        if kind.is_fifo() || kind.is_char_device() {
            match waiting(&file) {
                Ok(waiting) => return Self::Waiting(waiting),
                // Not openable anew, or nothing to wait for, as with /dev/null: it may block.
                Err(_) => return Self::Direct(file),
            }
        }
        Self::Direct(file)
    }
}

/// Opens the same pipe or terminal once more. Making the given descriptor non-blocking would
/// make it so for everybody who shares it.
fn waiting(file: &File) -> io::Result<AsyncFd<File>> {
    let again = OpenOptions::new()
        .write(true)
        .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
        .open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let interest = Interest::WRITABLE | Interest::ERROR;
    // SAFETY: a `File` owns one descriptor and keeps it until it is dropped.
    let registered = unsafe { AsyncFd::register_with_interest(again, interest) };
    Ok(registered?)
}

/// Shortens a file by its last `bytes` bytes.
fn take_back(file: &File, bytes: u64) -> io::Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    let length = file.metadata()?.len();
    file.set_len(length.saturating_sub(bytes))
}

#[cfg(test)]
#[path = "sink_tests.rs"]
mod tests;
