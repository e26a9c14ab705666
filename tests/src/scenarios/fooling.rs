//! 11: what would like to be taken for something else.

use anyhow::{Context as _, Result};

use super::{
    Context, command,
    expect::{Container, Expect, Which},
    netns,
    runtime::docker::{Docker, IMAGE},
    watch::while_watching,
};

const KEY: &str = "net.core.somaxconn";

/// A cgroup that looks like that of another container.
const FORGED: &str =
    "docker-ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff.scope";

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    names_on_the_node().context("names on the node")?;
    let docker = Docker::start()?;
    forged_cgroup(&docker).context("a forged cgroup")?;
    name_in_a_container(&docker).context("a name in a container")
}

/// A shell that writes a key under a name of its choice, and then what the key held.
fn named_writer(name: &str, value: &str) -> String {
    format!(
        "old=$(cat /proc/sys/net/core/somaxconn); printf '{name}' >/proc/self/comm; \
         echo {value} >/proc/sys/net/core/somaxconn; echo $old >/proc/sys/net/core/somaxconn"
    )
}

fn names_on_the_node() -> Result<()> {
    // Octal, for printf: an escape sequence, a newline, a quote, and what is not UTF-8.
    let hostile = r#"\033[2J\n"\377\\"#;
    for (name, value) in [("runc:[2:INIT]", "3001"), (hostile, "3002")] {
        let script = named_writer(name, value);
        // The stream must be sound whatever the name and the arguments are.
        let arguments = ["-c", &script, "\u{1b}]0;title\u{7}", "\"\n\\"];
        let ((), trace) = while_watching(|| command::run("bash", &arguments).map(drop))?;
        trace.expect(&Expect {
            times: Some(1),
            process: (!name.contains('\\')).then_some(name),
            component: Some("program"),
            container: Some(None),
            ..Expect::of(Which::Wrote {
                netns: None,
                key: KEY,
                new: value,
            })
        })?;
    }
    Ok(())
}

fn container(id: &str) -> Container<'_> {
    Container {
        id,
        runtime: "docker",
        name: None,
        image: Some(IMAGE),
        confidence: Some("state-verified"),
    }
}

/// The innermost name is the container's own choice.
fn forged_cgroup(docker: &Docker) -> Result<()> {
    let script = format!(
        "readlink /proc/self/ns/net; mkdir /sys/fs/cgroup/{FORGED} && \
         echo $$ >/sys/fs/cgroup/{FORGED}/cgroup.procs && \
         sysctl -w net.core.somaxconn=512 >/dev/null; \
         echo $$ >/sys/fs/cgroup/cgroup.procs; rmdir /sys/fs/cgroup/{FORGED}"
    );
    let ((id, link), trace) =
        while_watching(|| docker.run(&["--privileged"], &["sh", "-c", &script]))?;
    let container = container(&id);
    let writes = trace.expect(&Expect {
        times: Some(1),
        process: Some("sysctl"),
        component: Some("container-process"),
        container: Some(Some(container)),
        owner: Some(container),
        ..Expect::wrote(netns::of_link(&link)?, KEY, "512")
    })?;
    let told = writes.iter().all(|write| {
        let cgroup = write.process.as_ref().and_then(|p| p.cgroup.as_ref());
        cgroup.is_some_and(|path| path.ends_with(FORGED))
    });
    anyhow::ensure!(told, "the forged cgroup does not show:\n{}", trace.told());
    Ok(())
}

fn name_in_a_container(docker: &Docker) -> Result<()> {
    let script = format!(
        "readlink /proc/self/ns/net; {}",
        named_writer("containerd", "640")
    );
    let ((id, link), trace) =
        while_watching(|| docker.run(&["--privileged"], &["sh", "-c", &script]))?;
    let container = container(&id);
    trace.expect(&Expect {
        times: Some(1),
        process: Some("containerd"),
        component: Some("container-process"),
        container: Some(Some(container)),
        owner: Some(container),
        ..Expect::wrote(netns::of_link(&link)?, KEY, "640")
    })?;
    Ok(())
}
