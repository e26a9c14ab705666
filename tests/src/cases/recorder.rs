//! A recorder tells over its socket what it knows, up to the moment of the question.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        net::UnixStream,
    },
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sched::{CloneFlags, unshare},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use super::{Context, tracer::PROGRAM};

const SOCKET: &str = "/run/sysctl-trace/watch.sock";
const KEY: &str = "/proc/sys/net/core/somaxconn";

/// How long an answer may take under emulation on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// How often a value is written and asked for.
const ROUNDS: u32 = 50;

/// A `watch` with options of its own, writing to [`Watch::file`]. It ends when this is dropped.
#[derive(Debug)]
pub struct Watch {
    tracer: Child,
    stderr: BufReader<ChildStderr>,
}

impl Watch {
    /// Starts it and waits until it is attached.
    pub fn start(options: &[&str]) -> Result<Self> {
        let mut tracer = Command::new(PROGRAM)
            .args(["watch", "--json", "-o", Self::file()])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = BufReader::new(tracer.stderr.take().context("a pipe")?);
        let mut watch = Self { tracer, stderr };
        let mut notice = String::new();
        watch.stderr.read_line(&mut notice)?;
        ensure!(notice.starts_with("attached in "), "it says: {notice:?}");
        Ok(watch)
    }

    /// Where its events are.
    pub const fn file() -> &'static str {
        "/tmp/recorder.ndjson"
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.tracer.id()
    }

    /// Ends it, and returns what it said since it was attached. It must have lost nothing.
    pub fn finish(mut self) -> Result<String> {
        kill(Pid::from_raw(self.pid().cast_signed()), Signal::SIGINT)?;
        let mut said = String::new();
        self.stderr.read_to_string(&mut said)?;
        let status = self.tracer.wait()?;
        ensure!(status.success(), "{status}: {said}");
        ensure!(said.ends_with("0 lost\n"), "{said}");
        Ok(said)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It has ended already where all went well.
        let _ = self.tracer.kill();
        let _ = self.tracer.wait();
    }
}

/// Asks, and is answered; at once or never, as both say it all in one line.
pub fn ask(body: &Value) -> Result<Value> {
    let mut stream = UnixStream::connect(SOCKET).context(SOCKET)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{}\n", json!({"version": 1, "body": body})).as_bytes())?;
    let mut line = String::new();
    let read = BufReader::new(stream).read_line(&mut line);
    read.with_context(|| format!("no answer to {body}"))?;
    let mut answer: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
    ensure!(answer["version"] == 1, "{line}");
    Ok(answer["body"].take())
}

/// What is known of a namespace.
pub fn excerpt(id: &Value) -> Result<Value> {
    let mut answer = ask(&json!({"excerpt": [{"netns": id}]}))?;
    Ok(answer["excerpt"].take())
}

/// The identity of the candidate with this number.
pub fn candidate(inum: u64) -> Result<Value> {
    let answer = ask(&json!("candidates"))?;
    let all = answer["candidates"]["namespaces"].as_array();
    let found = all.and_then(|all| all.iter().find(|one| one["id"]["inum"] == inum));
    let found = found.with_context(|| format!("{inum} is not in {answer}"))?;
    ensure!(found["destroyed"].is_null(), "{found}");
    Ok(found["id"].clone())
}

/// Runs in a thread that has gone to a new network namespace, with that one's number.
pub fn in_new_netns<T: Send>(action: impl FnOnce(u64) -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            action(fs::metadata("/proc/thread-self/ns/net")?.ino())
        });
        thread.join().ok().context("the thread panicked")?
    })
}

/// Answers have everything in them; the socket has an owner, and ends with it.
pub fn run(_: &Context) -> Result<()> {
    let watch = Watch::start(&["--socket"])?;
    let mode = |path: &str| Ok::<u32, anyhow::Error>(fs::metadata(path)?.permissions().mode());
    ensure!(mode(SOCKET)? & 0o777 == 0o600, "{:o}", mode(SOCKET)?);
    ensure!(mode("/run/sysctl-trace")? & 0o777 == 0o755, "its folder");
    let second = Command::new(PROGRAM)
        .args(["watch", "--socket", "-n", "1"])
        .output()?;
    let says = String::from_utf8_lossy(&second.stderr).into_owned();
    ensure!(second.status.code() == Some(1), "a second one: {says}");
    ensure!(says.contains("listens at"), "a second one: {says}");

    in_new_netns(|inum| {
        let id = candidate(inum)?;
        let mut longest = Duration::ZERO;
        for value in 1..=ROUNDS {
            fs::write(KEY, value.to_string())?;
            let begun = Instant::now();
            let excerpt = excerpt(&id)?;
            longest = longest.max(begun.elapsed());
            let history = &excerpt["namespaces"][0]["keys"]["net.core.somaxconn"];
            let last = history["entries"].as_array().and_then(|all| all.last());
            let last = &last.with_context(|| excerpt.to_string())?["write"];
            let new = &last["memory"]["read"]["new"];
            ensure!(*new == *value.to_string(), "not {value}: {excerpt}");
            let until = &excerpt["window"]["until"]["boottime_ns"];
            ensure!(
                until.as_u64() >= last["at"]["boottime_ns"].as_u64(),
                "not whole: {excerpt}"
            );
        }
        eprintln!("{ROUNDS} answers, each within {longest:?}");
        Ok(())
    })?;
    let status = fs::read_to_string(format!("/proc/{}/status", watch.pid()))?;
    for line in status.lines().filter(|line| line.starts_with("VmRSS")) {
        eprintln!("the recorder: {line}");
    }

    // One that is killed leaves its socket behind, and the next takes its place.
    drop(watch);
    ensure!(Path::new(SOCKET).exists(), "the socket went with SIGKILL");
    ensure!(UnixStream::connect(SOCKET).is_err(), "somebody listens");
    let watch = Watch::start(&["--socket"])?;
    ask(&json!("candidates"))?;
    watch.finish()?;
    ensure!(!Path::new(SOCKET).exists(), "the socket is left behind");
    Ok(())
}
