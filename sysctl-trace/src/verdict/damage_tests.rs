//! What holds for every stream, however it is damaged: what is observed was so, at the moment that the
//! answer names, and the order of the lines changes nothing.
//!
//! A world is made up, one to three tracers watch it for some time each, and their lines are dropped,
//! cut, repeated, put in another order and robbed of fields. No field is given another value: that
//! can't be seen. What is left is taken by a ledger, and read as a recording, from a file and from a
//! pipe.

use std::{io::Write as _, os::fd::AsRawFd as _, thread};

use proptest::{collection::vec, prelude::*, sample::Index};
use serde::Deserialize as _;
use serde_json::Value;
use smol_str::SmolStr;

use super::{
    Cause, Confidence, Facts, Held, Reason, Seen, Verdict,
    story::{KEY, Story, WEB},
};
use crate::{
    event::{Action, Event, NetnsId},
    ledger::{Ledger, Limits, Place},
    output::{json::Json, samples},
    recording::{Keys, Question, Source, Target},
    rendered::Rendered,
    time::Epoch,
};

/// Time between two events of a story, in nanoseconds.
const STEP_NS: u64 = 100_000_000;

const WRITERS: [&str; 3] = ["runc", "sysctl(8)", "cni:tuning"];
const VALUES: [&str; 3] = ["4096", "1024", "512"];
const FILTERS: [&[&str]; 4] = [&[], &[], &[KEY], &["vm.*"]];

/// A verdict, and the value that it is about.
type Told = (Verdict, Option<SmolStr>);

#[derive(Clone, Debug)]
enum Deed {
    Create,
    Meet,
    Write(usize, usize),
    Refuse(usize),
    Race(usize, usize),
    Stall(usize, usize),
    Drift(usize),
    Destroy,
    Elsewhere(usize),
    /// Nothing, for some time.
    Wait(u64),
}

/// A run of a tracer.
#[derive(Clone, Debug)]
struct Watch {
    /// The events that it begins and ends with; all where it is absent.
    span: Option<(Index, Index)>,
    filter: usize,
    /// Whether it comes to write its last line.
    ends: bool,
    /// Ranges of events that it loses: the first, how many, and how many lines later it tells.
    losses: Vec<(Index, usize, u64)>,
}

#[derive(Clone, Debug)]
enum Damage {
    Drop(Index, usize),
    Head(Index),
    Tail(Index),
    Repeat(Index, Index),
    Move(Index, Index),
    Field(Index, Vec<Index>),
}

fn deed() -> impl Strategy<Value = Deed> {
    let writer = 0..WRITERS.len();
    let value = 0..VALUES.len();
    prop_oneof![
        3 => Just(Deed::Create),
        1 => Just(Deed::Meet),
        8 => (writer.clone(), value.clone()).prop_map(|(by, what)| Deed::Write(by, what)),
        1 => writer.clone().prop_map(Deed::Refuse),
        1 => (writer.clone(), writer.clone()).prop_map(|(one, other)| Deed::Race(one, other)),
        1 => (writer.clone(), writer).prop_map(|(one, other)| Deed::Stall(one, other)),
        1 => value.clone().prop_map(Deed::Drift),
        1 => Just(Deed::Destroy),
        1 => value.prop_map(Deed::Elsewhere),
        2 => (1..60_u64).prop_map(Deed::Wait),
    ]
}

fn watch() -> impl Strategy<Value = Watch> {
    let loss = (any::<Index>(), 1..3_usize, 0..4_u64);
    (
        any::<Index>(),
        any::<Index>(),
        0..FILTERS.len(),
        prop::bool::weighted(0.7),
        vec(loss, 0..2),
        prop::bool::weighted(0.5),
    )
        .prop_map(|(from, to, filter, ends, losses, is_whole)| Watch {
            span: (!is_whole).then_some((from, to)),
            filter,
            ends,
            losses,
        })
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        2 => (at(), 1..4_usize).prop_map(|(at, count)| Damage::Drop(at, count)),
        1 => at().prop_map(Damage::Head),
        2 => at().prop_map(Damage::Tail),
        1 => (at(), at()).prop_map(|(from, to)| Damage::Repeat(from, to)),
        2 => (at(), at()).prop_map(|(from, to)| Damage::Move(from, to)),
        4 => (at(), vec(at(), 1..5)).prop_map(|(at, path)| Damage::Field(at, path)),
    ]
}

/// A namespace with a cookie is made once and ends once; a number without one is used again, by a
/// namespace that is made in its turn: nothing happens in one that nobody made.
fn story(deeds: &[Deed], place: NetnsId) -> Story {
    let other = NetnsId {
        inum: place.inum + 1,
        cookie: place.cookie + u64::from(place.cookie > 0),
    };
    let (mut is_made, mut is_gone) = (false, false);
    deeds
        .iter()
        .fold(Story::new().at(place, "128".into()), |story, deed| {
            if place.cookie != 0 && (is_gone || (is_made && matches!(deed, Deed::Create))) {
                return story;
            }
            let is_within = match deed {
                Deed::Create | Deed::Elsewhere(_) | Deed::Wait(_) => false,
                Deed::Meet
                | Deed::Write(..)
                | Deed::Refuse(_)
                | Deed::Race(..)
                | Deed::Stall(..)
                | Deed::Drift(_)
                | Deed::Destroy => true,
            };
            let story = match is_gone && is_within {
                true => story.create(),
                false => story,
            };
            is_gone = matches!(deed, Deed::Destroy)
                || (is_gone && matches!(deed, Deed::Elsewhere(_) | Deed::Wait(_)));
            is_made = true;
            match deed {
                Deed::Create => story.create(),
                Deed::Meet => story.meet(),
                Deed::Write(by, what) => story.write(WRITERS[*by], VALUES[*what]),
                Deed::Refuse(by) => story.refuse(WRITERS[*by], "-5"),
                Deed::Race(one, other) => story.race(WRITERS[*one], "7", WRITERS[*other], "8"),
                Deed::Stall(one, other) => story.stall(WRITERS[*one], "70", WRITERS[*other], "80"),
                Deed::Drift(what) => story.drift(VALUES[*what]),
                Deed::Destroy => story.destroy(),
                Deed::Elsewhere(what) => {
                    let here = story.value.clone();
                    let there = story.at(other, "128".into());
                    there.write(WRITERS[0], VALUES[*what]).at(place, here)
                }
                Deed::Wait(steps) => story.wait(*steps),
            }
        })
}

/// What really was the cause of the value from some moment on.
#[derive(Clone, Debug, PartialEq)]
enum Truth {
    Kernel,
    Write(String),
    Unknown,
}

/// The causes of the value in the place, and when each began.
fn truth(told: &[Event], place: NetnsId) -> Vec<(String, Truth, Option<SmolStr>)> {
    let mut list: Vec<(String, Truth, Option<SmolStr>)> = Vec::new();
    let mut memory: Option<SmolStr> = None;
    let mut is_gone = false;
    let own = |event: &&Event| {
        event
            .netns
            .as_ref()
            .is_some_and(|netns| netns.id() == place)
    };
    for event in told.iter().filter(own) {
        let at = event.timestamp.to_string();
        let action = event.event.action;
        if is_gone && action != Action::NetnsCreate {
            memory = None;
            list.push((at.clone(), Truth::Unknown, None));
        }
        is_gone = action == Action::NetnsDestroy;
        let new = event.sysctl.as_ref().and_then(|sysctl| sysctl.new.clone());
        match action {
            Action::NetnsCreate => list.push((at, Truth::Kernel, new.clone())),
            Action::SysctlWrite => {
                let old = event.sysctl.as_ref().and_then(|sysctl| sysctl.old.clone());
                if new != memory.take().or(old) {
                    let by = event.process.as_ref().unwrap().entity_id.clone();
                    list.push((at, Truth::Write(by), new.clone()));
                }
            }
            Action::SysctlDrift => list.push((at, Truth::Unknown, new.clone())),
            _ => continue,
        }
        memory = new;
    }
    list
}

/// The lines of one run of a tracer.
fn lines(told: &[Event], watch: &Watch, number: usize) -> Vec<Event> {
    let world = &told[1..];
    if world.is_empty() {
        return Vec::new();
    }
    let last = world.len() - 1;
    let (from, to) = watch.span.map_or((0, last), |(one, other)| {
        let (one, other) = (one.index(world.len()), other.index(world.len()));
        (one.min(other), one.max(other))
    });
    // A tracer that begins during a write does not see it.
    let is_under_way =
        |at: &usize| *at > 0 && world[*at].event.boottime_ns <= world[*at - 1].event.ended_ns();
    let Some(from) = (from..=to).find(|at| !is_under_way(at)) else {
        return Vec::new();
    };
    let seen = &world[from..=to];
    // A filter that leaves out a key leaves out creations and ends too.
    let is_shown = |event: &Event| match FILTERS[watch.filter] {
        [] => true,
        [only] => *only == KEY && event.sysctl.is_some(),
        _ => false,
    };
    let mut start = samples::started();
    start.event.boottime_ns = seen[0].event.boottime_ns - STEP_NS / 4;
    if !FILTERS[watch.filter].is_empty() {
        let values = FILTERS[watch.filter].iter().map(ToString::to_string);
        start
            .trace
            .set_filters([("key".to_owned(), values.collect())].into());
    }
    let mut all = vec![(start.event.boottime_ns, start)];
    let mut lost = vec![false; seen.len()];
    let end_ns = seen[seen.len() - 1].event.ended_ns() + STEP_NS / 3;
    for (at, count, delay) in &watch.losses {
        let first = at.index(seen.len());
        let last = (first + count - 1).min(seen.len() - 1);
        // A tracer tells within half a second.
        let since_ns = seen[first].event.ended_ns() - 1;
        if seen[last].event.ended_ns() - since_ns > 3 * STEP_NS {
            continue;
        }
        lost[first..=last].fill(true);
        let mut told = samples::lost();
        told.trace.since_boottime_ns = Some(since_ns);
        told.event.boottime_ns = seen[last].event.ended_ns() + delay * STEP_NS + STEP_NS / 5;
        if watch.ends || told.event.boottime_ns < end_ns {
            told.event.boottime_ns = told.event.boottime_ns.min(end_ns - 1);
            all.push((told.event.boottime_ns, told));
        }
    }
    let kept = seen.iter().zip(lost).filter(|(_, lost)| !lost);
    let kept = kept.filter(|(event, _)| is_shown(event));
    all.extend(kept.map(|(event, _)| (event.event.ended_ns(), event.clone())));
    all.sort_by_key(|(ns, _)| *ns);
    if watch.ends {
        let mut end = samples::ended(all.len() as u64 + 1);
        end.event.boottime_ns = end_ns;
        all.push((end_ns, end));
    }
    let session = std::sync::Arc::new(Rendered::new(format!("session-{number}")));
    let all = all.into_iter().enumerate();
    all.map(|(at, (ns, mut event))| {
        // Each has its own clock reading.
        event.event.boottime_ns += number as u64;
        event.event.sequence = at as u64 + 1;
        event.timestamp = Epoch(0).moment(ns + number as u64);
        event.trace.session = session.clone();
        event
    })
    .collect()
}

fn written_down(event: &Event) -> Value {
    let mut out = Vec::new();
    Json::default().push_event(&mut out, event).unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// Takes a field out, somewhere below.
fn rob(value: &mut Value, path: &[Index]) {
    let (Some(fields), [at, rest @ ..]) = (value.as_object_mut(), path) else {
        return;
    };
    if fields.is_empty() {
        return;
    }
    let name = fields.keys().nth(at.index(fields.len())).unwrap().clone();
    let is_folder = fields[&name]
        .as_object()
        .is_some_and(|below| !below.is_empty());
    if is_folder && !rest.is_empty() {
        rob(&mut fields[&name], rest);
    } else {
        fields.remove(&name);
    }
}

fn damaged(mut lines: Vec<Value>, damages: &[Damage]) -> Vec<Value> {
    for damage in damages {
        let len = lines.len();
        if len == 0 {
            break;
        }
        match damage {
            Damage::Drop(at, count) => {
                let at = at.index(len);
                lines.drain(at..(at + count).min(len));
            }
            Damage::Head(at) => drop(lines.drain(..at.index(len))),
            Damage::Tail(at) => lines.truncate(at.index(len) + 1),
            Damage::Repeat(from, to) => {
                let line = lines[from.index(len)].clone();
                lines.insert(to.index(len), line);
            }
            Damage::Move(from, to) => {
                let line = lines.remove(from.index(len));
                lines.insert(to.index(len), line);
            }
            Damage::Field(at, path) => rob(&mut lines[at.index(len)], path),
        }
    }
    lines
}

/// What these events say. A line that can't be read is not there.
fn asked<'l>(events: impl Iterator<Item = &'l Event>, place: NetnsId, limits: Limits) -> Told {
    let mut ledger = Ledger::new(limits);
    events.for_each(|event| ledger.take(event));
    verdict(&ledger, place)
}

/// What is forgotten where there is no room for all depends on the order.
fn room_for_all() -> Limits {
    Limits {
        entries_each: 1024,
        ..Limits::default()
    }
}

fn verdict(ledger: &Ledger, place: NetnsId) -> Told {
    let facts = Facts {
        key: KEY,
        is_node: false,
        seen: Some(Seen {
            window: ledger.window(),
            namespace: ledger.namespace(Place::Netns(place)),
            node: ledger.namespace(Place::Node),
            node_netns: None,
        }),
        held: Held::default(),
    };
    (Verdict::of(&facts), facts.value().cloned())
}

/// A line, and the event that it is.
type Line = (Value, Option<Event>);

/// The lines as a recording has them: events in the order of fields that this tool writes.
fn recorded(lines: &[Line]) -> String {
    let text = |(line, event): &Line| match event {
        Some(event) => serde_json::to_string(event).unwrap(),
        None => line.to_string(),
    };
    lines.iter().map(|line| text(line) + "\n").collect()
}

fn understood(lines: Vec<Value>) -> Vec<Line> {
    let lines = lines.into_iter();
    lines
        .map(|line| {
            let event = Event::deserialize(&line).ok();
            (line, event)
        })
        .collect()
}

/// What a reader has of a recording; nothing where it does not know the place, or refuses all of it.
fn read(source: &Source, place: NetnsId) -> Option<Told> {
    let inum = place.inum.to_string();
    let names = |event: &Event| {
        let is_it = Place::of(event) == Place::Netns(place);
        is_it.then_some(Place::Netns(place))
    };
    let account = source.open().unwrap().ask(&Question {
        target: Some(Target {
            names: &names,
            needle: Some(&inum),
        }),
        keys: Keys {
            are_meant: &|sysctl| sysctl.key == KEY,
            needle: Some(KEY),
            besides: None,
        },
        boot: None,
    });
    let account = account.ok()?;
    let is_known = account.places.contains(&Place::Netns(place));
    is_known.then(|| verdict(&account.ledger, place))
}

/// What it has of a file, and of a pipe.
fn read_both(text: &str, place: NetnsId) -> [Option<Told>; 2] {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let by_file = read(&Source::File(file.path().to_owned()), place);
    let (reader, mut writer) = std::io::pipe().unwrap();
    let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
    let by_pipe = thread::scope(|scope| {
        scope.spawn(move || {
            // Who refuses a recording does not read it to its end.
            let _ = writer.write_all(text.as_bytes());
        });
        let by_pipe = read(&Source::File(path.into()), place);
        drop(reader);
        by_pipe
    });
    [by_file, by_pipe]
}

/// Why what is observed was not so; nothing where it was.
fn is_false((verdict, value): &Told, truth: &[(String, Truth, Option<SmolStr>)]) -> Option<String> {
    if verdict.confidence != Confidence::Observed {
        return None;
    }
    let as_of = verdict.as_of.unwrap();
    let real = truth.iter().rfind(|(at, _, _)| **at <= *as_of);
    let (_, real, held) = real
        .cloned()
        .unwrap_or((String::new(), Truth::Unknown, None));
    let claimed = match &verdict.cause {
        Cause::Written(writer) => Truth::Write(writer.entity_id.clone()),
        _ => Truth::Kernel,
    };
    let is_so = claimed == real && *value == held;
    (!is_so).then(|| format!("{claimed:?}, {value:?}: {verdict:#?}\n{truth:#?}"))
}

/// How many cases there are: as many as wanted, or so many.
fn cases(otherwise: u32) -> u32 {
    let cases = std::env::var("SYSCTL_TRACE_CASES").ok();
    cases
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(otherwise)
}

fn all_lines(told: &[Event], watches: &[Watch]) -> Vec<Value> {
    let each = watches.iter().enumerate();
    let mut all: Vec<Event> = each
        .flat_map(|(at, watch)| lines(told, watch, at))
        .collect();
    all.sort_by_key(|event| event.event.ended_ns());
    all.iter().map(written_down).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(3000)))]

    #[test]
    fn what_is_observed_was_so_and_order_is_nothing(
        deeds in vec(deed(), 1..14),
        has_cookie: bool,
        watches in vec(watch(), 1..4),
        damages in vec(damage(), 0..4),
        seed: u64,
    ) {
        let place = NetnsId { cookie: if has_cookie { WEB.cookie } else { 0 }, ..WEB };
        let told = story(&deeds, place).told;
        let lines = understood(damaged(all_lines(&told, &watches), &damages));
        let events = || lines.iter().filter_map(|(_, event)| event.as_ref());
        let told_by_all = asked(events(), place, room_for_all());
        let truth = truth(&told, place);
        prop_assert_eq!(is_false(&told_by_all, &truth), None);
        let verdict = &told_by_all.0;
        let mut ranked: Vec<(u64, &Event)> = (1..)
            .map(|at: u64| (at ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29))
            .zip(events())
            .collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        let (other, _) = asked(ranked.into_iter().map(|(_, event)| event), place, room_for_all());
        // Of copies that contradict each other, which one the evidence shows is not said: none is
        // believed.
        if verdict.reason == Some(Reason::Unusable) {
            prop_assert_eq!(
                (other.cause, other.confidence, other.reason),
                (verdict.cause.clone(), verdict.confidence, verdict.reason)
            );
        } else {
            prop_assert_eq!(&other, verdict);
        }
    }
}

proptest! {
    // Reading takes longer.
    #![proptest_config(ProptestConfig::with_cases(cases(600)))]

    #[test]
    fn what_a_reader_calls_observed_was_so(
        deeds in vec(deed(), 1..14),
        has_cookie: bool,
        watches in vec(watch(), 1..4),
        damages in vec(damage(), 0..4),
    ) {
        let place = NetnsId { cookie: if has_cookie { WEB.cookie } else { 0 }, ..WEB };
        let told = story(&deeds, place).told;
        let lines = understood(damaged(all_lines(&told, &watches), &damages));
        let [by_file, by_pipe] = read_both(&recorded(&lines), place);
        if let Some(by_pipe) = &by_pipe {
            prop_assert_eq!(is_false(by_pipe, &truth(&told, place)), None);
            // Of a line that is no event a reader may know where it stood, and the ledger does not.
            if lines.iter().all(|(_, event)| event.is_some()) {
                let live = asked(lines.iter().flat_map(|(_, event)| event), place, Limits::default());
                prop_assert_eq!(by_pipe, &live);
            }
        }
        prop_assert_eq!(by_file, by_pipe);
    }
}

#[test]
fn there_is_something_to_claim() {
    let told = Story::new().create().write("runc", "1024").told;
    let watch = Watch {
        span: None,
        filter: 0,
        ends: true,
        losses: Vec::new(),
    };
    // From the first event to the last.
    let lines = understood(all_lines(&told, &[watch]));
    let [by_file, by_pipe] = read_both(&recorded(&lines), WEB);
    let told = asked(
        lines.iter().flat_map(|(_, event)| event),
        WEB,
        Limits::default(),
    );
    assert_eq!(told.0.confidence, Confidence::Observed, "{told:#?}");
    assert_eq!([by_file, by_pipe], [Some(told.clone()), Some(told)]);
    assert_eq!(lines.len(), 4);
}
