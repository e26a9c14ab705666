use std::{os::fd::OwnedFd, time::Instant};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};

use super::*;
use crate::{ledger::Limits, output::samples};

const SECOND: u64 = 1_000_000_000;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// One that compares somaxconn, and where a test plays the reader's part.
fn live() -> (Live, OwnedFd) {
    live_of("net.core.somaxconn")
}

fn live_of(key: &str) -> (Live, OwnedFd) {
    let (kind, flags) = (SocketType::SEQPACKET, SocketFlags::NONBLOCK);
    let (one, other) = socketpair(AddressFamily::UNIX, kind, flags, None).unwrap();
    let readings = Readings::new(one, None).unwrap();
    let keys = vec![Key::parse(key).unwrap()];
    (Live::new(readings, keys), other)
}

/// The namespace that this test runs in.
fn own() -> NetnsId {
    NetnsId {
        inum: netns::of_thread().unwrap(),
        cookie: 41,
    }
}

/// A ledger that knows it, with 4096 since a second after boot.
fn ledger() -> Ledger {
    let mut created = samples::created();
    created.event.boottime_ns = SECOND;
    created.netns.as_mut().unwrap().inum = Some(own().inum);
    let mut ledger = Ledger::new(Limits::default());
    ledger.take(&created);
    ledger
}

/// Answers what was asked last, if anything was.
fn answer(reader: &OwnedFd, value: &str, begun_ns: u64) -> bool {
    let mut id = [0; 8];
    if recv(reader, &mut id, RecvFlags::empty()).is_err() {
        return false;
    }
    let reading = Reading {
        id: u64::from_ne_bytes(id),
        netns: Some(own()),
        begun_ns,
        ended_ns: begun_ns + 10,
        values: vec![Some(value.into())],
    };
    let message = serde_json::to_vec(&reading).unwrap();
    send(reader, &message, SendFlags::empty()).unwrap();
    true
}

/// Lets it ask, answers, and lets it take that.
async fn exchange(live: &mut Live, reader: &OwnedFd, value: &str, begun_ns: u64) {
    while !live.is_waiting() {
        let due = Duration::from_millis(20);
        let _ = tokio::time::timeout(due, live.step()).await;
        answer(reader, value, begun_ns);
    }
}

#[test]
fn a_difference_is_told_once_after_a_second_look() {
    block_on(async {
        let (mut live, reader) = live();
        let mut ledger = ledger();
        let begun = Instant::now();
        live.want(own(), std::process::id());
        live.want(own(), std::process::id());
        exchange(&mut live, &reader, "128", 100 * SECOND).await;
        assert!(!answer(&reader, "128", 0), "asked twice");
        // Not all that happened until then is known.
        assert!(live.compare(&ledger, 100 * SECOND + 9).is_empty());
        assert!(live.is_waiting());
        assert!(live.compare(&ledger, 100 * SECOND + 10).is_empty());
        assert!(!live.is_waiting());
        assert!(live.is_open(own()));
        exchange(&mut live, &reader, "128", 101 * SECOND).await;
        assert!(begun.elapsed() >= AGAIN);
        let drifted = live.compare(&ledger, u64::MAX);
        let [drift] = &drifted[..] else {
            panic!("{drifted:?}");
        };
        assert_eq!((&*drift.expected, &*drift.found), ("4096", "128"));
        assert_eq!(drift.netns, own());
        assert!(!live.is_open(own()));
        // The ledger takes it, so that it is what is expected now.
        let start = samples::started();
        ledger.take(&drift.event(&start, start.timestamp, None));
        live.want_all(&ledger, None);
        exchange(&mut live, &reader, "128", 110 * SECOND).await;
        assert!(live.compare(&ledger, u64::MAX).is_empty());
        assert!(!live.is_open(own()));
    });
}

#[test]
fn what_a_write_to_another_key_changed_is_no_difference() {
    const REACHED: &str = "net.ipv4.conf.default.forwarding";
    let write = |key: &str, old: &str, new: &str, at_ns: u64| {
        let mut write = samples::write(new, old, new);
        write.event.boottime_ns = at_ns;
        write.event.sequence = at_ns / SECOND;
        write.netns.as_mut().unwrap().inum = Some(own().inum);
        write.sysctl.as_mut().unwrap().key = key.into();
        write
    };
    block_on(async {
        let (mut live, reader) = live_of(REACHED);
        let mut ledger = ledger();
        ledger.take(&write(REACHED, "1", "0", 10 * SECOND));
        ledger.take(&write("net.ipv4.ip_forward", "0", "1", 20 * SECOND));
        live.want(own(), std::process::id());
        exchange(&mut live, &reader, "1", 100 * SECOND).await;
        assert!(live.compare(&ledger, u64::MAX).is_empty());
        assert!(!live.is_open(own()));
        // Nobody wrote this.
        live.want(own(), std::process::id());
        exchange(&mut live, &reader, "0", 101 * SECOND).await;
        assert!(live.compare(&ledger, u64::MAX).is_empty());
        assert!(live.is_open(own()));
    });
}

#[test]
fn another_value_at_the_second_look_is_looked_at_again() {
    block_on(async {
        let (mut live, reader) = live();
        let mut ledger = ledger();
        live.want(own(), std::process::id());
        exchange(&mut live, &reader, "128", 100 * SECOND).await;
        assert!(live.compare(&ledger, u64::MAX).is_empty());
        exchange(&mut live, &reader, "256", 101 * SECOND).await;
        assert!(live.compare(&ledger, u64::MAX).is_empty());
        assert!(live.is_open(own()));
        // The event of the write comes at last.
        let mut write = samples::write("256", "128", "256");
        write.event.boottime_ns = 101 * SECOND;
        write.netns.as_mut().unwrap().inum = Some(own().inum);
        ledger.take(&write);
        exchange(&mut live, &reader, "256", 102 * SECOND).await;
        assert!(live.compare(&ledger, u64::MAX).is_empty());
        assert!(!live.is_open(own()));
    });
}

#[test]
fn a_write_between_the_looks_makes_the_next_one_the_first() {
    block_on(async {
        let (mut live, reader) = live();
        let mut ledger = ledger();
        live.want(own(), std::process::id());
        exchange(&mut live, &reader, "2", 100 * SECOND).await;
        assert!(live.compare(&ledger, u64::MAX).is_empty());
        // Others write, and the second look finds the same value by chance.
        let mut write = samples::write("2", "2", "4");
        write.netns.as_mut().unwrap().inum = Some(own().inum);
        for (second, begun_s) in [(101, 101), (102, 104)] {
            write.event.boottime_ns = second * SECOND;
            ledger.take(&write);
            exchange(&mut live, &reader, "2", begun_s * SECOND).await;
            assert!(live.compare(&ledger, u64::MAX).is_empty());
            assert!(live.under_way().count() == 1, "to be looked at again");
        }
        exchange(&mut live, &reader, "2", 105 * SECOND).await;
        assert_eq!(live.compare(&ledger, u64::MAX).len(), 1);
    });
}

#[test]
fn what_the_ledger_does_not_know_or_knows_to_be_gone_is_not_read() {
    block_on(async {
        let (mut live, reader) = live();
        let mut ledger = ledger();
        live.want_all(&ledger, Some(&[Place::Node]));
        assert!(!live.is_open(own()));
        live.want_all(&ledger, Some(&[Place::Netns(own())]));
        assert!(live.is_open(own()));
        // The number is that of another namespace by now.
        let other = NetnsId { inum: 7, cookie: 0 };
        live.want(other, std::process::id());
        exchange(&mut live, &reader, "4096", 100 * SECOND).await;
        assert!(!live.is_open(other));
        assert!(live.compare(&ledger, u64::MAX).is_empty());
        let mut destroyed = samples::destroyed();
        destroyed.netns.as_mut().unwrap().inum = Some(own().inum);
        ledger.take(&destroyed);
        live.want_all(&ledger, None);
        assert!(!live.is_open(own()));
    });
}

#[test]
fn a_drift_is_an_event_of_the_stream() {
    let mut start = samples::started();
    start.trace.filters = [("key".to_owned(), vec!["x".to_owned()])].into();
    start.event.sequence = 1;
    let drifted = Drifted {
        netns: NetnsId {
            inum: 4026532281,
            cookie: 41,
        },
        key: Key::parse("net.core.somaxconn").unwrap(),
        expected: "1024".into(),
        found: "4096".into(),
        boottime_ns: 123_456_789,
    };
    let want = {
        let mut want = samples::drifted();
        want.netns.as_mut().unwrap().user_ns = None;
        want
    };
    let got = drifted.event(&start, want.timestamp, Some(samples::owner()));
    assert_eq!(got, want);
    let text = Drifted {
        expected: "cubic".into(),
        found: "4096".into(),
        ..drifted
    };
    let event = text.event(&start, want.timestamp, None);
    assert_eq!(event.sysctl.unwrap().type_, ValueType::String);
}

#[test]
fn a_namespace_is_known_by_all_that_is_told_of_it() {
    let id = |inum, cookie| NetnsId { inum, cookie };
    assert!(is_same(id(7, 1), id(7, 1)));
    assert!(is_same(id(7, 0), id(7, 1)));
    assert!(is_same(id(7, 1), id(7, 0)));
    assert!(!is_same(id(7, 1), id(7, 2)));
    assert!(!is_same(id(7, 1), id(8, 1)));
    assert!(!is_same(id(7, 0), id(8, 0)));
}
