//! 4: `docker run` in its variants.

use anyhow::{Context as _, Result, ensure};

use super::{
    Context,
    expect::{Container, Expect, Which},
    netns,
    runtime::docker::{Docker, IMAGE},
    watch::while_watching,
};

const KEY: &str = "net.core.somaxconn";
const READ: &str = "readlink /proc/self/ns/net; cat /proc/sys/net/core/somaxconn";
const WRITE: &str = "sysctl -w net.core.somaxconn=512 >/dev/null";

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    let docker = Docker::start()?;
    by_default(&docker).context("by default")?;
    with_option(&docker).context("with --sysctl")?;
    privileged(&docker).context("with --privileged")?;
    on_the_node(&docker).context("with --net host")?;
    exec_and_restart(&docker).context("docker exec, docker restart")?;
    same_name(&docker).context("two of the same name")
}

fn container<'a>(id: &'a str, name: Option<&'a str>) -> Container<'a> {
    Container {
        id,
        runtime: "docker",
        name,
        image: Some(IMAGE),
        confidence: Some("state-verified"),
    }
}

/// runc's child made the namespace, in the container's cgroup.
fn by_runc<'a>(netns: u32, container: Container<'a>) -> Expect<'a> {
    Expect {
        process: Some("runc:[1:CHILD]"),
        component: Some("runc"),
        stage: Some("child"),
        container: Some(Some(container)),
        owner: Some(container),
        ..Expect::created(netns)
    }
}

fn by_default(docker: &Docker) -> Result<()> {
    let ((id, printed), trace) = while_watching(|| docker.run(&[], &["sh", "-c", READ]))?;
    let (link, value) = printed.split_once('\n').context("two lines")?;
    ensure!(value == "4096", "the container sees {value}");
    trace.expect(&by_runc(netns::of_link(link)?, container(&id, None)))?;
    Ok(())
}

fn with_option(docker: &Docker) -> Result<()> {
    let options = ["--name", "web", "--sysctl", "net.core.somaxconn=1024"];
    let ((id, printed), trace) = while_watching(|| docker.run(&options, &["sh", "-c", READ]))?;
    let (link, value) = printed.split_once('\n').context("two lines")?;
    ensure!(value == "1024", "the container sees {value}");
    let (netns, web) = (netns::of_link(link)?, container(&id, Some("web")));
    trace.expect(&by_runc(netns, web))?;
    trace.expect(&Expect {
        process: Some("runc:[2:INIT]"),
        component: Some("runc"),
        stage: Some("init"),
        container: Some(Some(web)),
        owner: Some(web),
        ..Expect::wrote(netns, KEY, "1024")
    })?;
    Ok(())
}

/// A process in the container wrote.
fn from_inside<'a>(netns: u32, container: Container<'a>) -> Expect<'a> {
    Expect {
        times: Some(1),
        process: Some("sysctl"),
        component: Some("container-process"),
        container: Some(Some(container)),
        owner: Some(container),
        ..Expect::wrote(netns, KEY, "512")
    }
}

fn privileged(docker: &Docker) -> Result<()> {
    let script = format!("{WRITE}; {READ}");
    let command = ["sh", "-c", &script];
    let ((id, printed), trace) = while_watching(|| docker.run(&["--privileged"], &command))?;
    let (link, _) = printed.split_once('\n').context("two lines")?;
    let netns = netns::of_link(link)?;
    trace.expect(&by_runc(netns, container(&id, None)))?;
    trace.expect(&from_inside(netns, container(&id, None)))?;
    Ok(())
}

/// The namespace is the node's, the writer is in a container all the same.
fn on_the_node(docker: &Docker) -> Result<()> {
    let node = netns::of_process(std::process::id())?;
    let options = ["--privileged", "--net", "host"];
    let script = format!("{WRITE}; sysctl -w net.core.somaxconn=4096 >/dev/null");
    let ((id, _), trace) = while_watching(|| docker.run(&options, &["sh", "-c", &script]))?;
    trace.expect(&Expect {
        owner: None,
        ..from_inside(node, container(&id, None))
    })?;
    Ok(())
}

fn exec_and_restart(docker: &Docker) -> Result<()> {
    let ((web, first, second), trace) = while_watching(|| {
        let web = docker.start_container(&["--privileged", "--name", "web"], &[])?;
        web.exec(&["sh", "-c", WRITE])?;
        let first = web.netns()?;
        web.restart()?;
        let second = web.netns()?;
        Ok((web, first, second))
    })?;
    let container = container(&web.id, Some("web"));
    trace.expect(&from_inside(first, container))?;
    for netns in [first, second] {
        trace.expect(&Expect {
            // The second may have got the number of the first.
            times: Some(if first == second { 2 } else { 1 }),
            ..by_runc(netns, container)
        })?;
    }
    Ok(())
}

fn same_name(docker: &Docker) -> Result<()> {
    let options = ["--name", "web", "--sysctl", "net.core.somaxconn=256"];
    let (ids, trace) = while_watching(|| {
        let first = docker.run(&options, &["true"])?.0;
        let second = docker.run(&options, &["true"])?.0;
        Ok([first, second])
    })?;
    for id in &ids {
        let writes = trace.expect(&Expect::of(Which::Wrote {
            netns: None,
            key: KEY,
            new: "256",
        }))?;
        ensure!(
            writes.iter().any(|write| {
                let process = write.process.as_ref();
                process.is_some_and(|p| p.cgroup.as_ref().is_some_and(|path| path.contains(id)))
            }),
            "no write by container {id}:\n{}",
            trace.told()
        );
    }
    Ok(())
}
