//! `pinns -d DIRECTORY -f NAME -s KEY=VALUE … --net --ipc --uts`: makes namespaces, writes sysctls and
//! keeps the namespaces at `DIRECTORY/netns/NAME` and the like.
//!
//! The real one puts a NUL in place of the `=`, and slashes in place of a key's dots, into its own
//! arguments before it writes, so whoever reads these later finds `-s net/core/somaxconn 1024`. So
//! does this one.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, FileExt as _},
    path::Path,
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

/// The arguments' place in the process's memory: a field of /proc/self/stat, counted from the one
/// behind the process's name, which is the third.
const ARG_START: usize = 48 - 3;

/// What it is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    directory: Option<String>,
    name: Option<String>,
    sysctls: Vec<Sysctl>,
    kinds: Vec<Kind>,
}

/// A key and its value.
#[derive(Debug, PartialEq, Eq)]
struct Sysctl {
    /// `KEY=VALUE`
    text: String,
    /// Where that begins: the argument, and the byte in it.
    place: (usize, usize),
}

/// A kind of namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    name: &'static str,
    flag: CloneFlags,
    /// It is kept as it is.
    of_host: bool,
}

const KINDS: [(&str, CloneFlags); 3] = [
    ("net", CloneFlags::CLONE_NEWNET),
    ("ipc", CloneFlags::CLONE_NEWIPC),
    ("uts", CloneFlags::CLONE_NEWUTS),
];

/// Runs it.
///
/// # Errors
/// For the reasons that the real one ends for.
pub fn run(args: &[String]) -> Result<()> {
    let request = parse(args)?;
    let directory = request.directory.context("no directory")?;
    let name = request.name.context("no file name")?;
    ensure!(!request.kinds.is_empty(), "no namespace to be kept");
    make_folder(Path::new(&directory))?;
    let mut flags = CloneFlags::empty();
    for kind in request.kinds.iter().filter(|kind| !kind.of_host) {
        flags |= kind.flag;
    }
    unshare(flags).context("making namespaces")?;
    let memory = Memory::of(args)?;
    for sysctl in &request.sysctls {
        write(sysctl, &memory)?;
    }
    // In the order of the real one.
    for kind in ["uts", "ipc", "net"] {
        if request.kinds.iter().any(|found| found.name == kind) {
            keep(Path::new(&directory), &name, kind)?;
        }
    }
    Ok(())
}

fn parse(args: &[String]) -> Result<Request> {
    let mut request = Request::default();
    let mut at = 1;
    while let Some(arg) = args.get(at) {
        let (option, attached) = match arg.strip_prefix("--") {
            Some(long) => match long.split_once('=') {
                Some((option, value)) => (option, Some((value, option.len() + 3))),
                None => (long, None),
            },
            None => {
                let letters = arg.strip_prefix('-').context("an argument for nothing")?;
                let (letter, rest) = letters.split_at_checked(1).context("no letter")?;
                (letter, (!rest.is_empty()).then_some((rest, 2)))
            }
        };
        let is_kind = |kind: &&(&'static str, CloneFlags)| kind.0 == option;
        if let Some((name, flag)) = KINDS.iter().find(is_kind) {
            request.kinds.push(Kind {
                name,
                flag: *flag,
                of_host: attached.is_some_and(|(value, _)| value == "host"),
            });
            at += 1;
            continue;
        }
        let (value, place) = match attached {
            Some((value, start)) => (value, (at, start)),
            None => {
                at += 1;
                let value = args
                    .get(at)
                    .with_context(|| format!("{arg} has no value"))?;
                (value.as_str(), (at, 0))
            }
        };
        match option {
            "d" | "dir" => request.directory = Some(value.to_owned()),
            "f" | "filename" => request.name = Some(value.to_owned()),
            "s" | "sysctl" => request.sysctls.push(Sysctl {
                text: value.to_owned(),
                place,
            }),
            other => bail!("{other} is not what this stand-in can do"),
        }
        at += 1;
    }
    Ok(request)
}

/// This process's arguments, where all read them.
struct Memory {
    file: File,
    /// Where each begins.
    starts: Vec<u64>,
}

impl Memory {
    fn of(args: &[String]) -> Result<Self> {
        let stat = fs::read_to_string("/proc/self/stat").context("reading /proc/self/stat")?;
        let (_, fields) = stat.rsplit_once(") ").context("a process without name")?;
        let start = fields.split(' ').nth(ARG_START);
        let mut start: u64 = start.context("no place of arguments")?.parse()?;
        let mut starts = Vec::new();
        for arg in args {
            starts.push(start);
            start += arg.len() as u64 + 1;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/proc/self/mem");
        let file = file.context("opening /proc/self/mem")?;
        Ok(Self { file, starts })
    }

    fn put(&self, (argument, byte): (usize, usize), bytes: &[u8]) -> Result<()> {
        let start = self.starts.get(argument).context("no such argument")?;
        let place = start + byte as u64;
        self.file
            .write_all_at(bytes, place)
            .context("changing the arguments")
    }
}

fn write(sysctl: &Sysctl, memory: &Memory) -> Result<()> {
    let (key, value) = sysctl.text.split_once('=').context("a sysctl without =")?;
    ensure!(
        !key.is_empty() && !value.is_empty(),
        "a sysctl that is empty"
    );
    let path = key.replace('.', "/");
    memory.put(sysctl.place, format!("{path}\0").as_bytes())?;
    let path = format!("/proc/sys/{path}");
    let mut file = OpenOptions::new()
        .write(true)
        .open(&path)
        .with_context(|| format!("opening {path}"))?;
    file.write_all(value.as_bytes())
        .with_context(|| format!("writing to {path}"))
}

fn keep(directory: &Path, name: &str, kind: &str) -> Result<()> {
    let folder = directory.join(format!("{kind}ns"));
    make_folder(&folder)?;
    let file = folder.join(name);
    let context = || format!("keeping a namespace at {}", file.display());
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&file)
        .with_context(context)?;
    let source = format!("/proc/self/ns/{kind}");
    let none: Option<&str> = None;
    mount(Some(source.as_str()), &file, none, MsFlags::MS_BIND, none).with_context(context)
}

fn make_folder(path: &Path) -> Result<()> {
    if !path.is_dir() {
        let folder = DirBuilder::new().mode(0o755).create(path);
        folder.with_context(|| format!("making {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "pinns_tests.rs"]
mod tests;
