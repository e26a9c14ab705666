//! A program that the kernel starts by itself is not the kernel.

use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Context, nested::why, recorder::Watch};
use crate::trace;

const PATTERN: &str = "/proc/sys/kernel/core_pattern";
const FILE: &str = "/proc/sys/net/core/somaxconn";
const VALUE: &str = "1777";
/// How long the helper may take under emulation on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A setting that is put back.
struct Kept(String);

impl Drop for Kept {
    fn drop(&mut self) {
        if let Err(error) = fs::write(PATTERN, &self.0) {
            eprintln!("putting {PATTERN} back: {error}");
        }
    }
}

/// Runs the case.
pub fn run(_: &Context) -> Result<()> {
    let watch = Watch::start(&["--socket"])?;
    let _kept = Kept(fs::read_to_string(PATTERN)?);
    let command = format!("|/bin/workload write net.core.somaxconn {VALUE}");
    fs::write(PATTERN, &command)?;
    let status = Command::new("/bin/sh")
        .args(["-c", "kill -ABRT $$"])
        .status()?;
    ensure!(!status.success(), "nothing was aborted");
    let begun = Instant::now();
    while fs::read_to_string(FILE)?.trim() != VALUE {
        ensure!(begun.elapsed() < PATIENCE, "the helper wrote nothing");
        thread::sleep(Duration::from_millis(50));
    }
    let setter = std::process::id();
    check(&why(&[])?, &command, setter).context("live")?;
    watch.finish()?;
    check(&why(&["--from", Watch::file()])?, &command, setter).context("recorded")?;

    let (events, wrong) = trace::read(Path::new(Watch::file()))?;
    ensure!(wrong.is_empty(), "the stream: {}", wrong.join("; "));
    let write = events.iter().find(|event| {
        let sysctl = event.sysctl.as_ref();
        sysctl.is_some_and(|sysctl| sysctl.new.as_deref() == Some(VALUE))
    });
    let write = write.context("no write of the helper")?;
    let component = write.component.as_ref().context("a component")?;
    for fact in [
        "executable is workload",
        "a thread of the kernel",
        "kernel.core_pattern",
    ] {
        let is_told = component.evidence.iter().any(|told| told.contains(fact));
        ensure!(is_told, "{fact:?} is not in {component:?}");
    }
    Ok(())
}

fn check(answer: &Value, command: &str, setter: u32) -> Result<()> {
    let cause = &answer["verdict"]["cause"];
    let is_helper = cause["kind"] == "written" && cause["component"] == "usermodehelper";
    ensure!(is_helper && answer["sysctl"]["value"] == VALUE, "{answer}");
    ensure!(answer["verdict"]["confidence"] == "observed", "{answer}");
    let evidence = answer["verdict"]["evidence"].as_array();
    let facts = evidence.into_iter().flatten();
    let mut texts = facts.filter_map(|fact| fact["text"].as_str());
    let set = format!("kernel.core_pattern was set to {command} by ");
    let by = format!("[{setter}]");
    let is_told = texts.any(|text| text.starts_with(&set) && text.contains(&by));
    ensure!(is_told, "{set}{by} is not in {answer}");
    Ok(())
}
