//! A container that nests cgroups as deep and with names as long as the kernel lets it hides nothing:
//! neither what it wrote nor which container it is.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Context, recorder::Watch, tracer::PROGRAM};
use crate::trace::{self, Event};

const KEY: &str = "net.core.somaxconn";
const FILE: &str = "/proc/sys/net/core/somaxconn";
const CONTAINER: &str = "5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";
/// As many names are told, from the root inwards.
const TOLD: usize = 16;

/// Cgroups below the container's own.
struct Nest {
    levels: usize,
    length: usize,
    value: &'static str,
}

const NESTS: [Nest; 6] = [
    Nest {
        levels: 1,
        length: 255,
        value: "1101",
    },
    Nest {
        levels: 15,
        length: 255,
        value: "1102",
    },
    Nest {
        levels: 16,
        length: 1,
        value: "1103",
    },
    Nest {
        levels: 17,
        length: 254,
        value: "1104",
    },
    Nest {
        levels: 40,
        length: 255,
        value: "1105",
    },
    Nest {
        levels: 300,
        length: 8,
        value: "1106",
    },
];

/// Deeper than is followed where the kernel has no list of the cgroups above one.
const BEYOND: Nest = Nest {
    levels: 700,
    length: 1,
    value: "1107",
};
const WITHOUT_LIST: &str = "5.10";

/// Runs the case.
pub fn run(context: &Context) -> Result<()> {
    let watch = Watch::start(&["--socket", "--key", KEY])?;
    for nest in &NESTS {
        let pid = nest.write()?;
        let live = why(&[])?;
        nest.check(&live, pid, true)
            .with_context(|| format!("live: {live}"))?;
    }
    let pid = BEYOND.write()?;
    let is_reached = context.kernel != WITHOUT_LIST;
    let live = why(&[])?;
    BEYOND
        .check(&live, pid, is_reached)
        .with_context(|| format!("live: {live}"))?;
    watch.finish()?;
    let recorded = why(&["--from", Watch::file()])?;
    BEYOND
        .check(&recorded, pid, is_reached)
        .with_context(|| format!("recorded: {recorded}"))?;

    let (events, wrong) = trace::read(Path::new(Watch::file()))?;
    ensure!(wrong.is_empty(), "the stream: {}", wrong.join("; "));
    for nest in NESTS.iter().chain([&BEYOND]) {
        let is_reached = is_reached || nest.value != BEYOND.value;
        let found = events.iter().find(|event| {
            let sysctl = event.sysctl.as_ref();
            sysctl.is_some_and(|sysctl| sysctl.requested.as_deref() == Some(nest.value))
        });
        let event = found.with_context(|| format!("no write of {}", nest.value))?;
        nest.check_event(event, is_reached)
            .with_context(|| format!("{event:#?}"))?;
    }
    Ok(())
}

/// The tool's answer about the node's value.
pub fn why(options: &[&str]) -> Result<Value> {
    let mut command = Command::new(PROGRAM);
    command
        .args(["why", "--json"])
        .args(options)
        .args(["node", KEY]);
    let output = command.output()?;
    let says = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).with_context(|| says.into_owned())
}

impl Nest {
    /// Writes from within, in a process of its own: its id.
    fn write(&self) -> Result<u32> {
        let base = format!("/sys/fs/cgroup/docker-{CONTAINER}.scope");
        let (levels, length) = (self.levels.to_string(), self.length.to_string());
        let mut child = Command::new("/bin/workload")
            .args(["nested", &base, &levels, &length, FILE, self.value])
            .spawn()?;
        let status = child.wait()?;
        ensure!(status.success(), "the writer: {status}");
        Ok(child.id())
    }

    /// Who wrote is known, and where from.
    fn check(&self, answer: &Value, pid: u32, is_reached: bool) -> Result<()> {
        ensure!(answer["sysctl"]["value"] == self.value, "the value");
        let verdict = &answer["verdict"];
        ensure!(verdict["confidence"] != "unknown", "the confidence");
        let cause = &verdict["cause"];
        ensure!(cause["kind"] == "written", "the cause");
        ensure!(cause["pid"] == pid, "the writer");
        if is_reached {
            ensure!(cause["container"] == CONTAINER, "the container");
        } else {
            ensure!(cause["container"].is_null(), "a container");
            ensure!(verdict["confidence"] == "inferred", "the confidence");
        }
        Ok(())
    }

    fn check_event(&self, event: &Event, is_reached: bool) -> Result<()> {
        let sysctl = event.sysctl.as_ref().context("a key")?;
        ensure!(sysctl.key == KEY, "the key");
        ensure!(sysctl.new.as_deref() == Some(self.value), "the new value");
        ensure!(sysctl.old.is_some(), "the old value");
        let process = event.process.as_ref().context("a process")?;
        let is_cut = event
            .trace
            .truncated
            .iter()
            .any(|field| field == "process.cgroup");
        if !is_reached {
            ensure!(
                process.cgroup.is_none() && event.container.is_none(),
                "the cgroup"
            );
            ensure!(is_cut, "nothing is said to be cut");
            return Ok(());
        }
        let container = event.container.as_ref().context("a container")?;
        ensure!(container.id == CONTAINER, "the container");
        let path = process.cgroup.as_ref().context("a cgroup")?;
        ensure!(
            path.starts_with(&format!("/docker-{CONTAINER}.scope/a")),
            "the outer end"
        );
        // The container's own is one of the levels.
        ensure!(
            is_cut == (self.levels >= TOLD || path.len() < self.path_len()),
            "what is cut"
        );
        Ok(())
    }

    /// Bytes of the whole path.
    fn path_len(&self) -> usize {
        format!("/docker-{CONTAINER}.scope").len() + self.levels * (self.length + 1)
    }
}
