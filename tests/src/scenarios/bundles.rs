//! 2: `runc run` and `crun run` of a bundle, with and without `linux.sysctl`.

use anyhow::{Context as _, Result};

use super::{
    Context,
    expect::{Container, Expect},
    netns,
    runtime::bundle::Bundle,
    watch::while_watching,
};

const KEY: &str = "net.core.somaxconn";

/// Says which network namespace it is in, and what the key holds.
const COMMAND: &[&str] = &[
    "/bin/sh",
    "-c",
    "readlink /proc/self/ns/net; cat /proc/sys/net/core/somaxconn",
];

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    let bundle = Bundle::make(COMMAND, &[])?;
    for runtime in ["runc", "crun"] {
        for sysctls in [&[][..], &[(KEY, "1024")][..]] {
            once(&bundle, runtime, sysctls).with_context(|| format!("{runtime}, {sysctls:?}"))?;
        }
    }
    Ok(())
}

fn once(bundle: &Bundle, runtime: &str, sysctls: &[(&str, &str)]) -> Result<()> {
    bundle.configure(COMMAND, sysctls)?;
    let id = format!("{runtime}-bundle");
    let (printed, trace) = while_watching(|| bundle.run(runtime, &id))?;
    let (link, value) = printed
        .split_once('\n')
        .context("the container says less")?;
    let netns = netns::of_link(link)?;
    let container = Container {
        id: &id,
        runtime,
        ..Container::default()
    };
    // runc's child makes its namespace in the container's cgroup; crun makes it for its child.
    let creator = match runtime {
        "runc" => Expect {
            process: Some("runc:[1:CHILD]"),
            stage: Some("child"),
            container: Some(Some(container)),
            ..Expect::created(netns)
        },
        _ => Expect {
            process: Some("crun"),
            ..Expect::created(netns)
        },
    };
    trace.expect(&Expect {
        component: Some(runtime),
        owner: Some(container),
        ..creator
    })?;
    let written = sysctls.iter().find(|(key, _)| *key == KEY);
    anyhow::ensure!(
        value == written.map_or("4096", |(_, value)| value),
        "the container sees {value}"
    );
    for (key, value) in sysctls {
        trace.expect(&Expect {
            process: Some(if runtime == "runc" {
                "runc:[2:INIT]"
            } else {
                "crun"
            }),
            component: Some(runtime),
            stage: Some("init"),
            container: Some(Some(container)),
            owner: Some(container),
            ..Expect::wrote(netns, key, value)
        })?;
    }
    Ok(())
}
