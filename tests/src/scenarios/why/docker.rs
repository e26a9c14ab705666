//! 14: `docker run` (c), with `--sysctl` (d), `nsenter` from the node (j), and containers that were
//! there before the tracer (l).

use anyhow::Result;

use super::{
    KEY, Kept, ROUNDS,
    book::{Book, Target},
};
use crate::scenarios::{
    Context, command,
    runtime::docker::{Container, Docker},
    watch::Watch,
};

const OPTION: &str = "--sysctl=net.core.somaxconn=1024";

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    let docker = Docker::start()?;
    // These are there before each of the tracers.
    let _early = docker.start_container(&["--name", "early"], &[])?;
    let _asking = docker.start_container(&["--name", "early-asking", OPTION], &[])?;
    let written = docker.start_container(&["--name", "early-written"], &[])?;
    nsenter(&written, "300")?;
    let mut book = Book::default();
    for node in ROUNDS {
        round(&docker, node, &mut book)?;
    }
    book.hand_over()
}

/// A process of the node writes in the container's namespace.
fn nsenter(container: &Container, value: &str) -> Result<()> {
    let pid = container.inspect("{{.State.Pid}}")?;
    let write = format!("{KEY}={value}");
    command::run_held("nsenter", &["-t", &pid, "-n", "sysctl", "-w", &write])
}

fn round(docker: &Docker, node: &str, book: &mut Book) -> Result<()> {
    let _value = Kept::set(KEY, node)?;
    let watch = Watch::with_options(&["--socket"])?;
    let _plain = docker.start_container(&["--name", "plain"], &[])?;
    let asking = docker.start_container(&["--name", "asking", OPTION], &[])?;
    let entered = docker.start_container(&["--name", "entered"], &[])?;
    nsenter(&entered, "300")?;

    book.head("c", &format!("the node at {node}: docker run"));
    book.ask("c", &Target::named("plain"))?;
    book.head("d", &format!("the node at {node}: docker run {OPTION}"));
    let id = Target::shown_as(&asking.id[..8], "<beginning of the id>");
    book.ask("d", &id)?;
    let title = "docker run, then nsenter -t PID -n sysctl -w 300";
    book.head("j", &format!("the node at {node}: {title}"));
    let pid = entered.inspect("{{.State.Pid}}")?;
    book.ask("j", &Target::shown_as(&pid, "<pid>"))?;
    for (name, title) in [
        ("early", "docker run"),
        (
            "early-asking",
            "docker run --sysctl=net.core.somaxconn=1024",
        ),
        (
            "early-written",
            "docker run, then nsenter -t PID -n sysctl -w 300",
        ),
    ] {
        book.head(
            "l",
            &format!("the node at {node}: before tracing began, {title}"),
        );
        book.ask("l", &Target::named(name))?;
    }
    book.end(watch)
}
