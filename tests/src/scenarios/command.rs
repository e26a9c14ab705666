//! Running programs of the node.

use std::{
    ffi::OsStr,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

/// Runs the program to its end; what it printed, without the newline at the end. An error, with all
/// that it said, unless it succeeds.
pub fn run<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<String> {
    output(Command::new(program).args(arguments))
}

/// As [`run`], for a command that is made up already.
pub fn output(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting `{shown}`"))?;
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    ensure!(
        output.status.success(),
        "`{shown}`: {}: {} {}",
        output.status,
        stderr.trim().replace('\n', "; "),
        stdout.trim()
    );
    Ok(stdout.trim_end().to_owned())
}

/// Undoes something on drop, where nothing is left to do about a failure but to tell of it.
pub fn undo(program: &str, arguments: &[&str]) {
    if let Err(error) = run(program, arguments) {
        eprintln!("when tidying up: {error:#}");
    }
}

fn shown(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}
