//! 6: podman, for root and for a user without privileges.

use anyhow::{Context as _, Result, ensure};

use super::{
    Context,
    expect::{Container, Expect},
    netns,
    runtime::podman::{IMAGE, Podman, Whose},
    watch::while_watching,
};

/// A key that also namespaces of users have: on older kernels these are without `net.core`.
const KEY: &str = "net.ipv4.ip_default_ttl";

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    once(Whose::Root, &[]).context("root's")?;
    // Without a network beyond the namespace: there is no uplink that a user's could use.
    once(Whose::User, &["--network", "none"]).context("a user's")
}

fn once(whose: Whose, options: &[&str]) -> Result<()> {
    let podman = Podman::start(whose)?;
    let options = [options, &["--sysctl", "net.ipv4.ip_default_ttl=70"]].concat();
    let script = "readlink /proc/self/ns/net; cat /proc/sys/net/ipv4/ip_default_ttl";
    let ((id, printed), trace) = while_watching(|| podman.run(&options, &["sh", "-c", script]))?;
    let (link, value) = printed.split_once('\n').context("two lines")?;
    ensure!(value == "70", "the container sees {value}");
    let netns = netns::of_link(link)?;
    // State that a user can write is not believed.
    let (image, confidence) = match whose {
        Whose::Root => (Some(IMAGE), "state-verified"),
        Whose::User => (None, "path-only"),
    };
    let container = Container {
        id: &id,
        runtime: "podman",
        name: None,
        image,
        confidence: Some(confidence),
    };
    // podman makes the namespace itself, but for one without network: that is the runtime's.
    let (process, component) = match whose {
        Whose::Root => ("podman", "podman"),
        Whose::User => ("crun", "crun"),
    };
    trace.expect(&Expect {
        process: Some(process),
        component: Some(component),
        container: Some(None),
        creator: Some(component),
        ..Expect::created(netns)
    })?;
    // crun's child shows whose it is.
    trace.expect(&Expect {
        component: Some("crun"),
        stage: Some("init"),
        container: Some(Some(container)),
        owner: Some(container),
        creator: Some(component),
        ..Expect::bound(netns)
    })?;
    trace.expect(&Expect {
        process: Some("crun"),
        component: Some("crun"),
        stage: Some("init"),
        container: Some(Some(container)),
        owner: Some(container),
        ..Expect::wrote(netns, KEY, "70")
    })?;
    Ok(())
}
