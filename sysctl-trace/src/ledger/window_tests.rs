use super::*;
use crate::{
    ledger::{Ledger, Limits},
    output::samples,
};

const KEY: &str = "net.core.somaxconn";
const SECOND: u64 = 1_000_000_000;

fn at(mut event: Event, sequence: u64, second: u64) -> Event {
    event.event.sequence = sequence;
    event.event.boottime_ns = second * SECOND;
    event
}

fn of_session(mut event: Event, session: &str) -> Event {
    event.trace.session = std::sync::Arc::new(crate::rendered::Rendered::new(session.into()));
    event
}

fn filtered(option: &str, values: &[&str]) -> Event {
    let mut start = samples::started();
    let values = values.iter().map(ToString::to_string).collect();
    start.trace.filters = [(option.to_owned(), values)].into();
    start
}

fn window(events: impl IntoIterator<Item = Event>) -> Window {
    let mut ledger = Ledger::new(Limits::default());
    for event in events {
        ledger.take(&event);
    }
    ledger.window().clone()
}

fn write() -> Event {
    samples::write("1024", "4096", "1024")
}

fn causes(window: &Window) -> Vec<Cause> {
    window.gaps.iter().map(|gap| gap.cause).collect()
}

#[test]
fn whole_from_its_start() {
    let window = window([
        at(samples::started(), 1, 10),
        at(write(), 2, 20),
        at(write(), 3, 30),
    ]);
    assert_eq!(window.begun.map(|begun| begun.sequence), Some(1));
    assert_eq!(window.until.map(|until| until.sequence), Some(3));
    assert_eq!(window.flaw_between(10 * SECOND, 99 * SECOND, KEY), None);
    // Before the tracer began nothing is known.
    let flaw = window.flaw_between(9 * SECOND, 99 * SECOND, KEY);
    assert_eq!(flaw, Some(Flaw::NoStart));
}

#[test]
fn without_a_start_nothing_is_proved() {
    let window = window([at(write(), 7, 20), at(write(), 8, 30)]);
    assert_eq!(window.gaps, []);
    let flaw = window.flaw_between(20 * SECOND, 30 * SECOND, KEY);
    assert_eq!(flaw, Some(Flaw::NoStart));
}

#[test]
fn a_hole_in_the_numbers_is_a_gap() {
    let window = window([
        at(samples::started(), 1, 10),
        at(write(), 2, 20),
        at(write(), 6, 30),
        at(write(), 7, 40),
    ]);
    assert_eq!(causes(&window), [Cause::Missing(3)]);
    // What is missing may have told of loss shortly before.
    assert!(window.gaps[0].from_ns < 20 * SECOND);
    assert_eq!(window.gaps[0].to_ns, 30 * SECOND);
    let of = |from, to| window.flaw_between(from * SECOND, to * SECOND, KEY);
    assert!(matches!(of(20, 40), Some(Flaw::Gap(_))));
    assert_eq!(of(30, 40), None);
    assert_eq!(of(10, 15), None);
}

#[test]
fn events_that_come_late_are_missing_once() {
    let events = [1, 2, 4, 3, 5].map(|number| at(write(), number, number));
    let window = window([at(samples::started(), 1, 0)].into_iter().chain(events));
    assert_eq!(causes(&window), [Cause::Missing(1)]);
    assert_eq!(window.until.map(|until| until.sequence), Some(5));
}

#[test]
fn the_same_line_twice_is_no_hole() {
    let events = [1, 2, 2, 3].map(|number| at(samples::started(), number, number));
    assert!(!causes(&window(events)).contains(&Cause::Missing(1)));
}

#[test]
fn events_without_numbers_are_not_counted() {
    let window = window([
        at(samples::started(), 0, 10),
        at(write(), 0, 20),
        at(write(), 0, 30),
    ]);
    assert_eq!(window.gaps, []);
}

#[test]
fn each_tracer_counts_for_itself() {
    let one = |number, second| of_session(at(write(), number, second), "one");
    let other = |number, second| of_session(at(write(), number, second), "other");
    let start = of_session(at(samples::started(), 1, 1), "one");
    let window = window([
        start,
        one(2, 2),
        other(1, 3),
        one(3, 4),
        other(2, 5),
        other(4, 6),
    ]);
    assert_eq!(causes(&window), [Cause::Missing(1)]);
}

#[test]
fn numbers_at_their_end_do_no_harm() {
    let window = window([
        at(samples::started(), 1, 1),
        at(write(), u64::MAX, 2),
        at(write(), u64::MAX, 3),
    ]);
    assert_eq!(causes(&window), [Cause::Missing(u64::MAX - 2)]);
}

#[test]
fn loss_is_since_the_earlier_count() {
    let mut lost = samples::lost();
    lost.trace.since_boottime_ns = Some(15 * SECOND);
    let window = window([
        at(samples::started(), 1, 10),
        at(write(), 2, 12),
        at(lost, 3, 20),
    ]);
    let gap = Gap {
        from_ns: 15 * SECOND,
        to_ns: 20 * SECOND,
        cause: Cause::Lost(12),
    };
    assert_eq!(window.gaps, [gap]);
}

#[test]
fn loss_that_does_not_say_since_when_may_have_been_at_any_time() {
    let mut lost = samples::lost();
    lost.trace.since_boottime_ns = None;
    let window = window([
        at(samples::started(), 1, 10),
        at(write(), 2, 12),
        at(lost, 3, 20),
    ]);
    assert_eq!(window.gaps[0].from_ns, 10 * SECOND);
    assert!(window.flaw_between(12 * SECOND, 30 * SECOND, KEY).is_some());
}

#[test]
fn between_two_tracers_nobody_watched() {
    let again = of_session(at(samples::started(), 1, 50), "second");
    let window = window([at(samples::started(), 1, 10), at(write(), 2, 20), again]);
    assert_eq!(causes(&window), [Cause::NoTracer]);
    let of = |from, to| window.flaw_between(from * SECOND, to * SECOND, KEY);
    assert!(of(20, 60).is_some());
    assert_eq!(of(50, 60), None);
    assert_eq!(
        window.begun.map(|begun| begun.boottime_ns),
        Some(10 * SECOND)
    );
}

#[test]
fn a_filter_of_keys_leaves_the_rest_whole() {
    let of = |values: &[&str], key: &str| {
        let window = window([at(filtered("key", values), 1, 10)]);
        window.flaw_between(10 * SECOND, 20 * SECOND, key)
    };
    assert_eq!(of(&["net.core.*"], KEY), None);
    assert_eq!(of(&["vm.*", "net.core.somaxconn"], KEY), None);
    assert_eq!(of(&["vm.*"], KEY), Some(Flaw::Filtered));
    assert_eq!(of(&["net.*", "!net.ipv4.*"], KEY), Some(Flaw::Filtered));
}

#[test]
fn any_other_filter_may_hide_a_write() {
    for option in ["comm", "pid", "container"] {
        let window = window([at(filtered(option, &["runc"]), 1, 10)]);
        let flaw = window.flaw_between(10 * SECOND, 20 * SECOND, KEY);
        assert_eq!(flaw, Some(Flaw::Filtered), "{option}");
    }
}

#[test]
fn too_many_gaps_become_wider_and_never_fewer() {
    let mut events = vec![at(samples::started(), 1, 10)];
    // A hole before each, 10 s apart, and one pair that is close together.
    let seconds = (2..=100).map(|each| if each == 51 { 503 } else { each * 10 });
    events.extend(
        (1u64..)
            .zip(seconds)
            .map(|(each, second)| at(write(), each * 2 + 1, second)),
    );
    let window = window(events.clone());
    assert_eq!(window.gaps.len(), GAPS_MAX);
    let total: u64 = causes(&window)
        .into_iter()
        .map(|cause| match cause {
            Cause::Missing(count) => count,
            Cause::Lost(_) | Cause::NoTracer | Cause::NotUnderstood(_) => 0,
        })
        .sum();
    assert_eq!(total, 99);
    for event in &events[1..] {
        let ns = event.event.boottime_ns;
        let within = |gap: &&Gap| gap.from_ns < ns && ns <= gap.to_ns;
        assert!(window.gaps.iter().any(|gap| within(&gap)), "{ns}");
    }
}

#[test]
fn what_went_by_counts_as_if_it_was_taken() {
    let events: Vec<Event> = (2..8)
        .map(|number| at(write(), number + number / 6, number))
        .collect();
    let start = at(samples::started(), 1, 1);
    let taken = window([start.clone()].into_iter().chain(events.clone()));
    let mut ledger = Ledger::new(Limits::default());
    ledger.take(&start);
    for run in [&events[..4], &events[4..]] {
        let (first, last) = (run.first().unwrap(), run.last().unwrap());
        ledger.pass(&Passed {
            session: (**first.trace.session).as_str().into(),
            first_sequence: first.event.sequence,
            first_ns: first.event.boottime_ns,
            last_sequence: last.event.sequence,
            until: At::of(last),
        });
    }
    assert_eq!(causes(&taken), [Cause::Missing(1)]);
    assert_eq!(ledger.window(), &taken);
}
