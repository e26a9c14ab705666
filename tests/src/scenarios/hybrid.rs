//! 10: a node with the controllers of cgroup version 1.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::{
    Context,
    expect::{Container, Expect},
    netns,
    runtime::docker::{Docker, IMAGE},
    watch::while_watching,
};

const KEY: &str = "net.core.somaxconn";

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    for folder in ["/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids"] {
        ensure!(
            Path::new(folder).join("cgroup.procs").is_file(),
            "the node has no {folder}"
        );
    }
    let docker = Docker::start()?;
    let options = ["--name", "web", "--sysctl", "net.core.somaxconn=1024"];
    let command = ["readlink", "/proc/self/ns/net"];
    let ((id, link), trace) = while_watching(|| docker.run(&options, &command))?;
    let netns = netns::of_link(&link).context("what the container says")?;
    let web = Container {
        id: &id,
        runtime: "docker",
        name: Some("web"),
        image: Some(IMAGE),
        confidence: Some("state-verified"),
    };
    trace.expect(&Expect {
        process: Some("runc:[1:CHILD]"),
        component: Some("runc"),
        stage: Some("child"),
        owner: Some(web),
        ..Expect::created(netns)
    })?;
    trace.expect(&Expect {
        process: Some("runc:[2:INIT]"),
        component: Some("runc"),
        stage: Some("init"),
        owner: Some(web),
        ..Expect::wrote(netns, KEY, "1024")
    })?;
    Ok(())
}
