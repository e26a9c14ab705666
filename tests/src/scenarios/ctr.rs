//! 3: `ctr run`.

use anyhow::Result;

use super::{
    Context,
    expect::{Container, Expect},
    netns,
    runtime::containerd::Containerd,
    watch::while_watching,
};

const NAMESPACE: &str = "scenario";
const ID: &str = "by-ctr";

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    let containerd = Containerd::start(true)?;
    containerd.import(NAMESPACE)?;
    let (printed, trace) = while_watching(|| {
        let command = ["readlink", "/proc/self/ns/net"];
        containerd.run(NAMESPACE, ID, &[], &command)
    })?;
    let container = Container {
        id: ID,
        runtime: "containerd",
        ..Container::default()
    };
    trace.expect(&Expect {
        process: Some("runc:[1:CHILD]"),
        component: Some("runc"),
        stage: Some("child"),
        container: Some(Some(container)),
        owner: Some(container),
        ..Expect::created(netns::of_link(&printed)?)
    })?;
    Ok(())
}
