//! The first reading of a file: which namespaces are meant, which is the node's own, and what stands
//! in each block.

use std::{collections::BTreeSet, fs::File, io, ops::Range};

use super::{
    Error, MEANT_MAX, Question, Source, Tally,
    blocks::{Give, in_order},
    glance::{Glance, Heads},
    lines::{Buffer, Pieces},
    parts::Wanted,
    runs::Runs,
    scan::{Look, Needles, Seen},
    sieve::{self, Marks},
    tally::Boots,
};
use crate::{
    event::{Action, Event},
    ledger::{Passed, Place},
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
    pub(super) heads: Heads,
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
        let Own { buffer, heads } = own;
        let range = blocks.range(block);
        let mut pieces = Pieces::new(file, buffer, range, blocks.whole.clone())?;
        while let Some(piece) = pieces.next()? {
            for look in needles.looks(&piece) {
                self.line(look, heads, question, needles);
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
        heads: &mut Heads,
        question: &Question<'_>,
        needles: &Needles<'_>,
    ) {
        self.tally.lines += 1;
        if look.text.is_empty() {
            return;
        }
        let matters = |glance: &Glance<'_>| {
            look.may_name || matches!(glance.action, Action::TraceStart | Action::EventsLost)
        };
        match look.see(heads, matters) {
            Seen::Glance(glance) => {
                if self.count(&glance, question) {
                    self.note(&glance, &look, needles);
                }
            }
            Seen::Event(event) => {
                if self.count(&Glance::of(&event), question) {
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
    fn count(&mut self, glance: &Glance<'_>, question: &Question<'_>) -> bool {
        self.tally.events += 1;
        self.boots.count(glance.boot, glance.host, 1);
        let is_meant = question.is_boot(glance.boot);
        if is_meant {
            self.runs.add(glance);
        }
        is_meant
    }

    fn note(&mut self, glance: &Glance<'_>, look: &Look<'_>, needles: &Needles<'_>) {
        let Index { about, keys, .. } = &mut self.index;
        let has_key = look.may_have_key && glance.is_of_key();
        sieve::inums(look.text, &needles.inum, |inum| {
            about.set(inum);
            if has_key {
                keys.set(inum);
            }
        });
        self.index.owners += usize::from(glance.action == Action::NetnsBind);
    }

    fn note_event(&mut self, event: &Event, question: &Question<'_>) {
        let place = Place::of(event);
        let inum = sieve::inum(&place);
        self.index.about.set(inum);
        if let Some(sysctl) = &event.sysctl
            && (question.keys.are_meant)(sysctl)
        {
            self.index.keys.set(inum);
        }
        if let Some(target) = &question.target {
            self.meant.extend((target.names)(event));
        }
        match event.event.action {
            Action::TraceStart => {
                self.index.always = true;
                self.node.insert(place);
            }
            Action::EventsLost => self.index.always = true,
            Action::NetnsBind => self.index.owners += 1,
            Action::NetnsCreate
            | Action::NetnsDestroy
            | Action::SysctlWrite
            | Action::NetnsEnter
            | Action::SysctlRegister
            | Action::SysctlUnregister
            | Action::TraceEnd
            | Action::SysctlDrift => {}
        }
    }
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
