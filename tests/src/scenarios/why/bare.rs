//! 15: without dockerd and kubelet: `ctr run` (e), runc from a bundle (f), `ip netns add` (g), a write
//! through an inherited descriptor (k), loss (m), a refusal after a success (n), two writers (o).

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use super::{
    KEY, Kept, ROUNDS,
    book::{Book, Target},
};
use crate::scenarios::{
    Context, command, netns,
    runtime::{bundle::Running, containerd::Containerd},
    watch::Watch,
};

/// containerd's, for ctr.
const NAMESPACE: &str = "scenario";

const FILE: &str = "/proc/sys/net/core/somaxconn";

/// A namespace that `ip netns` keeps.
pub struct Named(&'static str);

impl Named {
    /// `ip netns add`
    pub fn add(name: &'static str) -> Result<Self> {
        command::run("ip", &["netns", "add", name])?;
        Ok(Self(name))
    }

    /// Writes the key in it by sysctl(8).
    pub fn write(&self, value: &str) -> Result<()> {
        let write = format!("{KEY}={value}");
        command::run_held("ip", &["netns", "exec", self.0, "sysctl", "-w", &write])
    }

    fn shell(&self, script: &str) -> Result<()> {
        command::run("ip", &["netns", "exec", self.0, "sh", "-c", script]).map(drop)
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

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    let containerd = Containerd::start(true)?;
    containerd.import(NAMESPACE)?;
    let mut book = Book::default();
    for node in ROUNDS {
        runtimes(&containerd, node, &mut book)?;
        writers(node, &mut book)?;
        descriptors(node, &mut book)?;
        loss(node, &mut book)?;
    }
    book.hand_over()
}

fn runtimes(containerd: &Containerd, node: &str, book: &mut Book) -> Result<()> {
    let _value = Kept::set(KEY, node)?;
    let watch = Watch::with_options(&["--socket"])?;
    let _by_ctr = containerd.start_container(NAMESPACE, "by-ctr")?;
    let _plain = Running::start("runc", "plain-bundle", &[])?;
    let _asking = Running::start("runc", "asking-bundle", &[(KEY, "512")])?;
    let _blue = Named::add("blue")?;

    book.head("e", &format!("the node at {node}: ctr run"));
    book.ask("e", &Target::named("by-ctr"))?;
    book.head("f", &format!("the node at {node}: runc run of a bundle"));
    book.ask("f", &Target::named("plain-bundle"))?;
    let title = "runc run of a bundle whose config.json asks for 512";
    book.head("f", &format!("the node at {node}: {title}"));
    book.ask("f", &Target::named("asking-bun"))?;
    book.head("g", &format!("the node at {node}: ip netns add"));
    book.ask("g", &Target::named("/run/netns/blue"))?;
    book.end(watch)
}

fn writers(node: &str, book: &mut Book) -> Result<()> {
    let _value = Kept::set(KEY, node)?;
    let watch = Watch::with_options(&["--socket"])?;
    let refused = Named::add("refused")?;
    refused.write("600")?;
    refused.shell(&format!("! echo -1 >{FILE}"))?;
    let twice = Running::start("runc", "two-writers", &[(KEY, "1024")])?;
    let pid = twice.pid()?.to_string();
    let write = format!("{KEY}=300");
    command::run_held("nsenter", &["-t", &pid, "-n", "sysctl", "-w", &write])?;

    let title = "ip netns add, sysctl -w 600, then echo -1, which the kernel refuses";
    book.head("n", &format!("the node at {node}: {title}"));
    let inum = refused.inum()?.to_string();
    book.ask("n", &Target::shown_as(&inum, "<netns>"))?;
    let title = "runc sets 1024 as the bundle asks, then nsenter -t PID -n sysctl -w 300";
    book.head("o", &format!("the node at {node}: {title}"));
    book.ask("o", &Target::named(twice.id))?;
    book.end(watch)
}

/// Opened here, written there: the namespace of the key is that in which it was opened.
fn descriptors(node: &str, book: &mut Book) -> Result<()> {
    let _value = Kept::set(KEY, node)?;
    let watch = Watch::with_options(&["--socket"])?;
    let green = Named::add("green")?;
    let outside = "nsenter --net=/proc/1/ns/net sh -c \"echo 700 >&3\"";
    green.shell(&format!("exec {outside} 3>{FILE}"))?;
    let inside = "ip netns exec green sh -c \"echo 701 >&3\"";
    command::run("sh", &["-c", &format!("exec {inside} 3>{FILE}")])?;

    let title = "opened in the namespace, written to from the node's";
    book.head("k", &format!("the node at {node}: {title}"));
    book.ask("k", &Target::named("green"))?;
    let title = "opened in the node's namespace, written to from another";
    book.head("k", &format!("the node at {node}: {title}"));
    book.ask("k", &Target::named("node"))?;
    book.end(watch)
}

/// The tracer is held while more is written than its buffer has room for.
fn loss(node: &str, book: &mut Book) -> Result<()> {
    let _value = Kept::set(KEY, node)?;
    let watch = Watch::with_options(&["--socket", "--buffer", "64K"])?;
    let red = Named::add("red")?;
    red.write("500")?;
    let pink = Named::add("pink")?;
    pink.write("500")?;
    // Nothing of the above is lost once the tracer has answered.
    book.head(
        "m",
        &format!("the node at {node}: written before events are lost"),
    );
    book.tell("m", &["why", "red"])?;
    watch.signal(Signal::SIGSTOP)?;
    flood(&red)?;
    red.write("650")?;
    let _brown = Named::add("brown")?;
    watch.signal(Signal::SIGCONT)?;

    let title = "the write is among those that were lost";
    book.head("m", &format!("the node at {node}: {title}"));
    book.ask("m", &Target::named("red"))?;
    book.head(
        "m",
        &format!("the node at {node}: the value is that from before"),
    );
    book.ask("m", &Target::named("pink"))?;
    book.head(
        "m",
        &format!("the node at {node}: made while events were lost"),
    );
    book.ask("m", &Target::named("brown"))?;
    book.end_with_loss(watch)
}

/// Several processes write back to back.
fn flood(place: &Named) -> Result<()> {
    let script = format!("i=0; while [ $i -lt 400 ]; do i=$((i + 1)); echo 600 >{FILE}; done");
    let start = || {
        Command::new("ip")
            .args(["netns", "exec", place.0, "sh", "-c", &script])
            .stdin(Stdio::null())
            .spawn()
    };
    let mut writers: Vec<_> = (0..4).map(|_| start()).collect::<Result<_, _>>()?;
    for writer in &mut writers {
        let status = writer.wait().context("waiting for a writer")?;
        ensure!(status.success(), "a writer: {status}");
    }
    Ok(())
}
