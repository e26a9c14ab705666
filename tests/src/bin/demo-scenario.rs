//! Something for the tracer to see: three network namespaces on a node that has a limit of its own,
//! and writes to keys of each kind.
//!
//! Global values it changes are put back; one write is refused by the kernel on purpose. The first
//! namespace stays, kept by a file.

use std::{
    env,
    fs::{self, File},
    path::Path,
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};
use sysctl_trace_tests::DEMO_PIN;

/// The key that it is all about, and what the node has it set to.
const NODE: (&str, &str) = ("net/core/somaxconn", "2048\n");

/// What each namespace is given: the key's path below /proc/sys, and the text to write.
const NAMESPACES: [&[(&str, &str)]; 3] = [
    &[("net/core/somaxconn", "1024\n")],
    &[
        ("net/ipv4/tcp_rmem", "4096 65536 1048576\n"),
        ("net/core/somaxconn", "128\n"),
    ],
    &[("net/ipv4/tcp_congestion_control", "reno\n")],
];

/// The kernel knows no such algorithm.
const REFUSED: (&str, &str) = ("net/ipv4/tcp_congestion_control", "nonesuch\n");

fn main() -> Result<()> {
    match env::args().nth(1) {
        None => parent(),
        Some(number) => {
            let number: usize = number.parse().context("the namespace's number")?;
            in_namespace(number)
        }
    }
}

fn parent() -> Result<()> {
    let (key, text) = NODE;
    let before = read(key)?;
    write(key, text)?;
    let done = scenario();
    write(key, &before)?;
    done
}

fn scenario() -> Result<()> {
    let program = env::current_exe().context("finding this program")?;
    for number in 0..NAMESPACES.len() {
        let status = Command::new(&program).arg(number.to_string()).status()?;
        ensure!(
            status.success(),
            "the process in namespace {number} failed: {status}"
        );
    }
    change_and_restore("vm/swappiness", "10\n")?;
    change_and_restore("kernel/printk", "4 4 1 7\n")
}

fn in_namespace(number: usize) -> Result<()> {
    let writes = NAMESPACES
        .get(number)
        .context("there is no such namespace")?;
    unshare(CloneFlags::CLONE_NEWNET).context("making a network namespace")?;
    if number == 0 {
        keep()?;
    }
    for (key, text) in *writes {
        write(key, text)?;
    }
    if number == NAMESPACES.len() - 1 {
        let (key, text) = REFUSED;
        if write(key, text).is_ok() {
            bail!("the kernel took {text:?} for {key}");
        }
    }
    Ok(())
}

/// As `ip netns` does it.
fn keep() -> Result<()> {
    let pin = Path::new(DEMO_PIN);
    if let Some(folder) = pin.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create_new(pin).with_context(|| format!("making {DEMO_PIN}"))?;
    let none = None::<&str>;
    let own = Some("/proc/self/ns/net");
    mount(own, pin, none, MsFlags::MS_BIND, none).context("keeping the namespace")
}

fn change_and_restore(key: &str, text: &str) -> Result<()> {
    let before = read(key)?;
    write(key, text)?;
    write(key, &before)
}

fn read(key: &str) -> Result<String> {
    let path = Path::new("/proc/sys").join(key);
    fs::read_to_string(path).with_context(|| format!("reading {key}"))
}

fn write(key: &str, text: &str) -> Result<()> {
    fs::write(Path::new("/proc/sys").join(key), text).with_context(|| format!("writing {key}"))
}
