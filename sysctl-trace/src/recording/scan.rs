//! The lines of a piece, looked at no closer than needed.

use memchr::memmem::Finder;

use super::{
    Problem, Question,
    check::{Checked, Checker},
    line::{self, Line},
    lines::{Piece, ranges},
    sieve::{self, Hits},
};
use crate::{event::Event, ledger::Passed};

/// What is searched for.
#[derive(Debug)]
pub(super) struct Needles<'q> {
    target: Option<Finder<'q>>,
    keys: Option<Finder<'q>>,
    keys_besides: Option<Finder<'q>>,
    has_target: bool,
}

/// A line, and what stands in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'p> {
    /// Without blanks around it.
    pub(super) text: &'p [u8],
    /// Whether it may name what is meant.
    pub(super) may_name: bool,
    /// Whether it is the last line, and has no end.
    pub(super) is_open: bool,
    /// Whether it is the beginning of a line that is too long.
    pub(super) is_too_long: bool,
}

/// What a line is, as far as it was looked at.
#[derive(Debug)]
pub(super) enum Seen<'p> {
    /// An event that does not matter any further.
    Checked(Checked<'p>),
    /// An event.
    Event(Box<Event>),
    /// As [`Line::Unknown`].
    Unknown {
        problem: Problem,
        outline: Option<(String, Passed)>,
    },
}

impl<'q> Needles<'q> {
    pub(super) fn of(question: &Question<'q>) -> Self {
        let finder = |text: Option<&'q str>| {
            let needle = text.and_then(sieve::needle);
            needle.map(|needle| Finder::new(needle.as_bytes()))
        };
        Self {
            target: finder(question.target.and_then(|target| target.needle)),
            keys: finder(question.keys.needle),
            keys_besides: finder(question.keys.besides),
            has_target: question.target.is_some(),
        }
    }

    /// Whether an event of one key may be of one that is meant.
    pub(super) fn may_have_key(&self, checked: &Checked<'_>) -> bool {
        let names = [checked.key, checked.path];
        let is_in = |needle: &Finder<'_>| names.iter().any(|name| needle.find(name).is_some());
        self.keys.as_ref().is_none_or(is_in) || self.keys_besides.as_ref().is_some_and(is_in)
    }

    /// The lines of a piece.
    pub(super) fn looks<'a>(&'a self, piece: &Piece<'a>) -> impl Iterator<Item = Look<'a>> {
        let Piece {
            lines,
            is_last,
            is_too_long,
        } = *piece;
        let hits = |finder: &'a Option<Finder<'q>>| {
            let finder = finder.as_ref();
            finder.map(|finder| Hits::new(finder, lines))
        };
        let mut target = hits(&self.target);
        ranges(lines).map(move |range| {
            let is_in = |hits: &mut Option<Hits<'_, '_>>| match hits {
                Some(hits) => hits.is_in(range.start, range.end),
                None => true,
            };
            Look {
                may_name: self.has_target && is_in(&mut target),
                is_open: is_last && range.end == lines.len(),
                is_too_long,
                text: lines[range].trim_ascii(),
            }
        })
    }
}

impl<'p> Look<'p> {
    /// Whether there is nothing in it.
    pub(super) const fn is_empty(&self) -> bool {
        self.text.is_empty() && !self.is_too_long
    }

    /// Checks it, and parses it where `matters` says so or the check is not enough.
    pub(super) fn see(
        self,
        checker: &mut Checker,
        matters: impl FnOnce(&Checked<'p>) -> bool,
    ) -> Seen<'p> {
        if self.is_too_long {
            return self.parse();
        }
        match checker.check(self.text) {
            Some(checked) if !matters(&checked) => Seen::Checked(checked),
            Some(_) | None => self.parse(),
        }
    }

    /// Parses it.
    pub(super) fn parse(self) -> Seen<'p> {
        if self.is_too_long {
            return Seen::Unknown {
                problem: Problem::TooLong,
                outline: None,
            };
        }
        match line::parse(self.text) {
            Line::Event(event) => Seen::Event(event),
            Line::Unknown { problem, outline } => Seen::Unknown { problem, outline },
        }
    }
}
