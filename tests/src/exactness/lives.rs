//! The lives of network namespaces: each is made once and destroyed once.

use std::collections::BTreeMap;

use super::{Difference, Step, words};
use crate::trace::{Action, Event, Netns, Process};

/// A namespace that lives.
struct Life<'a> {
    netns: &'a Netns,
    made: &'a Event,
    ours: bool,
}

/// Follows every namespace through the trace. `is_ours` tells the workload's processes; what others
/// do elsewhere is told to `bystanders`.
pub fn compare(
    pairs: &[(Step<'_>, &Event)],
    trace: &[Event],
    is_ours: impl Fn(&Process) -> bool,
    bystanders: &mut Vec<String>,
) -> Vec<Difference> {
    let ours: Vec<u64> = pairs
        .iter()
        .filter(|(step, _)| matches!(step, Step::Create(_)))
        .map(|(_, event)| event.event.sequence)
        .collect();
    let mut differences = Vec::new();
    let mut living: BTreeMap<u32, Life<'_>> = BTreeMap::new();
    let mut gone: BTreeMap<u32, Life<'_>> = BTreeMap::new();
    let mut complain = |what: String| differences.push(Difference::Life(what));
    for event in trace {
        let Some((netns, inum)) = event.netns.as_ref().and_then(|n| Some((n, n.inum?))) else {
            continue;
        };
        match event.event.action {
            Action::NetnsCreate if event.error.is_none() => {
                gone.remove(&inum);
                let ours = ours.binary_search(&event.event.sequence).is_ok();
                let made = event;
                if let Some(older) = living.insert(inum, Life { netns, made, ours }) {
                    complain(format!(
                        "{} while {} lives",
                        words(event),
                        words(older.made)
                    ));
                }
            }
            Action::NetnsDestroy => match (living.remove(&inum), gone.get(&inum)) {
                (Some(life), _) => {
                    if life.ours && life.netns != netns {
                        complain(format!(
                            "{} does not match {}",
                            words(event),
                            words(life.made)
                        ));
                    }
                    gone.insert(inum, life);
                }
                (None, Some(life)) if life.ours => {
                    complain(format!("destroyed again: {}", words(event)));
                }
                (None, _) => bystanders.push(words(event)),
            },
            Action::SysctlWrite => {
                let others = event
                    .process
                    .as_ref()
                    .is_some_and(|process| !is_ours(process));
                if others && living.get(&inum).is_some_and(|life| life.ours) {
                    complain(format!(
                        "somebody else's in the workload's: {}",
                        words(event)
                    ));
                }
            }
            Action::NetnsCreate
            | Action::NetnsEnter
            | Action::NetnsBind
            | Action::SysctlRegister
            | Action::SysctlUnregister
            | Action::EventsLost
            | Action::TraceStart
            | Action::TraceEnd => {}
            Action::SysctlDrift => complain(format!("every write was seen: {}", words(event))),
        }
    }
    for life in living.values().filter(|life| life.ours) {
        complain(format!("never destroyed: {}", words(life.made)));
    }
    differences
}
