//! Running other programs.

use std::{
    env,
    io::{IsTerminal as _, stderr},
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// Runs the command with its output passed through; an error unless it succeeds.
pub fn run(command: &mut Command) -> Result<()> {
    run_as(&shown(command), command)
}

/// As [`run`], for a command that is too long to be shown.
pub fn run_as(name: &str, command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("starting {name}"))?;
    if !status.success() {
        bail!("`{name}` failed ({status})");
    }
    Ok(())
}

/// Runs the command and returns what it printed; an error with its complaints unless it succeeds.
pub fn output(command: &mut Command) -> Result<String> {
    output_as(&shown(command), command)
}

/// As [`output`], for a command that is too long to be shown.
pub fn output_as(name: &str, command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {name}"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`{name}` failed ({}): {}", output.status, complaint.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("what {name} printed"))
}

/// The program's full path, when it is in `PATH` or in the folders for system programs.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Whether somebody watches.
pub fn on_terminal() -> bool {
    stderr().is_terminal()
}

/// Whether this process may install packages.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Tells what is being done. Standard output is left to results.
pub fn tell(message: &str) {
    eprintln!("xtask: {message}");
}

fn shown(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}
