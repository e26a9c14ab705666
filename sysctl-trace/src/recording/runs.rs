//! Events that went by, as runs without a hole.

use serde::{Deserialize as _, de::IntoDeserializer as _};
use smol_str::SmolStr;

use super::check::Checked;
use crate::{
    ledger::{At, Passed},
    time::Moment,
};

/// Characters of `@timestamp`.
const TIMESTAMP_LEN: usize = 30;

/// Runs, one after the other.
#[derive(Debug, Default)]
pub(super) struct Runs {
    whole: Vec<Passed>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    passed: Passed,
    /// That of `passed.until`, which would take time to read for each event.
    timestamp: [u8; TIMESTAMP_LEN],
}

impl Runs {
    /// Adds an event.
    pub(super) fn add(&mut self, event: &Checked<'_>) {
        if let Some(open) = &mut self.open
            && open.goes_on(event)
        {
            open.passed.last_sequence = event.sequence;
            open.passed.has_cookie |= event.place.has_cookie();
            if event.ended_ns > open.passed.until.boottime_ns {
                open.reach(event);
            }
            return;
        }
        self.close();
        let mut open = Open {
            passed: Passed {
                session: SmolStr::new(String::from_utf8_lossy(event.session)),
                first_sequence: event.sequence,
                first_ns: event.ended_ns,
                last_sequence: event.sequence,
                has_cookie: event.place.has_cookie(),
                until: At {
                    boottime_ns: event.ended_ns,
                    timestamp: Moment::new(0),
                    sequence: event.sequence,
                },
            },
            timestamp: [0; TIMESTAMP_LEN],
        };
        open.reach(event);
        self.open = Some(open);
    }

    /// All of them so far; a new one begins.
    pub(super) fn take(&mut self) -> Vec<Passed> {
        self.close();
        std::mem::take(&mut self.whole)
    }

    fn close(&mut self) {
        if let Some(Open {
            mut passed,
            timestamp,
        }) = self.open.take()
        {
            passed.until.timestamp = moment(&timestamp);
            self.whole.push(passed);
        }
    }
}

impl Open {
    fn goes_on(&self, event: &Checked<'_>) -> bool {
        let last = self.passed.last_sequence;
        let is_next = match event.sequence {
            // Without numbers.
            0 => last == 0,
            sequence => last != 0 && sequence - 1 == last,
        };
        is_next && self.passed.session.as_bytes() == event.session
    }

    fn reach(&mut self, event: &Checked<'_>) {
        self.passed.until.boottime_ns = event.ended_ns;
        self.passed.until.sequence = event.sequence;
        if let Some(timestamp) = event.timestamp.first_chunk() {
            self.timestamp = *timestamp;
        }
    }
}

/// The check sees that it looks like one; a thirteenth month gives 1970.
fn moment(timestamp: &[u8]) -> Moment {
    let text = str::from_utf8(timestamp).unwrap_or_default();
    let moment: Result<_, serde::de::value::Error> = Moment::deserialize(text.into_deserializer());
    moment.unwrap_or_else(|_| Moment::new(0))
}
