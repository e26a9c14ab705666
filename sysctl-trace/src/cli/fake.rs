//! A source of events for tests.

use std::collections::VecDeque;

use super::source::Source;
use crate::{
    event::{Event, Lost},
    tracer::Error,
};

/// Gives one batch at a time, then nothing more.
#[derive(Debug, Default)]
pub struct Fake {
    /// What [`Source::next`] gives.
    pub batches: VecDeque<Vec<Event>>,
    /// What [`Source::drain`] gives.
    pub rest: Vec<Event>,
    /// What [`Source::lost`] says.
    pub lost: Lost,
    /// What [`Source::whole_until_ns`] says after each [`Source::catch_up`], which gives a batch.
    pub whole_until_ns: VecDeque<u64>,
}

impl Source for Fake {
    async fn next(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        match self.batches.pop_front() {
            Some(batch) => {
                events.extend(batch);
                Ok(())
            }
            None => std::future::pending().await,
        }
    }

    fn drain(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        for batch in self.batches.drain(..) {
            events.extend(batch);
        }
        events.append(&mut self.rest);
        Ok(())
    }

    fn lost(&self) -> Lost {
        self.lost
    }

    fn catch_up(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        events.extend(self.batches.pop_front().unwrap_or_default());
        if self.whole_until_ns.len() > 1 {
            self.whole_until_ns.pop_front();
        }
        Ok(())
    }

    fn whole_until_ns(&self) -> u64 {
        self.whole_until_ns.front().copied().unwrap_or_default()
    }
}
