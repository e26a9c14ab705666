//! Whether a line is a whole event, from its first byte to its last, without keeping what it says.
//!
//! What [`line::parse`](super::line::parse) says of a line is the rule, and it takes its time. The
//! check knows the order of fields that this tool writes, without blanks. A line that passes it would
//! be parsed, and lacks nothing that it needs to count. Of one that does not it says nothing, and that
//! line is parsed.
//!
//! Much of a line stands in lines before it. What was checked there, and stands here byte by byte, is
//! compared and not checked again (see [`cursor`]).

mod cursor;
mod members;

use crate::{
    event::{Action, Event},
    ledger::Place,
};
use cursor::{Cursor, Known, Part};
use members::{Head, Shown};

/// The least of what a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checked<'a> {
    pub(super) timestamp: &'a [u8],
    pub(super) action: Action,
    pub(super) sequence: u64,
    /// When it was over.
    pub(super) ended_ns: u64,
    pub(super) host: &'a [u8],
    pub(super) boot: &'a [u8],
    pub(super) session: &'a [u8],
    pub(super) place: Place,
    /// The key that it tells of, by both of its names; empty where there is none.
    pub(super) key: &'a [u8],
    pub(super) path: &'a [u8],
}

/// Checks lines, with what was checked before.
#[derive(Debug, Default)]
pub(super) struct Checker {
    known: Known,
}

impl<'a> Checked<'a> {
    /// The same of an event that was parsed.
    pub(super) fn of(event: &'a Event) -> Self {
        let sysctl = event.sysctl.as_ref();
        Self {
            timestamp: event.timestamp.as_bytes(),
            action: event.event.action,
            sequence: event.event.sequence,
            ended_ns: event.event.ended_ns(),
            host: event.host.name.as_bytes(),
            boot: event.host.boot.id.as_bytes(),
            session: event.trace.session.as_bytes(),
            place: Place::of(event),
            key: sysctl.map_or(b"", |sysctl| sysctl.key.as_bytes()),
            path: sysctl.map_or(b"", |sysctl| sysctl.path.as_bytes()),
        }
    }

    /// Whether it tells what became of a key that is meant. `may_be_meant` says of a key whether it may
    /// be. Keys that begin or end are named by their folder and apart.
    pub(super) fn is_of_key(&self, may_be_meant: impl FnOnce(&Self) -> bool) -> bool {
        match self.action {
            Action::SysctlWrite | Action::SysctlDrift => may_be_meant(self),
            Action::SysctlRegister | Action::SysctlUnregister => true,
            Action::NetnsCreate
            | Action::NetnsDestroy
            | Action::NetnsEnter
            | Action::NetnsBind
            | Action::EventsLost
            | Action::TraceStart
            | Action::TraceEnd => false,
        }
    }
}

impl Shown<'_> {
    /// Whether a write lacks nothing here. One to a key that a namespace may have should name it.
    fn counts_as_write(&self, place: Place) -> bool {
        let is_known = self.has_old && self.has_new;
        let has_place = place != Place::Node || !self.key.starts_with(b"net.");
        !self.key.is_empty() && (is_known || !self.is_decoded) && has_place
    }
}

impl Checker {
    /// Checks a line; nothing where it has to be parsed.
    pub(super) fn check<'a>(&mut self, line: &'a [u8]) -> Option<Checked<'a>> {
        let mut cursor = Cursor::new(line, &mut self.known);
        cursor.skip(b"{\"@timestamp\":\"")?;
        let timestamp = cursor.moment()?;
        let Head { action, is_failure } = cursor.head()?;
        let sequence = cursor.number()?;
        cursor.skip(b",\"boottime_ns\":")?;
        let boottime_ns = cursor.number()?;
        let duration = match cursor.has(b",\"duration\":") {
            true => Some(cursor.number()?),
            false => None,
        };
        cursor.skip(b"},\"host\":")?;
        let host = cursor.host()?;
        let has_error = cursor.has(b",\"error\":{\"code\":\"");
        if has_error {
            cursor.text()?;
            cursor.skip(b"}")?;
        }
        let has_process = cursor.has(b",\"process\":");
        if has_process {
            cursor.process()?;
        }
        if cursor.has(b",\"component\":") {
            cursor.part(Part::Component, Cursor::component)?;
        }
        let is_placed = cursor.has(b",\"container\":");
        if is_placed && !cursor.has(b"null") {
            cursor.part(Part::Container, Cursor::container)?;
        }
        if cursor.has(b",\"k8s\":") {
            cursor.part(Part::Kubernetes, Cursor::kubernetes)?;
        }
        let place = match cursor.has(b",\"netns\":") {
            true => Place::Netns(cursor.netns()?),
            false => Place::Node,
        };
        let sysctl = match cursor.has(b",\"sysctl\":") {
            true => Some(cursor.sysctl()?),
            false => None,
        };
        cursor.skip(b",\"trace\":{\"session\":\"")?;
        let session = cursor.plain()?;
        cursor.skip(b",\"truncated\":[]}}")?;
        let counts = match action {
            Action::SysctlWrite => {
                let is_shown = |sysctl: &Shown<'_>| sysctl.counts_as_write(place);
                has_process
                    && is_placed
                    && duration.is_some()
                    && is_failure == has_error
                    && sysctl.as_ref().is_some_and(is_shown)
            }
            Action::SysctlDrift => {
                place != Place::Node && sysctl.as_ref().is_some_and(|sysctl| sysctl.has_new)
            }
            Action::NetnsCreate => is_failure || place != Place::Node,
            Action::NetnsDestroy => place != Place::Node,
            Action::NetnsEnter
            | Action::NetnsBind
            | Action::SysctlRegister
            | Action::SysctlUnregister
            | Action::EventsLost
            | Action::TraceStart
            | Action::TraceEnd => true,
        };
        (counts && cursor.is_at_end()).then_some(Checked {
            timestamp,
            action,
            sequence,
            ended_ns: boottime_ns.saturating_add(duration.unwrap_or(0)),
            host: host.name,
            boot: host.boot,
            session,
            place,
            key: sysctl.as_ref().map_or(b"", |sysctl| sysctl.key),
            path: sysctl.as_ref().map_or(b"", |sysctl| sysctl.path),
        })
    }
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
