//! Tasks that enter network namespaces, and those that execute programs in them.
//!
//! Every entry is logged. Which of them a trace must tell, the comparison works out: the first of
//! each cgroup in each namespace.

use std::{
    fs::File,
    os::{
        fd::{AsFd, FromRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    path::Path,
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    errno::Errno,
    sched::{CloneFlags, setns},
    unistd::{Uid, setresuid},
};

use super::{
    actor, create,
    exactness::Run,
    identity::{Cgroup, unified_hierarchy},
    log::{Entry, Log, Record, Window},
    netns,
    process::in_child,
    sys::{self, CloneCall},
};

const NET: CloneFlags = CloneFlags::CLONE_NEWNET;

/// How many programs a process executes one after the other.
const PROGRAMS: u64 = 2;

/// Of the entries that [`all`] makes, how many are the first of their cgroup in their namespace.
pub const FIRST: usize = 6;

/// All of this module's scenarios.
pub fn all(run: &Run<'_>) -> Result<()> {
    let root = unified_hierarchy()?;
    let cgroup = |name: &str| Cgroup::new(root.join(format!("sysctl-trace-{name}")));
    let [first, second, third, fourth] = [
        cgroup("first")?,
        cgroup("second")?,
        cgroup("third")?,
        cgroup("fourth")?,
    ];
    in_child("a namespace that others enter", || {
        let home = File::open("/proc/self/ns/net").context("opening the node's namespace")?;
        create::by_unshare(run, NET)?;
        let inside = File::open("/proc/self/ns/net").context("opening the new namespace")?;
        // Entering tells, executing afterwards does not, nor does entering again.
        for _ in 0..2 {
            setns(&home, NET).context("going back")?;
            by_setns(run, &inside, NET)?;
        }
        execute_in_child(run)?;
        // Within from the start, as in a container whose parent made the namespace.
        in_child("an heir in a cgroup", || {
            first.take_in()?;
            execute(run)
        })?;
        // By pidfd, with namespaces of other kinds.
        let keeper = pidfd_of(std::process::id())?;
        in_child("one that enters by pidfd", || {
            setns(&home, NET).context("going back")?;
            second.take_in()?;
            by_setns(run, &keeper, NET | CloneFlags::CLONE_NEWUTS)?;
            execute(run)
        })?;
        in_child("one that may not enter", || {
            setns(&home, NET).context("going back")?;
            third.take_in()?;
            refused(&inside)
        })?;
        count_programs(run, 3);
        Ok(())
    })?;
    // A namespace of its own, in the cgroup of the one that makes it.
    in_child("one that makes its own", || {
        create::by_unshare(run, NET)?;
        execute_in_child(run)
    })?;
    // As crun does it: the parent makes the namespace for its child.
    create::by_clone_for(run, CloneCall::Clone3, NET, || {
        fourth.take_in()?;
        execute(run)
    })?;
    // And as runc does it: its own, in the container's cgroup.
    in_child("one that makes its own in a cgroup", || {
        third.take_in()?;
        create::by_unshare(run, NET)?;
        execute(run)
    })?;
    count_programs(run, 3);
    Ok(())
}

/// Enters and logs it.
pub fn by_setns(run: &Run<'_>, into: impl AsFd, flags: CloneFlags) -> Result<()> {
    let actor = actor::current()?;
    let from_ns = sys::boottime_ns()?;
    setns(into, flags).context("entering a namespace")?;
    let window = Window {
        from_ns,
        to_ns: sys::boottime_ns()?,
    };
    run.log.add(&Record::Enter(Box::new(Entry {
        window,
        actor,
        how: format!("setns({flags:?})"),
        netns: netns::current()?,
    })))
}

/// The kernel says no, and nothing is told of it.
fn refused(inside: &File) -> Result<()> {
    let user = Uid::from_raw(65_534);
    setresuid(user, user, user).context("changing the user")?;
    let answer = setns(inside, NET);
    ensure!(answer == Err(Errno::EPERM), "entering: {answer:?}");
    Ok(())
}

fn execute_in_child(run: &Run<'_>) -> Result<()> {
    in_child("a program", || execute(run))
}

/// Becomes another program, [`PROGRAMS`] times.
fn execute(run: &Run<'_>) -> Result<()> {
    become_program(run.log_path, PROGRAMS)
}

fn become_program(log_path: &Path, programs: u64) -> Result<()> {
    let mut program = Command::new(std::env::current_exe().context("finding this program")?);
    program.arg("executed").arg("--log").arg(log_path);
    program.arg("--more").arg((programs - 1).to_string());
    let error = program
        .arg("--since")
        .arg(sys::boottime_ns()?.to_string())
        .exec();
    Err(error).context("executing")
}

/// Other programs do not count in this one's log by themselves.
fn count_programs(run: &Run<'_>, processes: u64) {
    run.log.count_foreign(0, processes * PROGRAMS);
}

/// What [`execute`] becomes: logs itself, and executes so many more.
///
/// # Errors
/// When it cannot do so.
pub fn program(log_path: &Path, since_ns: u64, more: u64) -> Result<()> {
    executed(&Log::join(log_path)?, since_ns)?;
    if more == 0 {
        return Ok(());
    }
    become_program(log_path, more)
}

/// Logs that this program was executed, at some time after `since_ns`.
///
/// # Errors
/// When it cannot be logged.
pub fn executed(log: &Log, since_ns: u64) -> Result<()> {
    let window = Window {
        from_ns: since_ns,
        to_ns: sys::boottime_ns()?,
    };
    log.add(&Record::Enter(Box::new(Entry {
        window,
        actor: actor::current()?,
        how: "execve".into(),
        netns: netns::current()?,
    })))
}

fn pidfd_of(pid: u32) -> Result<OwnedFd> {
    // SAFETY: pidfd_open takes two numbers and returns a new descriptor.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = Errno::result(fd).context("opening a pidfd")?;
    // SAFETY: the kernel has just made the descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
