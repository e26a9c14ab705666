//! Where a session gets its events from: the tracer, or a test.

use crate::{
    event::{Event, Lost},
    tracer::{Error, Tracer},
};

/// A stream of events. [`Tracer`] says what the functions do.
pub trait Source {
    /// Waits for events and appends them. Safe to cancel.
    fn next(&mut self, events: &mut Vec<Event>) -> impl Future<Output = Result<(), Error>>;

    /// Appends what is there, without waiting.
    fn drain(&mut self, events: &mut Vec<Event>) -> Result<(), Error>;

    /// Everything lost since the start.
    fn lost(&self) -> Lost;

    /// Appends what need not wait, so that [`Source::whole_until_ns`] moves on.
    fn catch_up(&mut self, events: &mut Vec<Event>) -> Result<(), Error>;

    /// Up to when everything was handed over, in nanoseconds since boot.
    fn whole_until_ns(&self) -> u64;
}

impl Source for Tracer {
    fn next(&mut self, events: &mut Vec<Event>) -> impl Future<Output = Result<(), Error>> {
        Self::next(self, events)
    }

    fn drain(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        Self::drain(self, events)
    }

    fn lost(&self) -> Lost {
        Self::lost(self)
    }

    fn catch_up(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        Self::catch_up(self, events)
    }

    fn whole_until_ns(&self) -> u64 {
        Self::whole_until_ns(self)
    }
}
