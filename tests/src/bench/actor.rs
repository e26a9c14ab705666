//! The process that does what is measured.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt as _,
    process::Child,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sched::{CloneFlags, setns, unshare},
    sys::wait::{WaitStatus, waitpid},
    unistd::{ForkResult, Pid, execv, fork},
};
use serde::{Deserialize, Serialize};

use super::{
    meter::{self, Meter},
    place,
    terms::{Cost, GROUP, Work},
};
use crate::workload::process;

const KEY: &str = "/proc/sys/net/core/somaxconn";
/// Written in turn.
const VALUES: [&[u8]; 2] = [b"1000\n", b"1001\n"];
const PAUSE: Duration = Duration::from_millis(50);
/// Until the kernel is done with namespaces that nobody uses any more.
const AFTERMATH: Duration = Duration::from_secs(1);

/// What an actor is to do.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Task {
    work: Work,
    /// The tool's process, if one is attached.
    tool: Option<i32>,
}

/// What an actor did.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Act {
    /// Its process.
    pub pid: u32,
    /// Writes in all by that process.
    pub writes: u64,
    /// The same with those of its children.
    pub writes_with_children: u64,
    /// What the measured operations took.
    pub cost: Cost,
}

/// Has an actor do something while the tool is attached.
///
/// # Errors
/// When it fails.
pub fn run(work: Work, tool: Option<&Child>) -> Result<Act> {
    let tool = tool.map(|child| i32::try_from(child.id())).transpose()?;
    let task = serde_json::to_string(&Task { work, tool })?;
    let output = place::start(&task)?
        .wait_with_output()
        .context("waiting for the actor")?;
    ensure!(output.status.success(), "the actor for {work:?} failed");
    serde_json::from_slice(&output.stdout).context("what the actor printed")
}

/// In the actor: does it and prints what it took.
///
/// # Errors
/// When an operation fails.
pub fn act(task: &str) -> Result<()> {
    let Task { work, tool } = serde_json::from_str(task).context("reading the task")?;
    let tool = tool.map(Pid::from_raw);
    let mut writer = Writer::open()?;
    writer.perform(work, work.warm_up())?;
    let mut least: Option<Cost> = None;
    for _ in 0..work.batches() {
        let meter = Meter::start(tool, work.is_counted())?;
        writer.perform(work, work.count())?;
        let cost = meter.stop(work.count())?;
        if least.is_none_or(|least| cost.busy_ns < least.busy_ns) {
            least = Some(cost);
        }
    }
    writer.restore()?;
    meter::settle(tool)?;
    let act = Act {
        cost: least.context("no batch, no figure")?,
        pid: std::process::id(),
        writes: writer.writes,
        writes_with_children: writer.writes + writer.writes_of_children,
    };
    println!("{}", serde_json::to_string(&act)?);
    Ok(())
}

fn namespaces(count: u32) -> Result<()> {
    let home = File::open("/proc/self/ns/net").context("opening a namespace")?;
    for _ in 0..count {
        unshare(CloneFlags::CLONE_NEWNET).context("making a namespace")?;
    }
    setns(home, CloneFlags::CLONE_NEWNET).context("going back to the first namespace")?;
    thread::sleep(AFTERMATH);
    Ok(())
}

/// Forks a process that opens the key, writes once and ends.
fn process_that_writes() -> Result<()> {
    // SAFETY: this process has one thread.
    match unsafe { fork() }.context("forking")? {
        ForkResult::Parent { child } => {
            let status = waitpid(child, None).context("waiting for a child")?;
            ensure!(status == WaitStatus::Exited(child, 0), "a child failed");
            Ok(())
        }
        ForkResult::Child => {
            let done = open().is_ok_and(|file| file.write_at(VALUES[0], 0).is_ok());
            process::exit_at_once(if done { 0 } else { 1 })
        }
    }
}

/// Programs that end at once, one after the other.
fn programs(count: u32) -> Result<()> {
    let (program, args) = (c"/bin/busybox", [c"busybox", c"true"]);
    for _ in 0..count {
        // SAFETY: this process has one thread.
        match unsafe { fork() }.context("forking")? {
            ForkResult::Parent { child } => {
                let status = waitpid(child, None).context("waiting for a program")?;
                ensure!(status == WaitStatus::Exited(child, 0), "a program failed");
            }
            ForkResult::Child => {
                let _ = execv(program, &args);
                process::exit_at_once(1)
            }
        }
    }
    Ok(())
}

fn open() -> Result<File> {
    let file = OpenOptions::new().read(true).write(true).open(KEY);
    file.with_context(|| format!("opening {KEY}"))
}

struct Writer {
    file: File,
    before: Vec<u8>,
    writes: u64,
    writes_of_children: u64,
    /// This process has made itself a network namespace to stay in.
    inside: bool,
}

impl Writer {
    fn open() -> Result<Self> {
        let file = open()?;
        let mut before = vec![0; 64];
        let length = file.read_at(&mut before, 0).context("reading the key")?;
        before.truncate(length);
        Ok(Self {
            file,
            before,
            writes: 0,
            writes_of_children: 0,
            inside: false,
        })
    }

    fn perform(&mut self, work: Work, count: u32) -> Result<()> {
        match work {
            Work::Write => self.write(count),
            Work::Paced => self.write_in_groups(count, GROUP),
            Work::Alone => self.write_in_groups(count, 1),
            Work::Process => self.of_children(count),
            Work::Read => self.read(count),
            Work::Netns => namespaces(count),
            Work::Exec => programs(count),
            Work::ExecInside => {
                if !self.inside {
                    unshare(CloneFlags::CLONE_NEWNET).context("making a namespace")?;
                    self.inside = true;
                }
                programs(count)
            }
        }
    }

    fn write_in_groups(&mut self, count: u32, size: u32) -> Result<()> {
        for _ in 0..count / size {
            self.write(size)?;
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn write(&mut self, count: u32) -> Result<()> {
        for turn in 0..count {
            let text = VALUES[turn as usize % VALUES.len()];
            self.file.write_at(text, 0).context("writing")?;
        }
        self.writes += u64::from(count);
        Ok(())
    }

    fn of_children(&mut self, count: u32) -> Result<()> {
        for _ in 0..count {
            process_that_writes()?;
        }
        self.writes_of_children += u64::from(count);
        Ok(())
    }

    fn read(&self, count: u32) -> Result<()> {
        let mut text = [0; 64];
        for _ in 0..count {
            self.file.read_at(&mut text, 0).context("reading")?;
        }
        Ok(())
    }

    fn restore(&mut self) -> Result<()> {
        self.file
            .write_at(&self.before, 0)
            .context("putting the key back")?;
        self.writes += 1;
        Ok(())
    }
}
