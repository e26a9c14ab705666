//! `crio`: runs programs as CRI-O does, as children of a service, and enters namespaces as it does to
//! make a pod's network. What it is to do it is told over its socket, a line for each.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use nix::sched::{CloneFlags, setns};
use serde::{Deserialize, Serialize};

/// Where it is asked.
pub const SOCKET: &str = "/run/crio/crio.sock";

/// What programs print.
const LOG: &str = "/run/crio/log";

/// What it is to do.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Run a program to its end.
    Run(Vec<String>),
    /// Enter the network namespace that is kept at a path, in a thread of its own, and leave it.
    Enter(String),
}

/// How it went: what was printed, or what went wrong.
pub type Answer = Result<String, String>;

/// Asks it.
///
/// # Errors
/// When it is not there, or could not do it.
pub fn ask(order: &Order) -> Result<String> {
    let mut stream = UnixStream::connect(SOCKET).context("connecting to crio")?;
    let line = serde_json::to_string(order).context("an order")?;
    writeln!(stream, "{line}").context("asking crio")?;
    let mut line = String::new();
    BufReader::new(stream)
        .read_line(&mut line)
        .context("what crio answers")?;
    let answer: Answer = serde_json::from_str(&line).context("what crio answers")?;
    answer.map_err(|error| anyhow!("crio: {error}"))
}

/// Runs it. It does not end by itself.
///
/// # Errors
/// When there is no listening at the socket.
pub fn run() -> Result<()> {
    fs::create_dir_all("/run/crio").context("making /run/crio")?;
    // Of an earlier run.
    let _ = fs::remove_file(SOCKET);
    for stream in UnixListener::bind(SOCKET).context("listening")?.incoming() {
        // Who asked has gone away: the next one may not.
        if let Err(error) = serve(stream.context("listening")?) {
            eprintln!("crio: {error:#}");
        }
    }
    Ok(())
}

fn serve(mut stream: UnixStream) -> Result<()> {
    let mut line = String::new();
    BufReader::new(stream.try_clone()?).read_line(&mut line)?;
    let order: Order = serde_json::from_str(&line)?;
    let done: Answer = match &order {
        Order::Run(argv) => program(argv),
        Order::Enter(path) => enter(path),
    }
    .map_err(|error| format!("{error:#}"));
    writeln!(stream, "{}", serde_json::to_string(&done)?)?;
    Ok(())
}

fn program(argv: &[String]) -> Result<String> {
    let (name, args) = argv.split_first().context("no program")?;
    // What it leaves in the background may hold on to its output.
    let log = File::create(LOG).context("making a log")?;
    let status = Command::new(name)
        .args(args)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()
        .with_context(|| format!("starting {name}"))?;
    let text = fs::read_to_string(LOG).context("reading a log")?;
    ensure!(status.success(), "{name}: {status}: {}", text.trim());
    Ok(text)
}

fn enter(path: &str) -> Result<String> {
    let file = File::open(path).with_context(|| format!("opening {path}"))?;
    // The thread ends with it, so nothing has to be left.
    let thread = thread::spawn(move || setns(file, CloneFlags::CLONE_NEWNET));
    thread
        .join()
        .map_err(|_| anyhow!("a thread panicked"))?
        .context("entering a namespace")?;
    Ok(String::new())
}
