//! Keys that come and go with a device or a module, and writes that reach other keys than the one that
//! was written: the answer names who set the value that is there, and nobody of an earlier life.

use std::{
    fs,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::Path,
    process::{Child, Command},
};

use anyhow::{Context as _, Result, ensure};
use nix::sched::{CloneFlags, unshare};

use super::{Context, recorder::Watch, tracer::PROGRAM};
use crate::trace::{self, Action, Event};

const IPV4: &str = "/proc/sys/net/ipv4";
const IPV6_CONF: &str = "/proc/sys/net/ipv6/conf";

/// A network namespace that a sleeping process keeps. It ends when this is dropped.
struct Elsewhere(Child);

impl Elsewhere {
    fn new() -> Result<Self> {
        let mut command = Command::new("/bin/sleep");
        command.arg("1000");
        // SAFETY: a system call, and nothing else.
        unsafe { command.pre_exec(|| Ok(unshare(CloneFlags::CLONE_NEWNET)?)) };
        Ok(Self(command.spawn().context("starting sleep")?))
    }

    fn inum(&self) -> Result<u64> {
        Ok(fs::metadata(format!("/proc/{}/ns/net", self.0.id()))?.ino())
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A question, and what its answer must say. It says the same live and from the recording.
struct Question {
    target: String,
    key: String,
    /// All of this is in the headline.
    says: Vec<String>,
    /// None of this is.
    never: Vec<&'static str>,
    /// All of this is in the evidence.
    evidence: Vec<&'static str>,
}

impl Question {
    fn of_node(key: &str, says: &[&str], never: &[&'static str]) -> Self {
        Self::of("node", key, says, never)
    }

    fn of(target: &str, key: &str, says: &[&str], never: &[&'static str]) -> Self {
        Self {
            target: target.to_owned(),
            key: key.to_owned(),
            says: says.iter().map(ToString::to_string).collect(),
            never: never.to_vec(),
            evidence: Vec::new(),
        }
    }

    fn ask(&self, options: &[&str]) -> Result<()> {
        let mut command = Command::new(PROGRAM);
        command
            .arg("why")
            .args(options)
            .args([&self.target, &self.key]);
        let output = command.output()?;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        let (headline, rest) = answer.split_once('\n').unwrap_or_default();
        let told = || format!("{} of {}: {answer}{errors}", self.key, self.target);
        for part in &self.says {
            ensure!(headline.contains(part), "no {part:?}: {}", told());
        }
        let unseen = ["before tracing began", "as it made the namespace"];
        for part in self.never.iter().chain(&unseen) {
            ensure!(!headline.contains(part), "{part:?}: {}", told());
        }
        ensure!(rest.starts_with("observed"), "{}", told());
        for part in &self.evidence {
            ensure!(rest.contains(part), "no {part:?}: {}", told());
        }
        Ok(())
    }
}

/// Runs the case.
pub fn run(_: &Context) -> Result<()> {
    shell("insmod /modules/dummy.ko numdummies=0")?;
    let writable = writable_in_a_new_namespace()?;
    let elsewhere = Elsewhere::new()?;
    let watch = Watch::start(&["--socket"])?;
    let later = Elsewhere::new()?;
    let mut questions = reach()?;
    questions.extend(lives(&elsewhere)?);
    questions.push(shared(&later)?);
    questions.extend(modules(&elsewhere)?);
    let failed: Vec<String> = questions
        .iter()
        .flat_map(|question| [(question, None), (question, Some(Watch::file()))])
        .filter_map(|(question, file)| {
            let options: Vec<&str> = file.into_iter().flat_map(|file| ["--from", file]).collect();
            let error = question.ask(&options).err()?;
            Some(format!("{}: {error:#}", file.unwrap_or("live")))
        })
        .collect();
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    watch.finish()?;
    for question in &questions {
        let asked = question.ask(&["--from", Watch::file()]);
        asked.context("recorded to the end")?;
    }
    for line in [
        "ip link del d0",
        "ip link del k1",
        "ip link del k3",
        "ip link del k5",
        "rmmod mpls_router",
        "rmmod ip_tunnel",
        "rmmod md_mod",
    ] {
        shell(line)?;
    }
    let bytes = fs::read(Watch::file())?;
    check_start(trace::parse(&bytes).0.first().context("a line")?, &writable)?;
    let (events, wrong) = trace::read(Path::new(Watch::file()))?;
    ensure!(wrong.is_empty(), "the stream: {}", wrong.join("; "));
    check_stream(&events, elsewhere.inum()?)
}

/// Writes that reach other keys.
fn reach() -> Result<Vec<Question>> {
    shell("ip link add d0 type dummy")?;
    shell("sysctl -w net.ipv6.conf.d0.disable_ipv6=1")?;
    shell(&format!("echo 0 | tee {IPV6_CONF}/all/disable_ipv6"))?;
    shell(&format!("echo 1 | tee {IPV6_CONF}/all/disable_ipv6"))?;
    shell("sysctl -w net.ipv4.ip_forward=0")?;
    shell("sysctl -w net.ipv4.conf.d0.forwarding=1")?;
    shell(&format!("echo 1 | tee {IPV4}/conf/all/forwarding"))?;
    shell(&format!("echo 0 | tee {IPV4}/conf/all/forwarding"))?;
    shell("sysctl -w vm.dirty_ratio=17")?;
    shell("echo 104857600 | tee /proc/sys/vm/dirty_bytes")?;
    let by_tee =
        |key, value, through| Question::of_node(key, &[value, "tee[", through], &["sysctl"]);
    Ok(vec![
        by_tee(
            "net.ipv6.conf.d0.disable_ipv6",
            "is 1 ",
            "net.ipv6.conf.all.disable_ipv6",
        ),
        by_tee(
            "net.ipv4.ip_forward",
            "is 0 ",
            "net.ipv4.conf.all.forwarding, which is another name of it",
        ),
        by_tee(
            "net.ipv4.conf.d0.forwarding",
            "is 0 ",
            "net.ipv4.conf.all.forwarding",
        ),
        by_tee("vm.dirty_ratio", "is 0 ", "vm.dirty_bytes"),
    ])
}

/// A device that is made anew under its name, one that is renamed, and one that is moved.
fn lives(elsewhere: &Elsewhere) -> Result<Vec<Question>> {
    for device in ["k1", "k2", "k4"] {
        shell(&format!("ip link add {device} type dummy"))?;
        shell(&format!("sysctl -w net.ipv6.conf.{device}.accept_ra=2"))?;
        shell(&format!("sysctl -w net.ipv4.conf.{device}.rp_filter=2"))?;
    }
    shell("ip link del k1")?;
    shell("ip link add k1 type dummy")?;
    shell("ip link set k2 name k3")?;
    shell(&format!("ip link set k4 netns {}", elsewhere.0.id()))?;
    shell("sysctl -w net.ipv6.conf.default.hop_limit=77")?;
    shell("ip link add k5 type dummy")?;
    let inum = elsewhere.inum()?.to_string();
    let of_device = |target: &str, device: &str| {
        let question = |family: &str, name: &str| {
            Question::of(
                target,
                &format!("net.{family}.conf.{device}.{name}"),
                &[
                    "what it came to be with",
                    &format!("made net/{family}/conf/{device}"),
                ],
                &["sysctl"],
            )
        };
        [question("ipv6", "accept_ra"), question("ipv6", "hop_limit")]
    };
    let mut questions = Vec::new();
    questions.extend(of_device("node", "k1"));
    questions.extend(of_device("node", "k3"));
    questions.extend(of_device(&inum, "k4"));
    questions.push(Question {
        evidence: vec!["net.ipv6.conf.default.hop_limit"],
        ..Question::of_node(
            "net.ipv6.conf.k5.hop_limit",
            &["is 77 ", "what it came to be with", "made net/ipv6/conf/k5"],
            &[],
        )
    });
    Ok(questions)
}

/// A key that is one for the whole node, asked about in a namespace that was made before it was written.
fn shared(later: &Elsewhere) -> Result<Question> {
    shell("sysctl -w net.core.rmem_max=250000")?;
    shell("echo 300000 | tee /proc/sys/net/core/rmem_max")?;
    let says = ["is 300000 for the whole node", " too", "tee[", " wrote it"];
    Ok(Question {
        evidence: vec!["net.core.rmem_max is one for the whole node, by the kernel's word"],
        ..Question::of(&later.inum()?.to_string(), "net.core.rmem_max", &says, &[])
    })
}

/// Modules that are loaded while it is traced, one of them for the second time.
fn modules(elsewhere: &Elsewhere) -> Result<Vec<Question>> {
    shell("insmod /modules/md-mod.ko")?;
    shell("sysctl -w dev.raid.speed_limit_max=1234")?;
    shell("rmmod md_mod")?;
    shell("insmod /modules/md-mod.ko")?;
    shell("insmod /modules/ip_tunnel.ko")?;
    shell("insmod /modules/mpls_router.ko")?;
    let by_insmod = |target: &str, key: &str, value: &str, folder: &str| {
        let says = [value, "what it came to be with", "insmod[", folder];
        Question::of(target, key, &says, &["sysctl"])
    };
    let inum = elsewhere.inum()?.to_string();
    let ttl = "net.mpls.ip_ttl_propagate";
    Ok(vec![
        by_insmod(
            "node",
            "dev.raid.speed_limit_max",
            "is 200000 ",
            "made dev/raid",
        ),
        by_insmod("node", ttl, "is 1 ", "made net/mpls"),
        by_insmod(&inum, ttl, "is 1 ", "made net/mpls"),
    ])
}

/// The keys below net/ that a new network namespace lets its root write, dotted.
fn writable_in_a_new_namespace() -> Result<Vec<String>> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "cd /proc/sys; find net -type f -perm /222"]);
    // SAFETY: a system call, and nothing else.
    unsafe { command.pre_exec(|| Ok(unshare(CloneFlags::CLONE_NEWNET)?)) };
    let output = command.output()?;
    let paths = String::from_utf8(output.stdout)?;
    ensure!(paths.contains("net/core/somaxconn\n"), "{paths}");
    Ok(paths.lines().map(|path| path.replace('/', ".")).collect())
}

/// What the stream says of the kernel's keys, and of what is watched.
fn check_start(start: &Event, writable: &[String]) -> Result<()> {
    let watched = &start.trace.watched;
    for action in [Action::SysctlRegister, Action::SysctlUnregister] {
        ensure!(
            watched.contains(&action),
            "{action:?} is not in {watched:?}"
        );
    }
    let keys = start.trace.keys.as_ref();
    let keys = keys.with_context(|| format!("no keys in {start:?}"))?;
    let is_shared = |key: &str| keys.shared.iter().any(|shared| shared == key);
    for key in [
        "net.core.rmem_max",
        "net.core.netdev_max_backlog",
        "net.ipv4.tcp_mem",
    ] {
        ensure!(is_shared(key), "{key} is not in {keys:?}");
    }
    for key in [
        "net.core.somaxconn",
        "net.ipv4.ip_forward",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.tcp_rmem",
        "net.ipv4.conf.all.forwarding",
        "net.ipv4.conf.default.rp_filter",
        "net.ipv6.conf.all.disable_ipv6",
        "net.unix.max_dgram_qlen",
    ] {
        ensure!(!is_shared(key), "{key} is in {keys:?}");
    }
    // A write there would not be in the node's history.
    let open = keys.shared.iter().find(|key| writable.contains(key));
    ensure!(open.is_none(), "{open:?} can be written in each namespace");
    let forwarding = ["net.ipv4.conf.all.forwarding", "net.ipv4.ip_forward"];
    ensure!(
        keys.aliases.iter().any(|group| *group == forwarding),
        "{keys:?}"
    );
    // Shown in other units, they are not the same text.
    let is_of_time = |name: &String| name.contains("base_reachable_time");
    ensure!(!keys.aliases.iter().flatten().any(is_of_time), "{keys:?}");
    eprintln!("{} shared, the same: {:?}", keys.shared.len(), keys.aliases);
    Ok(())
}

/// The namespace that the tracer compares with is nobody's business.
fn check_ends(events: &[Event]) -> Result<()> {
    let of = |action| {
        let is_it = move |event: &&Event| event.event.action == action;
        events.iter().filter(is_it)
    };
    let id = |event: &Event| {
        let netns = event.netns.as_ref()?;
        Some((netns.inum?, netns.cookie.clone()))
    };
    for end in of(Action::NetnsDestroy) {
        let mut made = of(Action::NetnsCreate);
        ensure!(made.any(|made| id(made) == id(end)), "{end:?}");
    }
    Ok(())
}

fn check_stream(events: &[Event], elsewhere: u64) -> Result<()> {
    check_ends(events)?;
    let of = |action, folder: &str| -> Vec<&Event> {
        let is_it = |event: &&Event| {
            let table = event.table.as_ref();
            event.event.action == action && table.is_some_and(|table| table.path == folder)
        };
        events.iter().filter(is_it).collect()
    };
    let (began, ended) = (Action::SysctlRegister, Action::SysctlUnregister);
    for (action, folder, count, by) in [
        (began, "net/ipv6/conf/k1", 2, "ip"),
        (ended, "net/ipv6/conf/k1", 1, "ip"),
        (began, "net/ipv4/conf/k1", 2, "ip"),
        (ended, "net/ipv6/conf/k2", 1, "ip"),
        (began, "net/ipv6/conf/k3", 1, "ip"),
        (ended, "net/ipv6/conf/k4", 1, "ip"),
        (began, "net/ipv6/conf/k4", 2, "ip"),
        (began, "dev/raid", 2, "insmod"),
        (ended, "dev/raid", 1, "rmmod"),
        (began, "net/mpls", 3, "insmod"),
    ] {
        let found = of(action, folder);
        ensure!(found.len() == count, "{folder}: {found:#?}");
        for event in found {
            let process = event.process.as_ref().context("a process")?;
            ensure!(process.name == by, "{event:?}");
        }
    }
    let moved = of(began, "net/ipv6/conf/k4");
    let mut inums = moved.iter().filter_map(|event| event.netns.as_ref()?.inum);
    ensure!(
        inums.next_back().map(u64::from) == Some(elsewhere),
        "{moved:#?}"
    );
    let made = of(began, "net/ipv6/conf/k1");
    let first = made.first().and_then(|event| event.table.as_ref());
    let first = first.context("a table")?;
    let value = first.values.get("accept_ra").map(String::as_str);
    ensure!(value == Some("1"), "{first:?}");
    Ok(())
}

fn shell(line: &str) -> Result<()> {
    let output = Command::new("/bin/sh").args(["-c", line]).output()?;
    let says = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{line}: {says}");
    Ok(())
}
