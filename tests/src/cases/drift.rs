//! A value that changes without a write is told, and nothing else is.

use std::{
    fs,
    io::Write as _,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sched::{CloneFlags, unshare};

use super::{
    Context,
    recorder::{Watch, candidate, excerpt},
};
use crate::trace::{self, Action, Event};

/// It follows the device's, which is no key.
const CHANGED: &str = "net.ipv6.conf.lo.mtu";
const CHANGED_PATH: &str = "/proc/sys/net/ipv6/conf/lo/mtu";

/// Writing the second changes the first, which is no riddle.
const REACHED: &str = "net.ipv4.conf.default.forwarding";
const REACHED_PATH: &str = "/proc/sys/net/ipv4/conf/default/forwarding";
const REACHING_PATH: &str = "/proc/sys/net/ipv4/ip_forward";

const SOMAXCONN: &str = "/proc/sys/net/core/somaxconn";

/// How long it may take until a difference is told: a round each second, and a second look.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long writers race.
const RACE: Duration = Duration::from_secs(5);

/// CAP_SYS_ADMIN alone.
const CAPABILITY: &str = "CapEff:\t0000000000200000";

/// A shell in a network namespace of its own. It ends when this is dropped.
#[derive(Debug)]
struct Shell {
    shell: Child,
    stdin: ChildStdin,
    inum: u64,
}

impl Shell {
    fn start() -> Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.stdin(Stdio::piped());
        // SAFETY: a system call, and nothing else.
        unsafe { command.pre_exec(|| Ok(unshare(CloneFlags::CLONE_NEWNET)?)) };
        let mut shell = command.spawn().context("starting a shell")?;
        let stdin = shell.stdin.take().context("a pipe")?;
        let inum = fs::metadata(format!("/proc/{}/ns/net", shell.id()))?.ino();
        Ok(Self { shell, stdin, inum })
    }

    fn say(&mut self, line: &str) -> Result<()> {
        writeln!(self.stdin, "{line}").context("a shell takes nothing")
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// The events of an action so far: there may be very many others.
fn events_of(action: &str) -> Result<Vec<Event>> {
    let word = format!("\"action\":\"{action}\"");
    let text = fs::read_to_string(Watch::file())?;
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    let lines = whole.split_inclusive('\n');
    let found: String = lines.filter(|line| line.contains(&word)).collect();
    Ok(trace::parse(found.as_bytes()).0)
}

fn drifts(events: &[Event]) -> Vec<&Event> {
    let is_drift = |event: &&Event| event.event.action == Action::SysctlDrift;
    events.iter().filter(is_drift).collect()
}

/// Waits for an event of this action about a namespace.
fn wait_for(action: &str, inum: u64) -> Result<Event> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let found = events_of(action)?.into_iter().find(|event| {
            let of = event.netns.as_ref().and_then(|netns| netns.inum);
            of.map(u64::from) == Some(inum)
        });
        if let Some(found) = found {
            return Ok(found);
        }
        thread::sleep(Duration::from_millis(200));
    }
    bail!("no {action} of {inum} within {PATIENCE:?}")
}

/// The process that looks at live values.
fn reader(watch: &Watch) -> Result<u32> {
    let pid = watch.pid();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let [reader] = children.split_whitespace().collect::<Vec<_>>()[..] else {
        bail!("children of the recorder: {children:?}");
    };
    Ok(reader.parse()?)
}

fn memory(name: &str, pid: u32) -> Result<()> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let is_size = |line: &&str| line.starts_with("VmRSS") || line.starts_with("RssAnon");
    for line in status.lines().filter(is_size) {
        eprintln!("{name}: {line}");
    }
    Ok(())
}

/// What the reader may do: to enter namespaces, and no more.
fn check_reader(watch: &Watch) -> Result<()> {
    let pid = reader(watch)?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    for line in [CAPABILITY, "NoNewPrivs:\t1", "Name:\tsysctl-tr:live"] {
        ensure!(status.contains(line), "{line:?} is not in {status}");
    }
    memory("the recorder", watch.pid())?;
    memory("its reader", pid)
}

/// One difference is told, once, and races are none.
pub fn run(_: &Context) -> Result<()> {
    let watch = Watch::start(&[
        "--socket",
        "--reconcile",
        "1s",
        "--reconcile-key",
        CHANGED,
        "--reconcile-key",
        REACHED,
        "--reconcile-key",
        "net.core.somaxconn",
    ])?;
    check_reader(&watch)?;
    let mut shell = Shell::start()?;
    let inum = shell.inum;
    shell.say(&format!("echo 0 > {REACHED_PATH}"))?;
    shell.say(&format!("echo 1300 > {CHANGED_PATH}"))?;
    wait_for("sysctl-write", inum)?;
    // It takes a time without writes to tell a difference from a race.
    thread::sleep(Duration::from_secs(2));
    shell.say(&format!("echo 1 > {REACHING_PATH}"))?;
    shell.say("ip link set lo mtu 1500")?;
    let drift = wait_for("sysctl-drift", inum)?;
    let sysctl = drift.sysctl.as_ref().context("a key")?;
    let (old, new) = (sysctl.old.as_deref(), sysctl.new.as_deref());
    ensure!(
        (&*sysctl.key, old, new) == (CHANGED, Some("1300"), Some("1500")),
        "{drift:?}"
    );
    let known = excerpt(&candidate(inum)?)?;
    let entries = &known["namespaces"][0]["keys"][CHANGED]["entries"];
    ensure!(entries[1]["drift"]["found"] == "1500", "not known: {known}");

    race(&mut shell)?;
    drop(shell);
    wait_for("netns-destroy", inum).context("somebody keeps the namespace")?;
    memory("the recorder at the end", watch.pid())?;
    let reader = reader(&watch)?;
    watch.finish()?;
    ensure!(
        !Path::new(&format!("/proc/{reader}")).exists(),
        "the reader is left behind"
    );

    let (events, wrong) = trace::read(Path::new(Watch::file()))?;
    ensure!(wrong.is_empty(), "the stream: {}", wrong.join("; "));
    let told = drifts(&events);
    ensure!(told.len() == 1, "{} times: {told:#?}", told.len());
    let visits = events
        .iter()
        .filter(|event| event.event.action == Action::NetnsEnter);
    let by_reader = |event: &&Event| {
        let process = event.process.as_ref();
        process.is_some_and(|process| process.name.starts_with("sysctl-tr"))
    };
    let visit = visits.clone().find(by_reader);
    ensure!(visit.is_none(), "a visit of our own: {visit:?}");
    Ok(())
}

/// Writers in several namespaces, two in each, while all is compared again and again.
fn race(shell: &mut Shell) -> Result<()> {
    let mut other = Shell::start()?;
    let id = candidate(shell.inum)?;
    let begun = Instant::now();
    for shell in [&mut other, shell] {
        for (one, other) in [(1, 2), (3, 4)] {
            shell.say(&format!(
                "(i=0; while [ $i -lt 100000 ]; do echo {one} > {SOMAXCONN}; \
                 echo {other} > {SOMAXCONN}; i=$((i+1)); [ -e /tmp/race-is-over ] && exit; done) &"
            ))?;
        }
    }
    let mut asked = 0;
    let mut longest = Duration::ZERO;
    while begun.elapsed() < RACE {
        let at = Instant::now();
        excerpt(&id)?;
        longest = longest.max(at.elapsed());
        asked += 1;
    }
    fs::write("/tmp/race-is-over", "")?;
    // What they left is compared, too.
    thread::sleep(Duration::from_secs(4));
    eprintln!("{asked} answers during the race, each within {longest:?}");
    Ok(())
}
