//! What holds for every stream: with less of it a verdict never claims more, and a stream that was
//! written down and read back gives the same verdict.

use std::ops::Range;

use proptest::{collection::vec, prelude::*, sample::Index};
use smol_str::SmolStr;

use super::{
    Confidence, Facts, Held, Seen, Verdict,
    story::{KEY, Story, WEB},
};
use crate::{
    event::{Action, Event, NetnsId},
    ledger::{Ledger, Limits, Place},
    output::{json::Json, samples},
};

/// Without a cookie, as before Linux 5.12: its number may be used again.
const SAME: NetnsId = NetnsId {
    inum: WEB.inum,
    cookie: 0,
};
const OTHER: NetnsId = NetnsId {
    inum: 4026532999,
    cookie: 42,
};

#[derive(Clone, Debug)]
enum Deed {
    Create,
    Meet,
    Write(usize, usize),
    Refuse(usize),
    Race(usize, usize),
    Drift(usize),
    Lose,
    Destroy,
    Elsewhere(Box<Deed>),
}

const VALUES: [&str; 4] = ["4096", "1024", "512", "0x400"];
const WRITERS: [&str; 4] = ["runc", "sysctl(8)", "cni:tuning", "container-process"];

fn deed(drifts: bool) -> impl Strategy<Value = Deed> {
    let writer = 0..WRITERS.len();
    let value = 0..VALUES.len() - 1;
    let here = prop_oneof![
        2 => Just(Deed::Create),
        1 => Just(Deed::Meet),
        8 => (writer.clone(), value.clone()).prop_map(|(by, what)| Deed::Write(by, what)),
        2 => writer.clone().prop_map(Deed::Refuse),
        2 => (writer.clone(), writer).prop_map(|(one, other)| Deed::Race(one, other)),
        u32::from(drifts) => value.prop_map(Deed::Drift),
        1 => Just(Deed::Lose),
        1 => Just(Deed::Destroy),
    ];
    (here, prop::bool::weighted(0.2)).prop_map(|(deed, is_elsewhere)| match is_elsewhere {
        true => Deed::Elsewhere(Box::new(deed)),
        false => deed,
    })
}

fn happen(story: Story, deed: &Deed) -> Story {
    match deed {
        Deed::Create => story.create(),
        Deed::Meet => story.meet(),
        Deed::Write(by, what) => story.write(WRITERS[*by], VALUES[*what]),
        Deed::Refuse(by) => story.refuse(WRITERS[*by], "-5"),
        Deed::Race(one, other) => story.race(WRITERS[*one], "7", WRITERS[*other], "8"),
        Deed::Drift(what) => story.drift(VALUES[*what]),
        Deed::Lose => story.lose(1),
        Deed::Destroy => story.destroy(),
        Deed::Elsewhere(deed) => {
            let here = story.value.clone();
            happen(story.at(OTHER, "128".into()), deed).at(SAME, here)
        }
    }
}

fn story(deeds: &[Deed]) -> Story {
    let begun = Story::new().at(SAME, "128".into());
    deeds.iter().fold(begun, happen)
}

/// Leaves out the events of these ranges, and tells of the loss some events later.
fn with_loss(told: &[Event], ranges: &[(Index, usize, usize)]) -> Vec<Event> {
    let mut dropped = vec![false; told.len()];
    let mut tellings: Vec<(usize, Event)> = Vec::new();
    for (start, length, delay) in ranges {
        // The first says that the trace began.
        let start = 1 + start.index(told.len().max(2) - 1);
        let range: Range<usize> = start..(start + length).min(told.len());
        if range.is_empty() {
            continue;
        }
        dropped[range.clone()].fill(true);
        let lost = &told[range.clone()];
        // What told of loss may be lost itself.
        let since = lost.iter().map(|event| {
            let told = event.trace.since_boottime_ns.unwrap_or(u64::MAX);
            told.min(event.event.boottime_ns - 1)
        });
        let told_at = (range.end - 1 + delay).min(told.len() - 1);
        let mut event = samples::lost();
        event.trace.since_boottime_ns = since.min();
        event.event.boottime_ns = told[told_at].event.boottime_ns + 1;
        event.event.sequence = 0;
        tellings.push((told_at, event));
    }
    let mut kept = Vec::new();
    for (at, event) in told.iter().enumerate() {
        if !dropped[at] {
            kept.push(event.clone());
        }
        let here = tellings.iter().filter(|(told_at, _)| *told_at == at);
        kept.extend(here.map(|(_, event)| event.clone()));
    }
    kept
}

fn verdict(events: &[Event], value: Option<&SmolStr>) -> Verdict {
    let mut ledger = Ledger::new(Limits::default());
    for event in events {
        ledger.take(event);
    }
    Verdict::of(&Facts {
        key: KEY,
        is_node: false,
        seen: Some(Seen {
            window: ledger.window(),
            namespace: ledger.namespace(Place::Netns(SAME)),
            node: ledger.namespace(Place::Node),
            node_netns: None,
        }),
        held: Held {
            value: value.cloned(),
            ..Held::default()
        },
    })
}

fn is_alive(events: &[Event]) -> bool {
    let is_own = |event: &&Event| event.netns.as_ref().is_some_and(|n| n.id() == SAME);
    let last = events.iter().rfind(is_own);
    last.is_none_or(|event| event.event.action != Action::NetnsDestroy)
}

fn written_down(events: &[Event]) -> Vec<Event> {
    let mut json = Json::default();
    let mut out = Vec::new();
    for event in events {
        json.push_event(&mut out, event).unwrap();
    }
    let lines = out
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// The verdict on all that was told, and on what is left of it.
fn full_and_part(
    deeds: &[Deed],
    ranges: &[(Index, usize, usize)],
    live: bool,
) -> (Verdict, Verdict) {
    let whole = story(deeds);
    let value = (live && is_alive(&whole.told)).then_some(&whole.value);
    let full = verdict(&whole.told, value);
    (full, verdict(&with_loss(&whole.told, ranges), value))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Where all changes are writes, less of the stream gives the same verdict or a weaker one.
    #[test]
    fn less_never_claims_more(
        deeds in vec(deed(false), 1..14),
        ranges in vec((any::<Index>(), 1..4_usize, 0..3_usize), 1..4),
        live: bool,
    ) {
        let (full, part) = full_and_part(&deeds, &ranges, live);
        prop_assert!(part.confidence <= full.confidence, "{part:#?}\n{full:#?}");
        if part.confidence == Confidence::Observed {
            prop_assert_eq!(part.cause, full.cause);
        }
    }

    /// Also where values change by other ways, what is observed stays the same.
    #[test]
    fn what_is_observed_is_so(
        deeds in vec(deed(true), 1..14),
        ranges in vec((any::<Index>(), 1..4_usize, 0..3_usize), 1..4),
        live: bool,
    ) {
        let (full, part) = full_and_part(&deeds, &ranges, live);
        if part.confidence == Confidence::Observed {
            prop_assert_eq!(part.cause, full.cause);
            prop_assert_eq!(full.confidence, Confidence::Observed);
        }
    }

    /// A recording gives the verdict that was given live.
    #[test]
    fn a_recording_gives_the_same(deeds in vec(deed(true), 1..14), live: bool) {
        let whole = story(&deeds);
        let value = live.then_some(&whole.value);
        let replayed = written_down(&whole.told);
        prop_assert_eq!(&whole.told, &replayed);
        prop_assert_eq!(verdict(&whole.told, value), verdict(&replayed, value));
    }
}
