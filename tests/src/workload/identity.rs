//! Writers of every kind: threads, other users, the short-lived, orphans, and those in namespaces
//! and cgroups of their own.

use std::{
    ffi::CString,
    fs, io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use caps::CapSet;
use nix::{
    sched::{CloneFlags, unshare},
    sys::prctl,
    unistd::{Gid, Uid, setresgid, setresuid},
};

use super::{
    actor,
    buffer::Buffer,
    create, enter,
    exactness::Run,
    file::{KeyFile, Method},
    keys::Key,
    log::{Log, Record, Window},
    process::{self, Channel, SharedNumbers, fork_with, in_child},
    sys::{self, CloneCall},
    uring::Ring,
};

const NET: CloneFlags = CloneFlags::CLONE_NEWNET;
const SOMAXCONN: &str = "net/core/somaxconn";
const NOBODY: u32 = 65_534;

/// Processes that write and end at once.
const SHORT_LIVED: u64 = 20;

/// More generations than a trace names.
const GENERATIONS: u32 = 10;

/// All of this module's scenarios.
pub fn all(run: &Run<'_>) -> Result<()> {
    in_child("names", || names(run))?;
    in_child("another user without privileges", || other_user(run, false))?;
    in_child("another user with privileges", || other_user(run, true))?;
    in_child("short-lived writers", || short_lived(run))?;
    in_child("an orphan", || orphan(run))?;
    in_child("generations", || {
        create::by_unshare(run, NET)?;
        generations(run, GENERATIONS)
    })?;
    namespaces(run)?;
    in_child("a user namespace", || user_namespace(run))?;
    in_cgroup(run)?;
    other_program(run)
}

/// Threads and processes that call themselves something else.
fn names(run: &Run<'_>) -> Result<()> {
    create::by_unshare(run, NET)?;
    rename(c"fifteen letters")?;
    write_some(run)?;
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            rename(c"a thread")?;
            write_some(run)?;
            write_by_ring(run)
        });
        thread.join().map_err(|_| anyhow!("the thread panicked"))?
    })?;
    for name in [c"a) R 1 (b", c"x\n\"\\", c"\x1b[31m", c"", c"\xff\xfe"] {
        rename(name)?;
        write_some(run)?;
    }
    Ok(())
}

/// Descriptors outlive the change of user, and the kernel asks again at each write.
fn other_user(run: &Run<'_>, privileged: bool) -> Result<()> {
    let global = run.restored(&Key::known("kernel/panic"))?;
    create::by_unshare(run, NET)?;
    let own = KeyFile::open(&Key::known(SOMAXCONN))?;
    let child = || -> Result<()> {
        if privileged {
            prctl::set_keepcaps(true).context("keeping capabilities")?;
        }
        let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        setresgid(gid, gid, gid).context("changing the group")?;
        setresuid(uid, uid, uid).context("changing the user")?;
        if privileged {
            let kept = caps::read(None, CapSet::Permitted).context("reading capabilities")?;
            caps::set(None, CapSet::Effective, &kept).context("raising capabilities")?;
        }
        for file in [&*global, &own] {
            file.write_text(run.log, b"7\n", Method::Write)?;
            file.write_text(run.log, b"", Method::Pwrite(0))?;
        }
        Ok(())
    };
    in_child("the other user", child)
}

/// Nothing of them is left in /proc when a trace could look.
fn short_lived(run: &Run<'_>) -> Result<()> {
    create::by_unshare(run, NET)?;
    let file = KeyFile::open(&Key::known(SOMAXCONN))?;
    let shared = SharedNumbers::new()?;
    for number in 0..SHORT_LIVED {
        let buffer = Buffer::ready((5000 + number).to_string().as_bytes());
        let old = file.text()?;
        let from_ns = sys::boottime_ns()?;
        let child = match sys::clone(CloneCall::Clone, CloneFlags::empty())? {
            Some(pid) => nix::unistd::Pid::from_raw(pid),
            None => {
                let taken = file.raw_pwrite(&buffer, 0).unwrap_or(u64::MAX);
                shared.set(0, taken);
                process::exit_at_once(0);
            }
        };
        process::wait_but_keep(child)?;
        let window = Window {
            from_ns,
            to_ns: sys::boottime_ns()?,
        };
        let actor = actor::ended_child(child.as_raw().cast_unsigned())?;
        process::wait(child)?;
        let taken = shared.get(0);
        ensure!(
            taken == buffer.len() as u64,
            "a short-lived writer was refused"
        );
        let how = "pwrite, and the end".to_owned();
        let mut record = file.record(actor, window, how, 0, &buffer, Ok(taken));
        record.old = old;
        record.new = file.text()?;
        run.log.add(&Record::Write(Box::new(record)))?;
    }
    Ok(())
}

/// The parent ends first; somebody else is the parent then.
fn orphan(run: &Run<'_>) -> Result<()> {
    create::by_unshare(run, NET)?;
    let (done, parent_gone) = (Channel::new()?, Channel::new()?);
    let child = fork_with(CloneCall::Clone, CloneFlags::empty(), || {
        if sys::clone(CloneCall::Clone, CloneFlags::empty())?.is_none() {
            process::run_and_exit(|| {
                parent_gone.hear::<()>()?;
                write_some(run)?;
                done.tell(&())
            });
        }
        Ok(())
    })?;
    process::wait(child)?;
    parent_gone.tell(&())?;
    done.hear()
}

/// A long line of ancestors.
fn generations(run: &Run<'_>, left: u32) -> Result<()> {
    if left == 0 {
        return write_some(run);
    }
    in_child("the next generation", || generations(run, left - 1))
}

/// Other namespaces than the network's.
fn namespaces(run: &Run<'_>) -> Result<()> {
    for flags in [
        CloneFlags::CLONE_NEWPID,
        CloneFlags::CLONE_NEWNS,
        CloneFlags::CLONE_NEWCGROUP,
        CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS | NET,
    ] {
        let unshared = flags.difference(CloneFlags::CLONE_NEWPID | NET);
        in_child("a namespace", || {
            unshare(unshared).context("making namespaces")?;
            create::by_unshare(run, NET)?;
            let inner = flags.intersection(CloneFlags::CLONE_NEWPID);
            let child = fork_with(CloneCall::Clone3, inner, || {
                write_some(run)?;
                write_by_ring(run)?;
                create::by_unshare(run, NET)
            })?;
            process::wait(child)
        })?;
    }
    Ok(())
}

/// Root only in a user namespace of its own.
fn user_namespace(run: &Run<'_>) -> Result<()> {
    create::by_unshare(run, CloneFlags::CLONE_NEWUSER | NET)?;
    for path in ["net/ipv4/tcp_fin_timeout", "net/ipv4/ip_default_ttl"] {
        let file = KeyFile::open(&Key::known(path))?;
        file.write_text(run.log, b"17\n", Method::Write)?;
        file.write_text(run.log, b"bad", Method::Pwrite(0))?;
    }
    Ok(())
}

/// A cgroup two levels down, with a name as hostile as the kernel lets it be.
fn in_cgroup(run: &Run<'_>) -> Result<()> {
    let outer = Cgroup::new(unified_hierarchy()?.join("sysctl-trace-workload"))?;
    let inner = Cgroup::new(outer.0.join("in\u{1b}[31m \"ner\"\\.scope"))?;
    for cgroup in [&inner, &outer] {
        in_child("a cgroup", || {
            cgroup.take_in()?;
            create::by_unshare(run, NET)?;
            write_some(run)?;
            write_by_ring(run)
        })?;
    }
    Ok(())
}

/// The same program under another name.
fn other_program(run: &Run<'_>) -> Result<()> {
    let copy = Copy::new(&std::env::temp_dir().join("renamed workload"))?;
    let shared = run.log.totals();
    in_child("another program", || {
        create::by_unshare(run, NET)?;
        let error = Command::new(&copy.0)
            .arg("steps")
            .arg("--log")
            .arg(run.log_path)
            .arg("--since")
            .arg(sys::boottime_ns()?.to_string())
            .exec();
        Err(error).context("starting the copy")
    })?;
    ensure!(
        run.log.totals() != shared,
        "the other program made no namespace"
    );
    run.log.count_foreign(STEPS.len() as u64, 1);
    Ok(())
}

/// What the program of another name writes.
const STEPS: [&[u8]; 2] = [b"301\n", b"bad"];

/// What [`other_program`] starts, at some time after `since_ns`.
///
/// # Errors
/// When it cannot do so.
pub fn steps(log_path: &Path, since_ns: u64) -> Result<()> {
    let log = Log::join(log_path)?;
    enter::executed(&log, since_ns)?;
    for text in STEPS {
        KeyFile::open(&Key::known(SOMAXCONN))?.write_text(&log, text, Method::Write)?;
    }
    Ok(())
}

fn write_some(run: &Run<'_>) -> Result<()> {
    let file = KeyFile::open(&Key::known(SOMAXCONN))?;
    file.write_text(run.log, b"201\n", Method::Write)?;
    file.write_text(run.log, b"bad", Method::Pwrite(0))?;
    Ok(())
}

fn write_by_ring(run: &Run<'_>) -> Result<()> {
    let mut ring = Ring::new()?;
    let file = KeyFile::open(&Key::known(SOMAXCONN))?;
    file.write_text(run.log, b"202\n", Method::Ring(&mut ring, 0))?;
    Ok(())
}

fn rename(name: &std::ffi::CStr) -> Result<()> {
    prctl::set_name(&CString::from(name)).context("renaming a thread")
}

/// Where the unified cgroup hierarchy is mounted.
pub fn unified_hierarchy() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let mut mounts = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>());
    let mount = mounts.find(|fields| fields.get(2) == Some(&"cgroup2"));
    let folder = mount.as_ref().and_then(|fields| fields.get(1));
    Ok(PathBuf::from(
        folder.context("the unified cgroup hierarchy is not mounted")?,
    ))
}

/// A cgroup, removed on drop.
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// Makes it.
    pub fn new(path: PathBuf) -> Result<Self> {
        fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self(path))
    }

    /// Moves the calling process into it.
    pub fn take_in(&self) -> Result<()> {
        fs::write(self.0.join("cgroup.procs"), "0").context("moving to a cgroup")?;
        actor::forget();
        Ok(())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.0) {
            eprintln!("workload: removing {}: {error}", self.0.display());
        }
    }
}

/// A copy of this program, removed on drop.
struct Copy(PathBuf);

impl Copy {
    fn new(path: &Path) -> Result<Self> {
        let program = std::env::current_exe().context("finding this program")?;
        fs::copy(program, path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                eprintln!("workload: removing {}: {error}", self.0.display());
            }
            Ok(()) | Err(_) => {}
        }
    }
}
