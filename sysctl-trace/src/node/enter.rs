//! Ways into network namespaces, for threads that end soon.

use std::{fs::File, io, thread};

use crate::{event::NetnsId, kernel::netns};

/// How many processes are tried, where those that were there have ended.
const PIDS_MAX: usize = 4;

/// The way into one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handle {
    /// The namespace's number.
    pub inum: u32,
    /// Files that stand for it, the lasting ones to the front.
    paths: Vec<String>,
}

/// Why a namespace cannot be read from within.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing that stood for it is there any more.
    #[error("network namespace {0} is gone, or all that was known to keep it is")]
    Gone(u32),
    /// A file that may stand for it cannot be opened.
    #[error("cannot open {path}: {source}{}", hint(source, "CAP_SYS_PTRACE"))]
    Open {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The kernel refused.
    #[error(
        "cannot enter network namespace {inum}: {source}{}",
        hint(source, "CAP_SYS_ADMIN")
    )]
    Enter {
        /// The namespace's number.
        inum: u32,
        /// Why.
        source: io::Error,
    },
    /// No new namespace could be made.
    #[error(
        "cannot make a network namespace: {source}{}",
        hint(source, "CAP_SYS_ADMIN")
    )]
    Make {
        /// Why.
        source: io::Error,
    },
    /// Only threads that end soon are let into namespaces, and there is none.
    #[error("no thread could be started, or it ended early")]
    Thread,
}

impl Error {
    /// Whether the namespace ended meanwhile.
    pub const fn is_gone(&self) -> bool {
        matches!(self, Self::Gone(_))
    }
}

impl Handle {
    /// By the files and processes that keep it.
    pub fn new(inum: u32, files: impl IntoIterator<Item = String>, pids: &[u32]) -> Self {
        let pids = pids.iter().take(PIDS_MAX).map(|&pid| file_of(pid));
        Self {
            inum,
            paths: files.into_iter().chain(pids).collect(),
        }
    }

    /// By one process, such as one that was just seen in it.
    pub fn of_process(pid: u32) -> Result<Self, Error> {
        let inum = netns::of_process(pid).map_err(|source| Error::Open {
            path: file_of(pid),
            source,
        })?;
        Ok(Self::new(inum, [], &[pid]))
    }

    /// That of the node's own: of process 1.
    pub fn node() -> Result<Self, Error> {
        Self::of_process(1)
    }

    /// Moves the calling thread into it, if it is not there already. The thread must end soon.
    pub(super) fn enter(&self) -> Result<NetnsId, Error> {
        let refused = |source| Error::Enter {
            inum: self.inum,
            source,
        };
        if netns::of_thread().map_err(refused)? != self.inum {
            netns::enter(&self.open()?).map_err(refused)?;
        }
        netns::current().map_err(refused)
    }

    /// The first file that still stands for it: pids and names are used again.
    fn open(&self) -> Result<File, Error> {
        let mut refused = None;
        for path in &self.paths {
            match File::open(path) {
                Ok(file) if netns::of_file(&file).ok() == Some(Some(self.inum)) => return Ok(file),
                Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
                    let path = path.clone();
                    refused.get_or_insert(Error::Open { path, source });
                }
                Ok(_) | Err(_) => {}
            }
        }
        Err(refused.unwrap_or(Error::Gone(self.inum)))
    }
}

/// Runs so many threads with a name of their own, at most 15 bytes, and waits for them. What those
/// give that could not be started, or panicked, is missing.
pub(super) fn apart<T: Send>(
    name: &str,
    threads: usize,
    work: impl Fn() -> Vec<T> + Sync,
) -> Vec<T> {
    thread::scope(|scope| {
        let start = |_| {
            let thread = thread::Builder::new().name(name.to_owned());
            thread.spawn_scoped(scope, &work).ok()
        };
        let started: Vec<_> = (0..threads).filter_map(start).collect();
        let ended = started.into_iter().filter_map(|thread| thread.join().ok());
        ended.flatten().collect()
    })
}

/// What helps against a refusal; nothing against other errors.
pub(super) fn hint(error: &io::Error, capability: &str) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!("; it takes {capability}, which root has"),
        _ => String::new(),
    }
}

fn file_of(pid: u32) -> String {
    format!("/proc/{pid}/ns/net")
}

#[cfg(test)]
#[path = "enter_tests.rs"]
mod tests;
