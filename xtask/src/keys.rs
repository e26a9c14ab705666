//! `keys`: docs/keys.md, what is decoded of the keys of each kernel.

use std::{
    env, fs,
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::{command::tell, machine::kernels, paths};

/// Boot each kernel and write docs/keys.md: which of its keys are decoded
#[derive(Debug, clap::Args)]
pub struct Args {}

const HEAD: &str = "\
# Keys

What the tracer makes of the memory of the keys below /proc/sys, on each kernel that is tested.
`cargo xtask keys` writes this page; the guest case `keys` compares each key's memory with its file,
before and after a change, and checks that the page says what it finds. Equal means: to the last
character. None is decoded to something else. `sysctl-trace doctor --keys` lists the keys of a node.

A key that is not decoded is traced all the same: who wrote it, when, and what was asked for. Only
what it held before and after is not told, so nothing about it is *observed*.

Keys that can't be read are those that are only written (`vm.compact_memory`), and those whose file
the kernel refuses to show as long as they are not set (`stable_secret`). Keys of modules are decoded
where their handlers are known and the module was loaded before the tracer began.
";

/// Runs the task.
pub fn run(_: &Args) -> Result<ExitCode> {
    let mut page = HEAD.to_owned();
    for kernel in kernels::ALL {
        page.push('\n');
        page.push_str(&section(kernel.label)?);
    }
    let path = paths::workspace()?.join("docs/keys.md");
    fs::write(&path, page).with_context(|| path.display().to_string())?;
    tell(&format!("wrote {}", path.display()));
    Ok(ExitCode::SUCCESS)
}

/// What the kernel says, in a guest of its own.
fn section(kernel: &str) -> Result<String> {
    let output = Command::new(env::current_exe()?)
        .args(["vm", "--kernel", kernel, "--", "workload", "keys", kernel])
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "{kernel}: {}", output.status);
    let text = String::from_utf8(output.stdout)?.replace('\r', "");
    let begin = text.find("## ").context("no section in what it said")?;
    Ok(text[begin..].trim_end().to_owned() + "\n")
}
