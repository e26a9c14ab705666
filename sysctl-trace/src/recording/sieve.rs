//! Which lines may name what is meant, told from their bytes.
//!
//! What is searched for can't be written in JSON in more than one way, but for escapes: letters and
//! digits within a text. Such characters can only be escaped as `\u….`, and a line that has one of
//! these is parsed in any case. So a line that may matter is never passed over; of those that are let
//! through many turn out not to matter.

use memchr::memmem::Finder;

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

#[cfg(test)]
#[path = "sieve_tests.rs"]
mod tests;
