//! Exit statuses, all of them.
//!
//! | status | meaning |
//! |---|---|
//! | 0 | done: `-n` or `--timeout` reached, Ctrl-C, SIGTERM, or the reader of a pipe is gone |
//! | 1 | failed; the reason is on standard error |
//! | 2 | the arguments are wrong |
//! | 3 | `why`: there is not enough evidence |
//! | 4 | events were lost, and `--strict` was given |
//! | 125 | `run`: this tool failed after CMD was started |
//! | 126 | `run`: CMD was found, but cannot be executed |
//! | 127 | `run`: CMD was not found |
//! | 128+n | `run`: CMD, or this tool at a second Ctrl-C, was ended by signal n |
//! | other | `run`: the status of CMD |

use std::{
    os::unix::process::ExitStatusExt as _,
    process::{ExitCode, ExitStatus},
};

/// How this process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// Failed, and said why.
    Failed,
    /// The arguments are wrong.
    Usage,
    /// `why`: there is not enough evidence.
    Undecided,
    /// Events were lost under `--strict`.
    Lost,
    /// `run`: failed after CMD was started.
    FailedBesideCommand,
    /// `run`: CMD can't be executed.
    NotExecutable,
    /// `run`: CMD was not found.
    NotFound,
    /// `run`: CMD's own status.
    Command(u8),
    /// `run`: ended by a signal.
    Signal(u8),
}

impl Exit {
    /// The status of CMD.
    pub fn of_command(status: ExitStatus) -> Self {
        if let Some(code) = status.code() {
            // A status is one byte.
            return Self::Command(u8::try_from(code).unwrap_or(u8::MAX));
        }
        let signal = status.signal().unwrap_or_default();
        Self::Signal(u8::try_from(signal).unwrap_or_default())
    }

    /// Whether all went well so far, so that loss may still change the status.
    pub fn is_success(self) -> bool {
        self.status() == 0
    }

    fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Undecided => 3,
            Self::Lost => 4,
            Self::FailedBesideCommand => 125,
            Self::NotExecutable => 126,
            Self::NotFound => 127,
            Self::Command(status) => status,
            Self::Signal(signal) => 128_u8.saturating_add(signal),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.status().into()
    }
}

#[cfg(test)]
#[path = "exit_tests.rs"]
mod tests;
