//! `sysctl-trace doctor --keys`: what the kernel's memory says of each key, as the tracer reads it.

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::Serialize;
use smol_str::SmolStr;

use crate::{
    cli::{args, exit::Exit},
    decode,
    event::ValueType,
    kernel::{
        clock,
        keys::{KeyFacts, survey},
        load::{self, Facts},
        symbols,
    },
};

const ROOT: &str = "/proc/sys";
/// A ring buffer that nothing goes through.
const BUFFER_BYTES: u32 = 4096;

/// One key.
#[derive(Serialize)]
struct Line<'a> {
    /// Its path below /proc/sys.
    path: &'a str,
    /// How its value is held.
    #[serde(rename = "type")]
    type_: ValueType,
    /// The function that reads and writes it.
    handler: Option<SmolStr>,
    /// Inode number of the network namespace that it belongs to.
    netns: Option<u32>,
    /// What its memory says.
    value: Option<SmolStr>,
    /// There is more of the value.
    is_cut: bool,
    /// Why its memory says nothing.
    reason: Option<&'static str>,
}

/// Lists the keys that the calling process sees.
pub fn keys(args: &args::Doctor) -> anyhow::Result<Exit> {
    let facts = Facts::gather(args.btf.as_ref())?;
    let mut ebpf = load::open(&facts, BUFFER_BYTES)?;
    let mut paths = Vec::new();
    collect(Path::new(ROOT), &mut paths);
    paths.sort_unstable();
    let found = survey(&mut ebpf, &facts, &paths)?;
    let addresses: HashSet<u64> = found.iter().map(|key| key.handler_address).collect();
    let names = symbols::names(&addresses).context(symbols::KALLSYMS)?;
    match print(args.json, &found, &names) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(Exit::Done),
    }
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&entry.path(), paths),
            Ok(kind) if kind.is_file() => paths.push(entry.path()),
            _ => {}
        }
    }
}

fn print(json: bool, found: &[KeyFacts], names: &HashMap<u64, SmolStr>) -> io::Result<()> {
    let hz = clock::ticks_per_second();
    let mut out = io::stdout().lock();
    for key in found {
        let path = key.path.strip_prefix(ROOT).unwrap_or(&key.path);
        let value = key.value.as_deref();
        let line = Line {
            path: &path.to_string_lossy(),
            type_: decode::value_type(key.kind),
            handler: names.get(&key.handler_address).cloned(),
            netns: key.netns,
            value: value.and_then(|bytes| decode::value(key.kind, bytes, hz)),
            is_cut: key.is_cut,
            reason: key.reason,
        };
        if json {
            serde_json::to_writer(&mut out, &line)?;
            writeln!(out)?;
        } else {
            let more = if line.is_cut { "…" } else { "" };
            match (&line.value, line.reason) {
                (Some(value), _) => writeln!(out, "{} = {value}{more}", line.path)?,
                (None, Some(reason)) => writeln!(out, "{} (not decoded: {reason})", line.path)?,
                (None, None) => writeln!(out, "{} (not decoded)", line.path)?,
            }
        }
    }
    Ok(())
}
