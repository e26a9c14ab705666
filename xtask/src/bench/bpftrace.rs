//! bpftrace as Debian has it, with all that it needs.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::{apt::Suite, command::tell, machine::initramfs::Initramfs, paths};

const SUITE: &str = "trixie";
const PACKAGE: &str = "bpftrace";

/// bpftrace in the cache.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bpftrace {
    /// Its version, as the package has it.
    pub version: String,
    root: PathBuf,
}

impl Bpftrace {
    /// Adds it to what a guest is booted from.
    pub fn add_to(&self, initramfs: &mut Initramfs) -> Result<()> {
        initramfs.add_tree(&self.root)?;
        // Where programs look for the dynamic loader.
        initramfs.add_link("lib64", Path::new("usr/lib64"));
        Ok(())
    }
}

/// Makes sure that it is in the cache. Without network, the one that was resolved last will do.
pub fn obtain() -> Result<Bpftrace> {
    let folder = paths::cache()?.join("bpftrace");
    let note = folder.join("bpftrace.json");
    let _lock = paths::lock_cache("bpftrace")?;
    match newest(&folder) {
        Ok(found) => {
            paths::write_json(&note, &found)?;
            Ok(found)
        }
        Err(error) => match paths::read_json::<Bpftrace>(&note).filter(|it| it.root.is_dir()) {
            Some(found) => {
                tell(&format!(
                    "going on with bpftrace {} from the cache: {error:#}",
                    found.version
                ));
                Ok(found)
            }
            None => Err(error).context("bpftrace cannot be had"),
        },
    }
}

fn newest(folder: &Path) -> Result<Bpftrace> {
    let suite = Suite::open(SUITE)?;
    let version = suite.newest(PACKAGE)?.version;
    let root = folder.join(&version);
    if !root.is_dir() {
        tell("installing bpftrace and its libraries, to compare with");
        suite.unpack(&suite.full_closure(PACKAGE)?, &root)?;
    }
    Ok(Bpftrace { version, root })
}
