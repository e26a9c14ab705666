//! 7: systemd-nspawn with a private network, and an LXC container.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::{
    Context,
    expect::{Container, Expect},
    netns,
    runtime::machine::{Lxc, Nspawn},
    watch::while_watching,
};

const KEY: &str = "net.core.somaxconn";
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    nspawn().context("systemd-nspawn")?;
    lxc().context("LXC")
}

fn nspawn() -> Result<()> {
    let nspawn = Nspawn::make()?;
    let (link, trace) = while_watching(|| nspawn.run("barge", &["readlink", "/proc/self/ns/net"]))?;
    let machine = Container {
        id: "barge",
        runtime: "systemd-nspawn",
        ..Container::default()
    };
    let netns = netns::of_link(&link)?;
    trace.expect(&Expect {
        component: Some("systemd-nspawn"),
        container: Some(None),
        creator: Some("systemd-nspawn"),
        ..Expect::created(netns)
    })?;
    // The machine's first program shows whose it is.
    trace.expect(&Expect {
        component: Some("container-process"),
        container: Some(Some(machine)),
        owner: Some(machine),
        ..Expect::bound(netns)
    })?;
    Ok(())
}

fn lxc() -> Result<()> {
    let lxc = Lxc::make("crate", &[(KEY, "1024")])?;
    let (netns, trace) = while_watching(|| {
        lxc.start(&["/bin/sleep", "100000"])?;
        let begun = Instant::now();
        // It is running before its first process is what was asked for.
        let pid = loop {
            match lxc.pid() {
                Ok(pid) => break pid,
                Err(error) => ensure!(begun.elapsed() < PATIENCE, error),
            }
            thread::sleep(Duration::from_millis(200));
        };
        netns::of_process(pid)
    })?;
    let container = Container {
        id: "crate",
        runtime: "lxc",
        ..Container::default()
    };
    trace.expect(&Expect {
        component: Some("lxc"),
        creator: Some("lxc"),
        ..Expect::created(netns)
    })?;
    trace.expect(&Expect {
        component: Some("lxc"),
        container: Some(Some(container)),
        owner: Some(container),
        ..Expect::wrote(netns, KEY, "1024")
    })?;
    Ok(())
}
