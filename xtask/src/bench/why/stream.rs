//! A recording as long as is wanted: a busy node on which one container follows another. It is the
//! same every time.
//!
//! Lines are as long and as deep as those of containers under Kubernetes: three ancestors, all
//! capabilities, labels, and the owner of the namespace.

use std::{
    fmt::{self, Display, Formatter, Write as _},
    io::{self, Write},
};

/// Containers that run at a time.
const LIVE: u64 = 200;
/// A write of the node's own value comes with each so many containers.
const NODE_EVERY: u64 = 40;
/// From one event to the next, in nanoseconds.
const STEP_NS: u64 = 50_000_000;
/// Network namespaces have numbers from here on.
const INUM_BASE: u64 = 4_026_532_281;
/// Numbers of namespaces are used again after so many.
const INUMS: u64 = 1000;
/// The node's own network namespace.
const NODE_INUM: u64 = 4_026_531_840;

/// What a tracer without options watches.
const WATCHED: &str = r#"["netns-create","netns-destroy","sysctl-write","netns-enter","netns-bind","sysctl-register","sysctl-unregister"]"#;

const CAPABILITIES: &str = r#"["CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_DAC_READ_SEARCH","CAP_FOWNER","CAP_FSETID","CAP_KILL","CAP_SETGID","CAP_SETUID","CAP_SETPCAP","CAP_LINUX_IMMUTABLE","CAP_NET_BIND_SERVICE","CAP_NET_BROADCAST","CAP_NET_ADMIN","CAP_NET_RAW","CAP_IPC_LOCK","CAP_IPC_OWNER","CAP_SYS_MODULE","CAP_SYS_RAWIO","CAP_SYS_CHROOT","CAP_SYS_PTRACE","CAP_SYS_PACCT","CAP_SYS_ADMIN","CAP_SYS_BOOT","CAP_SYS_NICE","CAP_SYS_RESOURCE","CAP_SYS_TIME","CAP_SYS_TTY_CONFIG","CAP_MKNOD","CAP_LEASE","CAP_AUDIT_WRITE","CAP_AUDIT_CONTROL","CAP_SETFCAP","CAP_MAC_OVERRIDE","CAP_MAC_ADMIN","CAP_SYSLOG","CAP_WAKE_ALARM","CAP_BLOCK_SUSPEND","CAP_AUDIT_READ","CAP_PERFMON","CAP_BPF","CAP_CHECKPOINT_RESTORE"]"#;

/// Writes a recording.
pub struct Stream<W> {
    out: W,
    line: String,
    /// The number of the last event.
    sequence: u64,
    /// How many are wanted.
    events: u64,
}

/// What a container is called.
#[derive(Clone, Copy, Debug)]
pub struct Container(pub u64);

/// A process that something is written about.
#[derive(Clone, Copy)]
enum Who {
    /// containerd's shim makes the namespace.
    Shim(Container),
    /// runc writes what is asked for, inside.
    Init(Container),
    /// The administrator writes the node's value.
    Administrator,
}

/// The kind of an event: category, type and action.
struct Kind(&'static str, &'static str, &'static str);

impl Container {
    /// Its id, in full.
    pub fn id(self) -> String {
        let words = (1..=4).map(|word| mixed(self.0 * 4 + word));
        words.fold(String::new(), |id, word| format!("{id}{word:016x}"))
    }

    /// Its pod's name; the pod is in the namespace `shop`.
    pub fn pod(self) -> String {
        format!("cart-{:06}", self.0)
    }

    fn inum(self) -> u64 {
        INUM_BASE + self.0 % INUMS
    }

    fn cookie(self) -> u64 {
        self.0 + 4097
    }
}

/// A number that looks like any other (splitmix64).
const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

impl<W: Write> Stream<W> {
    /// Writes so many events, which are two at least; returns how many containers there are.
    pub fn write(out: W, events: u64) -> io::Result<u64> {
        let mut stream = Self {
            out,
            line: String::new(),
            sequence: 0,
            events,
        };
        stream.start()?;
        let mut number = 0;
        // The last line is the end.
        while stream.sequence + 1 < events {
            stream.container(number)?;
            number += 1;
        }
        stream.finish()?;
        stream.out.flush()?;
        Ok(number)
    }

    fn start(&mut self) -> io::Result<()> {
        self.begin(&Kind("host", "start", "trace-start"));
        self.push(format_args!(
            r#","netns":{{"inum":{NODE_INUM},"cookie":"1","user_ns":4026531837}}"#
        ));
        self.end_with(&format!(r#","filtered_by":[],"watched":{WATCHED}"#))
    }

    fn finish(&mut self) -> io::Result<()> {
        self.sequence = self.sequence.min(self.events - 1);
        self.begin(&Kind("host", "end", "trace-end"));
        let events = self.sequence;
        self.end_with(&format!(
            r#","end":{{"reason":"signal","events":{events},"lost":{{"ring_full":0,"in_flight":0,"probe_missed":0,"unreadable":0}}}}"#
        ))
    }

    /// All that happens to a container, and what happens beside it.
    fn container(&mut self, number: u64) -> io::Result<()> {
        let container = Container(number);
        self.create(container)?;
        for write in 0..3 + number % 3 {
            self.set(container, write)?;
        }
        self.enter(container)?;
        self.bind(container)?;
        if number.is_multiple_of(NODE_EVERY) {
            self.set_node(number)?;
        }
        if let Some(gone) = number.checked_sub(LIVE) {
            self.destroy(Container(gone))?;
        }
        Ok(())
    }

    fn create(&mut self, container: Container) -> io::Result<()> {
        self.begin(&Kind("configuration", "creation", "netns-create"));
        self.process(Who::Shim(container));
        self.netns(container, false);
        self.push(format_args!(
            r#","sysctl":{{"key":"net.core.somaxconn","path":"net/core/somaxconn","type":"int","new":"4096","init_netns":"2048"}}"#
        ));
        self.end()
    }

    fn set(&mut self, container: Container, write: u64) -> io::Result<()> {
        self.begin(&Kind("configuration", "change", "sysctl-write"));
        self.process(Who::Init(container));
        self.inside(container);
        self.netns(container, true);
        let (key, path, old, new) = match write {
            0 => (
                "net.ipv4.ping_group_range",
                "net/ipv4/ping_group_range",
                "1\t0",
                "0\t2147483647",
            ),
            1 => (
                "net.ipv4.ip_unprivileged_port_start",
                "net/ipv4/ip_unprivileged_port_start",
                "1024",
                "0",
            ),
            2 => ("net.core.somaxconn", "net/core/somaxconn", "4096", "1024"),
            3 => (
                "net.ipv4.conf.all.forwarding",
                "net/ipv4/conf/all/forwarding",
                "0",
                "1",
            ),
            _ => (
                "net.ipv4.tcp_keepalive_time",
                "net/ipv4/tcp_keepalive_time",
                "7200",
                "600",
            ),
        };
        self.sysctl(key, path, old, new);
        self.end()
    }

    fn set_node(&mut self, number: u64) -> io::Result<()> {
        self.begin(&Kind("configuration", "change", "sysctl-write"));
        self.process(Who::Administrator);
        self.push(format_args!(
            r#","netns":{{"inum":{NODE_INUM},"cookie":"1","user_ns":4026531837}}"#
        ));
        // The value goes to and fro, as with two tools that do not know of each other.
        let (old, new) = match (number / NODE_EVERY).is_multiple_of(2) {
            true => ("2048", "1024"),
            false => ("1024", "2048"),
        };
        self.sysctl("net.core.somaxconn", "net/core/somaxconn", old, new);
        self.end()
    }

    fn enter(&mut self, container: Container) -> io::Result<()> {
        self.begin(&Kind("configuration", "info", "netns-enter"));
        self.process(Who::Init(container));
        self.inside(container);
        self.netns(container, false);
        self.end()
    }

    fn bind(&mut self, container: Container) -> io::Result<()> {
        self.begin(&Kind("configuration", "info", "netns-bind"));
        self.process(Who::Init(container));
        self.inside(container);
        self.netns(container, true);
        self.end()
    }

    fn destroy(&mut self, container: Container) -> io::Result<()> {
        self.begin(&Kind("configuration", "deletion", "netns-destroy"));
        self.netns(container, true);
        self.end()
    }

    fn begin(&mut self, Kind(category, type_, action): &Kind) {
        self.sequence += 1;
        let sequence = self.sequence;
        let ns = sequence * STEP_NS;
        let moment = Moment(ns);
        // Only writes tell how long they took.
        let duration = match *action {
            "sysctl-write" => format!(r#","duration":{}"#, 3000 + mixed(sequence) % 9000),
            _ => String::new(),
        };
        self.line.clear();
        self.push(format_args!(
            r#"{{"@timestamp":"{moment}","schema":{{"name":"sysctl-trace","version":"1.3"}},"event":{{"kind":"event","category":["{category}"],"type":["{type_}"],"action":"{action}","outcome":"success","sequence":{sequence},"boottime_ns":{ns}{duration}}},"host":{{"name":"node-17.example","boot":{{"id":"5ec3f0b5-5a0e-4b0c-9d0e-3a8f1f7f2b11"}}}}"#
        ));
    }

    fn process(&mut self, who: Who) {
        let sequence = self.sequence;
        let pid = 20_000 + sequence % 40_000;
        let (name, program, args, net, cgroup) = match who {
            Who::Shim(container) => (
                "containerd-shim",
                "/usr/bin/containerd-shim-runc-v2",
                format!(
                    r#"["/usr/bin/containerd-shim-runc-v2","-namespace","k8s.io","-id","{}","-address","/run/containerd/containerd.sock"]"#,
                    container.id()
                ),
                NODE_INUM,
                "/system.slice/containerd.service".to_owned(),
            ),
            Who::Init(container) => (
                "runc:[2:INIT]",
                "/usr/sbin/runc",
                r#"["runc","init"]"#.to_owned(),
                container.inum(),
                format!(
                    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice/cri-containerd-{}.scope",
                    uid(container).replace('-', "_"),
                    container.id()
                ),
            ),
            Who::Administrator => (
                "sysctl",
                "/usr/sbin/sysctl",
                r#"["sysctl","-w","net.core.somaxconn=2048"]"#.to_owned(),
                NODE_INUM,
                "/user.slice/user-0.slice/session-3.scope".to_owned(),
            ),
        };
        let file = program.rsplit('/').next().unwrap_or(program);
        self.push(format_args!(
            r#","process":{{"pid":{pid},"name":"{name}","executable_name":"{file}","executable":"{program}","args":{args},"start":"2026-11-22T00:00:00.900000000Z","entity_id":"5ec3f0b5-{pid}-{sequence}","thread":{{"id":{pid},"capabilities":{{"effective":{CAPABILITIES}}}}},"user":{{"id":"0"}},"group":{{"id":"0"}},"parent":{parent},"ancestors":["#,
            parent = Ancestor(0),
        ));
        for depth in 0..3 {
            let comma = if depth == 0 { "" } else { "," };
            self.push(format_args!("{comma}{}", Ancestor(depth)));
        }
        self.push(format_args!(
            r#"],"cgroup":"{cgroup}","namespaces":{{"net":{net},"pid":4026532279,"mnt":4026532277,"user":4026531837,"cgroup":4026532280}},"enrichment":"complete"}},"component":{{"name":"{component}","confidence":"observed","evidence":["the executable is {program}, from the node's file system"]}}"#,
            component = file.trim_end_matches("-runc-v2"),
        ));
    }

    /// The container and the pod that the process is in.
    fn inside(&mut self, container: Container) {
        self.push(format_args!(
            r#","container":{},"k8s":{}"#,
            OfContainer(container),
            OfPod(container)
        ));
    }

    fn netns(&mut self, container: Container, is_owned: bool) {
        self.push(format_args!(
            r#","netns":{{"inum":{},"cookie":"{}","user_ns":4026531837"#,
            container.inum(),
            container.cookie()
        ));
        if is_owned {
            self.push(format_args!(
                r#","owner":{{"creator":"containerd","pin":"/run/netns/cni-{:016x}","bound_by":"runtime","container":{},"k8s":{}}}"#,
                mixed(container.0),
                OfContainer(container),
                OfPod(container)
            ));
        }
        self.push(format_args!("}}"));
    }

    fn sysctl(&mut self, key: &str, path: &str, old: &str, new: &str) {
        let escaped = |value: &str| value.replace('\t', "\\t");
        let (old, new, size) = (escaped(old), escaped(new), new.len());
        self.push(format_args!(
            r#","sysctl":{{"key":"{key}","path":"{path}","type":"int","requested":"{new}","old":"{old}","new":"{new}","position":0,"size":{size},"written":{size}}}"#
        ));
    }

    fn push(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a String does not fail.
        let _ = self.line.write_fmt(text);
    }

    /// Writes the line, unless there are enough already but for the end.
    fn end(&mut self) -> io::Result<()> {
        if self.sequence >= self.events {
            return Ok(());
        }
        self.end_with("")
    }

    /// Writes the line, with what else stands in `trace`.
    fn end_with(&mut self, more: &str) -> io::Result<()> {
        self.push(format_args!(
            r#","trace":{{"session":"3f2a9c51","truncated":[]{more}}}}}"#
        ));
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes())
    }
}

fn uid(Container(number): Container) -> String {
    let word = mixed(number + 7);
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        word >> 32,
        (word >> 16) & 0xffff,
        word & 0xfff,
        (word >> 4) & 0xfff,
        word & 0xffff_ffff_ffff,
    )
}

struct Ancestor(usize);

impl Display for Ancestor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let names = ["runc", "containerd-shim", "systemd"];
        let (name, pid) = (names[self.0], 900 - self.0 * 300);
        write!(
            f,
            r#"{{"pid":{pid},"name":"{name}","executable_name":"{name}","start":"2026-11-22T00:00:00.100000000Z","entity_id":"5ec3f0b5-{pid}-17000000"}}"#
        )
    }
}

struct OfContainer(Container);

impl Display for OfContainer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(container) = self;
        write!(
            f,
            r#"{{"id":"{}","runtime":"containerd","name":"cart","image":{{"name":"registry.example/shop/cart:1.7.3"}},"confidence":"state-verified"}}"#,
            container.id()
        )
    }
}

struct OfPod(Container);

impl Display for OfPod {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(container) = self;
        write!(
            f,
            r#"{{"pod":{{"name":"{}","uid":"{}","label":{{"app":"cart","pod-template-hash":"7d4b9c6f58"}}}},"namespace":{{"name":"shop"}},"container":{{"name":"cart"}}}}"#,
            container.pod(),
            uid(*container)
        )
    }
}

/// Nanoseconds since the day began, as a time on it.
struct Moment(u64);

impl Display for Moment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (second, rest) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        let (hour, minute) = (second / 3600 % 24, second / 60 % 60);
        write!(
            f,
            "2026-11-22T{hour:02}:{minute:02}:{:02}.{rest:09}Z",
            second % 60
        )
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
