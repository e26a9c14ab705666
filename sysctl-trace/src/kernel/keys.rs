//! The survey of keys: what the kernel holds of each, without reading its file.
//!
//! Keys are opened by path alone (O_PATH), which calls no handler and needs no permission to read,
//! and the program `survey_keys` looks at the open files of this process. Which network namespace
//! a key below net/ is looked up in goes by the calling thread.

use std::{
    collections::HashMap,
    io::{self, Read as _},
    os::fd::{AsRawFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use aya::{
    Ebpf,
    programs::{Iter, ProgramError, links::LinkError},
};
use rustix::{
    fs::{CWD, Mode, OFlags, PROC_SUPER_MAGIC, openat},
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use sysctl_trace_ebpf::{
    record::{CUT_NEW, KeyMemory, NO_VALUE},
    settings::ValueKind,
};
use zerocopy::FromBytes as _;

use super::{handlers::HANDLERS, load::Facts, probes::SURVEY_TARGET};
use crate::decode;

/// The program's name in the object.
const PROGRAM: &str = "survey_keys";
/// How many keys are open at a time at most: the kernel walks over all open files for each batch.
const BATCH_MAX: usize = 8192;
/// Descriptors that are left to the rest of the process.
const RESERVED: u64 = 128;

/// What the kernel holds of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// The path that was asked for.
    pub path: PathBuf,
    /// Where its memory is; 0 where that is not known. Keys with the same address and the same kind are
    /// the same. It must not leave the tracer.
    pub data: u64,
    /// The address of its handler function.
    pub handler_address: u64,
    /// The name of its handler, where that is one of [`HANDLERS`].
    pub handler: Option<&'static str>,
    /// Inode number of the network namespace that it belongs to; `None` where it belongs to none.
    pub netns: Option<u32>,
    /// How its value is held.
    pub kind: ValueKind,
    /// Its memory; `None` where it is not decoded or can't be read.
    pub value: Option<Vec<u8>>,
    /// Why the value is not decoded, where that is known of its handler.
    pub reason: Option<&'static str>,
    /// There is more of the value than `value` holds.
    pub is_cut: bool,
}

/// Why there is no survey.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object lacks the program.
    #[error("this build has no survey of keys in it")]
    NoProgram,
    /// aya could not read the kernel's BTF.
    #[error("BTF of the kernel: {0}")]
    Btf(#[from] aya::BtfError),
    /// The kernel did not take the program.
    #[error("the survey of keys: {0}")]
    Program(#[from] ProgramError),
    /// The kernel did not run it.
    #[error("the survey of keys: {0}")]
    Link(#[from] LinkError),
    /// Its answer could not be read.
    #[error("the survey of keys: {0}")]
    Io(#[from] io::Error),
}

/// The file of a key, open by path alone.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
    file: OwnedFd,
}

impl KeyFile {
    /// Opens a file below /proc, as the calling thread's network namespace shows it. `None` where there
    /// is none, or one of another file system.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = match openat(CWD, path, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let is_of_proc = rustix::fs::fstatfs(&file)?.f_type == PROC_SUPER_MAGIC;
        Ok(is_of_proc.then(|| Self {
            path: path.to_owned(),
            file,
        }))
    }

    /// The path that it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Looks at keys, by their files: in the order of the paths. Left out are those that are gone, and
/// files that are none of a key. `ebpf` is the loaded object, whatever is attached of it.
pub fn survey(ebpf: &mut Ebpf, facts: &Facts, paths: &[PathBuf]) -> Result<Vec<KeyFacts>, Error> {
    let program = load(ebpf, facts)?;
    let room = Room::make();
    let mut found = Vec::with_capacity(paths.len());
    for paths in paths.chunks(room.batch) {
        let open = paths.iter().filter_map(|path| KeyFile::open(path).ok()?);
        let open: Vec<KeyFile> = open.collect();
        found.extend(batch(program, &open)?.into_iter().flatten());
    }
    Ok(found)
}

/// Looks at keys whose files are open, in their order. `None` for those that are gone, and files that
/// are none of a key.
pub fn look_at(
    ebpf: &mut Ebpf,
    facts: &Facts,
    files: &[KeyFile],
) -> Result<Vec<Option<KeyFacts>>, Error> {
    let program = load(ebpf, facts)?;
    let found = batch(program, files);
    // The object lives on with its probes, which do without this program.
    program.unload()?;
    found
}

fn load<'e>(ebpf: &'e mut Ebpf, facts: &Facts) -> Result<&'e mut Iter, Error> {
    let program: &mut Iter = ebpf
        .program_mut(PROGRAM)
        .ok_or(Error::NoProgram)?
        .try_into()?;
    if program.fd().is_err() {
        let target = SURVEY_TARGET.trim_start_matches("bpf_iter_");
        program.load(target, &facts.btf()?)?;
    }
    Ok(program)
}

fn batch(program: &mut Iter, files: &[KeyFile]) -> Result<Vec<Option<KeyFacts>>, Error> {
    let places: HashMap<u32, usize> = files
        .iter()
        .enumerate()
        .map(|(place, key)| (key.file.as_raw_fd().cast_unsigned(), place))
        .collect();
    let link = program.attach()?;
    let mut answers = Vec::new();
    program
        .take_link(link)?
        .into_file()?
        .read_to_end(&mut answers)?;
    let (answers, _) =
        <[KeyMemory]>::ref_from_prefix_with_elems(&answers, answers.len() / size_of::<KeyMemory>())
            .map_err(|_| io::Error::other("its answer is none that this program understands"))?;
    let mut found = vec![None; files.len()];
    for memory in answers {
        if let Some(place) = places.get(&memory.fd) {
            found[*place] = Some(facts_of(memory, files[*place].path()));
        }
    }
    Ok(found)
}

fn facts_of(memory: &KeyMemory, path: &Path) -> KeyFacts {
    let handler = (memory.handler_place as usize)
        .checked_sub(1)
        .and_then(|place| HANDLERS.get(place));
    let len = (memory.value_len != NO_VALUE).then_some(memory.value_len as usize);
    KeyFacts {
        path: path.to_owned(),
        data: memory.data,
        handler_address: memory.handler,
        handler: handler.map(|(name, _)| *name),
        netns: (memory.netns.inum != 0).then_some(memory.netns.inum),
        kind: decode::value_kind(memory.value_kind, &path.to_string_lossy()),
        reason: match handler {
            Some((_, memory)) if len.is_none() => Some(memory.reason()),
            Some(_) | None => None,
        },
        value: len.and_then(|len| Some(memory.value.get(..len)?.to_vec())),
        is_cut: memory.cut & CUT_NEW != 0,
    }
}

/// Room for many open files, for a while.
#[derive(Debug)]
pub struct Room {
    before: Rlimit,
    batch: usize,
}

impl Room {
    /// Raises the limit of open files as far as it goes, until this is dropped.
    pub fn make() -> Self {
        let before = getrlimit(Resource::Nofile);
        let wanted = Rlimit {
            current: before.maximum,
            maximum: before.maximum,
        };
        let limit = match setrlimit(Resource::Nofile, wanted) {
            Ok(()) => before.maximum,
            Err(_) => before.current,
        };
        let room = limit.unwrap_or(u64::MAX).saturating_sub(RESERVED).max(1);
        Self {
            before,
            batch: usize::try_from(room).map_or(BATCH_MAX, |room| room.min(BATCH_MAX)),
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // Programs that are started later expect the limit that was there.
        let _ = setrlimit(Resource::Nofile, self.before);
    }
}
