//! The cases that run in a guest, and their registry.
//!
//! A case never skips itself: what it needs is asserted by [`environment`], which comes first, and
//! a case that is not for every kernel says so in the registry, where the host can see it.

mod burst;
mod command_line;
mod doctor;
mod drift;
mod ending;
mod environment;
mod exactness;
mod helper;
mod key_lives;
pub mod keys;
mod nested;
mod netns_enter;
mod recorder;
mod stall;
pub mod tracer;

use std::time::Duration;

use crate::protocol::CaseInfo;

/// A test case. It runs in a process of its own; an error or a panic is a failure.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What it is called on the command line and in the table of results.
    pub name: &'static str,
    /// The kernels it is for.
    pub kernels: Kernels,
    /// How long it may take under emulation on a busy machine.
    pub deadline: Duration,
    /// The case itself.
    pub run: fn(&Context) -> anyhow::Result<()>,
}

/// The kernels a case is for, by the host's labels.
#[derive(Clone, Copy, Debug)]
pub enum Kernels {
    /// Every kernel the harness boots.
    All,
    /// Only these.
    Only(&'static [&'static str]),
}

/// What a case may ask about its surroundings.
#[derive(Clone, Debug)]
pub struct Context {
    /// The kernel's label on the host, such as `6.12`.
    pub kernel: String,
}

/// Every case, in the order in which they run.
pub const CASES: &[Case] = &[
    Case {
        name: "environment",
        kernels: Kernels::All,
        deadline: Duration::from_secs(300),
        run: environment::run,
    },
    // Before others, which may leave keys behind: devices, modules.
    Case {
        name: "keys",
        kernels: Kernels::All,
        deadline: Duration::from_secs(240),
        run: keys::run,
    },
    Case {
        name: "exactness",
        kernels: Kernels::All,
        deadline: Duration::from_secs(300),
        run: exactness::run,
    },
    Case {
        name: "exactness-kprobe",
        kernels: Kernels::Only(&["6.12"]),
        deadline: Duration::from_secs(300),
        run: exactness::by_kprobes,
    },
    Case {
        name: "netns-enter",
        kernels: Kernels::All,
        deadline: Duration::from_secs(300),
        run: netns_enter::run,
    },
    Case {
        name: "netns-enter-kprobe",
        kernels: Kernels::Only(&["6.12"]),
        deadline: Duration::from_secs(300),
        run: netns_enter::by_kprobes,
    },
    Case {
        name: "burst",
        kernels: Kernels::All,
        deadline: Duration::from_secs(300),
        run: burst::run,
    },
    Case {
        name: "overflow",
        kernels: Kernels::All,
        deadline: Duration::from_secs(300),
        run: burst::overflow,
    },
    Case {
        name: "recorder",
        kernels: Kernels::Only(&["6.12", "5.10"]),
        deadline: Duration::from_secs(300),
        run: recorder::run,
    },
    Case {
        name: "drift",
        kernels: Kernels::Only(&["6.12", "5.10"]),
        deadline: Duration::from_secs(240),
        run: drift::run,
    },
    Case {
        name: "key-lives",
        kernels: Kernels::All,
        deadline: Duration::from_secs(300),
        run: key_lives::run,
    },
    Case {
        name: "nested-cgroups",
        kernels: Kernels::All,
        deadline: Duration::from_secs(300),
        run: nested::run,
    },
    Case {
        name: "usermode-helper",
        kernels: Kernels::All,
        deadline: Duration::from_secs(300),
        run: helper::run,
    },
    Case {
        name: "held-up",
        kernels: Kernels::All,
        deadline: Duration::from_secs(300),
        run: stall::run,
    },
    Case {
        name: "doctor",
        kernels: Kernels::All,
        deadline: Duration::from_secs(300),
        run: doctor::finds_a_way,
    },
    Case {
        name: "doctor-words",
        kernels: Kernels::Only(&["6.12"]),
        deadline: Duration::from_secs(300),
        run: doctor::words,
    },
    Case {
        name: "btf-file",
        kernels: Kernels::All,
        deadline: Duration::from_secs(300),
        run: doctor::with_btf_file,
    },
    Case {
        name: "unprivileged",
        kernels: Kernels::All,
        deadline: Duration::from_secs(300),
        run: command_line::unprivileged,
    },
    Case {
        name: "statuses",
        kernels: Kernels::Only(&["6.12"]),
        deadline: Duration::from_secs(300),
        run: command_line::statuses,
    },
    Case {
        name: "files",
        kernels: Kernels::Only(&["6.12"]),
        deadline: Duration::from_secs(300),
        run: command_line::files,
    },
    Case {
        name: "full-disk",
        kernels: Kernels::Only(&["6.12"]),
        deadline: Duration::from_secs(300),
        run: command_line::full_disk_while_watching,
    },
    Case {
        name: "closed-pipe",
        kernels: Kernels::Only(&["6.12"]),
        deadline: Duration::from_secs(300),
        run: command_line::closed_pipe,
    },
    Case {
        name: "signals",
        kernels: Kernels::All,
        deadline: Duration::from_secs(300),
        run: ending::by_signal,
    },
    Case {
        name: "ends",
        kernels: Kernels::All,
        deadline: Duration::from_secs(300),
        run: ending::by_itself,
    },
    Case {
        name: "kill",
        kernels: Kernels::All,
        deadline: Duration::from_secs(300),
        run: ending::by_kill,
    },
];

/// The case of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Case> {
    CASES.iter().find(|case| case.name == name)
}

/// The registry as the host sees it.
#[must_use]
pub fn list() -> Vec<CaseInfo> {
    CASES
        .iter()
        .map(|case| CaseInfo {
            name: case.name.to_owned(),
            kernels: match case.kernels {
                Kernels::All => None,
                Kernels::Only(labels) => Some(labels.iter().map(ToString::to_string).collect()),
            },
            deadline_s: case.deadline.as_secs(),
        })
        .collect()
}
