use std::mem;

use super::*;
use crate::{
    trace::{self, Lost, Netns, Sysctl},
    workload::log::{
        self, Ancestor, Answer, Bytes, Creation, End, Namespaces, Race, Window, Write,
    },
};

const OFFSET_NS: i64 = 1_800_000_000_000_000_000;
const TICK_NS: u64 = 10_000_000;
const ROOT: u32 = 10;
/// Steps of the log in this order: 200 namespaces, one refused, 1000 writes, of which the last
/// four are a race.
const WRITE: usize = 201;

fn actor(tid: u32, comm: &str) -> Actor {
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

fn window(at: usize) -> Window {
    let from_ns = 1_000_000_000 + at as u64 * 10_000_000;
    Window {
        from_ns,
        to_ns: from_ns + 1_000_000,
    }
}

fn netns(number: usize) -> log::Netns {
    let number = u32::try_from(number).unwrap();
    log::Netns {
        inum: 1000 + number,
        cookie: Some(u64::from(number) + 2),
        user_ns: 4,
    }
}

fn creation(at: usize, result: Created) -> Record {
    Record::Create(Box::new(Creation {
        window: window(at),
        actor: actor(ROOT, "workload"),
        how: "unshare".into(),
        result,
        init_somaxconn: Bytes::from("2048"),
    }))
}

fn write(at: usize) -> Write {
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
        netns: Some(netns(199)),
        types: vec!["u8".into(), "int".into()],
        requested: Some(Bytes::from(format!("{at}\n").as_bytes())),
        position: 0,
        size: 5,
        result: if at % 7 == 0 {
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

fn racing(at: usize, tid: u32, value: &str) -> Record {
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

fn sample_log() -> Vec<Record> {
    let mut log = vec![Record::Begin(Begin {
        pid: ROOT,
        host: "node".into(),
        boot_id: "boot".into(),
        realtime_offset_ns: OFFSET_NS,
        tick_ns: TICK_NS,
        seed: 1,
    })];
    for number in 0..200 {
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
        200,
        Created::Refused {
            error: "ENOSPC".into(),
        },
    ));
    log.extend((WRITE..WRITE + 996).map(|at| Record::Write(Box::new(write(at)))));
    // In this order: 1 → a1 (a), a1 → b1 (b), b1 → a2 (a), and b2 while a2 was under way.
    for (at, tid, value) in [(1, 10, "a1"), (2, 13, "b1"), (3, 10, "a2"), (4, 13, "b2")] {
        log.push(racing(WRITE + 995 + at, tid, value));
    }
    log.push(Record::Race(Race {
        id: 1,
        first: Bytes::from("1"),
        last: Bytes::from("b2"),
    }));
    log.push(Record::End(End {
        creations: 201,
        writes: 1000,
    }));
    log
}

fn rfc3339(boottime_ns: u64) -> String {
    let at = i128::from(boottime_ns) + i128::from(OFFSET_NS);
    format!("{:.9}", jiff::Timestamp::from_nanosecond(at).unwrap())
}

fn process(actor: &Actor) -> Process {
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

fn event(action: Action, window: Window, actor: Option<&Actor>) -> Event {
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
        },
        host: trace::Host {
            name: "node".into(),
            boot: trace::Boot { id: "boot".into() },
        },
        error: None,
        process: actor.map(process),
        netns: None,
        sysctl: None,
        trace: trace::Trace {
            session: "s".into(),
            truncated: Vec::new(),
            lost: None,
        },
    }
}

fn fail(event: &mut Event, error: &str) {
    event.event.outcome = "failure".into();
    event.error = Some(trace::Error { code: error.into() });
}

fn traced_netns(netns: log::Netns) -> Netns {
    Netns {
        inum: Some(netns.inum),
        cookie: netns.cookie.map(|cookie| cookie.to_string()),
        user_ns: Some(netns.user_ns),
    }
}

fn event_of_creation(creation: &Creation) -> Event {
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
            });
        }
        Created::Undone { .. } => {}
        Created::Refused { error } => fail(&mut event, error),
    }
    event
}

fn event_of_write(write: &Write) -> Event {
    let mut event = event(Action::SysctlWrite, write.window, Some(&write.actor));
    event.netns = write.netns.map(traced_netns);
    let text = |bytes: &Bytes| String::from_utf8(bytes.0.clone()).unwrap();
    let (old, new) = match write.requested.as_ref().map(|bytes| text(bytes)).as_deref() {
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
    });
    event
}

/// What a right tracer makes of the log; each namespace is destroyed as the next is made.
fn sample_trace(log: &[Record]) -> Vec<Event> {
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
            Record::Begin(_) | Record::Race(_) | Record::End(_) => {}
        }
    }
    destroy(&mut events, None);
    number(&mut events);
    events
}

fn number(events: &mut [Event]) {
    for (event, number) in events.iter_mut().zip(1..) {
        event.event.sequence = number;
    }
}

/// Compares the sample log with the sample trace after a change to the latter.
fn after(change: impl FnOnce(&mut Vec<Event>)) -> Comparison {
    let log = sample_log();
    let mut trace = sample_trace(&log);
    change(&mut trace);
    number(&mut trace);
    compare(&log, &trace)
}

/// The place of a write's event.
fn place(trace: &[Event], requested: &str) -> usize {
    let is_it = |event: &Event| {
        event
            .sysctl
            .as_ref()
            .is_some_and(|s| s.requested.as_deref() == Some(requested))
    };
    trace.iter().position(is_it).unwrap()
}

#[path = "exactness_tests/fields.rs"]
mod field_tests;

#[test]
fn a_right_trace_has_no_difference() {
    assert_eq!(after(|_| {}), Comparison::default());
}

#[test]
fn a_missing_write_is_told() {
    let result = after(|trace| drop(trace.remove(place(trace, "300"))));
    assert!(matches!(&result.differences[..], [Difference::Missing(what)] if what.contains("300")));
}

#[test]
fn a_missing_creation_is_told() {
    let result = after(|trace| drop(trace.remove(0)));
    let missing = |difference: &&Difference| matches!(difference, Difference::Missing(w) if w.contains("1000"));
    assert_eq!(result.differences.iter().filter(missing).count(), 1);
}

#[test]
fn an_extra_write_is_told() {
    for place_of in ["300", "301", "1196"] {
        let result = after(|trace| {
            let at = place(trace, place_of);
            let copy = trace[at].clone();
            trace.insert(at, copy);
        });
        assert!(
            matches!(&result.differences[..], [Difference::Extra(_)]),
            "{result:?}"
        );
    }
}

#[test]
fn an_extra_write_by_a_descendant_or_another_thread_is_told() {
    for change in [
        (|process| {
            process.pid = 99;
            process.ancestors[3].pid = ROOT;
        }) as fn(&mut Process),
        |process| process.thread.id = 99,
    ] {
        let result = after(|trace| {
            let at = place(trace, "300");
            let mut copy = trace[at].clone();
            change(copy.process.as_mut().unwrap());
            trace.insert(at, copy);
        });
        assert!(
            matches!(&result.differences[..], [Difference::Extra(_)]),
            "{result:?}"
        );
    }
}

#[test]
fn what_others_do_elsewhere_is_no_difference() {
    let result = after(|trace| {
        let mut copy = trace[place(trace, "300")].clone();
        copy.process.as_mut().unwrap().pid = 99;
        copy.netns = Some(traced_netns(netns(5000)));
        trace.push(copy);
    });
    assert_eq!((result.differences.len(), result.bystanders.len()), (0, 1));
}

#[test]
fn what_others_do_to_the_workloads_namespaces_is_told() {
    let result = after(|trace| {
        let at = place(trace, "300");
        let mut copy = trace[at].clone();
        copy.process.as_mut().unwrap().pid = 99;
        trace.insert(at, copy);
    });
    assert!(
        matches!(&result.differences[..], [Difference::Life(_)]),
        "{result:?}"
    );
}

#[test]
fn two_writes_out_of_their_order_are_told() {
    let result = after(|trace| {
        let (left, right) = (place(trace, "301"), place(trace, "302"));
        trace.swap(left, right);
    });
    assert!(!result.differences.is_empty());
}

#[test]
fn loss_is_told() {
    let result = after(|trace| {
        let mut lost = event(Action::EventsLost, window(0), None);
        lost.trace.lost = Some(Lost {
            ring_full: 2,
            unreadable: 1,
            ..Lost::default()
        });
        trace.push(lost);
    });
    assert_eq!(result.differences, [Difference::Lost(3)]);
}

#[test]
fn the_life_of_each_namespace_is_followed() {
    let destroyed = |trace: &[Event], number: usize| {
        let netns = Some(traced_netns(netns(number)));
        let is_it = |e: &Event| e.event.action == Action::NetnsDestroy && e.netns == netns;
        trace.iter().position(is_it).unwrap()
    };
    let never = after(|trace| drop(trace.remove(destroyed(trace, 17))));
    assert!(matches!(&never.differences[..], [Difference::Life(what)] if what.contains("never")));
    let twice = after(|trace| trace.push(trace[destroyed(trace, 17)].clone()));
    assert!(matches!(&twice.differences[..], [Difference::Life(what)] if what.contains("again")));
    for change in [
        (|netns| netns.cookie = Some("99".into())) as fn(&mut Netns),
        |netns| netns.cookie = None,
        |netns| netns.user_ns = None,
    ] {
        let other = after(|trace| {
            let at = destroyed(trace, 17);
            change(trace[at].netns.as_mut().unwrap());
        });
        assert!(
            matches!(&other.differences[..], [Difference::Life(what)] if what.contains("match"))
        );
    }
    let too_early = after(|trace| {
        let at = destroyed(trace, 17);
        let event = trace.remove(at);
        trace.insert(0, event);
    });
    assert!(
        matches!(&too_early.differences[..], [Difference::Life(_)]),
        "{too_early:?}"
    );
}

#[test]
fn a_race_must_be_explicable() {
    for (which, old, new) in [
        ("a1", "2", "a1"),
        ("a1", "1", "a2"),
        ("a2", "1", "a2"),
        ("b1", "b1", "b1"),
        ("b2", "b1", "1"),
    ] {
        let result = after(|trace| {
            let at = place(trace, which);
            let sysctl = trace[at].sysctl.as_mut().unwrap();
            (sysctl.old, sysctl.new) = (Some(old.into()), Some(new.into()));
        });
        assert!(
            matches!(&result.differences[..], [Difference::Race(_), ..]),
            "{which}: {old} → {new}: {result:?}"
        );
    }
    let overtaken = after(|trace| {
        for (which, new) in [("a2", "a2"), ("b2", "a2")] {
            let at = place(trace, which);
            trace[at].sysctl.as_mut().unwrap().new = Some(new.into());
        }
    });
    assert!(
        matches!(&overtaken.differences[..], [Difference::Race(what)] if what.contains("last"))
    );
}

#[test]
fn a_log_must_be_whole() {
    let whole = sample_log();
    let trace = sample_trace(&whole);
    let wrong = |log: &[Record]| {
        let found = compare(log, &trace).differences;
        found
            .iter()
            .any(|difference| matches!(difference, Difference::Log(_)))
    };
    assert!(!wrong(&whole));
    assert!(wrong(&whole[1..]));
    assert!(wrong(&whole[..whole.len() - 1]));
    let mut short = whole.clone();
    short.remove(WRITE + 10);
    assert!(wrong(&short));
    *short.last_mut().unwrap() = Record::End(End {
        creations: 201,
        writes: 999,
    });
    assert!(wrong(&short));
}
