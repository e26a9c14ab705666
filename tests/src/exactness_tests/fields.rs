//! Each field of an event, wrong by itself.

use super::*;
use crate::workload::log::{Bytes, Write};

/// The difference that a change to one event makes; it must be in one field.
fn field_after(at: usize, change: &dyn Fn(&mut Event)) -> Vec<&'static str> {
    let result = after(|trace| change(&mut trace[at]));
    let mut fields = Vec::new();
    for difference in result.differences {
        match difference {
            Difference::Field { field, .. } => fields.push(field),
            other => panic!("{other}"),
        }
    }
    fields
}

type Change = (&'static str, fn(&mut Event));

fn process_of(event: &mut Event) -> &mut Process {
    event.process.as_mut().unwrap()
}

fn sysctl_of(event: &mut Event) -> &mut Sysctl {
    event.sysctl.as_mut().unwrap()
}

const OF_ANY: &[Change] = &[
    ("event.boottime_ns", |e| {
        e.event.boottime_ns += 3_000_000;
        e.timestamp = rfc3339(e.event.boottime_ns);
    }),
    ("@timestamp", |e| {
        e.timestamp = rfc3339(e.event.boottime_ns + 30_000_000_000)
    }),
    ("host", |e| e.host.name = "other".into()),
    ("host", |e| e.host.boot.id = "other".into()),
    ("error.code", |e| {
        e.error = Some(trace::Error {
            code: "EPERM".into(),
        })
    }),
    ("process.name", |e| process_of(e).name = "other".into()),
    ("process.executable_name", |e| {
        process_of(e).executable_name = Some("other".into())
    }),
    ("process.executable_name", |e| {
        process_of(e).executable_name = None
    }),
    ("process.executable", |e| {
        process_of(e).executable = Some("/other".into())
    }),
    ("process.args", |e| {
        process_of(e).args = Some(vec!["workload".into()])
    }),
    ("process.enrichment", |e| {
        process_of(e).enrichment = "denied".into()
    }),
    ("process.user.id", |e| process_of(e).user.id = "1".into()),
    ("process.group.id", |e| process_of(e).group.id = "0".into()),
    ("process.cgroup", |e| {
        process_of(e).cgroup = Some("/".into())
    }),
    ("process.cgroup", |e| process_of(e).cgroup = None),
    ("process.start", |e| {
        process_of(e).start = rfc3339(51 * TICK_NS + 2_000_000)
    }),
    ("process.start", |e| {
        process_of(e).start = rfc3339(50 * TICK_NS - 2_000_000)
    }),
    ("process.thread.capabilities.effective", |e| {
        drop(process_of(e).thread.capabilities.effective.pop());
    }),
    ("process.namespaces", |e| {
        process_of(e).namespaces.net = Some(9)
    }),
    ("process.namespaces", |e| {
        process_of(e).namespaces.pid = Some(9)
    }),
    ("process.namespaces", |e| {
        process_of(e).namespaces.mnt = Some(9)
    }),
    ("process.namespaces", |e| {
        process_of(e).namespaces.user = None
    }),
    ("process.namespaces", |e| {
        process_of(e).namespaces.cgroup = Some(9)
    }),
    ("process.ancestors", |e| drop(process_of(e).ancestors.pop())),
    ("process.ancestors", |e| process_of(e).ancestors[2].pid = 99),
    ("process.ancestors", |e| {
        process_of(e).ancestors[2].name = "other".into()
    }),
    ("process.ancestors", |e| {
        process_of(e).ancestors[2].executable_name = None
    }),
    ("process.ancestors.start", |e| {
        process_of(e).ancestors[7].start = rfc3339(0)
    }),
    ("netns", |e| e.netns = None),
    ("netns", |e| e.netns.as_mut().unwrap().inum = Some(1)),
    ("netns", |e| e.netns.as_mut().unwrap().cookie = None),
    ("netns", |e| e.netns.as_mut().unwrap().user_ns = Some(9)),
    ("trace.truncated", |e| {
        e.trace.truncated.push("sysctl.requested".into())
    }),
];

const OF_WRITE: &[Change] = &[
    ("sysctl.key", |e| {
        sysctl_of(e).key = sysctl_of(e).path.replace('/', ".")
    }),
    ("sysctl.requested", |e| {
        sysctl_of(e).requested = Some("48\n".into())
    }),
    ("sysctl.requested", |e| sysctl_of(e).requested = None),
    ("sysctl.old", |e| sysctl_of(e).old = Some("new".into())),
    ("sysctl.old", |e| sysctl_of(e).old = None),
    ("sysctl.new", |e| sysctl_of(e).new = Some("old".into())),
    ("sysctl.new", |e| sysctl_of(e).new = None),
    ("sysctl.position", |e| sysctl_of(e).position = Some(1)),
    ("sysctl.position", |e| sysctl_of(e).position = None),
    ("sysctl.size", |e| sysctl_of(e).size = Some(4)),
    ("sysctl.written", |e| sysctl_of(e).written = Some(5)),
    ("sysctl.written", |e| sysctl_of(e).written = None),
    ("sysctl.type", |e| sysctl_of(e).type_ = "uint".into()),
    ("sysctl.init_netns", |e| {
        sysctl_of(e).init_netns = Some("1".into())
    }),
];

const OF_CREATION: &[Change] = &[
    ("sysctl", |e| e.sysctl = None),
    ("sysctl", |e| sysctl_of(e).new = Some("128".into())),
    ("sysctl", |e| sysctl_of(e).init_netns = Some("4096".into())),
    ("sysctl", |e| sysctl_of(e).init_netns = None),
    ("sysctl", |e| sysctl_of(e).old = Some("4096".into())),
    ("sysctl", |e| sysctl_of(e).key = "net.core.other".into()),
];

/// A wrong namespace also disturbs the life of the namespace, where the event made one.
fn only_fields(differences: Vec<Difference>) -> Vec<&'static str> {
    let fields = differences
        .into_iter()
        .filter_map(|difference| match difference {
            Difference::Field { field, .. } => Some(field),
            _ => None,
        });
    fields.collect()
}

#[test]
fn each_wrong_field_of_a_write_is_told() {
    let at = place(&sample_trace(&sample_log()), "48");
    for (index, (field, change)) in OF_ANY.iter().chain(OF_WRITE).enumerate() {
        assert_eq!(field_after(at, change), [*field], "change {index}");
    }
}

#[test]
fn each_wrong_field_of_a_creation_is_told() {
    for (index, (field, change)) in OF_ANY.iter().chain(OF_CREATION).enumerate() {
        let fields = only_fields(after(|trace| change(&mut trace[20])).differences);
        assert_eq!(fields, [*field], "change {index}");
    }
}

#[test]
fn a_wrong_outcome_is_told() {
    let at = place(&sample_trace(&sample_log()), "48");
    assert_eq!(
        field_after(at, &|e| fail(e, "EINVAL")),
        ["event.outcome", "error.code"],
        "48 succeeds"
    );
    let refused = place(&sample_trace(&sample_log()), "49");
    assert_eq!(
        field_after(refused, &|e| fail(e, "EPERM")),
        ["error.code"],
        "refused otherwise"
    );
}

#[test]
fn a_wrong_thread_is_told() {
    let at = place(&sample_trace(&sample_log()), "48");
    let result = after(|trace| process_of(&mut trace[at]).thread.id = 99);
    assert!(matches!(
        &result.differences[..],
        [Difference::Missing(_), Difference::Extra(_)]
            | [Difference::Extra(_), Difference::Missing(_)]
    ));
}

#[test]
fn a_namespace_that_was_not_made_has_no_identity() {
    let refused = |trace: &[Event]| trace.iter().position(|e| e.error.is_some()).unwrap();
    let at = refused(&sample_trace(&sample_log()));
    assert_eq!(
        field_after(at, &|e| e.netns = Some(traced_netns(netns(7000)))),
        ["netns"]
    );
}

#[test]
fn a_key_that_is_not_decoded_shows_no_values() {
    let mut log = sample_log();
    let write = log
        .iter_mut()
        .find_map(|record| match record {
            Record::Write(write) => Some(write),
            _ => None,
        })
        .unwrap();
    write.types = vec!["not-decoded".into()];
    let requested = fields::requested(write).unwrap().0;
    let mut trace = sample_trace(&log);
    let at = place(&trace, &requested);
    sysctl_of(&mut trace[at]).type_ = "not-decoded".into();
    let found = only_fields(compare_at_least(&log, &trace, LITTLE).differences);
    assert_eq!(found, ["sysctl.old", "sysctl.new"]);
    (sysctl_of(&mut trace[at]).old, sysctl_of(&mut trace[at]).new) = (None, None);
    assert_eq!(compare_at_least(&log, &trace, LITTLE).differences, []);
}

#[test]
fn requested_text_is_cut_and_cleaned_as_promised() {
    let x = |length: usize| "x".repeat(length);
    let requested = |bytes: &[u8]| {
        let write = Write {
            requested: Some(Bytes::from(bytes)),
            ..write(0)
        };
        fields::requested(&write).unwrap()
    };
    for (given, kept, cut) in [
        (&b""[..], String::new(), false),
        (b"\n", String::new(), false),
        (b"1\n", "1".into(), false),
        (b"1\n\n", "1\n".into(), false),
        (b"1\0 2", "1".into(), false),
        (b"1\n\0\0", "1".into(), false),
        (b"\0", String::new(), false),
        (b"a\xffb", "a\u{fffd}b".into(), false),
        (b"\x1b[0m", "\u{1b}[0m".into(), false),
        (x(1024).as_bytes(), x(1024), false),
        (x(1025).as_bytes(), x(1024), true),
        (&[b"5".as_slice(), &[0; 2000]].concat(), "5".into(), false),
    ] {
        assert_eq!(
            requested(given),
            (kept, cut),
            "{:?}",
            given.escape_ascii().to_string()
        );
    }
    assert_eq!(
        fields::requested(&Write {
            requested: None,
            ..write(0)
        }),
        None
    );
}

#[test]
fn a_key_of_a_namespace_that_is_gone_may_be_told_without_it() {
    let mut log = sample_log();
    let mut writes = log.iter_mut().filter_map(|record| match record {
        Record::Write(write) => Some(write),
        _ => None,
    });
    let write = writes.next().unwrap();
    write.stale = true;
    let requested = fields::requested(write).unwrap().0;
    let mut trace = sample_trace(&log);
    let at = place(&trace, &requested);
    let found = |trace: &[Event]| compare_at_least(&log, trace, LITTLE).differences;
    assert_eq!(found(&trace), []);
    trace[at].netns = None;
    assert_eq!(found(&trace), []);
    trace[at].netns = Some(traced_netns(netns(3)));
    assert_eq!(only_fields(found(&trace)), ["netns"]);
}
