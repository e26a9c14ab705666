//! Asking a recorder. Blocking, and without an event loop.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use super::protocol::{self, Request, Response};

/// An answer is shorter than this, in bytes.
const RESPONSE_MAX: u64 = 256 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens there.
    #[error("no recorder listens at {path}; `sysctl-trace watch --socket` starts one")]
    Absent {
        /// The socket.
        path: PathBuf,
    },
    /// It may not be asked.
    #[error("the recorder at {path} answers only root and the user that runs it")]
    Denied {
        /// The socket.
        path: PathBuf,
    },
    /// It took too long.
    #[error("the recorder at {path} does not answer")]
    Silent {
        /// The socket.
        path: PathBuf,
    },
    /// It ended, or has too much to do, before it answered.
    #[error("the recorder at {path} closed the connection without an answer; is it ending?")]
    Closed {
        /// The socket.
        path: PathBuf,
    },
    /// It says why not.
    #[error("the recorder at {path} refuses: {reason}")]
    Refused {
        /// The socket.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// What it says is not understood.
    #[error("cannot understand the recorder at {path}: {source}")]
    Protocol {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: protocol::Error,
    },
    /// Something else.
    #[error("cannot ask the recorder at {path}: {source}")]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Asks, and waits for the answer, for so long at most without hearing anything.
pub fn ask(path: &Path, request: &Request, patience: Duration) -> Result<Response, Error> {
    let line = exchange(path, request, patience).map_err(|error| of_io(path, error))?;
    if line.is_empty() {
        let path = path.to_owned();
        return Err(Error::Closed { path });
    }
    match protocol::decode(&line) {
        Ok(Response::Refused(reason)) => Err(Error::Refused {
            path: path.to_owned(),
            reason,
        }),
        Ok(response @ (Response::Candidates(_) | Response::Excerpt(_))) => Ok(response),
        Err(source) => Err(Error::Protocol {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Sends a line and reads one; empty where the other side closed before.
fn exchange(path: &Path, request: &Request, patience: Duration) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    // Who is not let in may be told so before anything is written.
    let written = stream.write_all(&protocol::encode(request)?);
    let mut line = Vec::new();
    BufReader::new(stream.take(RESPONSE_MAX)).read_until(b'\n', &mut line)?;
    match written {
        Err(error) if line.is_empty() => Err(error),
        Ok(()) | Err(_) => Ok(line),
    }
}

fn of_io(path: &Path, source: io::Error) -> Error {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Error::Absent { path },
        io::ErrorKind::PermissionDenied => Error::Denied { path },
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Silent { path },
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Error::Closed { path },
        _ => Error::Io { path, source },
    }
}
