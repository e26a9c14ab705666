//! 8: the node's own settings by systemd-sysctl and `sysctl --system`, and `nsenter` from the node
//! into a container.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::{
    Context, command,
    expect::{Container, Expect, Which},
    runtime::{
        Setting,
        docker::{Docker, IMAGE},
    },
    watch::while_watching,
};
use crate::trace;

const KEY: &str = "net.core.somaxconn";

/// A value of the node that is put back.
struct Kept(String);

impl Kept {
    fn new() -> Result<Self> {
        Ok(Self(command::run("sysctl", &["--values", KEY])?))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        command::undo("sysctl", &["-q", "-w", &format!("{KEY}={}", self.0)]);
    }
}

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    at_boot().context("at boot")?;
    settings().context("settings of the node")?;
    from_the_node().context("nsenter")
}

/// What the user land's own files in sysctl.d set, seen by a tracer that was there first.
fn at_boot() -> Result<()> {
    command::run("systemctl", &["stop", "boot-trace.service"])?;
    let (events, wrong) = trace::read(Path::new("/run/boot-trace.ndjson"))?;
    ensure!(wrong.is_empty(), "the stream: {}", wrong.join("; "));
    let by_sysctl = |event: &&trace::Event| {
        let process = event.process.as_ref();
        event.event.action == trace::Action::SysctlWrite
            && process.is_some_and(|process| process.name == "systemd-sysctl")
    };
    let writes: Vec<_> = events.iter().filter(by_sysctl).collect();
    ensure!(!writes.is_empty(), "systemd-sysctl wrote nothing at boot");
    for write in writes {
        let component = write.component.as_ref().context("no component")?;
        ensure!(
            (&*component.name, &*component.confidence) == ("systemd-sysctl", "observed")
                && write.container.is_none(),
            "{write:?}"
        );
    }
    Ok(())
}

fn settings() -> Result<()> {
    let _kept = Kept::new()?;
    let _setting = Setting::write(
        "/etc/sysctl.d/99-scenario.conf",
        "net.core.somaxconn = 2048\n",
    )?;
    for (program, arguments, process, component) in [
        (
            "systemctl",
            &["restart", "systemd-sysctl.service"][..],
            "systemd-sysctl",
            "systemd-sysctl",
        ),
        (
            "sysctl",
            &["--quiet", "--system"][..],
            "sysctl",
            "sysctl(8)",
        ),
    ] {
        let ((), trace) = while_watching(|| command::run(program, arguments).map(drop))?;
        trace.expect(&Expect {
            process: Some(process),
            component: Some(component),
            container: Some(None),
            ..Expect::of(Which::Wrote {
                netns: None,
                key: KEY,
                new: "2048",
            })
        })?;
    }
    Ok(())
}

fn from_the_node() -> Result<()> {
    let docker = Docker::start()?;
    let web = docker.start_container(&["--name", "web"], &[])?;
    let netns = web.netns()?;
    let pid = web.inspect("{{.State.Pid}}")?;
    let write = format!("{KEY}=300");
    let ((), trace) = while_watching(|| {
        let arguments = ["-t", &pid, "-n", "sysctl", "-q", "-w", &write];
        command::run("nsenter", &arguments).map(drop)
    })?;
    trace.expect(&Expect {
        times: Some(1),
        process: Some("sysctl"),
        component: Some("sysctl(8)"),
        container: Some(None),
        owner: Some(Container {
            id: &web.id,
            runtime: "docker",
            name: Some("web"),
            image: Some(IMAGE),
            confidence: Some("state-verified"),
        }),
        ..Expect::wrote(netns, KEY, "300")
    })?;
    Ok(())
}
