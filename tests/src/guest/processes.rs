//! The first process's duty towards all others: to wait for them, and to end them.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

const POLL: Duration = Duration::from_millis(5);

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this status.
    Exited(i32),
    /// By a signal.
    Signalled(Signal),
}

impl Ended {
    /// The status a shell would show.
    pub fn shell_status(self) -> u8 {
        let status = match self {
            Self::Exited(status) => status,
            Self::Signalled(signal) => 128 + signal as i32,
        };
        u8::try_from(status).unwrap_or(u8::MAX)
    }
}

/// Waits for the process, and reaps every orphan meanwhile; `None` once the deadline has passed.
pub fn wait_for(id: u32, deadline: Option<Duration>) -> Result<Option<Ended>> {
    let wanted = Pid::from_raw(i32::try_from(id).context("a process id out of range")?);
    let started = Instant::now();
    let flags = match deadline {
        Some(_) => WaitPidFlag::WNOHANG,
        None => WaitPidFlag::empty(),
    };
    loop {
        match waitpid(None, Some(flags)) {
            Ok(WaitStatus::Exited(pid, status)) if pid == wanted => {
                return Ok(Some(Ended::Exited(status)));
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == wanted => {
                return Ok(Some(Ended::Signalled(signal)));
            }
            Ok(WaitStatus::StillAlive) => {
                if deadline.is_some_and(|limit| started.elapsed() >= limit) {
                    return Ok(None);
                }
                thread::sleep(POLL);
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context("waiting for a process"),
        }
    }
}

/// Ends every process but this one and reaps them all.
pub fn kill_the_rest() {
    // There may be none left; that is what is wanted.
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    while waitpid(None, None).is_ok() {}
}
