//! Recorded streams of events, read again: from a file of lines (NDJSON) or from a pipe into a
//! [`Ledger`] that has what one question is about.
//!
//! A file is read twice. The first reading finds out which namespaces are meant, as the event that
//! names a container may come after the first events of its namespace, and notes for each block of
//! the file what stands in it. The second one opens the blocks that may matter. Every line is proven to
//! be a whole event before it counts, but most are never parsed (see [`check`]). Memory does not grow with what the file says, but for a hundred
//! bytes a block.
//!
//! A pipe is read once, so everything that may turn out to be meant is kept as long as there is room
//! in the ledger: of all namespaces, what became of the keys in question. What has no room goes as
//! [`ledger`](crate::ledger) says, and an answer from it says so.

mod blocks;
mod check;
mod line;
mod lines;
mod parts;
mod problem;
mod read;
mod runs;
mod scan;
mod sieve;
mod stream;
mod survey;
mod tally;

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fmt,
    fs::File,
    io::{self, Seek as _},
    os::{fd::AsFd as _, unix::fs::FileExt as _},
    path::{Path, PathBuf},
};

use crate::{
    event::{Event, Sysctl},
    ledger::{Ledger, Limits, Place},
};
use parts::Wanted;
use survey::Blocks;

pub use problem::{Boot, Error, Problem};
pub use sieve::{glob_needle, needle};

/// So many namespaces may be meant.
const MEANT_MAX: usize = 64 * 1024;

/// Some programs put it before text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// So many bytes tell what a file is.
const MAGIC_LEN: usize = 6;

/// How compressed files begin, and what makes text of them.
const COMPRESSED: [(&[u8], &str); 3] = [
    (b"\x28\xb5\x2f\xfd", "zstd -dc"),
    (b"\x1f\x8b", "gzip -dc"),
    (b"\xfd7zXZ", "xz -dc"),
];

/// Where a recording comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Source {
    /// As the command line names it: a path, or `-`.
    pub fn new(name: &OsStr) -> Self {
        if name == "-" {
            Self::Stdin
        } else {
            Self::File(Path::new(name).to_owned())
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What a ledger is wanted for.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Which namespaces are meant; the node's own are read in any case, and nothing but them where
    /// this is absent.
    pub target: Option<Target<'a>>,
    /// Which keys are meant.
    pub keys: Keys<'a>,
    /// The boot that is meant, by the beginning of its id; needed where there are several.
    pub boot: Option<&'a str>,
}

/// Which namespaces are meant. What `names` says decides; `needle` only spares asking it of most events.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The place that an event names as meant, which need not be the one that the event is about.
    pub names: &'a (dyn Fn(&Event) -> Option<Place> + Sync),
    /// A text that stands in every event that names one; where there is none, each event is looked
    /// at, which takes its time. May be longer than what is searched for: see [`needle`].
    pub needle: Option<&'a str>,
}

/// Which keys are meant.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    /// Whether a key is.
    pub are_meant: &'a (dyn Fn(&Sysctl) -> bool + Sync),
    /// A text that stands in the name of every such key, or in its path: see [`glob_needle`].
    pub needle: Option<&'a str>,
    /// One that stands in the names of those that are meant besides.
    pub besides: Option<&'a str>,
}

/// What a recording says to a question.
#[derive(Debug)]
pub struct Account {
    /// The histories of the meant keys in the meant namespaces and in the node's own; of a pipe,
    /// those of all namespaces. Where a file names none of the meant ones, it has the owners of the
    /// latest namespaces instead, for names that are alike.
    pub ledger: Ledger,
    /// Which namespaces are meant, in no order that means anything; none where the recording does not
    /// name them.
    pub places: BTreeSet<Place>,
    /// What was read.
    pub tally: Tally,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines, empty ones included.
    pub lines: u64,
    /// Events, of other boots included.
    pub events: u64,
    /// Lines that are no event, or one that is not understood. What they may have said is missing in
    /// the ledger, and it says so.
    pub not_understood: u64,
    /// The first of them, by its number from 1, and what is wrong with it.
    pub first_not_understood: Option<(u64, Problem)>,
    /// Whether the last line is cut, as when the tracer was killed. It is not counted above.
    pub is_cut: bool,
}

/// An opened recording.
#[derive(Debug)]
pub struct Recording {
    source: Source,
    input: Input,
}

#[derive(Debug)]
enum Input {
    /// Can be read at any place, and again; from here to there.
    File { file: File, from: u64, to: u64 },
    /// Can be read once.
    Stream(File),
}

impl Source {
    /// Opens it.
    ///
    /// # Errors
    /// It is not there, may not be read, or is a directory.
    pub fn open(&self) -> Result<Recording, Error> {
        let opened = match self {
            Self::Stdin => io::stdin().as_fd().try_clone_to_owned().map(File::from),
            Self::File(path) => File::open(path),
        };
        let opening = |error| Error::Open {
            from: self.clone(),
            error,
        };
        let file = opened.map_err(opening)?;
        let metadata = file.metadata().map_err(opening)?;
        if metadata.is_dir() {
            return Err(Error::Directory(self.clone()));
        }
        // What the shell gave may have been read in part.
        let input = match metadata.is_file().then(|| (&file).stream_position()) {
            Some(Ok(from)) => Input::File {
                file,
                from,
                to: metadata.len(),
            },
            Some(Err(_)) | None => Input::Stream(file),
        };
        Ok(Recording {
            source: self.clone(),
            input,
        })
    }
}

impl Recording {
    /// Reads it for one question. What stands in a file by the time it is opened counts.
    ///
    /// # Errors
    /// It can't be read, or what stands in it is no stream of events of one boot.
    pub fn ask(self, question: &Question<'_>) -> Result<Account, Error> {
        let Self { source, input } = self;
        match &input {
            Input::File { file, from, to } => {
                let mut begin_bytes = [0; MAGIC_LEN];
                let read = file.read_at(&mut begin_bytes, *from);
                let read = read.map_err(|error| Error::reading(&source, error))?;
                let skipped = begin(&source, &begin_bytes[..read])? as u64;
                let whole = (from + skipped).min(*to)..*to;
                ask_file(&source, file, &Blocks::of(whole), question)
            }
            Input::Stream(stream) => stream::read(&source, stream, question),
        }
    }
}

impl Question<'_> {
    fn is_boot(&self, id: &[u8]) -> bool {
        self.boot.is_none_or(|boot| id.starts_with(boot.as_bytes()))
    }
}

fn ask_file(
    source: &Source,
    file: &File,
    blocks: &Blocks,
    question: &Question<'_>,
) -> Result<Account, Error> {
    let found = survey::survey(source, file, blocks, question)?;
    found.tally.refuse_nothing(source)?;
    let is_unknown = question.target.is_some() && found.meant.is_empty();
    let owners_from = is_unknown.then(|| found.latest_owners(Limits::default().namespaces));
    found.boots.check(source, question.boot)?;
    let mut node = found.node;
    node.insert(Place::Node);
    let wanted = Wanted::new(found.meant.clone(), node, owners_from);
    let ledger = read::read(source, file, blocks, &found.blocks, question, &wanted)?;
    Ok(Account {
        ledger,
        places: found.meant,
        tally: found.tally,
    })
}

/// How many of a recording's first bytes say nothing; an error where they are those of something else.
fn begin(source: &Source, bytes: &[u8]) -> Result<usize, Error> {
    let begins = |(begin, _): &&(&[u8], &str)| bytes.starts_with(begin);
    match COMPRESSED.iter().find(begins) {
        Some((_, command)) => Err(Error::Compressed {
            from: source.clone(),
            command: match source {
                Source::Stdin => (*command).to_owned(),
                Source::File(path) => format!("{command} {}", path.display()),
            },
        }),
        None if bytes.starts_with(BYTE_ORDER_MARK) => Ok(BYTE_ORDER_MARK.len()),
        None => Ok(0),
    }
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
