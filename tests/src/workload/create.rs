//! Network namespaces: made by every call there is, refused, and undone.

use std::thread;

use anyhow::{Context as _, Result, ensure};
use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
};
use serde::{Deserialize, Serialize};

use super::{
    actor,
    exactness::Run,
    file::KeyFile,
    keys,
    log::{Actor, Bytes, Created, Creation, Netns, Record, Window},
    netns,
    process::{self, Channel, in_child},
    sys::{self, CloneCall},
};

const NET: CloneFlags = CloneFlags::CLONE_NEWNET;
const USER: CloneFlags = CloneFlags::CLONE_NEWUSER;

/// Each makes ten namespaces.
const ROUNDS: u32 = 20;

/// A pid that is always taken.
const TAKEN_PID: libc::pid_t = 1;

/// Makes 200 namespaces, more that are refused, some that are undone, and some with a user
/// namespace of their own.
pub fn all(run: &mut Run<'_>) -> Result<()> {
    for _ in 0..ROUNDS {
        run.node_somaxconn
            .set(run.log, run.random.u32(1..=65_535).to_string().as_bytes())?;
        let run = &*run;
        in_child("unshare", || (0..3).try_for_each(|_| by_unshare(run, NET)))?;
        by_clone(run, CloneCall::Clone, NET)?;
        by_clone(run, CloneCall::Clone, NET)?;
        by_clone(run, CloneCall::Clone3, NET)?;
        in_child("clone", || {
            by_clone(run, CloneCall::Clone, NET)?;
            by_clone(run, CloneCall::Clone3, NET | CloneFlags::CLONE_NEWUTS)?;
            by_clone(run, CloneCall::Clone3, NET | CloneFlags::CLONE_NEWPID)
        })?;
        in_child("unshare in a thread", || in_thread(|| by_unshare(run, NET)))?;
    }
    refused(run)?;
    in_child("refused in a user namespace", || refused_for_one_user(run))?;
    for _ in 0..2 {
        undone(run)?;
    }
    with_user_namespace(run)
}

/// Makes one for the calling process and logs it.
pub fn by_unshare(run: &Run<'_>, flags: CloneFlags) -> Result<()> {
    let attempt = Attempt::begin(run, format!("unshare({flags:?})"))?;
    let answer = unshare(flags);
    let window = attempt.window()?;
    let made = answer.map(|()| Made::look());
    attempt.log(run, window, made)
}

fn by_clone(run: &Run<'_>, call: CloneCall, flags: CloneFlags) -> Result<()> {
    by_clone_for(run, call, flags, || Ok(()))
}

/// Makes one for a child and logs it; the child then does its `work`.
pub fn by_clone_for(
    run: &Run<'_>,
    call: CloneCall,
    flags: CloneFlags,
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let channel = Channel::new()?;
    let attempt = Attempt::begin(run, format!("{call:?} with {flags:?}"))?;
    let child = match sys::clone(call, flags) {
        Ok(None) => process::run_and_exit(|| {
            channel.tell(&Made::look()?)?;
            work()
        }),
        Ok(Some(pid)) => Ok(nix::unistd::Pid::from_raw(pid)),
        Err(error) => Err(error),
    };
    let window = attempt.window()?;
    let made = match child {
        Ok(child) => {
            let made = channel.hear();
            process::wait(child)?;
            Ok(made)
        }
        Err(error) => Err(error),
    };
    attempt.log(run, window, made)
}

/// The limit of the whole node: nobody gets any.
fn refused(run: &Run<'_>) -> Result<()> {
    let limit = run.restored(&keys::MAX_NETNS.key())?;
    limit.set(run.log, b"0\n")?;
    for _ in 0..3 {
        in_child("unshare", || by_unshare(run, NET))?;
        by_clone(run, CloneCall::Clone, NET)?;
        by_clone(run, CloneCall::Clone3, NET)?;
    }
    Ok(())
}

/// The limit of a user namespace: it gets two, one of which is given back.
fn refused_for_one_user(run: &Run<'_>) -> Result<()> {
    unshare(USER).context("making a user namespace")?;
    let limit = KeyFile::open(&keys::MAX_NETNS.key())?;
    limit.set(run.log, b"1")?;
    by_unshare(run, NET)?;
    for _ in 0..3 {
        by_unshare(run, NET)?;
        by_clone(run, CloneCall::Clone, NET)?;
        by_clone(run, CloneCall::Clone3, NET)?;
    }
    limit.set(run.log, b"2")?;
    by_unshare(run, NET)
}

/// The namespace is made, and then the call fails.
fn undone(run: &Run<'_>) -> Result<()> {
    let attempt = Attempt::begin(run, "clone3 with a pid that is taken".into())?;
    let answer = sys::clone(CloneCall::Clone3WithPid(TAKEN_PID), NET);
    let window = attempt.window()?;
    match answer {
        Err(error) if error == Errno::EEXIST => attempt.add(
            run,
            window,
            Created::Undone {
                error: format!("{error:?}"),
            },
        ),
        Ok(None) => process::run_and_exit(|| Ok(())),
        other => anyhow::bail!("asked for a pid that is taken: {other:?}"),
    }
}

fn with_user_namespace(run: &Run<'_>) -> Result<()> {
    for _ in 0..2 {
        in_child("both by unshare", || by_unshare(run, NET | USER))?;
        in_child("one by one", || {
            unshare(USER).context("making a user namespace")?;
            by_unshare(run, NET)
        })?;
        by_clone(run, CloneCall::Clone, NET | USER)?;
        by_clone(run, CloneCall::Clone3, NET | USER)?;
    }
    Ok(())
}

/// Runs it in a thread that is not the process's first.
fn in_thread(work: impl FnOnce() -> Result<()> + Send) -> Result<()> {
    thread::scope(|scope| {
        let thread = scope.spawn(work);
        thread
            .join()
            .map_err(|_| anyhow::anyhow!("the thread panicked"))?
    })
}

/// What is known before the call.
struct Attempt {
    actor: Actor,
    how: String,
    init_somaxconn: Bytes,
    from_ns: u64,
}

impl Attempt {
    fn begin(run: &Run<'_>, how: String) -> Result<Self> {
        let init_somaxconn = run
            .node_somaxconn
            .text()?
            .context("somaxconn can be read")?;
        let actor = actor::current()?;
        Ok(Self {
            actor,
            how,
            init_somaxconn,
            from_ns: sys::boottime_ns()?,
        })
    }

    fn window(&self) -> Result<Window> {
        Ok(Window {
            from_ns: self.from_ns,
            to_ns: sys::boottime_ns()?,
        })
    }

    fn log(self, run: &Run<'_>, window: Window, made: nix::Result<Result<Made>>) -> Result<()> {
        let result = match made {
            Ok(made) => {
                let Made { netns, somaxconn } = made?;
                Created::Made { netns, somaxconn }
            }
            Err(error) => {
                ensure!(error == Errno::ENOSPC, "{}: {error}", self.how);
                Created::Refused {
                    error: format!("{error:?}"),
                }
            }
        };
        self.add(run, window, result)
    }

    fn add(self, run: &Run<'_>, window: Window, result: Created) -> Result<()> {
        let Self {
            actor,
            how,
            init_somaxconn,
            from_ns: _,
        } = self;
        let creation = Creation {
            window,
            actor,
            how,
            result,
            init_somaxconn,
        };
        run.log.add(&Record::Create(Box::new(creation)))
    }
}

/// What can be seen from within a new namespace.
#[derive(Debug, Serialize, Deserialize)]
struct Made {
    netns: Netns,
    somaxconn: Option<Bytes>,
}

impl Made {
    fn look() -> Result<Self> {
        let somaxconn = match std::fs::read("/proc/sys/net/core/somaxconn") {
            Ok(text) => Some(Bytes::from(text.trim_ascii_end())),
            // Older kernels hide it where a user namespace owns the network namespace.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).context("reading somaxconn"),
        };
        Ok(Self {
            netns: netns::current()?,
            somaxconn,
        })
    }
}
