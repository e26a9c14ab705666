//! One thing that the workload did beside the event that tells of it, field by field.

use std::fmt::Debug;

use super::{Difference, Step, words};
use crate::{
    trace::{Action, Event, Netns, Sysctl},
    workload::log::{self, Answer, Begin, Bytes, Created, Creation, Entry, Window, Write},
};

/// How much of a requested text a trace keeps.
const REQUESTED_LIMIT: usize = 1024;

/// The clock that programs in the kernel read may stand this far from the one of system calls.
pub const CLOCK_SLACK_NS: u64 = 1_000_000;

/// Realtime may be corrected a little while the workload runs.
const REALTIME_SLACK_NS: u64 = 20_000_000;

/// Every field of the event that is not as the log has it.
pub fn compare(begin: &Begin, step: Step<'_>, event: &Event) -> Vec<Difference> {
    let mut check = Check {
        event,
        differences: Vec::new(),
    };
    let (action, window, error) = match step {
        Step::Create(creation) => (
            Action::NetnsCreate,
            creation.window,
            creation_error(creation),
        ),
        Step::Write(write) => (Action::SysctlWrite, write.window, write_error(write)),
        Step::Enter(entry) => (Action::NetnsEnter, entry.window, None),
    };
    check.equal("event.action", &action, &event.event.action);
    check.equal(
        "event.outcome",
        &outcome(step),
        &event.event.outcome.as_str(),
    );
    check.equal(
        "error.code",
        &error,
        &event.error.as_ref().map(|error| error.code.as_str()),
    );
    let timed = check.times(begin, window);
    if let Some(process) = &event.process {
        check.actor(step.actor(), process);
        // Start times are told in the same clock, and would only repeat what is wrong with it.
        if timed {
            check.starts(begin, step.actor(), process);
        }
    }
    match step {
        Step::Create(creation) => check.creation(creation),
        Step::Write(write) => check.write(write),
        Step::Enter(entry) => check.entry(entry),
    }
    check.differences
}

/// `event.outcome` as it must be.
pub fn outcome(step: Step<'_>) -> &'static str {
    let error = match step {
        Step::Create(creation) => creation_error(creation),
        Step::Write(write) => write_error(write),
        Step::Enter(_) => None,
    };
    if error.is_none() {
        "success"
    } else {
        "failure"
    }
}

/// `sysctl.requested` as it must be, and whether it is cut; `None` where nobody can read it.
pub fn requested(write: &Write) -> Option<(String, bool)> {
    let given = &write.requested.as_ref()?.0;
    let kept = &given[..given.len().min(REQUESTED_LIMIT)];
    let text = kept.split(|byte| *byte == 0).next().unwrap_or_default();
    let cut = text.len() == kept.len() && kept.len() < given.len();
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    Some((String::from_utf8_lossy(text).into_owned(), cut))
}

/// A value as a trace shows it.
pub fn shown(value: &Bytes) -> String {
    String::from_utf8_lossy(&value.0).into_owned()
}

fn creation_error(creation: &Creation) -> Option<&str> {
    match &creation.result {
        Created::Made { .. } | Created::Undone { .. } => None,
        Created::Refused { error } => Some(error),
    }
}

fn write_error(write: &Write) -> Option<&str> {
    match &write.result {
        Answer::Took(_) => None,
        Answer::Refused(error) => Some(error),
    }
}

/// The dotted name of a key: dots within a component become slashes.
fn dotted(path: &str) -> String {
    let turned = path.chars().map(|c| match c {
        '/' => '.',
        '.' => '/',
        other => other,
    });
    turned.collect()
}

fn netns(expected: &log::Netns) -> Netns {
    Netns {
        inum: Some(expected.inum),
        cookie: expected.cookie.map(|cookie| cookie.to_string()),
        user_ns: Some(expected.user_ns),
        owner: None,
    }
}

/// The differences found so far of one event.
pub struct Check<'a> {
    pub event: &'a Event,
    differences: Vec<Difference>,
}

impl Check<'_> {
    pub fn wrong(&mut self, field: &'static str, expected: String, found: String) {
        let event = words(self.event);
        self.differences.push(Difference::Field {
            event,
            field,
            expected,
            found,
        });
    }

    pub fn equal<T: PartialEq + Debug>(&mut self, field: &'static str, expected: &T, found: &T) {
        if expected != found {
            self.wrong(field, format!("{expected:?}"), format!("{found:?}"));
        }
    }

    pub fn is(
        &mut self,
        right: bool,
        field: &'static str,
        expected: impl Debug,
        found: impl Debug,
    ) {
        if !right {
            self.wrong(field, format!("{expected:?}"), format!("{found:?}"));
        }
    }

    fn times(&mut self, begin: &Begin, window: Window) -> bool {
        let boottime = self.event.event.boottime_ns;
        let (from, to) = (
            window.from_ns - CLOCK_SLACK_NS,
            window.to_ns + CLOCK_SLACK_NS,
        );
        self.is(
            (from..=to).contains(&boottime),
            "event.boottime_ns",
            from..=to,
            boottime,
        );
        let expected = i128::from(boottime) + i128::from(begin.realtime_offset_ns);
        let found = self.event.realtime_ns().unwrap_or_default();
        let near = expected.abs_diff(found) <= REALTIME_SLACK_NS.into();
        self.is(near, "@timestamp", expected, found);
        near
    }

    fn creation(&mut self, creation: &Creation) {
        let event = self.event;
        match &creation.result {
            Created::Made { netns: made, .. } => {
                self.equal("netns", &Some(netns(made)), &event.netns);
            }
            Created::Undone { .. } => {
                let known = event
                    .netns
                    .as_ref()
                    .is_some_and(|netns| netns.inum.is_some());
                self.is(known, "netns", "some namespace", &event.netns);
            }
            Created::Refused { .. } => {
                let unknown = event
                    .netns
                    .as_ref()
                    .is_none_or(|netns| netns.inum.is_none());
                self.is(unknown, "netns", "no namespace", &event.netns);
            }
        }
        self.truncated(&creation.actor, None);
        match (&event.sysctl, &creation.result) {
            (None, Created::Refused { .. }) => {}
            (None, Created::Made { .. } | Created::Undone { .. }) => {
                self.wrong("sysctl", "net.core.somaxconn".into(), "absent".into());
            }
            (Some(sysctl), result) => self.somaxconn(sysctl, result, &creation.init_somaxconn),
        }
    }

    fn entry(&mut self, entry: &Entry) {
        let event = self.event;
        self.equal("netns", &Some(netns(&entry.netns)), &event.netns);
        self.equal("sysctl", &None, &event.sysctl);
        self.truncated(&entry.actor, None);
    }

    /// The value that a new namespace was given.
    fn somaxconn(&mut self, sysctl: &Sysctl, result: &Created, init: &Bytes) {
        let new = match result {
            Created::Made {
                somaxconn: Some(value),
                ..
            } => Some(shown(value)),
            // Hidden from the workload: any number will do.
            Created::Made {
                somaxconn: None, ..
            }
            | Created::Undone { .. } => {
                let number = sysctl.new.as_ref().and_then(|new| new.parse::<u32>().ok());
                self.is(number.is_some(), "sysctl.new", "a number", &sysctl.new);
                sysctl.new.clone()
            }
            Created::Refused { .. } => None,
        };
        let expected = Sysctl {
            key: "net.core.somaxconn".into(),
            path: "net/core/somaxconn".into(),
            type_: "int".into(),
            requested: None,
            old: None,
            new,
            init_netns: Some(shown(init)),
            position: None,
            size: None,
            written: None,
            requester: None,
            handler: None,
            memory: None,
        };
        self.equal("sysctl", &expected, sysctl);
    }

    fn write(&mut self, write: &Write) {
        let event = self.event;
        let Some(found) = &event.sysctl else { return };
        if !(write.stale && event.netns.is_none()) {
            self.equal("netns", &write.netns.as_ref().map(netns), &event.netns);
        }
        let (requested, cut) = requested(write).unzip();
        self.equal("sysctl.key", &dotted(&write.path), &found.key);
        self.equal("sysctl.path", &write.path, &found.path);
        self.equal("sysctl.requested", &requested, &found.requested);
        self.equal("sysctl.position", &Some(write.position), &found.position);
        self.equal("sysctl.size", &Some(write.size), &found.size);
        self.equal("sysctl.init_netns", &None, &found.init_netns);
        self.equal("sysctl.requester", &None, &found.requester);
        let written = match write.result {
            Answer::Took(count) => Some(count),
            Answer::Refused(_) => None,
        };
        self.equal("sysctl.written", &written, &found.written);
        let cut = (cut == Some(true)).then_some("sysctl.requested");
        self.truncated(&write.actor, cut);
        self.is(
            write.types.contains(&found.type_),
            "sysctl.type",
            &write.types,
            &found.type_,
        );
        if found.type_ == "not-decoded" {
            self.equal("sysctl.old", &None, &found.old);
            self.equal("sysctl.new", &None, &found.new);
        } else if write.race.is_none() {
            self.equal("sysctl.old", &write.old.as_ref().map(shown), &found.old);
            self.equal("sysctl.new", &write.new.as_ref().map(shown), &found.new);
        }
    }
}
