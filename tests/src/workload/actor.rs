//! Who is calling: what a task knows about itself, from its own /proc files.
//!
//! All numbers are those of the initial pid namespace, because /proc is mounted there and
//! `/proc/thread-self` is seen through it, whatever namespace the caller is in.

use std::{cell::RefCell, fs, path::Path};

use anyhow::{Context as _, Result};

use super::{
    log::{Actor, Ancestor, Namespaces, Thread},
    sys,
};

/// What a process cannot see any more once it has changed its namespaces, gathered while it can.
#[derive(Clone, Debug)]
struct Origin {
    pid: u32,
    cgroup: String,
    ancestors: Vec<Ancestor>,
    user_ns: u32,
}

thread_local! {
    static ORIGIN: RefCell<Option<Origin>> = const { RefCell::new(None) };
}

/// The calling thread as it is now. Its ancestors and its cgroup are as they were at the first
/// call in this process and thread; [`forget`] makes the next call look anew.
///
/// # Errors
/// When /proc cannot be read.
pub fn current() -> Result<Actor> {
    let (pid, tid) = ids()?;
    let origin = origin(pid)?;
    let status = read("/proc/thread-self/status")?;
    let namespaces = namespaces()?;
    // Without a mapping a new user namespace shows its maker, who is root, as the overflow user.
    let mapped = namespaces.user == origin.user_ns;
    let executable = fs::read_link("/proc/self/exe").context("finding this program")?;
    Ok(Actor {
        pid,
        thread: Thread::Caller {
            tid,
            comm: comm_of("thread-self")?,
        },
        uid: if mapped {
            effective(&status, "Uid:")?
        } else {
            0
        },
        gid: if mapped {
            effective(&status, "Gid:")?
        } else {
            0
        },
        capabilities: u64::from_str_radix(field(&status, "CapEff:")?, 16)?,
        executable: executable.to_string_lossy().into_owned(),
        args: std::env::args().collect(),
        start_ticks: Stat::of("self")?.start_ticks,
        cgroup: origin.cgroup,
        namespaces,
        ancestors: origin.ancestors,
    })
}

/// Drops what was remembered about this process: its parent has ended, or it was moved to another
/// cgroup.
pub fn forget() {
    ORIGIN.set(None);
}

/// The calling process and thread.
///
/// # Errors
/// When /proc cannot be read.
pub fn ids() -> Result<(u32, u32)> {
    let link = fs::read_link("/proc/thread-self").context("reading /proc/thread-self")?;
    let link = link.to_str().context("/proc/thread-self is no text")?;
    let (pid, tid) = link
        .split_once("/task/")
        .context("/proc/thread-self has a new form")?;
    Ok((pid.parse()?, tid.parse()?))
}

/// A child that has ended but was not waited for, seen from its parent: it is as the caller is,
/// but for its ids, its start and its parent.
///
/// # Errors
/// When /proc cannot be read.
pub fn ended_child(pid: u32) -> Result<Actor> {
    let mut actor = current()?;
    let myself = Ancestor {
        pid: actor.pid,
        comm: comm_of(&actor.pid.to_string())?,
        executable_name: executable_name("self"),
        start_ticks: actor.start_ticks,
    };
    actor.ancestors.insert(0, myself);
    actor.pid = pid;
    actor.thread = Thread::Caller {
        tid: pid,
        comm: comm_of(&pid.to_string())?,
    };
    actor.start_ticks = Stat::of(&pid.to_string())?.start_ticks;
    Ok(actor)
}

/// Threads of the calling process that the kernel made to serve its io_uring.
///
/// # Errors
/// When /proc cannot be read, or there is none.
pub fn io_workers() -> Result<Thread> {
    let mut tids = Vec::new();
    let mut name = None;
    for entry in fs::read_dir("/proc/self/task").context("listing threads")? {
        let tid: u32 = entry?.file_name().to_string_lossy().parse()?;
        // A worker may end at any moment.
        let Ok(comm) = comm_of(&format!("self/task/{tid}")) else {
            continue;
        };
        if comm.starts_with("iou-wrk-") {
            tids.push(tid);
            name = Some(comm);
        }
    }
    let comm = name.context("no thread serves this process's io_uring")?;
    Ok(Thread::IoWorker { tids, comm })
}

fn origin(pid: u32) -> Result<Origin> {
    if let Some(origin) = ORIGIN
        .with_borrow(Clone::clone)
        .filter(|origin| origin.pid == pid)
    {
        return Ok(origin);
    }
    let user_ns = sys::namespace_inum("user")?;
    let origin = Origin {
        pid,
        cgroup: cgroup()?,
        ancestors: ancestors()?,
        user_ns,
    };
    ORIGIN.set(Some(origin.clone()));
    Ok(origin)
}

fn ancestors() -> Result<Vec<Ancestor>> {
    let mut found = Vec::new();
    let mut parent = Stat::of("self")?.parent;
    while parent != 0 {
        let process = parent.to_string();
        let stat = Stat::of(&process)?;
        found.push(Ancestor {
            pid: parent,
            comm: comm_of(&process)?,
            executable_name: executable_name(&process),
            start_ticks: stat.start_ticks,
        });
        parent = stat.parent;
    }
    Ok(found)
}

/// The path in the unified hierarchy, which is what the kernel's default hierarchy is.
fn cgroup() -> Result<String> {
    let text = read("/proc/self/cgroup")?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::"));
    path.map(str::to_owned)
        .context("the unified cgroup hierarchy is not mounted")
}

fn namespaces() -> Result<Namespaces> {
    let inum = |kind| sys::namespace_inum(kind).with_context(|| format!("the {kind} namespace"));
    Ok(Namespaces {
        net: inum("net")?,
        pid: inum("pid")?,
        mnt: inum("mnt")?,
        user: inum("user")?,
        cgroup: inum("cgroup")?,
    })
}

/// What matters of /proc/PID/stat.
#[derive(Clone, Copy, Debug)]
struct Stat {
    parent: u32,
    start_ticks: u64,
}

impl Stat {
    fn of(process: &str) -> Result<Self> {
        let text = read(&format!("/proc/{process}/stat"))?;
        // The comm stands in parentheses and may hold anything; the rest are numbers.
        let (_, rest) = text
            .rsplit_once(") ")
            .context("/proc/PID/stat has a new form")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let at = |index: usize| fields.get(index).context("/proc/PID/stat is short");
        // proc_pid_stat(5): (4) ppid, (22) starttime; the first field here is (3).
        Ok(Self {
            parent: at(1)?.parse()?,
            start_ticks: at(19)?.parse()?,
        })
    }
}

fn comm_of(process: &str) -> Result<String> {
    let path = format!("/proc/{process}/comm");
    let bytes = fs::read(&path).with_context(|| format!("reading {path}"))?;
    Ok(String::from_utf8_lossy(bytes.strip_suffix(b"\n").unwrap_or(&bytes)).into_owned())
}

/// Absent for a kernel thread.
fn executable_name(process: &str) -> Option<String> {
    let target = fs::read_link(Path::new("/proc").join(process).join("exe")).ok()?;
    Some(target.file_name()?.to_string_lossy().into_owned())
}

fn field<'a>(status: &'a str, name: &str) -> Result<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    Ok(line
        .with_context(|| format!("no {name} in /proc/thread-self/status"))?
        .trim())
}

/// The effective id: the second of the four.
fn effective(status: &str, name: &str) -> Result<u32> {
    let ids = field(status, name)?;
    Ok(ids
        .split_whitespace()
        .nth(1)
        .with_context(|| format!("{name} is short"))?
        .parse()?)
}

fn read(path: &str) -> Result<String> {
    // A comm may hold anything, and is in some of these files.
    let bytes = fs::read(path).with_context(|| format!("reading {path}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
