//! Running programs of the node.

use std::{
    ffi::OsStr,
    io::{self, Write as _},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

/// Runs the program to its end; what it printed, without the newline at the end. An error, with all
/// that it said, unless it succeeds.
pub fn run<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<String> {
    output(Command::new(program).args(arguments))
}

/// How much a pipe holds unless told otherwise.
const PIPE_LEN: usize = 65_536;
/// How long a program is held up: a tracer reads its arguments meanwhile.
const HELD: Duration = Duration::from_millis(700);

/// Runs the program to its end, and holds it up for a moment where it prints. Of one that ends sooner
/// a tracer may or may not have read the arguments, so that what it says of it varies.
pub fn run_held<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<()> {
    let (mut reader, mut writer) = io::pipe().context("a pipe")?;
    writer.write_all(&[b'\n'; PIPE_LEN]).context("filling it")?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(writer);
    let shown = shown(&command);
    let mut child = command
        .spawn()
        .with_context(|| format!("starting `{shown}`"))?;
    // The pipe ends with the program.
    drop(command);
    thread::sleep(HELD);
    io::copy(&mut reader, &mut io::sink()).context("emptying the pipe")?;
    let status = child.wait()?;
    ensure!(status.success(), "`{shown}`: {status}");
    Ok(())
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
