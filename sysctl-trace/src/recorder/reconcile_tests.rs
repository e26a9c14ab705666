use super::*;
use crate::{
    event::{Action, Event},
    ledger::{Ledger, Limits, Place},
    output::samples,
};

const SECOND: u64 = 1_000_000_000;

/// The history of net.core.somaxconn after these events.
fn history(events: &[Event]) -> History {
    let mut ledger = Ledger::new(Limits::default());
    for event in events {
        ledger.take(event);
    }
    let id = samples::created().netns.unwrap().id();
    let namespace = ledger.namespace(Place::Netns(id)).unwrap();
    namespace.keys["net.core.somaxconn"].clone()
}

fn at(mut event: Event, ns: u64) -> Event {
    event.event.boottime_ns = ns;
    event
}

fn write(old: &str, new: &str, ns: u64) -> Event {
    at(samples::write(new, old, new), ns)
}

fn judged(events: &[Event], value: &str, begun_ns: u64) -> Judgement {
    judge(&history(events), Found { value, begun_ns })
}

fn differs(expected: &str) -> Judgement {
    Judgement::Differs {
        expected: expected.into(),
    }
}

#[test]
fn what_was_left_is_expected() {
    let events = [
        at(samples::created(), SECOND),
        write("4096", "1024", 2 * SECOND),
    ];
    let created = &events[..1];
    assert_eq!(judged(created, "4096", SECOND), Judgement::Fits);
    assert_eq!(judged(created, "128", 2 * SECOND), differs("4096"));
    assert_eq!(judged(&events, "1024", 2 * SECOND), Judgement::Fits);
    assert_eq!(judged(&events, "4096", 3 * SECOND), differs("1024"));
}

#[test]
fn a_difference_around_a_write_means_nothing() {
    let events = [write("4096", "1024", 10 * SECOND)];
    // Before the write, during it, and shortly after.
    for begun_ns in [9 * SECOND, 10 * SECOND, 10 * SECOND + CLOSE_NS - 1] {
        assert_eq!(
            judged(&events, "4096", begun_ns),
            Judgement::Unclear,
            "{begun_ns}"
        );
    }
    assert_eq!(
        judged(&events, "4096", 10 * SECOND + CLOSE_NS),
        differs("1024")
    );
}

#[test]
fn either_of_two_writers_at_the_same_time_may_be_the_last() {
    let near = [
        write("1", "2", 10 * SECOND),
        write("2", "3", 10 * SECOND + CLOSE_NS),
    ];
    assert_eq!(judged(&near, "2", 20 * SECOND), Judgement::Fits);
    assert_eq!(judged(&near, "1", 20 * SECOND), differs("3"));
    let far = [
        write("1", "2", 10 * SECOND),
        write("2", "3", 10 * SECOND + CLOSE_NS + 1),
    ];
    assert_eq!(judged(&far, "2", 20 * SECOND), differs("3"));
}

#[test]
fn what_can_not_be_known_is_not_compared() {
    let mut unreadable = write("1", "2", 10 * SECOND);
    let sysctl = unreadable.sysctl.as_mut().unwrap();
    sysctl.type_ = crate::event::ValueType::NotDecoded;
    sysctl.old = None;
    sysctl.new = None;
    assert_eq!(
        judged(&[unreadable.clone()], "7", 20 * SECOND),
        Judgement::Fits
    );
    let events = [write("1", "9", 5 * SECOND), unreadable];
    assert_eq!(judged(&events, "7", 20 * SECOND), Judgement::Fits);
}

#[test]
fn blanks_are_no_difference() {
    let events = [write("1 2 3", "4\t5\t6", 10 * SECOND)];
    assert_eq!(judged(&events, "4 5  6", 20 * SECOND), Judgement::Fits);
    assert_eq!(judged(&events, "45 6", 20 * SECOND), differs("4\t5\t6"));
}

#[test]
fn a_difference_that_was_told_is_expected_from_then_on() {
    let mut drifted = at(samples::drifted(), 20 * SECOND);
    assert_eq!(drifted.event.action, Action::SysctlDrift);
    let sysctl = drifted.sysctl.as_mut().unwrap();
    sysctl.new = Some("77".into());
    let events = [write("4096", "1024", 10 * SECOND), drifted];
    assert_eq!(judged(&events, "77", 30 * SECOND), Judgement::Fits);
    assert_eq!(judged(&events, "1024", 30 * SECOND), differs("77"));
}
