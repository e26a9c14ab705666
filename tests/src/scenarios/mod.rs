//! Scenarios with real runtimes, in a Debian user land, and their registry.
//!
//! A scenario runs as a service of its own and leaves nothing behind: its fixtures undo on drop
//! what they did. It never skips itself: what a user land lacks for it is declared in the registry,
//! by name, and shows in the table of results.

mod bundles;
mod command;
mod ctr;
mod docker;
pub mod expect;
mod fooling;
mod hybrid;
mod machines;
mod many;
mod nested;
mod netns;
mod node;
mod plain;
mod podman;
mod pods;
pub mod runtime;
mod watch;
mod why;

use std::time::Duration;

use crate::protocol::{Flavour, Lacking, ScenarioInfo};

/// A scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its number, by which it is asked for.
    pub number: u8,
    /// What it is about, in a few words.
    pub name: &'static str,
    /// How the user land is booted for it.
    pub flavour: Flavour,
    /// How long it may take under emulation on a busy machine.
    pub deadline: Duration,
    /// The suites in whose user land it does not run, and what is lacking there.
    pub lacking: &'static [(&'static str, &'static str)],
    /// The scenario itself.
    pub run: fn(&Context) -> anyhow::Result<()>,
}

/// What a scenario may ask about its surroundings.
#[derive(Clone, Debug)]
pub struct Context {
    /// The kernel's label on the host, such as `6.12`.
    pub kernel: String,
    /// The suite that the user land is made of, such as `trixie`.
    pub suite: String,
}

/// Why a long scenario runs in one user land only.
const ONE_IS_ENOUGH: &str = "nothing; it takes minutes, and one user land shows it";

/// Every scenario, in the order in which they run.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        number: 1,
        name: "ip netns, unshare",
        flavour: Flavour::Unified,
        deadline: Duration::from_secs(300),
        lacking: &[],
        run: plain::run,
    },
    Scenario {
        number: 2,
        name: "runc, crun",
        flavour: Flavour::Unified,
        deadline: Duration::from_secs(300),
        lacking: &[],
        run: bundles::run,
    },
    Scenario {
        number: 3,
        name: "ctr run",
        flavour: Flavour::Unified,
        deadline: Duration::from_secs(300),
        lacking: &[],
        run: ctr::run,
    },
    Scenario {
        number: 4,
        name: "docker run",
        flavour: Flavour::Unified,
        deadline: Duration::from_secs(600),
        lacking: &[],
        run: docker::run,
    },
    Scenario {
        number: 5,
        name: "pods through CRI",
        flavour: Flavour::Unified,
        deadline: Duration::from_secs(600),
        lacking: &[],
        run: pods::run,
    },
    Scenario {
        number: 6,
        name: "podman",
        flavour: Flavour::Unified,
        deadline: Duration::from_secs(600),
        lacking: &[],
        run: podman::run,
    },
    Scenario {
        number: 7,
        name: "systemd-nspawn, LXC",
        flavour: Flavour::Unified,
        deadline: Duration::from_secs(600),
        lacking: &[],
        run: machines::run,
    },
    Scenario {
        number: 8,
        name: "systemd-sysctl, sysctl, nsenter",
        flavour: Flavour::Traced,
        deadline: Duration::from_secs(600),
        lacking: &[],
        run: node::run,
    },
    Scenario {
        number: 9,
        name: "docker in docker",
        flavour: Flavour::Unified,
        deadline: Duration::from_secs(600),
        lacking: &[],
        run: nested::run,
    },
    Scenario {
        number: 10,
        name: "cgroup version 1",
        flavour: Flavour::Hybrid,
        deadline: Duration::from_secs(600),
        lacking: &[(
            "forky",
            "systemd since 258 boots with cgroup version 2 only",
        )],
        run: hybrid::run,
    },
    Scenario {
        number: 11,
        name: "fooling",
        flavour: Flavour::Unified,
        deadline: Duration::from_secs(600),
        lacking: &[],
        run: fooling::run,
    },
    Scenario {
        number: 12,
        name: "200 brief containers",
        flavour: Flavour::Unified,
        deadline: Duration::from_secs(2400),
        lacking: &[("bookworm", ONE_IS_ENOUGH), ("forky", ONE_IS_ENOUGH)],
        run: many::run,
    },
    Scenario {
        number: 13,
        name: "why: pods",
        flavour: Flavour::Unified,
        deadline: Duration::from_secs(600),
        lacking: &[],
        run: why::pods::run,
    },
    Scenario {
        number: 14,
        name: "why: docker, nsenter",
        flavour: Flavour::Unified,
        deadline: Duration::from_secs(600),
        lacking: &[],
        run: why::docker::run,
    },
    Scenario {
        number: 15,
        name: "why: runc, ctr, ip netns, loss",
        flavour: Flavour::Unified,
        deadline: Duration::from_secs(600),
        lacking: &[],
        run: why::bare::run,
    },
    Scenario {
        number: 16,
        name: "why: the node",
        flavour: Flavour::Unified,
        deadline: Duration::from_secs(600),
        lacking: &[],
        run: why::node::run,
    },
    Scenario {
        number: 17,
        name: "ls, and the three questions",
        flavour: Flavour::Unified,
        deadline: Duration::from_secs(600),
        lacking: &[],
        run: why::ls::run,
    },
    Scenario {
        number: 18,
        name: "why: CRI-O",
        flavour: Flavour::Unified,
        deadline: Duration::from_secs(600),
        lacking: &[],
        run: why::crio::run,
    },
    Scenario {
        number: 19,
        name: "why: a kubelet's ways",
        flavour: Flavour::Unified,
        deadline: Duration::from_secs(600),
        lacking: &[],
        run: why::kubelet::run,
    },
    Scenario {
        number: 20,
        name: "why: a pod with a user namespace",
        flavour: Flavour::Unified,
        deadline: Duration::from_secs(600),
        lacking: &[(
            "bookworm",
            "containerd before 1.7 has no user namespaces for pods",
        )],
        run: why::kubelet::with_users,
    },
    Scenario {
        number: 21,
        name: "why: files, udev, networkd",
        flavour: Flavour::Unified,
        deadline: Duration::from_secs(600),
        lacking: &[],
        run: why::services::run,
    },
    Scenario {
        number: 22,
        name: "why: refused by docker",
        flavour: Flavour::Unified,
        deadline: Duration::from_secs(600),
        lacking: &[],
        run: why::refused::run,
    },
];

/// The scenario of that number.
#[must_use]
pub fn find(number: u8) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.number == number)
}

/// The registry as the host sees it.
#[must_use]
pub fn list() -> Vec<ScenarioInfo> {
    SCENARIOS
        .iter()
        .map(|scenario| ScenarioInfo {
            number: scenario.number,
            name: scenario.name.to_owned(),
            flavour: scenario.flavour,
            deadline_s: scenario.deadline.as_secs(),
            lacking: scenario
                .lacking
                .iter()
                .map(|(suite, what)| Lacking {
                    suite: (*suite).to_owned(),
                    what: (*what).to_owned(),
                })
                .collect(),
        })
        .collect()
}
