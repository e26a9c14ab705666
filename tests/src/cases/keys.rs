//! What the tracer makes of each key's memory, compared with what the key's file shows: in the node's
//! namespaces and in new ones, before and after a change. docs/keys.md says what comes out.

mod change;
mod compare;
mod page;

use std::{
    ffi::CString,
    fs::{self, File},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::{
    errno::Errno,
    kmod::{DeleteModuleFlags, ModuleInitFlags, delete_module, finit_module},
    sched::{CloneFlags, unshare},
};
use serde::{Deserialize, Serialize};

use super::Context;
use crate::keys_page;
use compare::Found;

/// Where the guest has docs/keys.md.
const PAGE: &str = "/keys.md";
/// How many of a hundred keys whose files can be read must be decoded to what these show.
const EQUAL_PERCENT: usize = 95;
/// So many keys take another value in the node's namespaces at least.
const CHANGED_MIN: usize = 100;

/// Modules whose keys are compared, too, each after what it needs. Not every kernel has libcrc32c.
const MODULES: &[&str] = &[
    "llc",
    "stp",
    "bridge",
    "br_netfilter",
    "libcrc32c",
    "nf_defrag_ipv4",
    "nf_defrag_ipv6",
    "nf_conntrack",
];
/// What these bring.
const KEYS_OF_MODULES: &[&str] = &[
    "net/bridge/bridge-nf-call-iptables",
    "net/netfilter/nf_conntrack_max",
];

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
    let page = fs::read_to_string(PAGE).context(PAGE)?;
    if keys_page::find(&page, &context.kernel) != Some(&*section) {
        wrong.push(format!(
            "docs/keys.md is out of date; `cargo xtask keys --kernel {}` writes this:\n{section}",
            context.kernel
        ));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Prints the kernel's section of the page; an error where something is wrong.
pub fn print_section(kernel: &str) -> Result<()> {
    let places = Places::compare()?;
    print!("{}", page::section(kernel, &places));
    let wrong = places.wrong();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

impl Places {
    fn compare() -> Result<Self> {
        let modules = Modules::load()?;
        for path in KEYS_OF_MODULES {
            let file = compare::file(path);
            ensure!(file.is_file(), "{} is missing", file.display());
        }
        let places = Self {
            node: Place::compare()?,
            new: Place::in_new_namespaces()?,
        };
        drop(modules);
        Ok(places)
    }

    fn named(&self) -> [(&'static str, &Place); 2] {
        [("the node's", &self.node), ("new", &self.new)]
    }

    /// All that must not be.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, place) in self.named() {
            let (readable, equal) = (place.found.readable(), place.found.equal);
            wrong.extend(place.wrong.iter().map(|line| format!("{name}: {line}")));
            if equal * 100 < readable * EQUAL_PERCENT {
                let missing = &place.found.not_decoded;
                wrong.push(format!(
                    "{name}: only {equal} of {readable} keys are decoded, not these: {missing:#?}"
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

    /// New network, UTS, IPC and PID namespaces, in a process of its own: the caller's next child is the
    /// first process of the PID namespace, and without that one there is no other.
    fn in_new_namespaces() -> Result<Self> {
        unshare(
            CloneFlags::CLONE_NEWNET
                | CloneFlags::CLONE_NEWUTS
                | CloneFlags::CLONE_NEWIPC
                | CloneFlags::CLONE_NEWPID,
        )?;
        let output = Command::new("/bin/workload").arg("keys-here").output();
        let output = output.context("workload keys-here")?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "workload keys-here: {errors}");
        serde_json::from_slice(&output.stdout).context("what workload keys-here says")
    }
}

/// The modules, while this lives.
struct Modules {
    loaded: Vec<&'static str>,
}

impl Modules {
    fn load() -> Result<Self> {
        let mut modules = Self { loaded: Vec::new() };
        for name in MODULES {
            let Ok(file) = File::open(format!("/modules/{name}.ko")) else {
                continue;
            };
            match finit_module(&file, c"", ModuleInitFlags::empty()) {
                Ok(()) => modules.loaded.push(name),
                Err(Errno::EEXIST) => {}
                Err(errno) => bail!("loading {name}: {errno}"),
            }
        }
        Ok(modules)
    }
}

impl Drop for Modules {
    fn drop(&mut self) {
        for name in self.loaded.iter().rev() {
            let Ok(name) = CString::new(*name) else {
                continue;
            };
            if let Err(errno) = delete_module(&name, DeleteModuleFlags::O_NONBLOCK) {
                eprintln!("unloading {name:?}: {errno}");
            }
        }
    }
}
