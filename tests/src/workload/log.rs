//! The workload's log: one JSON object a line, in the order in which each thread did it.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::process::SharedNumbers;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Record {
    /// The first line.
    Begin(Begin),
    /// A network namespace was asked for.
    Create(Box<Creation>),
    /// Text was written to a key.
    Write(Box<Write>),
    /// A task entered a network namespace by setns, or executed a program in one.
    Enter(Box<Entry>),
    /// Two threads wrote the same key at the same time.
    Race(Race),
    /// A network device was given another name.
    Rename(Rename),
    /// The last line: what a complete log holds.
    End(End),
}

/// The surroundings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// The first process of the workload.
    pub pid: u32,
    /// `uname -n`.
    pub host: String,
    /// /proc/sys/kernel/random/boot_id.
    pub boot_id: String,
    /// CLOCK_REALTIME minus CLOCK_BOOTTIME, in nanoseconds.
    pub realtime_offset_ns: i64,
    /// Length of the ticks in which /proc gives start times, in nanoseconds.
    pub tick_ns: u64,
    /// The seed that the run can be repeated with.
    pub seed: u64,
}

/// Another name of a network device. The kernel takes the keys of the old one away and makes those of
/// the new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// The process.
    pub pid: u32,
    /// When.
    pub window: Window,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// The folders of its keys below /proc/sys before, sorted.
    pub before: Vec<String>,
    /// The same afterwards.
    pub after: Vec<String>,
}

/// Totals, so that a log that ends early or a workload that shrank is noticed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// Lines of [`Record::Create`].
    pub creations: u64,
    /// Lines of [`Record::Write`].
    pub writes: u64,
    /// Lines of [`Record::Enter`].
    pub entries: u64,
}

/// When the workload made the system call and when it was back, in nanoseconds of CLOCK_BOOTTIME.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Before the call.
    pub from_ns: u64,
    /// After it.
    pub to_ns: u64,
}

/// The task that acted, as it sees itself before the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// The thread that acts.
    pub thread: Thread,
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Effective capabilities, a bit each.
    pub capabilities: u64,
    /// Full path of the executable.
    pub executable: String,
    /// Argument vector.
    pub args: Vec<String>,
    /// Start of the process since boot, in ticks.
    pub start_ticks: u64,
    /// Path of the cgroup from the root of the hierarchy.
    pub cgroup: String,
    /// Inode numbers of its namespaces.
    pub namespaces: Namespaces,
    /// Parent, grandparent and so on, up to the first process.
    pub ancestors: Vec<Ancestor>,
}

/// The thread that a call runs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Thread {
    /// The caller's own.
    Caller {
        /// Its id.
        tid: u32,
        /// Its comm.
        comm: String,
    },
    /// One of the threads that the kernel added to this process to serve its io_uring.
    IoWorker {
        /// The ids of all that the process has.
        tids: Vec<u32>,
        /// Their comm.
        comm: String,
    },
}

/// A process above the actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ancestor {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// comm of its main thread.
    pub comm: String,
    /// File name of its executable; absent for kernel threads.
    pub executable_name: Option<String>,
    /// Its start since boot, in ticks.
    pub start_ticks: u64,
}

/// Inode numbers of namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Namespaces {
    /// Network.
    pub net: u32,
    /// Process ids.
    pub pid: u32,
    /// Mounts.
    pub mnt: u32,
    /// Users.
    pub user: u32,
    /// cgroups.
    pub cgroup: u32,
}

/// A network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Netns {
    /// Inode number.
    pub inum: u32,
    /// SO_NETNS_COOKIE; absent where the kernel has none.
    pub cookie: Option<u64>,
    /// Inode number of the user namespace that owns it.
    pub user_ns: u32,
}

/// A network namespace that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Creation {
    /// When.
    pub window: Window,
    /// Who asked.
    pub actor: Actor,
    /// The system call, for people.
    pub how: String,
    /// What came of it.
    pub result: Created,
    /// The node's net.core.somaxconn before the call.
    pub init_somaxconn: Bytes,
}

/// What came of asking for a network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Created {
    /// It was made; it is gone again when the workload ends.
    Made {
        /// Its identity.
        netns: Netns,
        /// Its net.core.somaxconn; absent where the kernel hides it from a namespace's owner.
        somaxconn: Option<Bytes>,
    },
    /// It was made, and gone before anyone could look into it: a later step of the call failed.
    Undone {
        /// Why the call failed.
        error: String,
    },
    /// It was not made.
    Refused {
        /// Why.
        error: String,
    },
}

/// A task that entered a network namespace, or executed a program in one, other than the node's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// When.
    pub window: Window,
    /// Who: before it entered, and after it executed.
    pub actor: Actor,
    /// The system call, for people.
    pub how: String,
    /// The namespace.
    pub netns: Netns,
}

/// Text written to a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// When.
    pub window: Window,
    /// Who wrote.
    pub actor: Actor,
    /// The system call and its circumstances, for people.
    pub how: String,
    /// Path below /proc/sys.
    pub path: String,
    /// The network namespace that the file belongs to; absent for keys of the whole node.
    pub netns: Option<Netns>,
    /// The names of value types that are right for this key.
    pub types: Vec<String>,
    /// The bytes given; absent where they cannot be read by anyone.
    pub requested: Option<Bytes>,
    /// Position in the file at the call.
    pub position: u64,
    /// How many bytes were given.
    pub size: u64,
    /// What the kernel answered.
    pub result: Answer,
    /// The file's text before; absent in a race and for keys that cannot be read.
    pub old: Option<Bytes>,
    /// The file's text after.
    pub new: Option<Bytes>,
    /// The race that this write is part of.
    pub race: Option<u32>,
    /// The file's network namespace was gone already.
    pub stale: bool,
}

/// What the kernel answered to a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Answer {
    /// It took this many bytes.
    Took(u64),
    /// It refused, with this errno.
    Refused(String),
}

/// Two threads that wrote the same key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Race {
    /// Names it.
    pub id: u32,
    /// The file's text before both began.
    pub first: Bytes,
    /// The file's text after both had ended.
    pub last: Bytes,
}

/// Bytes that are mostly text. In JSON each byte is the character of the same number.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl<T: AsRef<[u8]> + ?Sized> From<&T> for Bytes {
    fn from(bytes: &T) -> Self {
        Self(bytes.as_ref().to_vec())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(
            &self
                .0
                .iter()
                .map(|byte| char::from(*byte))
                .collect::<String>(),
        )
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .chars()
            .map(|character| {
                u8::try_from(character)
                    .map_err(|_| serde::de::Error::custom(format!("{character:?} is no byte")))
            })
            .collect::<Result<Vec<u8>, D::Error>>()
            .map(Self)
    }
}

/// The open log. Processes and threads of the workload share the file: each line is one `write` in
/// append mode, so lines do not mix.
#[derive(Debug)]
pub struct Log {
    file: File,
    /// Creations, writes and entries so far, over all processes.
    counts: SharedNumbers,
}

const CREATIONS: usize = 0;
const WRITES: usize = 1;
const ENTRIES: usize = 2;

impl Log {
    /// Makes the file anew.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn create(path: &Path) -> Result<Self> {
        let opening = || format!("opening {}", path.display());
        File::create(path).with_context(opening)?;
        let file = OpenOptions::new()
            .append(true)
            .open(path)
            .with_context(opening)?;
        Ok(Self {
            file,
            counts: SharedNumbers::new()?,
        })
    }

    /// Goes on with a log that another program of the workload began. Its counts begin anew.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn join(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().append(true).open(path);
        let file = file.with_context(|| format!("opening {}", path.display()))?;
        Ok(Self {
            file,
            counts: SharedNumbers::new()?,
        })
    }

    /// What it holds so far.
    #[must_use]
    pub fn totals(&self) -> End {
        End {
            creations: self.counts.get(CREATIONS),
            writes: self.counts.get(WRITES),
            entries: self.counts.get(ENTRIES),
        }
    }

    /// Counts what another program of the workload has added: writes and entries.
    pub fn count_foreign(&self, writes: u64, entries: u64) {
        self.counts.add(WRITES, writes);
        self.counts.add(ENTRIES, entries);
    }

    /// Appends one line.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&self, record: &Record) -> Result<()> {
        match record {
            Record::Create(_) => self.counts.add(CREATIONS, 1),
            Record::Write(_) => self.counts.add(WRITES, 1),
            Record::Enter(_) => self.counts.add(ENTRIES, 1),
            Record::Begin(_) | Record::Race(_) | Record::Rename(_) | Record::End(_) => {}
        }
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        (&self.file).write_all(&line).context("writing the log")
    }
}

/// Reads a whole log.
///
/// # Errors
/// When the file cannot be read or holds something else.
pub fn read(path: &Path) -> Result<Vec<Record>> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    BufReader::new(file)
        .lines()
        .enumerate()
        .map(|(index, line)| {
            serde_json::from_str(&line?)
                .with_context(|| format!("line {} of {}", index + 1, path.display()))
        })
        .collect()
}
