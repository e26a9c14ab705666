//! Many network namespaces, and how long `sysctl-trace ls` takes over them.

use std::{
    fs::{self, File},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, setns, unshare},
};

use super::terms::Listing;
use crate::cases::tracer::PROGRAM;

/// Where `ip netns` keeps them.
const FOLDER: &str = "/run/netns";

/// Makes so many namespaces, each with a value of its own, lists them, and prints what that took.
/// Every value must be listed. They go with the guest.
pub fn run(count: u32) -> Result<()> {
    make(count)?;
    let begun = Instant::now();
    let output = Command::new(PROGRAM)
        .args(["ls", "--json", "--no-recorder"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("starting sysctl-trace")?;
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(output.status.success(), "ls: {}", output.status);
    let text = String::from_utf8(output.stdout).context("the listing")?;
    for number in 0..count {
        let value = format!("\"value\":\"{}\"", value(number));
        ensure!(text.contains(&value), "no namespace with {value} is listed");
    }
    let namespaces = u32::try_from(text.lines().count())?;
    ensure!(namespaces == count + 1, "{namespaces} are listed");
    let listing = Listing {
        namespaces,
        seconds,
    };
    println!("{}", serde_json::to_string(&listing)?);
    Ok(())
}

const fn value(number: u32) -> u32 {
    10_000 + number
}

fn make(count: u32) -> Result<()> {
    fs::create_dir_all(FOLDER)?;
    let own = File::open("/proc/self/ns/net")?;
    for number in 0..count {
        unshare(CloneFlags::CLONE_NEWNET).context("making a network namespace")?;
        let text = value(number).to_string();
        fs::write("/proc/sys/net/core/somaxconn", text).context("writing a value")?;
        let pin = format!("{FOLDER}/n{number}");
        File::create(&pin)?;
        let namespace = Some("/proc/self/ns/net");
        let none = None::<&str>;
        mount(namespace, pin.as_str(), none, MsFlags::MS_BIND, none).context("keeping it")?;
    }
    setns(own, CloneFlags::CLONE_NEWNET).context("going back")
}
