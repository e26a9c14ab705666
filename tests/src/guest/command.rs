//! Runs a command with its input and output connected to the host.

use std::{
    ffi::OsStr,
    fs::File,
    io::{Read, Write},
    os::fd::OwnedFd,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use nix::pty::{OpenptyResult, Winsize, openpty};

use super::{
    port::Port,
    processes::{self, Ended},
};
use crate::protocol::{CommandPlan, Frame, MAX_PAYLOAD, Terminal};

/// What daemons left behind by the command may still say after its end.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Status when the command could not be started, as in a shell.
const NOT_STARTED: u8 = 127;

/// Runs the command, which is looked for in `path`, to its end and returns its status.
pub fn run(port: &Port, plan: &CommandPlan, path: &str) -> Result<u8> {
    let (program, args) = plan
        .argv
        .split_first()
        .context("the plan's command is empty")?;
    let running = match &plan.terminal {
        None => start_with_pipes(port, base_command(program, path).args(args)),
        Some(terminal) => start_on_terminal(
            port,
            terminal,
            base_command("/bin/busybox", path),
            &plan.argv,
        ),
    };
    let (id, output) = match running {
        Ok(running) => running,
        Err(error) => {
            port.send(&Frame::Stderr(format!("{error:#}\n").into_bytes()))?;
            return Ok(NOT_STARTED);
        }
    };
    let ended = processes::wait_for(id, None)?;
    output.finish(LAST_WORDS);
    Ok(ended.map_or(u8::MAX, Ended::shell_status))
}

fn start_with_pipes(port: &Port, command: &mut Command) -> Result<(u32, Output)> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", command.get_program().display()))?;
    let output = forward_output(port, &mut child);
    let stdin: Option<ChildStdin> = child.stdin.take();
    if let Some(stdin) = stdin {
        forward_input(port, stdin)?;
    }
    Ok((child.id(), output))
}

fn start_on_terminal(
    port: &Port,
    terminal: &Terminal,
    mut busybox: Command,
    argv: &[String],
) -> Result<(u32, Output)> {
    let size = Winsize {
        ws_row: terminal.rows,
        ws_col: terminal.columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let OpenptyResult { master, slave } =
        openpty(Some(&size), None).context("opening a terminal")?;
    let again = |fd: &OwnedFd| fd.try_clone().context("duplicating the terminal");
    // busybox's setsid makes the terminal the command's own, so that job control works.
    let child = busybox
        .args(["setsid", "-c"])
        .args(argv)
        .env("TERM", &terminal.kind)
        .stdin(again(&slave)?)
        .stdout(again(&slave)?)
        .stderr(slave)
        .spawn()
        .with_context(|| format!("starting {}", argv.join(" ")))?;
    forward_input(port, File::from(again(&master)?))?;
    let mut output = Output::new();
    output.forward(port, File::from(master), Frame::Stdout);
    Ok((child.id(), output))
}

fn base_command(program: impl AsRef<OsStr>, path: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("PATH", path)
        .env("LANG", "C.UTF-8")
        .env("HOME", "/root")
        .current_dir("/root");
    command
}

/// Sends what the child says to the host until it ends.
pub fn forward_output(port: &Port, child: &mut Child) -> Output {
    let mut output = Output::new();
    if let Some(stdout) = child.stdout.take() {
        output.forward(port, stdout, Frame::Stdout);
    }
    if let Some(stderr) = child.stderr.take() {
        output.forward(port, stderr, Frame::Stderr);
    }
    output
}

/// Output on its way to the host.
pub struct Output {
    streams: usize,
    sender: std::sync::mpsc::Sender<()>,
    ended: Receiver<()>,
}

impl Output {
    fn new() -> Self {
        let (sender, ended) = channel();
        Self {
            streams: 0,
            sender,
            ended,
        }
    }

    fn forward(
        &mut self,
        port: &Port,
        mut reader: impl Read + Send + 'static,
        frame: fn(Vec<u8>) -> Frame,
    ) {
        self.streams += 1;
        let (port, sender) = (port.clone(), self.sender.clone());
        thread::spawn(move || {
            let mut buffer = vec![0; MAX_PAYLOAD];
            // A terminal whose other side is closed reads as an error, which is an end as well.
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if port.send(&frame(buffer[..length].to_vec())).is_err() {
                    break;
                }
            }
            let _ = sender.send(());
        });
    }

    /// Waits until every stream has ended, for as long at most: something left running may hold
    /// one open for ever.
    pub fn finish(self, patience: Duration) {
        let limit = Instant::now() + patience;
        for _ in 0..self.streams {
            let left = limit.saturating_duration_since(Instant::now());
            match self.ended.recv_timeout(left) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

/// Hands the host's input on until its end.
fn forward_input(port: &Port, mut writer: impl Write + Send + 'static) -> Result<()> {
    let mut reader = port.reader()?;
    thread::spawn(move || {
        while let Ok(Some(frame)) = Frame::read_from(&mut reader) {
            match frame {
                Frame::Stdin(bytes) if bytes.is_empty() => break,
                Frame::Stdin(bytes) => {
                    if writer.write_all(&bytes).is_err() {
                        break;
                    }
                }
                Frame::Report(_) | Frame::Stdout(_) | Frame::Stderr(_) => {}
            }
        }
    });
    Ok(())
}
