//! The first reading of a file: which namespaces are meant, which is the node's own, and what stands
//! in each block.

use std::{collections::BTreeSet, fs::File, io, ops::Range};

use super::{
    Error, MEANT_MAX, Question, Source, Tally,
    blocks::{Give, in_order},
    check::{Checked, Checker},
    lines::{Buffer, Pieces},
    parts::Wanted,
    runs::Runs,
    scan::{Look, Needles, Seen},
    tally::Boots,
};
use crate::{
    event::{Action, Event, Netns},
    ledger::{Passed, Place, is_usable},
};

/// So many blocks at most, however large the file is: less than half a kilobyte each.
const BLOCKS_MAX: u64 = 16 * 1024;
/// What a block has at least.
const BLOCK_BYTES_MIN: u64 = 256 * 1024;
/// More runs of a block are not kept; it is read again instead.
const RUNS_MAX: usize = 4;

/// The parts that a file is read in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blocks {
    /// Where the recording begins and ends.
    pub(super) whole: Range<u64>,
    /// Bytes of each but the last.
    pub(super) bytes: u64,
}

impl Blocks {
    pub(super) fn of(whole: Range<u64>) -> Self {
        let bytes = whole.end.saturating_sub(whole.start).div_ceil(BLOCKS_MAX);
        Self {
            bytes: bytes.max(BLOCK_BYTES_MIN),
            whole,
        }
    }

    pub(super) fn count(&self) -> usize {
        let len = self.whole.end.saturating_sub(self.whole.start);
        usize::try_from(len.div_ceil(self.bytes)).unwrap_or(usize::MAX)
    }

    pub(super) fn range(&self, block: usize) -> Range<u64> {
        let start = self.whole.start + block as u64 * self.bytes;
        start..(start + self.bytes).min(self.whole.end)
    }
}

/// What stands in a block.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The namespaces that its events are about.
    about: Marks,
    /// Those of events that may tell of a meant key.
    keys: Marks,
    /// The runs that its events make up, where there are few.
    pub(super) runs: Vec<Passed>,
    /// Whether something in it matters to every question.
    always: bool,
    /// How many of its events tell of an owner.
    owners: usize,
}

impl Index {
    /// Whether some line of the block may be wanted.
    pub(super) fn may_have(&self, wanted: &Wanted, has_owners: bool) -> bool {
        let (meant, node) = wanted.inums();
        self.always
            || (has_owners && self.owners > 0)
            || meant.iter().any(|inum| self.about.may_have(*inum))
            || node.iter().any(|inum| self.keys.may_have(*inum))
    }
}

impl Index {
    fn note(&mut self, checked: &Checked<'_>, has_key: bool) {
        let inum = inum(&checked.place);
        self.about.set(inum);
        if has_key || checked.place.lacks_cookie() {
            self.keys.set(inum);
        }
        self.owners += usize::from(checked.action == Action::NetnsBind);
    }
}

/// What the first reading finds out.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) tally: Tally,
    pub(super) boots: Boots,
    pub(super) meant: BTreeSet<Place>,
    pub(super) node: BTreeSet<Place>,
    pub(super) blocks: Vec<Index>,
}

/// The same of one block.
#[derive(Debug, Default)]
struct Found {
    tally: Tally,
    boots: Boots,
    meant: BTreeSet<Place>,
    node: BTreeSet<Place>,
    index: Index,
    runs: Runs,
}

/// What a worker keeps from one block to the next.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub(super) buffer: Buffer,
    pub(super) checker: Checker,
}

/// Reads a file for the first time.
pub(super) fn survey(
    source: &Source,
    file: &File,
    blocks: &Blocks,
    question: &Question<'_>,
) -> Result<Survey, Error> {
    let needles = Needles::of(question);
    let work = |own: &mut Own, block: usize, give: Give<'_, Found>| {
        let mut found = Found::default();
        found
            .read(own, file, blocks, block, question, &needles)
            .map_err(|error| Error::reading(source, error))?;
        // Where nothing is wanted any more, the error is known already.
        let _ = give(found);
        Ok(())
    };
    let mut survey = Survey::default();
    in_order(blocks.count(), work, |_, found| survey.add(source, found))?;
    Ok(survey)
}

impl Survey {
    /// The first of the blocks that have, at the end, so many owners.
    pub(super) fn latest_owners(&self, count: usize) -> usize {
        let mut left = count;
        let earlier = self.blocks.iter().rposition(|block| {
            let is_enough = left == 0;
            left = left.saturating_sub(block.owners);
            is_enough
        });
        earlier.map_or(0, |earlier| earlier + 1)
    }

    fn add(&mut self, source: &Source, found: Found) -> Result<(), Error> {
        self.tally.add(found.tally);
        self.tally.refuse_other_major(source)?;
        self.boots.add(found.boots);
        self.meant.extend(found.meant);
        if self.meant.len() > MEANT_MAX {
            return Err(Error::TooMany(MEANT_MAX));
        }
        self.node.extend(found.node);
        self.blocks.push(found.index);
        Ok(())
    }
}

impl Found {
    fn read(
        &mut self,
        own: &mut Own,
        file: &File,
        blocks: &Blocks,
        block: usize,
        question: &Question<'_>,
        needles: &Needles<'_>,
    ) -> io::Result<()> {
        let Own { buffer, checker } = own;
        let range = blocks.range(block);
        let mut pieces = Pieces::new(file, buffer, range, blocks.whole.clone())?;
        while let Some(piece) = pieces.next()? {
            for look in needles.looks(&piece) {
                self.line(look, checker, question, needles);
            }
        }
        let runs = self.runs.take();
        if runs.len() > RUNS_MAX {
            self.index.always = true;
        } else {
            self.index.runs = runs;
        }
        Ok(())
    }

    fn line(
        &mut self,
        look: Look<'_>,
        checker: &mut Checker,
        question: &Question<'_>,
        needles: &Needles<'_>,
    ) {
        self.tally.lines += 1;
        if look.is_empty() {
            return;
        }
        let matters = |checked: &Checked<'_>| {
            look.may_name
                || matches!(
                    checked.action,
                    Action::TraceStart | Action::TraceEnd | Action::EventsLost
                )
        };
        match look.see(checker, matters) {
            Seen::Checked(checked) => {
                if self.count(&checked, question) {
                    let has_key = checked.is_of_key(|checked| needles.may_have_key(checked));
                    self.index.note(&checked, has_key);
                }
            }
            Seen::Event(event) => {
                let checked = Checked::of(&event);
                if self.count(&checked, question) {
                    let sysctl = event.sysctl.as_ref();
                    let is_meant = sysctl.is_some_and(|sysctl| (question.keys.are_meant)(sysctl));
                    self.index.note(&checked, checked.is_of_key(|_| is_meant));
                    self.note_event(&event, question);
                }
            }
            Seen::Unknown { .. } if look.is_open => self.tally.is_cut = true,
            Seen::Unknown { problem, .. } => {
                self.tally.not_understood(problem);
                self.index.always = true;
            }
        }
    }

    /// Counts an event; whether it is of the boot that is meant.
    fn count(&mut self, checked: &Checked<'_>, question: &Question<'_>) -> bool {
        self.tally.events += 1;
        self.boots.count(checked.boot, checked.host, 1);
        let is_meant = question.is_boot(checked.boot);
        if is_meant {
            self.runs.add(checked);
        }
        is_meant
    }

    fn note_event(&mut self, event: &Event, question: &Question<'_>) {
        if let Some(target) = &question.target {
            self.meant.extend((target.names)(event));
        }
        let has_inum = |netns: &Netns| netns.inum.is_some();
        // Such a line may be of any namespace.
        self.index.always |= !is_usable(event) || !event.netns.as_ref().is_none_or(has_inum);
        match event.event.action {
            Action::TraceStart => {
                self.index.always = true;
                self.node.insert(Place::of(event));
            }
            Action::EventsLost | Action::TraceEnd => self.index.always = true,
            Action::NetnsBind
            | Action::NetnsCreate
            | Action::NetnsDestroy
            | Action::SysctlWrite
            | Action::NetnsEnter
            | Action::SysctlRegister
            | Action::SysctlUnregister
            | Action::SysctlDrift => {}
        }
    }
}

/// The number of what has none.
pub(super) const NONE: u32 = 0;

/// The number of a place.
pub(super) const fn inum(place: &Place) -> u32 {
    match place {
        Place::Node => NONE,
        Place::Netns(id) => id.inum,
    }
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
#[path = "survey_tests.rs"]
mod tests;
