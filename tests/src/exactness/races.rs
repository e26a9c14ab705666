//! Two threads writing the same key: which values each write may have met and left.
//!
//! While one thread's write is under way, only the other can change the value. So a write leaves
//! its own value or one of the other's, and meets what the thread itself wrote last (before its
//! first write: what was there at first) or one of the other's.

use std::collections::{BTreeMap, BTreeSet};

use super::{Difference, Step, fields, words};
use crate::{
    trace::Event,
    workload::log::{Race, Record, Write},
};

/// What no order of the writes explains.
pub fn compare(log: &[Record], pairs: &[(Step<'_>, &Event)]) -> Vec<Difference> {
    let races = log.iter().filter_map(|record| match record {
        Record::Race(race) => Some(race),
        Record::Begin(_)
        | Record::Create(_)
        | Record::Write(_)
        | Record::Enter(_)
        | Record::Rename(_)
        | Record::End(_) => None,
    });
    races.flat_map(|race| one(race, pairs)).collect()
}

fn one(race: &Race, pairs: &[(Step<'_>, &Event)]) -> Vec<Difference> {
    let mut threads: BTreeMap<u32, Vec<(&Write, &Event)>> = BTreeMap::new();
    for (step, event) in pairs {
        let Step::Write(write) = step else { continue };
        let Some(process) = event
            .process
            .as_ref()
            .filter(|_| write.race == Some(race.id))
        else {
            continue;
        };
        threads
            .entry(process.thread.id)
            .or_default()
            .push((write, event));
    }
    let (first, last) = (fields::shown(&race.first), fields::shown(&race.last));
    let mut differences = Vec::new();
    let mut left = BTreeSet::new();
    let mut decoded = false;
    for (thread, writes) in &threads {
        let others: BTreeSet<String> = threads
            .iter()
            .filter(|(other, _)| *other != thread)
            .flat_map(|(_, writes)| writes.iter().filter_map(|(write, _)| value(write)))
            .collect();
        let mut own = first.clone();
        for (write, event) in writes {
            let Some(sysctl) = event.sysctl.as_ref().filter(|s| s.type_ != "not-decoded") else {
                continue;
            };
            decoded = true;
            left.extend(sysctl.new.clone());
            let mut check = |found: &Option<String>, own: &str, name: &str| {
                let fits = |found: &String| found == own || others.contains(found);
                if !found.as_ref().is_some_and(fits) {
                    differences.push(Difference::Race(format!(
                        "{}: {name} is {found:?}, neither {own:?} nor one of the other thread's",
                        words(event)
                    )));
                }
            };
            check(&sysctl.old, &own, "sysctl.old");
            own = value(write).unwrap_or_default();
            check(&sysctl.new, &own, "sysctl.new");
        }
    }
    if decoded && !left.contains(&last) {
        differences.push(Difference::Race(format!(
            "no event leaves the last value, {last:?}"
        )));
    }
    differences
}

/// The value that a write of a race asks for.
fn value(write: &Write) -> Option<String> {
    fields::requested(write).map(|(text, _)| text)
}
