//! Events that went by, as runs without a hole.

use serde::{Deserialize as _, de::IntoDeserializer as _};
use smol_str::SmolStr;

use super::glance::Glance;
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
    pub(super) fn add(&mut self, glance: &Glance<'_>) {
        if let Some(open) = &mut self.open
            && open.goes_on(glance)
        {
            open.passed.last_sequence = glance.sequence;
            if glance.ended_ns > open.passed.until.boottime_ns {
                open.reach(glance);
            }
            return;
        }
        self.close();
        let mut open = Open {
            passed: Passed {
                session: SmolStr::new(glance.session),
                first_sequence: glance.sequence,
                first_ns: glance.ended_ns,
                last_sequence: glance.sequence,
                until: At {
                    boottime_ns: glance.ended_ns,
                    timestamp: Moment::new(0),
                    sequence: glance.sequence,
                },
            },
            timestamp: [0; TIMESTAMP_LEN],
        };
        open.reach(glance);
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
    fn goes_on(&self, glance: &Glance<'_>) -> bool {
        let last = self.passed.last_sequence;
        let is_next = match glance.sequence {
            // Without numbers.
            0 => last == 0,
            sequence => last != 0 && sequence - 1 == last,
        };
        is_next && self.passed.session == *glance.session
    }

    fn reach(&mut self, glance: &Glance<'_>) {
        self.passed.until.boottime_ns = glance.ended_ns;
        self.passed.until.sequence = glance.sequence;
        if let Some(timestamp) = glance.timestamp.as_bytes().first_chunk() {
            self.timestamp = *timestamp;
        }
    }
}

/// A glance sees that it looks like one; a thirteenth month gives 1970.
fn moment(timestamp: &[u8]) -> Moment {
    let text = str::from_utf8(timestamp).unwrap_or_default();
    let moment: Result<_, serde::de::value::Error> = Moment::deserialize(text.into_deserializer());
    moment.unwrap_or_else(|_| Moment::new(0))
}
