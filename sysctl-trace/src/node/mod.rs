//! What the node holds right now: its network namespaces, whose they are, and the values in them.
//!
//! Facts only: what they mean is decided elsewhere. Namespaces come and go meanwhile: one that is
//! gone is nothing to complain of. Not found are those that only an open file, a socket or a
//! thread other than a process's main one keeps.

pub mod enter;
pub mod fresh;
pub mod key;
pub mod owner;
pub mod shared;
pub mod values;

use std::{collections::BTreeMap, fmt, fs::File, io};

use crate::{
    attribute::{
        pin::Pins,
        resident,
        runtime::{Known, State},
    },
    event::Owner,
    kernel::netns,
    target::{self, Candidate, Target},
};
use enter::Handle;
use owner::{Finder, Tenant};

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// The namespaces: the node's own to the front, then by their numbers.
    pub namespaces: Vec<Namespace>,
    /// What could not be looked at.
    pub skipped: Skipped,
}

/// A network namespace.
#[derive(Clone, Debug, Default)]
pub struct Namespace {
    /// Its number. Its cookie shows only to those who enter: [`values::Read::id`].
    pub inum: u32,
    /// It is the node's own: that of process 1.
    pub is_node: bool,
    /// The files that keep it, those in the usual folders to the front.
    pub pins: Vec<String>,
    /// The file that it was asked for by, where that keeps nothing: `/proc/self/ns/net`.
    pub path: Option<String>,
    /// The processes in it, those that started first to the front; those of the node's own by
    /// number.
    pub pids: Vec<u32>,
    /// Whose it is, but for the creator, which /proc does not tell. The node's own is nobody's.
    pub owner: Owner,
    /// What the runtime's state says of the container that it belongs to.
    pub known: Option<Known>,
    /// Other containers whose processes live in it: those of the same pod, and in the node's own
    /// those with the network of the host.
    pub others: Vec<Tenant>,
}

/// How much could not be looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Processes that may not be looked at: it takes CAP_SYS_PTRACE, which root has.
    pub processes: usize,
    /// The mounts could not be read, so namespaces without processes may be missing.
    pub mounts: bool,
}

/// Why nothing can be told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// /proc does not list processes.
    #[error("cannot read /proc: {0}")]
    Proc(#[source] io::Error),
    /// A file or process that names a namespace cannot be looked at.
    #[error(
        "cannot look at {path}: {source}{}",
        enter::hint(source, "CAP_SYS_PTRACE")
    )]
    Path {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file is no network namespace.
    #[error("{0} is not a network namespace; examples: /run/netns/NAME, /proc/PID/ns/net")]
    NotNetns(String),
    /// No namespace, or more than one, is meant.
    #[error("{source}{skipped}")]
    Target {
        /// Which.
        source: target::Error,
        /// What it may have been missed among.
        skipped: Skipped,
    },
}

impl Node {
    /// Looks at all there is.
    pub fn look() -> Result<Self, Error> {
        let mut node = namespaces(None)?;
        node.find_owners();
        Ok(node)
    }

    /// Looks for one namespace. Where its number is known at once, the others are passed over.
    pub fn look_for(target: &Target) -> Result<(Namespace, Skipped), Error> {
        let named = Named::of(target)?;
        let is_named = named.is_some();
        let mut node = namespaces(named.as_ref().map(|named| named.inum))?;
        node.namespaces
            .extend(named.and_then(|named| node.missing(named)));
        node.find_owners();
        let skipped = node.skipped;
        // What was looked for by its number is all there is, whatever it was called.
        let at = match is_named && !node.namespaces.is_empty() {
            true => Ok(0),
            false => node.position(target),
        };
        match at {
            Ok(at) => Ok((node.namespaces.swap_remove(at), skipped)),
            Err(source) => Err(Error::Target { source, skipped }),
        }
    }

    /// The one that is meant.
    pub fn find(&self, target: &Target) -> Result<&Namespace, target::Error> {
        Ok(&self.namespaces[self.position(target)?])
    }

    fn position(&self, target: &Target) -> Result<usize, target::Error> {
        target.find(self.namespaces.iter().map(Namespace::candidate))
    }

    /// What names a namespace may be all there is of it: a thread, a file that is mounted nowhere.
    fn missing(&self, named: Named) -> Option<Namespace> {
        if !self.namespaces.is_empty() {
            return None;
        }
        let (pids, path) = match named.by {
            By::Number => return None,
            By::Process(pid) => (vec![pid], None),
            By::File(path) => (Vec::new(), Some(path)),
        };
        Some(Namespace {
            inum: named.inum,
            pids,
            path,
            ..Namespace::default()
        })
    }

    fn find_owners(&mut self) {
        let mut finder = Finder::new(State::default());
        for namespace in &mut self.namespaces {
            finder.fill(namespace);
        }
        for namespace in &mut self.namespaces {
            finder.fill_by_specification(namespace);
        }
    }
}

impl Namespace {
    /// The way into it.
    pub fn handle(&self) -> Handle {
        let files = self.pins.iter().chain(&self.path);
        Handle::new(self.inum, files.cloned(), &self.pids)
    }

    /// As what it may be meant.
    pub fn candidate(&self) -> Candidate<'_> {
        let others = self.others.iter().map(|tenant| &tenant.owner);
        Candidate {
            inum: self.inum,
            is_node: self.is_node,
            pins: &self.pins,
            pids: &self.pids,
            owners: [&self.owner].into_iter().chain(others).collect(),
        }
    }
}

impl fmt::Display for Skipped {
    /// As the end of a sentence; nothing where nothing was skipped.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.processes > 0 {
            let count = self.processes;
            write!(
                out,
                "; {count} processes could not be looked at, which takes CAP_SYS_PTRACE"
            )?;
        }
        if self.mounts {
            out.write_str("; the mounts could not be read")?;
        }
        Ok(())
    }
}

/// A namespace whose number is known before others are looked at.
struct Named {
    inum: u32,
    by: By,
}

/// What told the number.
#[derive(PartialEq, Eq)]
enum By {
    Number,
    Process(u32),
    File(String),
}

impl Named {
    /// `None` where all have to be looked at.
    fn of(target: &Target) -> Result<Option<Self>, Error> {
        let process = |pid| {
            of_process(pid).map(|inum| Self {
                inum,
                by: By::Process(pid),
            })
        };
        Ok(match target {
            Target::Node => Some(process(1)?),
            Target::Inum(inum) => Some(Self {
                inum: *inum,
                by: By::Number,
            }),
            Target::Pid(pid, _) => match process(*pid) {
                Ok(named) => Some(named),
                // It may be the beginning of an id.
                Err(Error::Path { source, .. }) if resident::is_gone(&source) => None,
                Err(error) => return Err(error),
            },
            Target::Path(path) => Some(Self {
                inum: of_file(path)?,
                by: By::File(path.clone()),
            }),
            Target::Pod { .. } | Target::Name(_) => None,
        })
    }
}

fn of_process(pid: u32) -> Result<u32, Error> {
    netns::of_process(pid).map_err(|source| Error::Path {
        path: format!("/proc/{pid}/ns/net"),
        source,
    })
}

fn of_file(path: &str) -> Result<u32, Error> {
    let refuse = |source| Error::Path {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(refuse)?;
    netns::of_file(&file)
        .map_err(refuse)?
        .ok_or_else(|| Error::NotNetns(path.to_owned()))
}

/// The namespaces, or only the one with this number, without their owners.
fn namespaces(only: Option<u32>) -> Result<Node, Error> {
    let mut found: BTreeMap<u32, Namespace> = BTreeMap::new();
    let mut skipped = Skipped::default();
    let is_wanted = |inum: u32| only.is_none_or(|only| only == inum);
    for resident in resident::all().map_err(Error::Proc)? {
        match resident.netns {
            Ok(inum) if is_wanted(inum) => found.entry(inum).or_default().pids.push(resident.pid),
            Ok(_) => {}
            Err(_) => skipped.processes += 1,
        }
    }
    match Pins::new().all() {
        Ok(pins) => {
            for pin in pins.into_iter().filter(|pin| is_wanted(pin.inum)) {
                found.entry(pin.inum).or_default().pins.push(pin.path);
            }
        }
        Err(_) => skipped.mounts = true,
    }
    let own = netns::of_process(1).ok();
    let mut namespaces: Vec<Namespace> = found
        .into_iter()
        .map(|(inum, namespace)| finished(inum, own, namespace))
        .collect();
    namespaces.sort_by_key(|namespace| !namespace.is_node);
    Ok(Node {
        namespaces,
        skipped,
    })
}

fn finished(inum: u32, own: Option<u32>, mut namespace: Namespace) -> Namespace {
    namespace.inum = inum;
    namespace.is_node = own == Some(inum);
    if namespace.is_node {
        // Most processes are there, and nobody asks for the first.
        namespace.pids.sort_unstable();
    } else {
        resident::sort_by_start(&mut namespace.pids);
    }
    namespace
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
