//! What the tracer makes of each key's memory, compared with what the key's file shows: in the node's
//! namespaces and in new ones, before and after a change. docs/keys.md says what comes out.

mod change;
mod compare;
mod page;

use std::{os::unix::process::CommandExt as _, process::Command};

use anyhow::{Context as _, Result, ensure};
use nix::sched::{CloneFlags, unshare};
use serde::{Deserialize, Serialize};

use super::Context;
use crate::keys_page;
use compare::Found;

/// The page as it is.
const PAGE: &str = include_str!("../../../docs/keys.md");
/// How many of a hundred keys must be decoded to what their files show.
const EQUAL_PERCENT: usize = 95;
/// So many keys take another value in the node's namespaces at least.
const CHANGED_MIN: usize = 100;

/// All that was found from within one set of namespaces.
#[derive(Debug, Serialize, Deserialize)]
pub struct Place {
    found: Found,
    /// How many keys took another value for a try.
    changed: usize,
    /// What is wrong: the key, and what memory and file say.
    wrong: Vec<String>,
}

/// What was found in one guest.
#[derive(Debug)]
pub struct Places {
    node: Place,
    new: Place,
}

/// The case.
pub fn run(context: &Context) -> Result<()> {
    let places = Places::compare()?;
    for (name, place) in places.named() {
        println!(
            "{name} namespaces: {} keys, {} equal; {} were changed for a try",
            place.found.shown, place.found.equal, place.changed
        );
    }
    let mut wrong = places.wrong();
    let section = page::section(&context.kernel, &places);
    if keys_page::find(PAGE, &context.kernel) != Some(&*section) {
        wrong.push(format!(
            "docs/keys.md is out of date; `cargo xtask keys --kernel {}` writes this:\n{section}",
            context.kernel
        ));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// The kernel's section of the page, from a guest where nothing is wrong.
pub fn section(kernel: &str) -> Result<String> {
    let places = Places::compare()?;
    let wrong = places.wrong();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(page::section(kernel, &places))
}

impl Places {
    fn compare() -> Result<Self> {
        Ok(Self {
            node: Place::compare()?,
            new: Place::in_new_namespaces()?,
        })
    }

    fn named(&self) -> [(&'static str, &Place); 2] {
        [("the node's", &self.node), ("new", &self.new)]
    }

    /// All that must not be.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, place) in self.named() {
            let Found { shown, equal, .. } = place.found;
            wrong.extend(place.wrong.iter().map(|line| format!("{name}: {line}")));
            if equal * 100 < shown * EQUAL_PERCENT {
                wrong.push(format!(
                    "{name}: only {equal} of {shown} keys are decoded: {:#?}",
                    place.found.not_decoded
                ));
            }
        }
        if self.node.changed < CHANGED_MIN {
            wrong.push(format!(
                "only {} keys could be changed for a try",
                self.node.changed
            ));
        }
        wrong
    }
}

impl Place {
    /// The caller's namespaces.
    pub fn compare() -> Result<Self> {
        let (found, mut wrong) = compare::all()?;
        let changed = change::compare(&mut wrong)?;
        Ok(Self {
            found,
            changed,
            wrong,
        })
    }

    /// New network, UTS, IPC and PID namespaces: in a process of its own, as a process can't move to
    /// another PID namespace itself.
    fn in_new_namespaces() -> Result<Self> {
        let mut command = Command::new("/bin/workload");
        command.arg("keys-here");
        let enter = || {
            let flags = CloneFlags::CLONE_NEWNET
                | CloneFlags::CLONE_NEWUTS
                | CloneFlags::CLONE_NEWIPC
                | CloneFlags::CLONE_NEWPID;
            Ok(unshare(flags)?)
        };
        // SAFETY: one system call, which may be made between fork and exec.
        unsafe { command.pre_exec(enter) };
        let output = command.output().context("workload keys-here")?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "workload keys-here: {errors}");
        serde_json::from_slice(&output.stdout).context("what workload keys-here says")
    }
}
