//! A write from deep within nested cgroups with long names.

use std::{
    env,
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
};

use anyhow::{Context as _, Result};

/// Makes a cgroup in `base`, `levels` more below it, one within the other, with names of `length`
/// bytes; moves to the innermost, writes, and moves back to the root of the hierarchy.
///
/// # Errors
/// When a cgroup can't be made, or the kernel refuses the write.
pub fn write(base: &Path, levels: usize, length: usize, file: &Path, value: &str) -> Result<()> {
    let root = env::current_dir()?;
    fs::create_dir(base).with_context(|| format!("making {}", base.display()))?;
    env::set_current_dir(base)?;
    let names: Vec<String> = (0..levels)
        .map(|level| {
            let letter = b"abcdefghijklmnopqrstuvwxyz"[level % 26];
            char::from(letter).to_string().repeat(length)
        })
        .collect();
    // Step by step: the path as a whole is longer than a system call takes.
    for name in &names {
        fs::create_dir(name).context("making a cgroup")?;
        env::set_current_dir(name)?;
    }
    fs::write("cgroup.procs", "0").context("moving to the innermost cgroup")?;
    let written = OpenOptions::new()
        .write(true)
        .open(file)
        .and_then(|mut file| file.write_all(value.as_bytes()));
    let home = base.parent().context("the root is in no folder")?;
    fs::write(home.join("cgroup.procs"), "0").context("moving back")?;
    for name in names.iter().rev() {
        env::set_current_dir("..")?;
        fs::remove_dir(name).context("removing a cgroup")?;
    }
    env::set_current_dir(root)?;
    fs::remove_dir(base)?;
    written.with_context(|| format!("writing to {}", file.display()))
}
