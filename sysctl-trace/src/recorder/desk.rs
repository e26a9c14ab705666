//! Questions that wait until all that happened before them is known.

use std::time::{Duration, Instant};

use super::server::Question;
use crate::ledger::{Ledger, Place};

/// The questions that are not answered yet.
#[derive(Debug)]
pub struct Desk {
    patience: Duration,
    waiting: Vec<(Instant, Question)>,
}

impl Desk {
    /// Nothing was asked yet. A question waits so long at most: then the answer says itself up to
    /// when it is whole.
    pub const fn new(patience: Duration) -> Self {
        Self {
            patience,
            waiting: Vec::new(),
        }
    }

    /// Takes a question.
    pub fn take(&mut self, question: Question, now: Instant) {
        self.waiting.push((now + self.patience, question));
    }

    /// Whether one waits.
    pub const fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Answers those that can be answered, by a ledger that is whole up to a moment. `is_open` says
    /// of a place that its values are still being compared.
    pub fn answer(
        &mut self,
        ledger: &Ledger,
        whole_until_ns: u64,
        now: Instant,
        is_open: impl Fn(Place) -> bool,
    ) {
        let is_ready = |(due, question): &mut (Instant, Question)| {
            let is_whole = question.asked_ns <= whole_until_ns;
            let is_compared = !question.request.places().iter().copied().any(&is_open);
            (is_whole && is_compared) || *due <= now
        };
        for (_, question) in self.waiting.extract_if(.., is_ready) {
            let response = question.request.answer(ledger);
            question.answer(&response);
        }
    }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
