//! A service with private mounts runs the node's own files by mounts of its own.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command, thread};

use anyhow::{Context as _, Result, ensure};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};
use serde_json::Value;

use super::{Context, nested::why, recorder::Watch};

const KEY: &str = "net.core.somaxconn";
const PROGRAM: &str = "/bin/workload";
/// A component that is known by the name of its executable.
const COMPONENT: &str = "systemd-udevd";
const OWN: &str = "/bin/systemd-udevd";
/// The same content below a folder in which anyone may put files.
const COPY_FOLDER: &str = "/tmp/elsewhere";

/// A file that is removed again.
struct Made(String);

impl Made {
    fn copy(to: &str) -> Result<Self> {
        fs::copy(PROGRAM, to).with_context(|| to.to_owned())?;
        fs::set_permissions(to, fs::Permissions::from_mode(0o755))?;
        Ok(Self(to.to_owned()))
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            eprintln!("removing {}: {error}", self.0);
        }
    }
}

/// Runs the case.
pub fn run(_: &Context) -> Result<()> {
    let own = Made::copy(OWN)?;
    fs::create_dir_all(COPY_FOLDER)?;
    fs::set_permissions(COPY_FOLDER, fs::Permissions::from_mode(0o777))?;
    let copy = Made::copy(&format!("{COPY_FOLDER}/{COMPONENT}"))?;
    let watch = Watch::start(&["--socket", "--key", KEY])?;

    privately(&own.0, "1401")?;
    let answer = why(&[])?;
    check(&answer, "1401", true).with_context(|| format!("the node's own: {answer}"))?;

    privately(&copy.0, "1402")?;
    let answer = why(&[])?;
    check(&answer, "1402", false).with_context(|| format!("a copy: {answer}"))?;

    watch.finish()?;
    ensure!(Path::new(Watch::file()).exists(), "no recording");
    let answer = why(&["--from", Watch::file()])?;
    check(&answer, "1402", false).with_context(|| format!("recorded: {answer}"))
}

/// Runs a program that writes, with mounts of its own.
fn privately(program: &str, value: &str) -> Result<()> {
    let run = || -> Result<()> {
        unshare(CloneFlags::CLONE_NEWNS).context("mounts of its own")?;
        let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).context("private mounts")?;
        let status = Command::new(program).args(["write", KEY, value]).status()?;
        ensure!(status.success(), "{program}: {status}");
        Ok(())
    };
    thread::scope(|scope| {
        let thread = scope.spawn(run);
        thread.join().ok().context("the thread panicked")?
    })
}

fn check(answer: &Value, value: &str, is_node_file: bool) -> Result<()> {
    ensure!(answer["sysctl"]["value"] == value, "the value");
    let verdict = &answer["verdict"];
    let cause = &verdict["cause"];
    ensure!(cause["kind"] == "written", "the cause");
    ensure!(cause["name"] == COMPONENT, "the writer");
    let is_observed = verdict["confidence"] == "observed" && cause["component"] == COMPONENT;
    ensure!(is_observed == is_node_file, "whose file it is");
    Ok(())
}
