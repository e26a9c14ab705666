use std::sync::LazyLock;

use super::*;
use crate::{
    trace::{self, Lost, Netns, Sysctl},
    workload::log::End,
};
use sample::*;

#[path = "exactness_tests/fields.rs"]
mod field_tests;
#[path = "exactness_tests/sample.rs"]
mod sample;

/// What the sample log holds.
const LITTLE: Least = Least {
    made: 20,
    writes: 60,
    keys: 13,
    methods: METHODS,
    entries: 2,
    renames: 0,
    refused: true,
};

/// Compares the sample log with the sample trace after a change to the latter.
fn after(change: impl FnOnce(&mut Vec<Event>)) -> Comparison {
    static SAMPLE: LazyLock<(Vec<Record>, Vec<Event>)> = LazyLock::new(|| {
        let log = sample_log();
        let trace = sample_trace(&log);
        (log, trace)
    });
    let (log, mut trace) = (&SAMPLE.0, SAMPLE.1.clone());
    change(&mut trace);
    number(&mut trace);
    compare_at_least(log, &trace, LITTLE)
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

#[test]
fn a_right_trace_has_no_difference() {
    assert_eq!(after(|_| {}), Comparison::default());
}

#[test]
fn a_missing_write_is_told() {
    let result = after(|trace| drop(trace.remove(place(trace, "48"))));
    assert!(matches!(&result.differences[..], [Difference::Missing(what)] if what.contains("48")));
}

#[test]
fn a_missing_creation_is_told() {
    let result = after(|trace| drop(trace.remove(0)));
    let missing = |difference: &&Difference| matches!(difference, Difference::Missing(w) if w.contains("1000"));
    assert_eq!(result.differences.iter().filter(missing).count(), 1);
}

/// The places of the events of entries.
fn entries(trace: &[Event]) -> Vec<usize> {
    let entries = trace.iter().enumerate();
    let entries = entries.filter(|(_, event)| event.event.action == Action::NetnsEnter);
    entries.map(|(at, _)| at).collect()
}

#[test]
fn a_missing_entry_is_told() {
    let result = after(|trace| drop(trace.remove(entries(trace)[1])));
    assert!(
        matches!(&result.differences[..], [Difference::Missing(what)] if what.contains("execve")),
        "{result:?}"
    );
}

#[test]
fn an_entry_that_is_told_again_is_extra() {
    let result = after(|trace| {
        let at = entries(trace)[1];
        let copy = trace[at].clone();
        trace.insert(at + 1, copy);
    });
    assert!(
        matches!(&result.differences[..], [Difference::Extra(_)]),
        "{result:?}"
    );
}

#[test]
fn an_entry_into_another_namespace_is_told() {
    let result = after(|trace| {
        let at = entries(trace)[0];
        trace[at].netns = Some(traced_netns(netns(7)));
    });
    assert!(
        matches!(
            &result.differences[..],
            [Difference::Field { field: "netns", .. }]
        ),
        "{result:?}"
    );
}

#[test]
fn an_extra_write_is_told() {
    for place_of in ["48", "49", "76"] {
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
            let at = place(trace, "48");
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
        let mut copy = trace[place(trace, "48")].clone();
        copy.process.as_mut().unwrap().pid = 99;
        copy.netns = Some(traced_netns(netns(5000)));
        trace.push(copy);
    });
    assert_eq!((result.differences.len(), result.bystanders.len()), (0, 1));
}

#[test]
fn what_others_do_to_the_workloads_namespaces_is_told() {
    let result = after(|trace| {
        let at = place(trace, "48");
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
        let (left, right) = (place(trace, "49"), place(trace, "50"));
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
        let found = compare_at_least(log, &trace, LITTLE).differences;
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
        creations: 21,
        entries: 3,
        writes: 59,
    });
    assert!(wrong(&short));
}
