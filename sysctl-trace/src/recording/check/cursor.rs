//! A line, from where it is not checked yet: the pieces that JSON is made of.

use std::array;

/// Parts that need not be checked again where they stand as they stood before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Head,
    Host,
    Program,
    Standing,
    Capabilities,
    Ancestor,
    Ancestors,
    Surroundings,
    Component,
    Container,
    Kubernetes,
    Owner,
}

/// One for each [`Part`].
const PARTS: usize = Part::Owner as usize + 1;
/// So many texts of each part are kept: what happens to several containers at a time takes turns.
const KEPT: usize = 8;
/// Longer ones are checked each time, so that what is kept stays small.
const KEPT_BYTES_MAX: usize = 8 * 1024;
/// Numbers of so many digits are all below 2^64.
const DIGITS_MAX: usize = 19;

/// The texts that were checked, of each part the one that was met last to the front.
#[derive(Debug)]
pub(super) struct Known([[Vec<u8>; KEPT]; PARTS]);

/// A line, from where it is not checked yet. What gives up says `None`.
pub(super) struct Cursor<'a, 'c> {
    rest: &'a [u8],
    known: &'c mut Known,
}

impl Default for Known {
    fn default() -> Self {
        Self(array::from_fn(|_| array::from_fn(|_| Vec::new())))
    }
}

impl Known {
    /// How long the part is that these bytes begin with, where it is known.
    fn len_at(&mut self, part: Part, bytes: &[u8]) -> Option<usize> {
        let texts = &mut self.0[part as usize];
        let is_here = |text: &Vec<u8>| !text.is_empty() && bytes.starts_with(text);
        let at = texts.iter().position(is_here)?;
        texts[..=at].rotate_right(1);
        Some(texts[0].len())
    }

    fn keep(&mut self, part: Part, text: &[u8]) {
        if text.len() > KEPT_BYTES_MAX {
            return;
        }
        let texts = &mut self.0[part as usize];
        texts.rotate_right(1);
        texts[0].clear();
        texts[0].extend_from_slice(text);
    }
}

impl<'a, 'c> Cursor<'a, 'c> {
    pub(super) const fn new(line: &'a [u8], known: &'c mut Known) -> Self {
        Self { rest: line, known }
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Goes on behind these bytes, if they are next.
    #[inline]
    pub(super) fn has<const N: usize>(&mut self, bytes: &[u8; N]) -> bool {
        match self.rest.split_first_chunk() {
            Some((first, rest)) if first == bytes => {
                self.rest = rest;
                true
            }
            Some(_) | None => false,
        }
    }

    #[inline]
    pub(super) fn skip<const N: usize>(&mut self, bytes: &[u8; N]) -> Option<()> {
        self.has(bytes).then_some(())
    }

    /// A part that was checked before, or is now. It ends with a bracket, a colon or a quote, so that
    /// it can't go on behind what is known.
    pub(super) fn part(
        &mut self,
        part: Part,
        check: fn(&mut Self) -> Option<()>,
    ) -> Option<&'a [u8]> {
        let before = self.rest;
        if let Some(len) = self.known.len_at(part, before) {
            let (own, rest) = before.split_at(len);
            self.rest = rest;
            return Some(own);
        }
        check(self)?;
        let own = &before[..before.len() - self.rest.len()];
        self.known.keep(part, own);
        Some(own)
    }

    /// One of these texts, with the quote behind it; which.
    pub(super) fn one_of(&mut self, texts: &[&'static [u8]]) -> Option<&'static [u8]> {
        let found = texts.iter().find(|text| {
            let rest = self.rest.strip_prefix(**text);
            rest.is_some_and(|rest| rest.first() == Some(&b'"'))
        })?;
        self.rest = &self.rest[found.len() + 1..];
        Some(found)
    }

    /// A text behind its quote, with the one at its end; as it is written. Gives up where a character
    /// is written as a number.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let bytes = self.rest;
        let mut at = 0;
        let mut is_ascii = true;
        loop {
            at += ordinary(&bytes[at..]);
            match *bytes.get(at)? {
                b'"' => break,
                b'\\' => {
                    let escaped = bytes.get(at + 1)?;
                    if !b"\"\\/bfnrt".contains(escaped) {
                        return None;
                    }
                    at += 2;
                }
                0x80.. => {
                    is_ascii = false;
                    at += 1;
                }
                ..0x20 => return None,
                _ => at += 1,
            }
        }
        let (text, rest) = bytes.split_at(at);
        self.rest = &rest[1..];
        (is_ascii || str::from_utf8(text).is_ok()).then_some(text)
    }

    /// A text without anything escaped.
    pub(super) fn plain(&mut self) -> Option<&'a [u8]> {
        self.text().filter(|text| !text.contains(&b'\\'))
    }

    /// A text that need not be there; whether it is.
    #[inline]
    pub(super) fn optional<const N: usize>(&mut self, name: &[u8; N]) -> Option<bool> {
        match self.has(name) {
            true => self.text().map(|_| true),
            false => Some(false),
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self) -> Option<()> {
        self.skip(b"[")?;
        self.each(b"]", |own| {
            own.skip(b"\"")?;
            own.text().map(|_| ())
        })
    }

    /// A list, or an object, of others; its first bracket is behind.
    pub(super) fn each(&mut self, end: &[u8; 1], one: fn(&mut Self) -> Option<()>) -> Option<()> {
        if self.has(end) {
            return Some(());
        }
        loop {
            one(self)?;
            if self.has(end) {
                return Some(());
            }
            self.skip(b",")?;
        }
    }

    /// Whether a member of this name is next, behind a comma where it is not the first.
    pub(super) fn field(&mut self, is_first: &mut bool, name: &str) -> bool {
        let start: &[u8] = if *is_first { b"\"" } else { b",\"" };
        let rest = self.rest.strip_prefix(start);
        let rest = rest.and_then(|rest| rest.strip_prefix(name.as_bytes()));
        match rest.and_then(|rest| rest.strip_prefix(b"\":")) {
            Some(rest) => {
                self.rest = rest;
                *is_first = false;
                true
            }
            None => false,
        }
    }

    /// A number; gives up on the largest ones.
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number: u64 = 0;
        let mut len = 0;
        for byte in self.rest.iter().take(DIGITS_MAX + 1) {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
            len += 1;
        }
        let (digits, rest) = self.rest.split_at(len);
        self.rest = rest;
        let is_padded = len > 1 && digits[0] == b'0';
        (len > 0 && len <= DIGITS_MAX && !is_padded).then_some(number)
    }

    pub(super) fn number_u32(&mut self) -> Option<u32> {
        self.number()?.try_into().ok()
    }

    /// A moment with nine digits, and the quote behind it. Gives up on the last days of a month that
    /// not each has.
    pub(super) fn moment(&mut self) -> Option<&'a [u8]> {
        const FORM: &[u8; 31] = b"0000-00-00T00:00:00.000000000Z\"";
        let (text, rest) = self.rest.split_first_chunk::<{ FORM.len() }>()?;
        let is_like = |(form, byte): (&u8, &u8)| match form {
            b'0' => byte.is_ascii_digit(),
            form => form == byte,
        };
        if !FORM.iter().zip(text).all(is_like) {
            return None;
        }
        let two = |at: usize| (text[at] - b'0') * 10 + (text[at + 1] - b'0');
        let (century, month, day) = (two(0), two(5), two(8));
        let is_day = (1..=12).contains(&month)
            && day >= 1
            && (day <= 28 || day <= 30 && month != 2)
            && (1..=98).contains(&century);
        let is_time = two(11) <= 23 && two(14) <= 59 && two(17) <= 59;
        if !is_day || !is_time {
            return None;
        }
        self.rest = rest;
        Some(&text[..FORM.len() - 1])
    }
}

/// How many bytes, of those at the beginning, stand for themselves in a text; it may be fewer.
fn ordinary(bytes: &[u8]) -> usize {
    const fn each(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    /// Marks bytes that are less than `limit`; above the first one there may be more marks.
    const fn below(word: u64, limit: u8) -> u64 {
        word.wrapping_sub(each(limit)) & !word & each(0x80)
    }
    let (words, _) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let special = below(word, 0x20)
            | below(word ^ each(b'"'), 1)
            | below(word ^ each(b'\\'), 1)
            | word & each(0x80);
        if special != 0 {
            return at + (special.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at
}
