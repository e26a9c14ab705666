use super::*;
use crate::{
    event::Action,
    ledger::{Defect, Ledger, Limits},
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
    start
        .trace
        .set_filters([(option.to_owned(), values)].into());
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
    let mut event = samples::write("1024", "4096", "1024");
    event.event.duration = Some(0);
    event
}

fn ended(last: u64, second: u64) -> Event {
    at(samples::ended(last), last, second)
}

fn place() -> Place {
    Place::of(&write())
}

fn since(from: u64, to: Option<u64>) -> Since<'static> {
    Since {
        key: KEY,
        place: place(),
        from_ns: from * SECOND,
        to_ns: to.map(|to| to * SECOND),
        hidden: Hidden::Change,
    }
}

/// What may be missing from one second to another.
fn kind(window: &Window, from: u64, to: u64) -> Option<Kind> {
    window.flaw(&since(from, Some(to))).map(|flaw| flaw.kind)
}

/// Up to which second nothing is missing, and whether that has to be said.
fn as_of(window: &Window, from: u64) -> Option<(u64, bool)> {
    let proof = window.prove(&since(from, None)).ok()?;
    let as_of = proof.as_of()?;
    Some((as_of.boottime_ns / SECOND, as_of.is_open))
}

#[test]
fn whole_from_its_start_to_its_end() {
    let window = window([
        at(samples::started(), 1, 10),
        at(write(), 2, 20),
        at(write(), 3, 30),
        ended(4, 99),
    ]);
    assert_eq!(window.begun().map(|begun| begun.sequence), Some(1));
    assert_eq!(window.until().map(|until| until.sequence), Some(4));
    assert_eq!(kind(&window, 10, 99), None);
    assert_eq!(as_of(&window, 30), Some((99, false)));
    // Before the tracer began nothing is known.
    assert_eq!(kind(&window, 9, 99), Some(Kind::NoStart));
}

#[test]
fn without_an_end_nothing_after_the_last_line_is_known() {
    let events = [
        at(samples::started(), 1, 10),
        at(write(), 2, 20),
        at(write(), 3, 30),
    ];
    // Loss shortly before it may not have been told.
    assert_eq!(as_of(&window(events.clone()), 20), Some((28, true)));
    // What is seen last is so at that moment.
    assert_eq!(as_of(&window(events), 30), Some((30, true)));
}

#[test]
fn an_end_that_does_not_say_how_much_there_was_is_none() {
    let mut end = ended(3, 30);
    end.trace.end = None;
    let window = window([at(samples::started(), 1, 10), at(write(), 2, 20), end]);
    assert_eq!(as_of(&window, 30), Some((30, true)));
}

#[test]
fn without_a_start_nothing_is_proved() {
    let window = window([at(write(), 7, 20), at(write(), 8, 30)]);
    assert_eq!(kind(&window, 20, 30), Some(Kind::NoStart));
}

#[test]
fn a_hole_in_the_numbers_is_a_flaw() {
    let window = window([
        at(samples::started(), 1, 10),
        at(write(), 2, 20),
        at(write(), 6, 30),
        at(write(), 7, 40),
        ended(8, 50),
    ]);
    assert_eq!(kind(&window, 20, 40), Some(Kind::Missing(3)));
    // What is missing may have told of loss shortly before, or have come late.
    assert_eq!(kind(&window, 18, 18), Some(Kind::Missing(3)));
    assert_eq!(kind(&window, 32, 40), Some(Kind::Missing(3)));
    assert_eq!(kind(&window, 33, 40), None);
    assert_eq!(kind(&window, 10, 17), None);
}

#[test]
fn lines_missing_at_the_end_are_missed() {
    let window = window([
        at(samples::started(), 1, 10),
        at(write(), 2, 20),
        ended(5, 30),
    ]);
    assert_eq!(kind(&window, 20, 30), Some(Kind::Missing(2)));
}

#[test]
fn lines_missing_at_the_beginning_are_missed() {
    let window = window([
        at(samples::started(), 3, 10),
        at(write(), 4, 20),
        ended(5, 30),
    ]);
    assert_eq!(kind(&window, 11, 30), Some(Kind::Missing(2)));
}

#[test]
fn any_order_is_the_same() {
    let mut events = vec![at(samples::started(), 1, 10)];
    events.extend((2..8).filter(|n| *n != 5).map(|n| at(write(), n, n * 10)));
    events.push(ended(8, 80));
    let expected = window(events.clone());
    assert_eq!(kind(&expected, 20, 80), Some(Kind::Missing(1)));
    for by in 0..events.len() {
        events.rotate_left(by);
        assert_eq!(all(&window(events.clone())), all(&expected));
        events.reverse();
        assert_eq!(all(&window(events.clone())), all(&expected));
    }
}

/// All that a window says of some spans.
fn all(window: &Window) -> Vec<Result<Proof, Flaw>> {
    let spans = (0..10).flat_map(|from| (from..10).map(move |to| (from * 10, to * 10)));
    spans
        .map(|(from, to)| window.prove(&since(from, Some(to))))
        .collect()
}

#[test]
fn the_same_line_twice_counts_once() {
    let events = || {
        [1, 2, 2, 3].map(|n| {
            if n == 1 {
                at(samples::started(), 1, 1)
            } else {
                at(write(), n, n)
            }
        })
    };
    let window = window(events().into_iter().chain([ended(4, 5)]).chain(events()));
    assert_eq!(kind(&window, 1, 5), None);
}

#[test]
fn a_line_of_a_stream_has_a_number() {
    let events = [
        at(samples::started(), 1, 10),
        at(write(), 0, 20),
        ended(2, 30),
    ];
    assert_eq!(
        kind(&window(events.clone()), 20, 30),
        Some(Kind::Contradiction)
    );
    // What the tracer itself hands over need not.
    let mut ledger = Ledger::live(Limits::default());
    events.iter().take(2).for_each(|event| ledger.take(event));
    assert_eq!(kind(ledger.window(), 20, u64::MAX / SECOND), None);
    assert_eq!(
        ledger.window().prove(&since(20, None)).unwrap().as_of(),
        None
    );
}

#[test]
fn each_tracer_counts_for_itself() {
    let one = |number, second| of_session(at(write(), number, second), "one");
    let start = |name, second| of_session(at(samples::started(), 1, second), name);
    let window = window([
        start("one", 1),
        one(2, 11),
        start("other", 12),
        one(3, 21),
        of_session(at(write(), 3, 31), "other"),
        of_session(ended(4, 41), "one"),
    ]);
    // What the other misses, the first one has.
    assert_eq!(kind(&window, 1, 41), None);
    assert_eq!(as_of(&window, 21), Some((41, false)));
}

#[test]
fn numbers_at_their_end_do_no_harm() {
    let window = window([
        at(samples::started(), 1, 1),
        at(write(), u64::MAX, 2),
        at(write(), u64::MAX, 2),
    ]);
    assert_eq!(kind(&window, 1, 2), Some(Kind::Missing(u64::MAX - 2)));
}

fn lost(by: &[(Action, u64)], sequence: u64, from: u64, to: u64) -> Event {
    let mut lost = samples::lost();
    lost.trace.since_boottime_ns = Some(from * SECOND);
    lost.trace.lost_by_action = by.iter().copied().collect();
    at(lost, sequence, to)
}

#[test]
fn loss_is_since_the_earlier_count() {
    let window = window([
        at(samples::started(), 1, 10),
        at(write(), 2, 12),
        lost(&[(Action::SysctlWrite, 12)], 3, 15, 20),
        ended(4, 30),
    ]);
    assert!(matches!(kind(&window, 12, 30), Some(Kind::Lost(lost)) if lost.total() == 12));
    assert_eq!(kind(&window, 21, 30), None);
    assert_eq!(kind(&window, 10, 14), None);
}

#[test]
fn loss_is_counted_as_a_whole() {
    let window = window([
        at(samples::started(), 1, 10),
        lost(&[], 2, 15, 20),
        lost(&[], 3, 25, 30),
        ended(4, 40),
    ]);
    assert!(matches!(kind(&window, 12, 40), Some(Kind::Lost(lost)) if lost.total() == 24));
}

#[test]
fn loss_that_does_not_say_since_when_may_have_been_at_any_time() {
    let mut lost = lost(&[], 3, 0, 20);
    lost.trace.since_boottime_ns = None;
    let window = window([at(samples::started(), 1, 10), at(write(), 2, 12), lost]);
    assert!(kind(&window, 12, 20).is_some());
}

#[test]
fn loss_that_can_not_hide_a_write_is_no_flaw() {
    let with = |by: &[(Action, u64)]| {
        let loss = lost(by, 2, 15, 20);
        window([at(samples::started(), 1, 10), loss, ended(3, 30)])
    };
    let harmless = [
        (Action::NetnsCreate, 4),
        (Action::NetnsDestroy, 4),
        (Action::NetnsEnter, 4),
    ];
    let window = with(&harmless);
    assert_eq!(kind(&window, 10, 30), None);
    let (counted, by_rule) = window.prove(&since(10, None)).unwrap().harmless();
    assert_eq!((counted.total(), by_rule), (12, false));
    // That the place came to be, they may hide.
    let born = Since {
        hidden: Hidden::Birth,
        ..since(10, None)
    };
    assert!(window.flaw(&born).is_some());
    // And where a number is all there is, another may have it now.
    let unnamed = Since {
        place: Place::Netns(crate::event::NetnsId { inum: 7, cookie: 0 }),
        ..since(10, None)
    };
    assert!(window.flaw(&unnamed).is_some());
    // What is not told of may be anything.
    assert!(kind(&with(&harmless[1..]), 10, 30).is_some());
    assert!(
        kind(
            &with(&[(Action::SysctlWrite, 1), (Action::NetnsEnter, 11)]),
            10,
            30
        )
        .is_some()
    );
}

#[test]
fn before_schema_1_3_programs_passed_over_are_those_of_namespaces() {
    let with = |ring_full: u64, version: &'static str| {
        let mut loss = lost(&[], 2, 15, 20);
        loss.schema.version = version.into();
        let counts = loss.trace.lost.as_mut().unwrap();
        (counts.ring_full, counts.probe_missed) = (ring_full, 5);
        window([at(samples::started(), 1, 10), loss, ended(3, 30)])
    };
    assert_eq!(kind(&with(0, "1.2"), 10, 30), None);
    let proof = with(0, "1.2").prove(&since(10, None)).unwrap();
    assert!(proof.harmless().1);
    assert!(kind(&with(1, "1.2"), 10, 30).is_some());
    assert!(kind(&with(0, "1.3"), 10, 30).is_some());
}

#[test]
fn between_two_tracers_nobody_watched() {
    let again = of_session(at(samples::started(), 1, 50), "second");
    let end = of_session(ended(2, 70), "second");
    let window = window([
        at(samples::started(), 1, 10),
        at(write(), 2, 20),
        again,
        end,
    ]);
    assert_eq!(kind(&window, 20, 60), Some(Kind::NoTracer));
    assert_eq!(kind(&window, 50, 60), None);
    assert_eq!(
        window.begun().map(|begun| begun.boottime_ns),
        Some(10 * SECOND)
    );
}

#[test]
fn the_filters_of_one_tracer_are_not_those_of_another() {
    let only = |values: &[&str], name: &str, second| {
        of_session(at(filtered("key", values), 1, second), name)
    };
    let events = [
        only(&["net.core.somaxconn"], "one", 10),
        of_session(at(write(), 2, 20), "one"),
        only(&["vm.*"], "other", 21),
    ];
    // It died with the other, and nobody saw more of this key.
    let end = of_session(ended(2, 60), "other");
    let window = window(events.into_iter().chain([end]));
    assert_eq!(kind(&window, 20, 60), Some(Kind::Filtered));
    assert_eq!(as_of(&window, 20), None);
    assert_eq!(kind(&window, 12, 17), None);
}

#[test]
fn a_filter_of_keys_leaves_the_rest_whole() {
    let of = |values: &[&str]| {
        let window = window([at(filtered("key", values), 1, 10), ended(2, 30)]);
        kind(&window, 10, 20)
    };
    assert_eq!(of(&["net.core.*"]), None);
    assert_eq!(of(&["vm.*", "net.core.somaxconn"]), None);
    assert_eq!(of(&["vm.*"]), Some(Kind::Filtered));
    assert_eq!(of(&["net.*", "!net.ipv4.*"]), Some(Kind::Filtered));
}

#[test]
fn a_filter_of_keys_must_let_pass_what_reaches_the_key() {
    let of = |key: &'static str, values: &[&str]| {
        let window = window([at(filtered("key", values), 1, 10), ended(2, 30)]);
        let asked = Since {
            key,
            ..since(10, Some(20))
        };
        window.flaw(&asked).map(|flaw| flaw.kind)
    };
    let key = "net.ipv6.conf.d0.disable_ipv6";
    assert_eq!(of(key, &[key]), Some(Kind::Filtered));
    assert_eq!(of(key, &["net.ipv6.conf.d0.*"]), Some(Kind::Filtered));
    assert_eq!(of(key, &[key, "net.ipv6.conf.all.disable_ipv6"]), None);
    assert_eq!(of(key, &["net.ipv6.*"]), None);
    assert_eq!(
        of("vm.dirty_ratio", &["vm.dirty_ratio"]),
        Some(Kind::Filtered)
    );
    assert_eq!(of("vm.dirty_ratio", &["vm.dirty_*"]), None);
    let forward = "net.ipv4.ip_forward";
    assert_eq!(of(forward, &[forward]), Some(Kind::Filtered));
    let all = [forward, "net.ipv4.conf.all.forwarding"];
    assert_eq!(of(forward, &all), None);
}

#[test]
fn keys_that_may_begin_again_must_be_watched_for() {
    let of = |key: &'static str, left_out: &[Action]| {
        let mut start = at(samples::started(), 1, 10);
        let is_kept = |action: &Action| !left_out.contains(action);
        start.trace.watched.retain(is_kept);
        let asked = Since {
            key,
            ..since(10, Some(20))
        };
        let window = window([start, ended(2, 30)]);
        window.flaw(&asked).map(|flaw| flaw.kind)
    };
    let of_device = "net.ipv4.conf.eth0.rp_filter";
    assert_eq!(of(of_device, &[]), None);
    for action in [Action::SysctlRegister, Action::SysctlUnregister] {
        assert_eq!(of(of_device, &[action]), Some(Kind::BirthsUnwatched));
        assert_eq!(of(KEY, &[action]), None);
    }
}

#[test]
fn any_other_filter_may_hide_a_write() {
    for option in ["comm", "pid", "container"] {
        let window = window([at(filtered(option, &["runc"]), 1, 10), ended(2, 30)]);
        assert_eq!(kind(&window, 10, 20), Some(Kind::Filtered), "{option}");
    }
}

#[test]
fn filters_that_are_not_told_may_be_any() {
    let with = |change: fn(&mut Event)| {
        let mut start = at(filtered("key", &["net.*"]), 1, 10);
        change(&mut start);
        kind(&window([start, ended(2, 30)]), 10, 20)
    };
    assert_eq!(with(|_| {}), None);
    assert!(with(|start| start.trace.filters.clear()).is_some());
    assert!(with(|start| start.trace.filtered_by = None).is_some());
    // Before 1.3 they were left out where there were none.
    let older = |start: &mut Event| {
        start.schema.version = "1.2".into();
        start.trace.filters.clear();
        start.trace.filtered_by = None;
    };
    assert_eq!(with(older), None);
}

#[test]
fn an_event_that_is_not_whole_is_a_flaw_of_what_it_may_be_about() {
    let with = |change: fn(&mut Event)| {
        let mut broken = at(write(), 2, 20);
        change(&mut broken);
        window([at(samples::started(), 1, 10), broken, ended(3, 30)])
    };
    let of = |change| kind(&with(change), 15, 30);
    assert_eq!(of(|_| {}), None);
    let unusable = |defect| Some(Kind::Unusable(defect));
    assert_eq!(of(|event| event.process = None), unusable(Defect::Process));
    let placeless = |event: &mut Event| event.container = crate::event::Told::NotTold;
    assert_eq!(of(placeless), unusable(Defect::Process));
    let cut = |event: &mut Event| {
        event.container = crate::event::Told::NotTold;
        event.trace.truncated.push("process.cgroup".into());
    };
    assert_eq!(of(cut), None);
    // Before version 1.3 a line did not say that there is no container.
    let older = |event: &mut Event| {
        event.container = crate::event::Told::NotTold;
        event.schema.version = "1.2".into();
    };
    assert_eq!(of(older), None);
    assert_eq!(of(|event| event.sysctl = None), unusable(Defect::Key));
    assert_eq!(of(|event| event.netns = None), unusable(Defect::Netns));
    assert_eq!(
        of(|event| event.event.duration = None),
        unusable(Defect::Duration)
    );
    assert_eq!(
        of(|event| event.netns.as_mut().unwrap().inum = None),
        unusable(Defect::Netns)
    );
    for take in [
        |event: &mut Event| event.sysctl.as_mut().unwrap().new = None,
        |event: &mut Event| event.sysctl.as_mut().unwrap().old = None,
        |event: &mut Event| event.trace.truncated.push("sysctl.new".into()),
    ] {
        assert_eq!(of(take), unusable(Defect::Value));
    }
    assert_eq!(
        of(|event| event.event.outcome = crate::event::Outcome::Failure),
        unusable(Defect::Outcome)
    );
    assert_eq!(
        of(|event| event.trace.truncated.push("sysctl.path".into())),
        unusable(Defect::Key)
    );
    // Another key, another place, another time.
    let broken = with(|event| event.sysctl.as_mut().unwrap().new = None);
    let other_key = Since {
        key: "net.core.txrehash",
        ..since(15, Some(30))
    };
    assert_eq!(broken.flaw(&other_key), None);
    let elsewhere = Since {
        place: Place::Node,
        ..since(15, Some(30))
    };
    assert_eq!(broken.flaw(&elsewhere), None);
    assert_eq!(kind(&broken, 21, 30), None);
}

#[test]
fn a_namespace_without_its_cookie_may_be_any_of_that_number() {
    let mut bare = at(write(), 2, 20);
    bare.netns.as_mut().unwrap().cookie = None;
    let start = at(samples::started(), 1, 10);
    let events = [start, bare, at(write(), 3, 30), ended(4, 40)];
    assert_eq!(
        kind(&window(events.clone()), 15, 40),
        Some(Kind::Unusable(Defect::Netns))
    );
    assert_eq!(kind(&window(events.clone()), 25, 40), None);
    let [start, bare, _, _] = events;
    // Before 5.12 there are none.
    let window = window([start, bare, ended(3, 40)]);
    assert_eq!(kind(&window, 15, 40), None);
}

#[test]
fn too_many_holes_become_wider_and_never_fewer() {
    let mut events = vec![at(samples::started(), 1, 10)];
    // A hole before each, 10 s apart.
    events.extend((2u64..=2000).map(|each| at(write(), each * 2, each * 10)));
    let window = window(events.clone());
    for event in &events[1..] {
        let second = event.event.boottime_ns / SECOND;
        assert!(kind(&window, second - 5, second).is_some(), "{second}");
    }
}

#[test]
fn too_much_loss_becomes_wider_and_never_less() {
    let mut events = vec![at(samples::started(), 1, 10)];
    events.extend((2u64..=200).map(|each| lost(&[], each, each * 10 - 1, each * 10)));
    events.push(ended(201, 3000));
    let window = window(events);
    assert!(matches!(kind(&window, 10, 3000), Some(Kind::Lost(lost)) if lost.total() == 12 * 199));
    for each in 2..=200 {
        assert!(kind(&window, each * 10, each * 10).is_some(), "{each}");
    }
}

#[test]
fn what_went_by_counts_as_if_it_was_taken() {
    let events: Vec<Event> = (2..8)
        .map(|number| at(write(), number + number / 6, number * 10))
        .collect();
    let start = at(samples::started(), 1, 10);
    let taken = window([start.clone()].into_iter().chain(events.clone()));
    let mut ledger = Ledger::new(Limits::default());
    ledger.take(&start);
    for run in [&events[4..], &events[..4]] {
        let (first, last) = (run.first().unwrap(), run.last().unwrap());
        ledger.pass(&Passed {
            session: (**first.trace.session).as_str().into(),
            first_sequence: first.event.sequence,
            first_ns: first.event.boottime_ns,
            has_cookie: false,
            last_sequence: last.event.sequence,
            until: At::of(last),
        });
    }
    assert_eq!(kind(&taken, 20, 70), Some(Kind::Missing(1)));
    assert_eq!(all(ledger.window()), all(&taken));
}

/// A write on the node names its network namespace too, unless the key is one for the whole node.
#[test]
fn a_write_that_lost_its_namespace_is_not_taken_for_the_nodes() {
    let mut placeless = at(write(), 2, 20);
    placeless.netns = None;
    let window = window([at(samples::started(), 1, 10), placeless, ended(3, 30)]);
    let of_node = window.flaw(&Since {
        key: KEY,
        place: Place::Node,
        from_ns: 15 * SECOND,
        to_ns: Some(30 * SECOND),
        hidden: Hidden::Change,
    });
    assert_eq!(
        of_node.map(|flaw| flaw.kind),
        Some(Kind::Unusable(Defect::Netns))
    );
}
