//! Keys that come and go: a device that is given another name loses its keys and gets new ones. What
//! a namespace begins and ends with is told by its own creation and end, and by nothing else.

use super::{Difference, fields::CLOCK_SLACK_NS, words};
use crate::{
    trace::{Action, Event},
    workload::log::{Record, Rename},
};

/// Whether an event tells of keys that came or went.
pub const fn is_turn(event: &Event) -> bool {
    match event.event.action {
        Action::SysctlRegister | Action::SysctlUnregister => true,
        Action::NetnsCreate
        | Action::NetnsDestroy
        | Action::SysctlWrite
        | Action::NetnsEnter
        | Action::NetnsBind
        | Action::EventsLost
        | Action::TraceStart
        | Action::SysctlDrift
        | Action::TraceEnd => false,
    }
}

/// Lays the events beside what was renamed: each folder goes once and comes once, and nothing else
/// does. `turns`: the workload's.
pub fn compare(log: &[Record], turns: &[&Event]) -> Vec<Difference> {
    let mut left = turns.to_vec();
    let mut differences = Vec::new();
    let renames = log.iter().filter_map(|record| match record {
        Record::Rename(rename) => Some(rename),
        Record::Begin(_)
        | Record::Create(_)
        | Record::Write(_)
        | Record::Enter(_)
        | Record::Race(_)
        | Record::End(_) => None,
    });
    for rename in renames {
        if rename.before.is_empty() || rename.after.is_empty() {
            let what = format!("no folders of keys: {rename:?}");
            differences.push(Difference::Table(what));
        }
        let gone = rename.before.iter();
        let gone = gone.map(|folder| (Action::SysctlUnregister, folder));
        let come = rename.after.iter();
        let come = come.map(|folder| (Action::SysctlRegister, folder));
        for (action, folder) in gone.chain(come) {
            let is_it = |event: &&Event| tells(event, rename, action, folder);
            match left.iter().position(is_it) {
                Some(at) => drop(left.remove(at)),
                None => differences.push(Difference::Missing(format!("{action:?} of {folder}"))),
            }
        }
    }
    let extra = left.iter().map(|event| Difference::Extra(words(event)));
    differences.extend(extra);
    differences
}

fn tells(event: &Event, rename: &Rename, action: Action, folder: &str) -> bool {
    let inum = event.netns.as_ref().and_then(|netns| netns.inum);
    let pid = event.process.as_ref().map(|process| process.pid);
    let window = rename.window;
    let times = window.from_ns - CLOCK_SLACK_NS..=window.to_ns + CLOCK_SLACK_NS;
    let table = event.table.as_ref();
    event.event.action == action
        && inum == Some(rename.netns)
        && pid == Some(rename.pid)
        && times.contains(&event.event.boottime_ns)
        && table.is_some_and(|table| {
            let keys = table.values.len() + table.unread.len();
            table.path == folder && keys > 0
        })
}
