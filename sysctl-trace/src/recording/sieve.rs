//! Which lines may matter, told from their bytes.
//!
//! What is searched for can't be written in JSON in more than one way, but for escapes: digits of a
//! number, the name of a field, letters and digits within a text. Such characters can only be escaped
//! as `\u….`, so a line that has one of these is parsed in any case. White space
//! between a name and its value is allowed for. So a line that may matter is never passed over; of
//! those that are let through many turn out not to matter.

use memchr::memmem::Finder;

use crate::ledger::Place;

/// The plain part of a name that is searched for: the longest without a character that JSON can write
/// in a way of its own. Of a path, and of `NAMESPACE/NAME`, it is in the last part, as the others stand
/// in many lines, or apart from it. There may be none.
pub fn needle(name: &str) -> Option<&str> {
    let last = name.rsplit('/').find(|part| !part.is_empty())?;
    longest(last, is_plain)
}

/// The same of a pattern: what stands in all that it fits.
pub fn glob_needle(pattern: &str) -> Option<&str> {
    // Alternatives and what is escaped would want more thought than they are worth.
    if pattern.contains(['{', '[', '\\', '!']) {
        return None;
    }
    longest(pattern, is_plain)
}

fn longest(text: &str, is_plain: fn(char) -> bool) -> Option<&str> {
    text.split(|char| !is_plain(char))
        .filter(|part| !part.is_empty())
        .max_by_key(|part| part.len())
}

const fn is_plain(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.' | ':' | '@')
}

/// Where a text stands in a piece, asked of its lines one after the other: the search goes on from
/// one hit to the next, however many lines lie between.
#[derive(Debug)]
pub(super) struct Hits<'n, 'p> {
    finder: &'n Finder<'n>,
    piece: &'p [u8],
    /// The hit that is not before the last line asked for; the end of the piece where there is none.
    next: Option<usize>,
}

impl<'n, 'p> Hits<'n, 'p> {
    pub(super) const fn new(finder: &'n Finder<'n>, piece: &'p [u8]) -> Self {
        Self {
            finder,
            piece,
            next: None,
        }
    }

    /// Whether it stands in this part of the piece, which is not before the one asked for last.
    pub(super) fn is_in(&mut self, start: usize, end: usize) -> bool {
        let next = match self.next {
            Some(next) if next >= start => next,
            Some(_) | None => {
                let rest = &self.piece[start..];
                let next = self.finder.find(rest);
                next.map_or(self.piece.len(), |at| start + at)
            }
        };
        self.next = Some(next);
        next < end
    }
}

/// Name of the field that numbers a network namespace.
pub(super) const INUM: &[u8] = b"\"inum\"";

/// The number of what has none.
pub(super) const NONE: u32 = 0;

/// The number of a place.
pub(super) const fn inum(place: &Place) -> u32 {
    match place {
        Place::Node => NONE,
        Place::Netns(id) => id.inum,
    }
}

/// All numbers that a line's network namespace may have, [`NONE`] where it may have none.
pub(super) fn inums(line: &[u8], finder: &Finder<'_>, mut take: impl FnMut(u32)) {
    let mut at = 0;
    let mut is_netns = false;
    while let Some(found) = finder.find(&line[at..]) {
        let before = &line[..at + found];
        at += found + INUM.len();
        is_netns |= before.ends_with(b",\"netns\":{");
        if let Some(inum) = number_after_colon(&line[at..]) {
            take(inum);
        }
    }
    // It may be of something else, in a field that others added.
    if !is_netns {
        take(NONE);
    }
}

fn number_after_colon(text: &[u8]) -> Option<u32> {
    let text = text.trim_ascii_start().strip_prefix(b":")?;
    let text = text.trim_ascii_start();
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    let digits = &text[..end.unwrap_or(text.len())];
    str::from_utf8(digits).ok()?.parse().ok()
}

/// A set of numbers that may say yes where it should say no, and never the other way round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks([u64; 8]);

impl Marks {
    pub(super) const fn set(&mut self, inum: u32) {
        let (word, bit) = Self::place(inum);
        self.0[word] |= bit;
    }

    pub(super) const fn may_have(&self, inum: u32) -> bool {
        let (word, bit) = Self::place(inum);
        self.0[word] & bit != 0
    }

    /// Numbers of namespaces follow one another, so the lowest bits tell them apart best.
    const fn place(inum: u32) -> (usize, u64) {
        ((inum / 64 % 8) as usize, 1 << (inum % 64))
    }
}

#[cfg(test)]
#[path = "sieve_tests.rs"]
mod tests;
