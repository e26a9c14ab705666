//! The values of keys, read from within network namespaces.
//!
//! What /proc/sys shows below net/ goes by the thread that looks. So a few threads of our own go
//! from namespace to namespace, and end. The calling thread stays where it is.
//!
//! The kernel keeps the entries of all namespaces for one key in one list, so a read takes the
//! longer the more namespaces there are in which the key was looked up.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use rustix::io::Errno;
use smol_str::SmolStr;

use super::{
    enter::{self, Handle, apart},
    key::{Found, Key, Keys},
};
use crate::{decode::text_of, event::NetnsId};

/// Where the keys are.
const ROOT: &str = "/proc/sys";
/// How many threads read at most: the kernel takes a lock for each look-up of a key.
const THREADS_MAX: usize = 8;
/// What the threads are called. A running tracer sees them enter.
const THREAD: &str = "sysctl-tr:read";
/// A value that fits is read at once: some handlers show nothing at a position other than 0, and
/// cut what does not fit.
const VALUE_USUAL: usize = 4095;
/// The longest value that is told.
const VALUE_MAX: usize = 256 << 10;

/// What reading a key gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The text that its file shows, without the last newline.
    Text(SmolStr),
    /// There is no such file: the kernel has no such key, or hides it in this namespace.
    Hidden,
    /// Its file cannot be read.
    Unreadable(Errno),
    /// It is longer than is told.
    TooLong,
}

/// What was read in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// The keys, in the order of their paths, with their values.
    pub values: Vec<(Key, Value)>,
    /// Patterns stand for more keys than are read.
    pub is_cut: bool,
}

/// What was read in one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The namespace, with its cookie.
    pub id: NetnsId,
    /// Its values.
    pub values: Values,
}

impl Value {
    /// The text, where there is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Hidden | Self::Unreadable(_) | Self::TooLong => None,
        }
    }
}

impl Values {
    /// The value of a key by its dotted name; absent where it was not asked for, or no pattern
    /// found it.
    pub fn get(&self, dotted: &str) -> Option<&Value> {
        let is_it = |(key, _): &&(Key, Value)| key.dotted == dotted;
        self.values.iter().find(is_it).map(|(_, value)| value)
    }
}

/// Reads the keys below net/ in each namespace; the others are passed over. The results stand in
/// the order of the handles. `progress` is told by the threads how many are done, and of how many.
pub fn read(
    handles: &[Handle],
    keys: &Keys,
    progress: impl Fn(usize, usize) + Sync,
) -> Vec<Result<Read, enter::Error>> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(THREADS_MAX).min(handles.len());
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        let mut results = Vec::new();
        while let Some((at, handle)) = taken(handles, &next) {
            results.push((at, read_within(handle, keys)));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, handles.len());
        }
        results
    };
    let mut results = apart(THREAD, threads, work);
    results.sort_unstable_by_key(|(at, _)| *at);
    let mut results = results.into_iter().peekable();
    let result = |at| match results.next_if(|(of, _)| *of == at) {
        Some((_, result)) => result,
        None => Err(enter::Error::Thread),
    };
    (0..handles.len()).map(result).collect()
}

/// Reads the keys below net/ in one namespace.
pub fn read_one(handle: &Handle, keys: &Keys) -> Result<Read, enter::Error> {
    let mut results = apart(THREAD, 1, || vec![read_within(handle, keys)]);
    results.pop().unwrap_or(Err(enter::Error::Thread))
}

/// Reads the keys that no network namespace has for itself.
pub fn read_node(keys: &Keys) -> Values {
    values(Path::new(ROOT), keys.of_node(Path::new(ROOT)))
}

/// Reads the keys below net/ as the calling thread sees them.
pub(super) fn read_here(keys: &Keys) -> Values {
    values(Path::new(ROOT), keys.of_netns(Path::new(ROOT)))
}

fn taken<'a>(handles: &'a [Handle], next: &AtomicUsize) -> Option<(usize, &'a Handle)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    Some((at, handles.get(at)?))
}

fn read_within(handle: &Handle, keys: &Keys) -> Result<Read, enter::Error> {
    let id = handle.enter()?;
    Ok(Read {
        id,
        values: read_here(keys),
    })
}

fn values(root: &Path, found: Found) -> Values {
    let mut buffer = vec![0; VALUE_USUAL];
    let value = |key: Key| {
        let value = value(&root.join(&*key.path), &mut buffer);
        (key, value)
    };
    Values {
        values: found.keys.into_iter().map(value).collect(),
        is_cut: found.is_cut,
    }
}

fn value(path: &Path, buffer: &mut [u8]) -> Value {
    match text(path, buffer) {
        Ok(Some(text)) => Value::Text(text),
        Ok(None) => Value::TooLong,
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::NOENT | Errno::NOTDIR) => Value::Hidden,
            errno => Value::Unreadable(errno.unwrap_or(Errno::IO)),
        },
    }
}

/// A value in one read; `None` where it is too long.
fn text(path: &Path, buffer: &mut [u8]) -> io::Result<Option<SmolStr>> {
    let file = File::open(path)?;
    let length = file.read_at(buffer, 0)?;
    if length < buffer.len() {
        return Ok(Some(trimmed(&buffer[..length])));
    }
    let mut buffer = vec![0; VALUE_MAX];
    let length = file.read_at(&mut buffer, 0)?;
    Ok((length < buffer.len()).then(|| trimmed(&buffer[..length])))
}

fn trimmed(bytes: &[u8]) -> SmolStr {
    text_of(bytes.strip_suffix(b"\n").unwrap_or(bytes))
}

#[cfg(test)]
#[path = "values_tests.rs"]
mod tests;
