//! What can go wrong around a trace: privileges, commands, output files, pipes.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use nix::mount::{MsFlags, mount};

use super::{Context, tracer::PROGRAM};

const WRITER: &str =
    "for i in 1 2 3 4 5 6 7 8 9; do echo 4096 > /proc/sys/net/core/somaxconn; done";

/// No privileges: status 1, and the capability is named.
pub fn unprivileged(_: &Context) -> Result<()> {
    for arguments in [&["watch", "-n", "1"][..], &["run", "--", "true"]] {
        let output = Command::new(PROGRAM)
            .args(arguments)
            .uid(65534)
            .gid(65534)
            .output()?;
        expect(&output, 1, "CAP_BPF")?;
    }
    Ok(())
}

/// `run` hands the command's status on, and has its own where there is no command.
pub fn statuses(_: &Context) -> Result<()> {
    let script = "/tmp/not-executable";
    fs::write(script, "#!/bin/sh\n")?;
    fs::set_permissions(script, fs::Permissions::from_mode(0o644))?;
    for (command, status, reason) in [
        (&["true"][..], 0, "0 lost"),
        (&["sh", "-c", "exit 7"], 7, "0 lost"),
        (&["sh", "-c", "kill -TERM $$"], 143, "0 lost"),
        (&["/nowhere/command"], 127, "/nowhere/command"),
        (&[script], 126, script),
    ] {
        let output = Command::new(PROGRAM)
            .args(["run", "--"])
            .args(command)
            .output()?;
        expect(&output, status, reason)?;
    }
    Ok(())
}

/// Files that can't be written, at the start and later: what is in them stays whole.
pub fn files(_: &Context) -> Result<()> {
    let missing = Command::new(PROGRAM)
        .args(["watch", "-o", "/nowhere/file", "-n", "1"])
        .output()?;
    expect(&missing, 1, "/nowhere/file")?;

    let full = run_with_output("/dev/full", "sh", &["-c", WRITER])?;
    ensure!(full.status.code() != Some(0), "/dev/full took everything");
    expect_text(&full, "/dev/full")?;

    let folder = Path::new("/tmp/small");
    fs::create_dir_all(folder)?;
    mount(
        Some("none"),
        folder,
        Some("tmpfs"),
        MsFlags::empty(),
        Some("size=64k"),
    )?;
    let file = "/tmp/small/trace";
    let small = run_with_output(file, "/bin/workload", &["burst", "--count", "500"])?;
    ensure!(
        small.status.code() == Some(125),
        "{}: {}",
        small.status,
        stderr(&small)
    );
    expect_text(&small, "No space left on device")?;
    let text = fs::read_to_string(file)?;
    ensure!(
        !text.is_empty(),
        "nothing was written before the disk was full"
    );
    ensure!(text.ends_with('\n'), "the last line is not whole");
    for line in text.lines() {
        serde_json::from_str::<serde_json::Value>(line).context("a line in the file")?;
    }
    Ok(())
}

/// `watch` on a disk that is full: status 1.
pub fn full_disk_while_watching(_: &Context) -> Result<()> {
    let watch = Command::new(PROGRAM)
        .args(["watch", "--json", "-o", "/dev/full"])
        .stderr(Stdio::piped())
        .spawn()?;
    let ended = while_writing(watch)?;
    expect(&ended, 1, "/dev/full")
}

/// Whoever read the stream is gone: the end, without a word.
pub fn closed_pipe(_: &Context) -> Result<()> {
    let mut watch = Command::new(PROGRAM)
        .args(["watch", "--json", "--quiet"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let stdout = watch.stdout.take().context("a pipe")?;
    let reader = thread::spawn(move || {
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).map(|_| line)
    });
    let ended = while_writing(watch)?;
    let line = reader.join().ok().context("the reader panicked")??;
    ensure!(line.ends_with("}\n"), "the first line is {line:?}");
    ensure!(ended.status.code() == Some(0), "{}", ended.status);
    ensure!(stderr(&ended).is_empty(), "it says: {}", stderr(&ended));
    Ok(())
}

fn run_with_output(file: &str, command: &str, arguments: &[&str]) -> Result<Output> {
    Command::new(PROGRAM)
        .args(["run", "--json", "-o", file, "--", command])
        .args(arguments)
        .output()
        .context("starting sysctl-trace")
}

/// Makes events until the tracer has ended by itself.
fn while_writing(mut watch: std::process::Child) -> Result<Output> {
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = watch.try_wait()? {
            break status;
        }
        if begun.elapsed() > Duration::from_secs(30) {
            watch.kill()?;
            watch.wait()?;
            anyhow::bail!("it goes on after 30 seconds of events");
        }
        Command::new("sh").args(["-c", WRITER]).status()?;
    };
    let mut stderr = Vec::new();
    if let Some(mut pipe) = watch.stderr.take() {
        pipe.read_to_end(&mut stderr)?;
    }
    Ok(Output {
        status,
        stdout: Vec::new(),
        stderr,
    })
}

fn expect(output: &Output, status: i32, reason: &str) -> Result<()> {
    let code = output.status.code();
    ensure!(
        code == Some(status),
        "expected {status}: {}: {}",
        output.status,
        stderr(output)
    );
    expect_text(output, reason)
}

fn expect_text(output: &Output, reason: &str) -> Result<()> {
    let text = stderr(output);
    ensure!(text.contains(reason), "expected {reason:?}: {text}");
    Ok(())
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
