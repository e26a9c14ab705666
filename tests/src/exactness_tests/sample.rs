//! A log, and the trace that a right tracer makes of it.

use std::mem;

use super::super::*;
use crate::{
    trace::{self, Netns, Sysctl},
    workload::log::{
        self, Ancestor, Answer, Bytes, Creation, End, Entry, Namespaces, Race, Window, Write,
    },
};

pub const OFFSET_NS: i64 = 1_800_000_000_000_000_000;
pub const TICK_NS: u64 = 10_000_000;
pub const ROOT: u32 = 10;
/// Steps of the log in this order: 20 namespaces, one refused, 60 writes, of which the last four
/// are a race.
pub const WRITE: usize = 21;

pub fn actor(tid: u32, comm: &str) -> Actor {
    Actor {
        pid: ROOT,
        thread: Thread::Caller {
            tid,
            comm: comm.into(),
        },
        uid: 0,
        gid: 7,
        capabilities: 1 | 1 << 21 | 1 << 63,
        executable: "/bin/workload".into(),
        args: vec!["workload".into(), "exactness".into()],
        start_ticks: 50,
        cgroup: "/a".into(),
        namespaces: Namespaces {
            net: 1,
            pid: 2,
            mnt: 3,
            user: 4,
            cgroup: 5,
        },
        ancestors: (1..=9)
            .rev()
            .map(|pid| Ancestor {
                pid,
                comm: format!("above {pid}"),
                executable_name: (pid != 1).then(|| format!("exe{pid}")),
                start_ticks: u64::from(pid),
            })
            .collect(),
    }
}

pub fn window(at: usize) -> Window {
    let from_ns = 1_000_000_000 + at as u64 * 10_000_000;
    Window {
        from_ns,
        to_ns: from_ns + 1_000_000,
    }
}

pub fn netns(number: usize) -> log::Netns {
    let number = u32::try_from(number).unwrap();
    log::Netns {
        inum: 1000 + number,
        cookie: Some(u64::from(number) + 2),
        user_ns: 4,
    }
}

pub fn creation(at: usize, result: Created) -> Record {
    Record::Create(Box::new(Creation {
        window: window(at),
        actor: actor(ROOT, "workload"),
        how: "unshare".into(),
        result,
        init_somaxconn: Bytes::from("2048"),
    }))
}

pub fn write(at: usize) -> Write {
    let method = METHODS[at % METHODS.len()];
    let mut actor = actor(ROOT, "workload");
    if method == "io_uring" {
        actor.thread = Thread::IoWorker {
            tids: vec![11, 12],
            comm: "iou-wrk-10".into(),
        };
    }
    Write {
        window: window(at),
        actor,
        how: method.into(),
        path: format!("net/ipv4/key{}.x/y", at % 13),
        netns: Some(netns(19)),
        types: vec!["u8".into(), "int".into()],
        requested: Some(Bytes::from(format!("{at}\n").as_bytes())),
        position: 0,
        size: 5,
        result: if at.is_multiple_of(7) {
            Answer::Refused("EINVAL".into())
        } else {
            Answer::Took(4)
        },
        old: Some(Bytes::from("old")),
        new: Some(Bytes::from("new")),
        race: None,
        stale: false,
    }
}

pub fn racing(at: usize, tid: u32, value: &str) -> Record {
    let requested = Some(Bytes::from(value));
    let actor = actor(tid, "racer");
    let result = Answer::Took(4);
    let write = write(at);
    Record::Write(Box::new(Write {
        actor,
        requested,
        result,
        how: "pwrite".into(),
        path: "net/core/somaxconn".into(),
        old: None,
        new: None,
        race: Some(1),
        ..write
    }))
}

pub fn sample_log() -> Vec<Record> {
    let mut log = vec![Record::Begin(Begin {
        pid: ROOT,
        host: "node".into(),
        boot_id: "boot".into(),
        realtime_offset_ns: OFFSET_NS,
        tick_ns: TICK_NS,
        seed: 1,
    })];
    for number in 0..20 {
        let somaxconn = (number != 5).then(|| Bytes::from("4096"));
        log.push(creation(
            number,
            Created::Made {
                netns: netns(number),
                somaxconn,
            },
        ));
    }
    log.push(creation(
        20,
        Created::Refused {
            error: "ENOSPC".into(),
        },
    ));
    log.extend((WRITE..WRITE + 56).map(|at| Record::Write(Box::new(write(at)))));
    // In this order: 1 → a1 (a), a1 → b1 (b), b1 → a2 (a), and b2 while a2 was under way.
    for (at, tid, value) in [(1, 10, "a1"), (2, 13, "b1"), (3, 10, "a2"), (4, 13, "b2")] {
        log.push(racing(WRITE + 55 + at, tid, value));
    }
    // The second is in the same cgroup and namespace as the first, the third in another namespace.
    log.push(entry(WRITE + 60, "setns", 3));
    log.push(entry(WRITE + 61, "execve", 3));
    log.push(entry(WRITE + 62, "execve", 4));
    log.push(Record::Race(Race {
        id: 1,
        first: Bytes::from("1"),
        last: Bytes::from("b2"),
    }));
    log.push(Record::End(End {
        creations: 21,
        writes: 60,
        entries: 3,
    }));
    log
}

pub fn entry(at: usize, how: &str, number: usize) -> Record {
    Record::Enter(Box::new(Entry {
        window: window(at),
        actor: actor(ROOT, "workload"),
        how: how.into(),
        netns: netns(number),
    }))
}

pub fn rfc3339(boottime_ns: u64) -> String {
    let at = i128::from(boottime_ns) + i128::from(OFFSET_NS);
    format!("{:.9}", jiff::Timestamp::from_nanosecond(at).unwrap())
}

pub fn process(actor: &Actor) -> Process {
    let start = |ticks: u64| rfc3339(ticks * TICK_NS + 1234);
    let ancestors: Vec<_> = actor
        .ancestors
        .iter()
        .take(8)
        .map(|ancestor| trace::Ancestor {
            pid: ancestor.pid,
            name: ancestor.comm.clone(),
            executable_name: ancestor.executable_name.clone(),
            start: start(ancestor.start_ticks),
            entity_id: ancestor.pid.to_string(),
        })
        .collect();
    let (tid, comm) = match &actor.thread {
        Thread::Caller { tid, comm } => (*tid, comm),
        Thread::IoWorker { tids, comm } => (tids[1], comm),
    };
    Process {
        pid: actor.pid,
        name: comm.clone(),
        executable_name: Some("workload".into()),
        executable: Some(actor.executable.clone()),
        args: Some(actor.args.clone()),
        start: start(actor.start_ticks),
        entity_id: "10".into(),
        thread: trace::Thread {
            id: tid,
            capabilities: trace::Capabilities {
                effective: vec!["CAP_CHOWN".into(), "CAP_SYS_ADMIN".into(), "63".into()],
            },
        },
        user: trace::Id { id: "0".into() },
        group: trace::Id { id: "7".into() },
        parent: ancestors.first().cloned(),
        ancestors,
        cgroup: Some("/a".into()),
        namespaces: trace::Namespaces {
            net: Some(1),
            pid: Some(2),
            mnt: Some(3),
            user: Some(4),
            cgroup: Some(5),
        },
        enrichment: "complete".into(),
    }
}

pub fn event(action: Action, window: Window, actor: Option<&Actor>) -> Event {
    let boottime_ns = window.from_ns + 500;
    Event {
        timestamp: rfc3339(boottime_ns),
        schema: trace::Schema {
            name: "sysctl-trace".into(),
            version: "1.0".into(),
        },
        event: trace::Class {
            kind: "event".into(),
            category: Vec::new(),
            type_: Vec::new(),
            action,
            outcome: "success".into(),
            sequence: 0,
            boottime_ns,
            duration: None,
        },
        host: trace::Host {
            name: "node".into(),
            boot: trace::Boot { id: "boot".into() },
        },
        error: None,
        process: actor.map(process),
        component: None,
        container: None,
        k8s: None,
        netns: None,
        sysctl: None,
        table: None,
        trace: trace::Trace {
            session: "s".into(),
            // It has more than are told.
            truncated: actor
                .map(|_| "process.ancestors".to_owned())
                .into_iter()
                .collect(),
            lost: None,
            since_boottime_ns: None,
            filters: BTreeMap::new(),
            filtered_by: None,
            lost_by_action: BTreeMap::new(),
            watched: Vec::new(),
            keys: None,
            end: None,
        },
    }
}

pub fn fail(event: &mut Event, error: &str) {
    event.event.outcome = "failure".into();
    event.error = Some(trace::Error { code: error.into() });
}

pub fn traced_netns(netns: log::Netns) -> Netns {
    Netns {
        inum: Some(netns.inum),
        cookie: netns.cookie.map(|cookie| cookie.to_string()),
        user_ns: Some(netns.user_ns),
        owner: None,
    }
}

pub fn event_of_creation(creation: &Creation) -> Event {
    let mut event = event(Action::NetnsCreate, creation.window, Some(&creation.actor));
    match &creation.result {
        Created::Made { netns, .. } => {
            event.netns = Some(traced_netns(*netns));
            event.sysctl = Some(Sysctl {
                key: "net.core.somaxconn".into(),
                path: "net/core/somaxconn".into(),
                type_: "int".into(),
                requested: None,
                old: None,
                new: Some("4096".into()),
                init_netns: Some("2048".into()),
                position: None,
                size: None,
                written: None,
                requester: None,
                handler: None,
                memory: None,
            });
        }
        Created::Undone { .. } => {}
        Created::Refused { error } => fail(&mut event, error),
    }
    event
}

pub fn event_of_entry(entry: &Entry) -> Event {
    let mut event = event(Action::NetnsEnter, entry.window, Some(&entry.actor));
    event.netns = Some(traced_netns(entry.netns));
    event
}

pub fn event_of_write(write: &Write) -> Event {
    let mut event = event(Action::SysctlWrite, write.window, Some(&write.actor));
    event.netns = write.netns.map(traced_netns);
    let text = |bytes: &Bytes| String::from_utf8(bytes.0.clone()).unwrap();
    let (old, new) = match write.requested.as_ref().map(&text).as_deref() {
        Some("a1") => ("1", "a1"),
        Some("b1") => ("a1", "b1"),
        Some("a2") => ("b1", "b2"),
        Some("b2") => ("a2", "b2"),
        _ => ("old", "new"),
    };
    let written = match &write.result {
        Answer::Took(count) => Some(*count),
        Answer::Refused(error) => {
            fail(&mut event, error);
            None
        }
    };
    let (directory, name) = write.path.rsplit_once('/').unwrap();
    event.sysctl = Some(Sysctl {
        key: format!(
            "{}.{name}",
            directory
                .replace('.', "|")
                .replace('/', ".")
                .replace('|', "/")
        ),
        path: write.path.clone(),
        type_: "int".into(),
        requested: write
            .requested
            .as_ref()
            .map(|bytes| text(bytes).trim_end().to_owned()),
        old: Some(old.into()),
        new: Some(new.into()),
        init_netns: None,
        position: Some(write.position),
        size: Some(write.size),
        written,
        requester: None,
        handler: None,
        memory: None,
    });
    event
}

/// What a right tracer makes of the log; each namespace is destroyed as the next is made.
pub fn sample_trace(log: &[Record]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut living = None;
    let mut destroy = |events: &mut Vec<Event>, next: Option<Netns>| {
        if let Some(netns) = mem::replace(&mut living, next) {
            let mut event = event(Action::NetnsDestroy, window(0), None);
            event.netns = Some(netns);
            events.push(event);
        }
    };
    for record in log {
        match record {
            Record::Create(creation) => {
                let event = event_of_creation(creation);
                if let Some(netns) = &event.netns {
                    destroy(&mut events, Some(netns.clone()));
                }
                events.push(event);
            }
            Record::Write(write) => events.push(event_of_write(write)),
            // It is not the first of its cgroup there.
            Record::Enter(entry) if entry.netns == netns(3) && entry.how == "execve" => {}
            Record::Enter(entry) => events.push(event_of_entry(entry)),
            Record::Begin(_) | Record::Race(_) | Record::Rename(_) | Record::End(_) => {}
        }
    }
    destroy(&mut events, None);
    number(&mut events);
    events
}

pub fn number(events: &mut [Event]) {
    for (event, number) in events.iter_mut().zip(1..) {
        event.event.sequence = number;
    }
}
