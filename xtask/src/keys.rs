//! `keys`: docs/keys.md, what is decoded of the keys of each kernel.

use std::{
    env, fs,
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use sysctl_trace_tests::keys_page;

use crate::{command::tell, machine::kernels, paths};

/// Boot each kernel and write docs/keys.md: which of its keys are decoded
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this kernel's section (may be given again)
    #[arg(long = "kernel", value_name = "VERSION")]
    kernels: Vec<String>,
}

const HEAD: &str = "\
# Keys

What the tracer makes of the memory of the keys below /proc/sys, on each kernel that is tested.
`cargo xtask keys` writes this page. The guest case `keys` compares each key's memory with its file,
before and after a change, in the node's namespaces and in new ones, and checks that this page says what
it finds. Equal means: to the last character. Nothing is decoded to something else.
`sysctl-trace doctor --keys` lists the keys of a node.

A key that is not decoded is traced all the same: who wrote it, when, and what was asked for. Only
what it held before and after is not told, so nothing about it is *observed*.

Where a module handles its keys by a function of its own, it must be loaded before the tracer begins.
";

/// Runs the task.
pub fn run(args: &Args) -> Result<ExitCode> {
    for label in &args.kernels {
        kernels::find(label)?;
    }
    let path = paths::workspace()?.join("docs/keys.md");
    let old = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut page = HEAD.to_owned();
    for kernel in kernels::ALL {
        let is_wanted =
            args.kernels.is_empty() || args.kernels.iter().any(|label| label == kernel.label);
        let section = match keys_page::find(&old, kernel.label) {
            Some(section) if !is_wanted => section.to_owned(),
            Some(_) | None => section(kernel.label)?,
        };
        page.push('\n');
        page.push_str(&section);
    }
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
    let section = keys_page::find(&text, kernel).context("no section in what it said")?;
    Ok(section.to_owned())
}
