//! 1: namespaces without any runtime: `ip netns add`, and `unshare -n`.

use std::path::Path;

use anyhow::Result;

use super::{
    Context, command,
    expect::{Container, Expect},
    netns,
    watch::while_watching,
};

/// A namespace that `ip netns` keeps.
struct Named(&'static str);

impl Named {
    fn add(name: &'static str) -> Result<Self> {
        command::run("ip", &["netns", "add", name])?;
        Ok(Self(name))
    }

    fn inum(&self) -> Result<u32> {
        netns::of_pin(&Path::new("/run/netns").join(self.0))
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        command::undo("ip", &["netns", "delete", self.0]);
    }
}

const NO_CONTAINER: Option<Option<Container<'_>>> = Some(None);

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    let ((named, unshared), trace) = while_watching(|| {
        let named = Named::add("blue")?;
        let inum = named.inum()?;
        let write = "sysctl -q -w net.core.somaxconn=1000";
        command::run("ip", &["netns", "exec", "blue", "sh", "-c", write])?;
        let script = format!("readlink /proc/self/ns/net; {write}");
        let unshared = command::run("unshare", &["-n", "sh", "-c", &script])?;
        Ok((inum, netns::of_link(&unshared)?))
    })?;
    trace.expect(&Expect {
        process: Some("ip"),
        component: Some("iproute2"),
        container: NO_CONTAINER,
        ..Expect::created(named)
    })?;
    trace.expect(&Expect {
        process: Some("unshare"),
        component: Some("program"),
        container: NO_CONTAINER,
        ..Expect::created(unshared)
    })?;
    for netns in [named, unshared] {
        trace.expect(&Expect {
            times: Some(1),
            process: Some("sysctl"),
            component: Some("sysctl(8)"),
            container: NO_CONTAINER,
            ..Expect::wrote(netns, "net.core.somaxconn", "1000")
        })?;
    }
    Ok(())
}
