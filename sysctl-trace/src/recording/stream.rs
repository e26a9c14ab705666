//! A pipe, read once: what all namespaces were is kept, as far as there is room.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read as _},
};

use memchr::{memchr, memrchr};

use super::{
    Account, Error, MAGIC_LEN, MEANT_MAX, Question, Source, Tally,
    check::Checked,
    lines::{LINE_MAX, Piece},
    parts,
    read::{Item, Keeper},
    scan::{Look, Needles, Seen},
    tally::Boots,
};
use crate::ledger::Place;

/// What is read at a time; a line may be longer.
const BUFFER_BYTES: usize = 64 * 1024;

/// Reads all of it.
pub(super) fn read(
    source: &Source,
    mut stream: &File,
    question: &Question<'_>,
) -> Result<Account, Error> {
    let needles = Needles::of(question);
    let mut reader = Reader {
        question,
        keeper: Keeper::new(),
        boots: Boots::default(),
        places: BTreeSet::new(),
        tally: Tally::default(),
    };
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut filled = 0;
    let mut is_begun = false;
    // Whether what comes belongs to a line that is too long.
    let mut is_too_long = false;
    loop {
        let read = match stream.read(&mut buffer[filled..]) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::reading(source, error)),
        };
        filled += read;
        let is_last = read == 0;
        let mut start = 0;
        if !is_begun {
            if filled < MAGIC_LEN && !is_last {
                continue;
            }
            start = super::begin(source, &buffer[..filled])?;
            is_begun = true;
        }
        if is_too_long {
            let newline = memchr(b'\n', &buffer[..filled]);
            start = newline.map_or(filled, |newline| newline + 1);
            is_too_long = newline.is_none();
        }
        let newline = memrchr(b'\n', &buffer[start..filled]);
        let is_over_long = newline.is_none() && filled - start >= LINE_MAX;
        let whole = match newline {
            Some(newline) if !is_last => start + newline + 1,
            None if !is_last && !is_over_long => start,
            Some(_) | None => filled,
        };
        let piece = Piece {
            lines: &buffer[start..whole],
            is_last,
            is_too_long: is_over_long,
        };
        for look in needles.looks(&piece) {
            reader.line(look);
        }
        is_too_long |= is_over_long;
        reader.tally.refuse_other_major(source)?;
        if is_last {
            return reader.finish(source);
        }
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
        if filled == buffer.len() {
            buffer.resize(filled * 2, 0);
        }
    }
}

struct Reader<'r> {
    question: &'r Question<'r>,
    keeper: Keeper,
    boots: Boots,
    places: BTreeSet<Place>,
    tally: Tally,
}

impl Reader<'_> {
    fn line(&mut self, look: Look<'_>) {
        self.tally.lines += 1;
        if look.is_empty() {
            return;
        }
        // Everything may matter.
        match look.parse() {
            Seen::Checked(_) => {}
            Seen::Event(event) => {
                self.tally.events += 1;
                let checked = Checked::of(&event);
                self.boots.count(checked.boot, checked.host, 1);
                if self.question.is_boot(checked.boot) {
                    let target = self.question.target;
                    let place = target.and_then(|target| (target.names)(&event));
                    if self.places.len() < MEANT_MAX {
                        self.places.extend(place);
                    }
                    let part = parts::of_all(&event, self.question.keys);
                    self.keeper.take(Item::Event(event, part));
                }
            }
            Seen::Unknown { .. } if look.is_open => self.tally.is_cut = true,
            Seen::Unknown { problem, outline } => {
                self.tally.not_understood(problem);
                let boot = outline.as_ref().map(|(boot, _)| boot);
                if boot.is_none_or(|boot| self.question.is_boot(boot.as_bytes())) {
                    let passed = outline.map(|(_, passed)| passed);
                    self.keeper.take(Item::Unknown(passed));
                }
            }
        }
    }

    fn finish(self, source: &Source) -> Result<Account, Error> {
        self.tally.refuse_nothing(source)?;
        self.boots.check(source, self.question.boot)?;
        if self.places.len() >= MEANT_MAX {
            return Err(Error::TooMany(MEANT_MAX));
        }
        Ok(Account {
            ledger: self.keeper.finish(),
            places: self.places,
            tally: self.tally,
        })
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
