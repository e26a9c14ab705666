//! Taking questions at a Unix socket. Who asks slowly, or reads slowly, holds up nobody else.

use std::{
    fs::{self, DirBuilder, Metadata, Permissions},
    io,
    os::unix::{
        fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net,
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with},
    process::geteuid,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc, oneshot},
    task::AbortHandle,
    time::{sleep, timeout},
};

use super::protocol::{self, REQUEST_MAX, Request, Response};
use crate::kernel::clock;

/// How many may ask at a time. Who comes then is sent away.
const CONNECTIONS: usize = 8;

/// How long a request may take to come, and an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait when no connection can be taken, for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket that takes questions. It is removed when this is dropped.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    own: Metadata,
    questions: mpsc::Receiver<Question>,
    task: AbortHandle,
}

/// A question, to be answered.
#[derive(Debug)]
pub struct Question {
    /// What is asked.
    pub request: Request,
    /// When it had been read, in nanoseconds since boot: what happened before belongs into the
    /// answer.
    pub asked_ns: u64,
    reply: oneshot::Sender<Vec<u8>>,
}

/// Why nothing can be asked there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another one is there.
    #[error("a recorder listens at {path} already; --socket=PATH chooses another place")]
    Taken {
        /// The socket.
        path: PathBuf,
    },
    /// Something else is there.
    #[error("{path} is there and is no socket; --socket=PATH chooses another place")]
    NoSocket {
        /// What is there.
        path: PathBuf,
    },
    /// It can't be made.
    #[error("cannot listen at {path}: {source}")]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Server {
    /// Listens at a path, whose folder is made if need be. Takes the place of a recorder that is
    /// gone. Must be called within the event loop.
    pub fn listen(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        let folder = folder(path);
        make(folder).map_err(failed)?;
        clear(path)?;
        // Complete before it can be found.
        let unnamed = folder.join(format!(".{}", std::process::id()));
        let listener = bind(&unnamed).and_then(|listener| {
            fs::rename(&unnamed, path)?;
            Ok(listener)
        });
        let listener = listener.map_err(|error| {
            let _ = fs::remove_file(&unnamed);
            failed(error)
        })?;
        let own = fs::symlink_metadata(path).map_err(failed)?;
        let (sender, questions) = mpsc::channel(CONNECTIONS);
        let task = tokio::spawn(accept(listener, sender)).abort_handle();
        Ok(Self {
            path: path.to_owned(),
            own,
            questions,
            task,
        })
    }

    /// Waits for a question. Safe to cancel.
    pub async fn next(&mut self) -> Question {
        match self.questions.recv().await {
            Some(question) => question,
            // The sender lives as long as this.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        // Somebody may have put another one there.
        if fs::symlink_metadata(&self.path).is_ok_and(|found| is_same(&found, &self.own)) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Question {
    /// A question that nobody waits for, for tests of what answers them.
    #[cfg(test)]
    pub fn new(request: Request, asked_ns: u64) -> (Self, oneshot::Receiver<Vec<u8>>) {
        let (reply, answer) = oneshot::channel();
        let question = Self {
            request,
            asked_ns,
            reply,
        };
        (question, answer)
    }

    /// Sends the answer. Who asked may be gone.
    pub fn answer(self, response: &Response) {
        let _ = self.reply.send(line(response));
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    }
}

fn make(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o755).create(folder) {
        Ok(()) => fs::set_permissions(folder, Permissions::from_mode(0o755)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Looks whether the path is free, or what is there was left behind.
fn clear(path: &Path) -> Result<(), Error> {
    let path_owned = || path.to_owned();
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(Error::Io {
            path: path_owned(),
            source,
        }),
        Ok(found) if !found.file_type().is_socket() => Err(Error::NoSocket { path: path_owned() }),
        Ok(_) => match answers(path) {
            Ok(false) => Ok(()),
            Ok(true) => Err(Error::Taken { path: path_owned() }),
            Err(source) => Err(Error::Io {
                path: path_owned(),
                source,
            }),
        },
    }
}

/// Whether somebody listens there. One that is stopped does, too.
fn answers(path: &Path) -> io::Result<bool> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match connect(&socket, &SocketAddrUnix::new(path)?) {
        Ok(()) | Err(Errno::AGAIN) => Ok(true),
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    let listener = net::UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

async fn accept(listener: UnixListener, questions: mpsc::Sender<Question>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        if let Ok(place) = room.clone().try_acquire_owned() {
            let questions = questions.clone();
            tokio::spawn(async move {
                converse(stream, &questions).await;
                drop(place);
            });
        }
    }
}

/// Takes one question and gives one answer.
async fn converse(mut stream: UnixStream, questions: &mpsc::Sender<Question>) {
    let own = geteuid().as_raw();
    let asker = stream.peer_cred().map(|peer| peer.uid());
    let answer = match asker {
        Ok(uid) if may_ask(uid, own) => {
            let Ok(read) = timeout(PATIENCE, request(&mut stream)).await else {
                return;
            };
            match read {
                Ok(request) => ask(request, questions).await,
                Err(reason) => reason.map(|reason| line(&Response::Refused(reason))),
            }
        }
        Ok(_) | Err(_) => {
            let reason = format!("only root and user {own} may ask");
            Some(line(&Response::Refused(reason)))
        }
    };
    if let Some(answer) = answer {
        // Who takes it too slowly goes without.
        let _ = timeout(PATIENCE, stream.write_all(&answer)).await;
    }
}

const fn may_ask(uid: u32, own: u32) -> bool {
    uid == 0 || uid == own
}

/// Reads a request; or why it is refused, where somebody is there to be told.
async fn request(stream: &mut UnixStream) -> Result<Request, Option<String>> {
    let mut line = Vec::new();
    let mut reader = BufReader::new(stream.take(REQUEST_MAX as u64));
    let read = reader.read_until(b'\n', &mut line).await;
    if read.is_err() || line.is_empty() {
        return Err(None);
    }
    if line.last() != Some(&b'\n') {
        return Err(Some(format!(
            "a request is one line of less than {REQUEST_MAX} bytes"
        )));
    }
    protocol::decode(&line).map_err(|error| Some(error.to_string()))
}

/// The answer; nothing where the recorder ends.
async fn ask(request: Request, questions: &mpsc::Sender<Question>) -> Option<Vec<u8>> {
    let (reply, answer) = oneshot::channel();
    let question = Question {
        request,
        asked_ns: clock::boottime_ns(),
        reply,
    };
    questions.send(question).await.ok()?;
    answer.await.ok()
}

fn line(response: &Response) -> Vec<u8> {
    protocol::encode(response).unwrap_or_else(|error| {
        let refused = Response::Refused(format!("the answer can't be told: {error}"));
        protocol::encode(&refused).unwrap_or_default()
    })
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
