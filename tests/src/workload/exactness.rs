//! The whole workload for the comparison of its log with a trace.

use std::{fs, ops::Deref, path::Path, thread, time::Duration};

use anyhow::{Context as _, Result};
use fastrand::Rng;
use nix::unistd::{SysconfVar, sysconf};

use super::{
    actor, bulk, create, enter,
    file::KeyFile,
    identity, inherit,
    keys::{KEYS, Key, Place},
    log::{Begin, Bytes, Log, Record},
    race, sys, text,
};

pub use super::identity::steps;

/// How many writes there are in the end, at least.
const WRITES: u64 = 1000;

/// The kernel takes namespaces down in the background; by then the last one is gone.
const SETTLE: Duration = Duration::from_millis(1500);

/// What every scenario needs.
pub struct Run<'a> {
    /// The log.
    pub log: &'a Log,
    /// Where it is.
    pub log_path: &'a Path,
    /// Random numbers that are the same for the same seed.
    pub random: Rng,
    /// net.core.somaxconn of the node's own network namespace.
    pub node_somaxconn: KeyFile,
}

impl<'a> Run<'a> {
    /// Opens a key of the node; it has its present text again when the guard is dropped.
    ///
    /// # Errors
    /// When it cannot be opened and read.
    pub fn restored(&self, key: &Key) -> Result<Restored<'a>> {
        let file = KeyFile::open(key)?;
        let text = file.text()?.context("a key that can be read")?;
        Ok(Restored {
            log: self.log,
            file,
            text,
        })
    }
}

/// A key's file, whose text is put back on drop; that is a write like all others.
pub struct Restored<'a> {
    log: &'a Log,
    file: KeyFile,
    text: Bytes,
}

impl Deref for Restored<'_> {
    type Target = KeyFile;

    fn deref(&self) -> &KeyFile {
        &self.file
    }
}

impl Drop for Restored<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.file.set(self.log, &self.text.0) {
            eprintln!("workload: putting {:?} back: {error:#}", self.text);
        }
    }
}

/// Does everything and logs it.
///
/// # Errors
/// When something goes otherwise than planned; keys are put back all the same.
pub fn run(log_path: &Path, seed: u64) -> Result<()> {
    logged(log_path, seed, everything)
}

/// Enters namespaces in every way and logs it.
///
/// # Errors
/// When something goes otherwise than planned.
pub fn enter(log_path: &Path) -> Result<()> {
    logged(log_path, 0, |run| enter::all(run))
}

fn logged(log_path: &Path, seed: u64, work: impl FnOnce(&mut Run<'_>) -> Result<()>) -> Result<()> {
    let log = Log::create(log_path)?;
    log.add(&Record::Begin(begin(seed)?))?;
    let node_somaxconn = KeyFile::open(&Key::known("net/core/somaxconn"))?;
    let mut run = Run {
        log: &log,
        log_path,
        random: Rng::with_seed(seed),
        node_somaxconn,
    };
    work(&mut run)?;
    thread::sleep(SETTLE);
    log.add(&Record::End(log.totals()))
}

fn everything(run: &mut Run<'_>) -> Result<()> {
    let _somaxconn = run.restored(&Key::known("net/core/somaxconn"))?;
    create::all(run)?;
    text::all(run)?;
    identity::all(run)?;
    enter::all(run)?;
    inherit::all(run)?;
    race::all(run)?;
    let node = KEYS.iter().filter(|known| known.place != Place::EachNetns);
    let _node = node
        .map(|known| run.restored(&known.key()))
        .collect::<Result<Vec<_>>>()?;
    bulk::until(run, WRITES)
}

fn begin(seed: u64) -> Result<Begin> {
    let ticks = sysconf(SysconfVar::CLK_TCK)?.context("the length of a tick is not known")?;
    Ok(Begin {
        pid: actor::current()?.pid,
        host: nix::sys::utsname::uname()?
            .nodename()
            .to_string_lossy()
            .into_owned(),
        boot_id: fs::read_to_string("/proc/sys/kernel/random/boot_id")?
            .trim_end()
            .to_owned(),
        realtime_offset_ns: sys::realtime_offset_ns()?,
        tick_ns: 1_000_000_000 / u64::try_from(ticks)?,
        seed,
    })
}
