//! What /proc adds to a record of a process, if it is still the image that the record is of.

use std::{fs, io};

use caps::Capability;
use rustix::io::Errno;
use sysctl_trace_ebpf::record;

use crate::{
    attribute::redact::redact, decode::text_of, event::Enrichment, kernel::support, tracer::Args,
};

/// Longest argument vector that is told, in bytes; the rest is dropped and named as cut.
const ARGS_MAX: usize = 2048;
/// How many arguments are told.
const ARGS_COUNT_MAX: usize = 64;

/// What /proc said of a process.
#[derive(Clone)]
pub(super) struct Looked {
    /// Full path of the executable; absent for kernel threads.
    pub executable: Option<String>,
    /// Argument vector; absent where it is not wanted.
    pub args: Option<Vec<String>>,
    /// Not all of it is there.
    pub args_cut: bool,
    /// Whether there was anything to read.
    pub enrichment: Enrichment,
}

/// Looks into /proc, and afterwards whether that was still the image of the record.
pub(super) fn look(actor: &record::Actor, args: Args) -> Looked {
    let folder = format!("/proc/{}", actor.pid);
    let read = || -> io::Result<_> {
        let executable = match fs::read_link(format!("{folder}/exe")) {
            Ok(path) => Some(path.to_string_lossy().into_owned()),
            // Kernel threads have none, and say so by the same error as a process that is gone;
            // which of the two it is, its stat file tells.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let vector = match args {
            Args::None => None,
            Args::Redacted | Args::Full => Some(fs::read(format!("{folder}/cmdline"))?),
        };
        Ok((
            executable,
            vector,
            Stat::parse(&fs::read(format!("{folder}/stat"))?),
        ))
    };
    let (executable, vector, stat) = match read() {
        Ok(read) => read,
        Err(error) => return Looked::nothing(failure(&error, &folder, actor)),
    };
    let found = match stat {
        Some(stat) => stat.compare(actor),
        None => Enrichment::Failed,
    };
    if found != Enrichment::Complete {
        return Looked::nothing(found);
    }
    let (args, args_cut) = vector.map_or((None, false), |bytes| {
        let (vector, cut) = split(&bytes);
        (
            Some(if args == Args::Full {
                vector
            } else {
                redact(vector)
            }),
            cut,
        )
    });
    Looked {
        executable,
        args,
        args_cut,
        enrichment: Enrichment::Complete,
    }
}

/// The arguments that a record has, where it has them.
pub(super) fn recorded(bytes: &[u8], args: Args) -> Option<Vec<String>> {
    if bytes.is_empty() {
        return None;
    }
    let (vector, cut) = split(bytes);
    match args {
        Args::None => None,
        Args::Redacted | Args::Full if cut => None,
        Args::Full => Some(vector),
        Args::Redacted => Some(redact(vector)),
    }
}

/// The arguments of the process that started then, if it still lives. They are for the tracer alone:
/// nothing in them is blanked.
pub(super) fn args_of(pid: u32, start_boottime_ns: u64) -> Option<Vec<String>> {
    let folder = format!("/proc/{pid}");
    let vector = fs::read(format!("{folder}/cmdline")).ok()?;
    let stat = Stat::parse(&fs::read(format!("{folder}/stat")).ok()?)?;
    let (args, _) = split(&vector);
    stat.is_of(start_boottime_ns).then_some(args)
}

/// The working folder of the process that started then, if it still lives.
pub(super) fn folder_of(pid: u32, start_boottime_ns: u64) -> Option<String> {
    let process = format!("/proc/{pid}");
    let folder = fs::read_link(format!("{process}/cwd")).ok()?;
    let stat = Stat::parse(&fs::read(format!("{process}/stat")).ok()?)?;
    let folder = folder.into_os_string().into_string().ok()?;
    stat.is_of(start_boottime_ns).then_some(folder)
}

fn failure(error: &io::Error, folder: &str, actor: &record::Actor) -> Enrichment {
    match error.kind() {
        io::ErrorKind::NotFound => Enrichment::ProcessEnded,
        // Also what some kernels say of a process that is ending and has no memory any more.
        io::ErrorKind::PermissionDenied => {
            let stat = fs::read(format!("{folder}/stat")).ok();
            match stat.and_then(|stat| Stat::parse(&stat)) {
                Some(stat) if stat.is_alive(actor) && !may_look() => Enrichment::Denied,
                _ => Enrichment::ProcessEnded,
            }
        }
        // A process that is just ending.
        _ if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => Enrichment::ProcessEnded,
        _ => Enrichment::Failed,
    }
}

/// Whether this process may look at every other.
fn may_look() -> bool {
    support::missing(&[Capability::CAP_SYS_PTRACE]).is_empty()
}

impl Looked {
    const fn nothing(enrichment: Enrichment) -> Self {
        Self {
            executable: None,
            args: None,
            args_cut: false,
            enrichment,
        }
    }
}

/// Units of the times in /proc/PID/stat, per second: the same on every Linux.
const USER_HZ: u64 = 100;

/// Of /proc/PID/stat what tells one image of one process from all others.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    /// Field 3: `Z` and `X` are the dead.
    state: u8,
    /// Field 22, in ticks of [`USER_HZ`] since boot.
    start: u64,
    /// Field 48: as [`record::Actor::arg_start`].
    arg_start: u64,
}

impl Stat {
    /// comm, field 2, may hold anything; it ends at the last parenthesis.
    fn parse(stat: &[u8]) -> Option<Self> {
        let end = stat.iter().rposition(|&byte| byte == b')')?;
        let mut fields = str::from_utf8(stat.get(end + 1..)?)
            .ok()?
            .split_ascii_whitespace();
        Some(Self {
            state: *fields.next()?.as_bytes().first()?,
            start: fields.nth(18)?.parse().ok()?,
            arg_start: fields.nth(25)?.parse().ok()?,
        })
    }

    fn is_alive(&self, actor: &record::Actor) -> bool {
        self.is_of(actor.start_boottime_ns) && !matches!(self.state, b'Z' | b'X')
    }

    /// Whether it is of the process that started then.
    fn is_of(&self, start_boottime_ns: u64) -> bool {
        self.start == start_boottime_ns / (1_000_000_000 / USER_HZ)
    }

    fn compare(&self, actor: &record::Actor) -> Enrichment {
        // A process that is ending gives its memory back before it is a zombie.
        let ending = self.arg_start == 0 && actor.arg_start != 0;
        if !self.is_alive(actor) || ending {
            Enrichment::ProcessEnded
        } else if self.arg_start != actor.arg_start {
            Enrichment::ImageReplaced
        } else {
            Enrichment::Complete
        }
    }
}

/// Splits a NUL-separated vector; the bool says that it is cut.
fn split(bytes: &[u8]) -> (Vec<String>, bool) {
    let cut = bytes.len() > ARGS_MAX;
    let told = bytes.get(..ARGS_MAX).unwrap_or(bytes);
    let told = told.strip_suffix(b"\0").unwrap_or(told);
    if told.is_empty() {
        return (Vec::new(), cut);
    }
    let mut args = told.split(|&byte| byte == 0).map(|arg| text_of(arg).into());
    let vector = args.by_ref().take(ARGS_COUNT_MAX).collect();
    (vector, cut || args.next().is_some())
}

#[cfg(test)]
#[path = "look_tests.rs"]
mod tests;
