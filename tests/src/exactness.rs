//! Compares a trace with the workload's own log: nothing missing, nothing extra, every field right.
//!
//! What one thread did stands in the same order in both, so the two are laid side by side thread by
//! thread ([`align`]), and each pair is compared field by field ([`fields`]). What no single pair
//! shows is looked at for itself: the lives of the namespaces ([`lives`]), races ([`races`]), and keys
//! that come and go ([`tables`]).

mod actor;
mod align;
mod fields;
mod lives;
mod races;
mod tables;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    trace::{Action, Event, Process},
    workload::log::{Actor, Begin, Created, Creation, End, Entry, Netns, Record, Thread, Write},
};

/// What a comparison yields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Everything that is not as it must be.
    pub differences: Vec<Difference>,
    /// What others did meanwhile, in words. It is no fault.
    pub bystanders: Vec<String>,
}

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The log is not what the comparison needs.
    Log(String),
    /// Events were lost.
    Lost(u64),
    /// The workload did this, and no event tells of it.
    Missing(String),
    /// The workload did no such thing.
    Extra(String),
    /// A field of an event is wrong.
    Field {
        /// Which event.
        event: String,
        /// The field, by its dotted name.
        field: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The life of a namespace.
    Life(String),
    /// Keys that came or went.
    Table(String),
    /// Events of a race that no order of the writes explains.
    Race(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(what) => write!(f, "the workload's log: {what}"),
            Self::Lost(count) => write!(f, "{count} events were lost"),
            Self::Missing(what) => write!(f, "missing: {what}"),
            Self::Extra(what) => write!(f, "extra: {what}"),
            Self::Field {
                event,
                field,
                expected,
                found,
            } => {
                write!(f, "{event}: {field} is {found}, expected {expected}")
            }
            Self::Life(what) => write!(f, "namespaces: {what}"),
            Self::Table(what) => write!(f, "keys that come and go: {what}"),
            Self::Race(what) => write!(f, "race: {what}"),
        }
    }
}

/// Something that the workload did.
#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Create(&'a Creation),
    Write(&'a Write),
    Enter(&'a Entry),
}

impl<'a> Step<'a> {
    const fn actor(self) -> &'a Actor {
        match self {
            Self::Create(creation) => &creation.actor,
            Self::Write(write) => &write.actor,
            Self::Enter(entry) => &entry.actor,
        }
    }
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(creation) => {
                write!(
                    f,
                    "{} by {}: {:?}",
                    creation.how, creation.actor.pid, creation.result
                )
            }
            Self::Write(write) => write!(
                f,
                "{} of {:?} to {} by {}: {:?}",
                write.how, write.requested, write.path, write.actor.pid, write.result
            ),
            Self::Enter(entry) => write!(
                f,
                "{} by {} in {:?}, cgroup {:?}",
                entry.how, entry.actor.pid, entry.netns, entry.actor.cgroup
            ),
        }
    }
}

/// A thread; those that the kernel adds to a process for its io_uring count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Thread { pid: u32, tid: u32 },
    IoWorkers { pid: u32 },
}

/// The least that a workload worth comparing does.
#[derive(Clone, Copy, Debug)]
pub struct Least {
    /// New namespaces.
    pub made: u64,
    /// Writes.
    pub writes: u64,
    /// Keys written to.
    pub keys: usize,
    /// Ways of writing, as the log names them.
    pub methods: &'static [&'static str],
    /// Entries that are the first of their cgroup in their namespace.
    pub entries: usize,
    /// Devices that were given another name.
    pub renames: usize,
    /// Whether some namespace must have been refused.
    pub refused: bool,
}

const LEAST: Least = Least {
    made: 200,
    writes: 1000,
    keys: 12,
    methods: METHODS,
    entries: 8,
    renames: 1,
    refused: true,
};

const METHODS: &[&str] = &[
    "write",
    "writev",
    "pwrite at 0",
    "pwrite at 3",
    "splice",
    "io_uring",
];

/// Compares the two.
#[must_use]
pub fn compare(log: &[Record], trace: &[Event]) -> Comparison {
    compare_at_least(log, trace, LEAST)
}

/// The workload runs in no container, and nobody says otherwise. Who made a namespace may be known
/// at one event and not yet at another: it is no part of what identifies it.
fn without_containers(trace: &[Event]) -> (Vec<Event>, Vec<Difference>) {
    let mut differences = Vec::new();
    let mut events = trace.to_vec();
    for event in &mut events {
        let owner = event.netns.as_mut().and_then(|netns| netns.owner.take());
        let of_netns = owner.and_then(|owner| owner.container);
        if event.container.is_some() || event.k8s.is_some() || of_netns.is_some() {
            differences.push(Difference::Extra(format!(
                "{} is said to be in or about a container",
                words(event)
            )));
        }
    }
    (events, differences)
}

/// Compares the two, of a workload that does at least so much.
#[must_use]
pub fn compare_at_least(log: &[Record], trace: &[Event], least: Least) -> Comparison {
    let mut result = Comparison::default();
    let Some(Record::Begin(begin)) = log.first() else {
        result
            .differences
            .push(Difference::Log("it does not begin".into()));
        return result;
    };
    let (trace, contained) = without_containers(trace);
    let trace = &trace[..];
    result.differences.extend(contained);
    let steps = steps(log);
    let lacking = complete(log, &steps, least);
    result
        .differences
        .extend(lacking.into_iter().map(Difference::Log));
    let lost: u64 = trace
        .iter()
        .filter_map(|event| event.trace.lost)
        .map(|lost| lost.total())
        .sum();
    if lost > 0 {
        result.differences.push(Difference::Lost(lost));
    }
    result.differences.extend(hosts(begin, trace));

    let workers = io_workers(&steps);
    let mut lanes: BTreeMap<Lane, (Vec<Step<'_>>, Vec<&Event>)> = BTreeMap::new();
    for step in &steps {
        lanes.entry(lane_of_step(*step)).or_default().0.push(*step);
    }
    let pids: BTreeSet<u32> = steps.iter().map(|step| step.actor().pid).collect();
    let is_ours = |process: &Process| is_ours(begin, &pids, process);
    let mut turns = Vec::new();
    for event in trace {
        let Some(process) = &event.process else {
            continue;
        };
        if is_ours(process) && tables::is_turn(event) {
            turns.push(event);
        } else if is_ours(process) {
            lanes
                .entry(lane_of_event(&workers, process))
                .or_default()
                .1
                .push(event);
        } else {
            result.bystanders.push(words(event));
        }
    }
    let mut pairs = Vec::new();
    for (steps, events) in lanes.values() {
        for pairing in align::align(steps, events) {
            match pairing {
                align::Pairing::Both(step, event) => pairs.push((step, event)),
                align::Pairing::Missing(step) => {
                    result
                        .differences
                        .push(Difference::Missing(step.to_string()));
                }
                align::Pairing::Extra(event) => {
                    result.differences.push(Difference::Extra(words(event)));
                }
            }
        }
    }
    pairs.sort_by_key(|(_, event)| event.event.sequence);
    for (step, event) in &pairs {
        result
            .differences
            .extend(fields::compare(begin, *step, event));
    }
    let lives = lives::compare(&pairs, trace, is_ours, &mut result.bystanders);
    result.differences.extend(lives);
    result.differences.extend(races::compare(log, &pairs));
    result.differences.extend(tables::compare(log, &turns));
    result
}

/// What a trace must tell: every creation, every write, and of the entries the first of each cgroup
/// in each namespace.
fn steps(log: &[Record]) -> Vec<Step<'_>> {
    let mut pairs: BTreeSet<(u32, &str)> = BTreeSet::new();
    log.iter()
        .filter_map(|record| match record {
            Record::Create(creation) => {
                if let Created::Made { netns, .. } = &creation.result {
                    // The number may have been another namespace's.
                    pairs.retain(|(inum, _)| *inum != netns.inum);
                }
                Some(Step::Create(creation))
            }
            Record::Write(write) => Some(Step::Write(write)),
            Record::Enter(entry) => {
                let Netns { inum, .. } = entry.netns;
                let first = pairs.insert((inum, &entry.actor.cgroup));
                first.then_some(Step::Enter(entry))
            }
            Record::Begin(_) | Record::Race(_) | Record::Rename(_) | Record::End(_) => None,
        })
        .collect()
}

/// An event in words, with what tells it from others.
fn words(event: &Event) -> String {
    let number = event.event.sequence;
    let actor = event.process.as_ref().map_or_else(String::new, |process| {
        format!(
            " by {} ({:?}, thread {})",
            process.pid, process.name, process.thread.id
        )
    });
    let what = match (event.event.action, &event.sysctl) {
        (Action::SysctlWrite, Some(sysctl)) => {
            let requested = sysctl
                .requested
                .as_ref()
                .map(|text| text.chars().take(40).collect());
            let requested: Option<String> = requested;
            format!(
                "write of {requested:?} ({:?} bytes) to {}",
                sysctl.size, sysctl.path
            )
        }
        (action, _) => match &event.table {
            Some(table) => format!("{action:?} of {} in {:?}", table.path, event.netns),
            None => format!("{action:?} of {:?}", event.netns),
        },
    };
    format!("event {number}, {what}{actor}, {}", event.event.outcome)
}

/// What the log lacks, in words.
fn complete(log: &[Record], steps: &[Step<'_>], least: Least) -> Vec<String> {
    let mut wrong = Vec::new();
    let count = |kind: fn(&Record) -> bool| log.iter().filter(|record| kind(record)).count() as u64;
    let found = End {
        creations: count(|record| matches!(record, Record::Create(_))),
        writes: count(|record| matches!(record, Record::Write(_))),
        entries: count(|record| matches!(record, Record::Enter(_))),
    };
    match log.last() {
        Some(Record::End(end)) if *end == found => {}
        Some(Record::End(end)) => wrong.push(format!("it announces {end:?} and holds {found:?}")),
        _ => wrong.push("it does not end".into()),
    }
    let made = |step: &&Step<'_>| matches!(step, Step::Create(c) if is_made(c));
    let made = steps.iter().filter(made).count() as u64;
    let entries = steps.iter().filter(|step| matches!(step, Step::Enter(_)));
    let entries = entries.count();
    let refused = found.creations > made || !least.refused;
    if made < least.made || !refused || found.writes < least.writes || entries < least.entries {
        wrong.push(format!(
            "too little was done: {found:?}, {made} namespaces made, {entries} first entries"
        ));
    }
    let renames = count(|record| matches!(record, Record::Rename(_)));
    if renames < least.renames as u64 {
        wrong.push(format!("only {renames} devices were given another name"));
    }
    let writes = || {
        steps.iter().filter_map(|step| match step {
            Step::Write(write) => Some(write),
            Step::Create(_) | Step::Enter(_) => None,
        })
    };
    let keys: BTreeSet<&str> = writes().map(|write| write.path.as_str()).collect();
    if keys.len() < least.keys {
        wrong.push(format!("only {} keys", keys.len()));
    }
    for method in least.methods {
        if !writes().any(|write| write.how.starts_with(method)) {
            wrong.push(format!("nothing by {method}"));
        }
    }
    wrong
}

const fn is_made(creation: &Creation) -> bool {
    match creation.result {
        Created::Made { .. } | Created::Undone { .. } => true,
        Created::Refused { .. } => false,
    }
}

/// Every event names the machine.
fn hosts(begin: &Begin, trace: &[Event]) -> Vec<Difference> {
    let expected = (&begin.host, &begin.boot_id);
    trace
        .iter()
        .filter(|event| (&event.host.name, &event.host.boot.id) != expected)
        .map(|event| Difference::Field {
            event: words(event),
            field: "host",
            expected: format!("{expected:?}"),
            found: format!("{:?}", event.host),
        })
        .collect()
}

/// Whether the process is the workload's: one that it logged, or one below its first.
fn is_ours(begin: &Begin, pids: &BTreeSet<u32>, process: &Process) -> bool {
    pids.contains(&process.pid)
        || process.pid == begin.pid
        || process
            .ancestors
            .iter()
            .any(|ancestor| ancestor.pid == begin.pid)
}

fn io_workers(steps: &[Step<'_>]) -> BTreeSet<(u32, u32)> {
    let mut workers = BTreeSet::new();
    for step in steps {
        match &step.actor().thread {
            Thread::IoWorker { tids, .. } => {
                workers.extend(tids.iter().map(|tid| (step.actor().pid, *tid)));
            }
            Thread::Caller { .. } => {}
        }
    }
    workers
}

fn lane_of_step(step: Step<'_>) -> Lane {
    let pid = step.actor().pid;
    match step.actor().thread {
        Thread::Caller { tid, .. } => Lane::Thread { pid, tid },
        Thread::IoWorker { .. } => Lane::IoWorkers { pid },
    }
}

fn lane_of_event(workers: &BTreeSet<(u32, u32)>, process: &Process) -> Lane {
    let (pid, tid) = (process.pid, process.thread.id);
    if workers.contains(&(pid, tid)) {
        Lane::IoWorkers { pid }
    } else {
        Lane::Thread { pid, tid }
    }
}

#[cfg(test)]
#[path = "exactness_tests.rs"]
mod tests;
