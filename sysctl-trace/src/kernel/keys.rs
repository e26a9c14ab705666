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

/// Looks at keys, by their files: in the order of the paths. Left out are those that are gone, and
/// files that are none of a key. `ebpf` is the loaded object, whatever is attached of it.
pub fn survey(ebpf: &mut Ebpf, facts: &Facts, paths: &[PathBuf]) -> Result<Vec<KeyFacts>, Error> {
    let program: &mut Iter = ebpf
        .program_mut(PROGRAM)
        .ok_or(Error::NoProgram)?
        .try_into()?;
    if program.fd().is_err() {
        let target = SURVEY_TARGET.trim_start_matches("bpf_iter_");
        program.load(target, &facts.btf()?)?;
    }
    let room = Room::make();
    let mut found = Vec::with_capacity(paths.len());
    for paths in paths.chunks(room.batch) {
        found.extend(batch(program, paths)?);
    }
    Ok(found)
}

fn batch(program: &mut Iter, paths: &[PathBuf]) -> Result<Vec<KeyFacts>, Error> {
    // By descriptor, with the place among the paths.
    let open: HashMap<u32, (usize, OwnedFd)> = paths
        .iter()
        .enumerate()
        .filter_map(|(place, path)| {
            let file = key_file(path)?;
            Some((file.as_raw_fd().cast_unsigned(), (place, file)))
        })
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
    let mut found: Vec<(usize, KeyFacts)> = answers
        .iter()
        .filter_map(|memory| {
            let (place, _) = open.get(&memory.fd)?;
            Some((*place, facts_of(memory, &paths[*place])))
        })
        .collect();
    found.sort_unstable_by_key(|(place, _)| *place);
    Ok(found.into_iter().map(|(_, facts)| facts).collect())
}

/// Opens a file below /proc by path alone.
fn key_file(path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = openat(CWD, path, flags, Mode::empty()).ok()?;
    let system = rustix::fs::fstatfs(&file).ok()?;
    (system.f_type == PROC_SUPER_MAGIC).then_some(file)
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
struct Room {
    before: Rlimit,
    batch: usize,
}

impl Room {
    /// Raises the limit of open files as far as it goes.
    fn make() -> Self {
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
