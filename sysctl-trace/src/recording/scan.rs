//! The lines of a piece, looked at no closer than needed.

use memchr::memmem::Finder;

use super::{
    Problem, Question,
    glance::{Glance, Heads},
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
    escape: Finder<'static>,
    pub(super) inum: Finder<'static>,
    has_target: bool,
}

/// A line, and what stands in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'p> {
    /// Without blanks around it; may be empty.
    pub(super) text: &'p [u8],
    /// Whether it may name what is meant.
    pub(super) may_name: bool,
    /// Whether it may tell of a meant key.
    pub(super) may_have_key: bool,
    /// Whether letters in it may be written as something else.
    is_escaped: bool,
    /// Whether it is the last line, and has no end.
    pub(super) is_open: bool,
}

/// What a line is, as far as it was looked at.
#[derive(Debug)]
pub(super) enum Seen<'p> {
    /// An event that does not matter any further.
    Glance(Glance<'p>),
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
            escape: Finder::new(b"\\u"),
            inum: Finder::new(sieve::INUM),
            has_target: question.target.is_some(),
        }
    }

    /// The lines of a piece.
    pub(super) fn looks<'a>(&'a self, piece: &Piece<'a>) -> impl Iterator<Item = Look<'a>> {
        let Piece { lines, is_last } = *piece;
        let hits = |finder: &'a Option<Finder<'q>>| {
            let finder = finder.as_ref();
            finder.map(|finder| Hits::new(finder, lines))
        };
        let mut target = hits(&self.target);
        let mut keys = hits(&self.keys);
        let mut escape = Hits::new(&self.escape, lines);
        ranges(lines).map(move |range| {
            let is_in = |hits: &mut Option<Hits<'_, '_>>| match hits {
                Some(hits) => hits.is_in(range.start, range.end),
                None => true,
            };
            Look {
                may_name: self.has_target && is_in(&mut target),
                may_have_key: is_in(&mut keys),
                is_escaped: escape.is_in(range.start, range.end),
                is_open: is_last && range.end == lines.len(),
                text: lines[range].trim_ascii(),
            }
        })
    }
}

impl<'p> Look<'p> {
    /// Looks at it, and closer where `matters` says so or a glance is not enough.
    pub(super) fn see(
        self,
        heads: &mut Heads,
        matters: impl FnOnce(&Glance<'p>) -> bool,
    ) -> Seen<'p> {
        let glance = match self.is_escaped {
            true => None,
            false => heads.glance(self.text),
        };
        let is_new = glance.is_none();
        if let Some(glance) = glance
            && !matters(&glance)
        {
            return Seen::Glance(glance);
        }
        match line::parse(self.text) {
            Line::Event(event) => {
                if is_new {
                    heads.learn(self.text, &event);
                }
                Seen::Event(event)
            }
            Line::Unknown { problem, outline } => Seen::Unknown { problem, outline },
        }
    }
}
