//! The second reading of a file: what is wanted goes into the ledger, in the order of the file.

use std::{fs::File, io};

use super::{
    Error, Question, Source,
    blocks::{Give, Unwanted, in_order},
    check::Checked,
    lines::Pieces,
    parts::{Part, Wanted},
    runs::Runs,
    scan::{Look, Needles, Seen},
    survey::{self, Blocks, Index, Own},
};
use crate::{
    event::{Action, Event},
    ledger::{Gap, Ledger, Limits, Passed},
};

/// Results of a worker that are handed over together.
const BATCH_MAX: usize = 64;

/// What a line, or several, come to.
#[derive(Debug)]
pub(super) enum Item {
    /// Events that are not wanted.
    Passed(Passed),
    /// An event, of which at least a part is wanted.
    Event(Box<Event>, Part),
    /// A line that is not understood, and where it stands in its stream if that can be read.
    Unknown(Option<Passed>),
}

/// Some of what a block comes to.
#[derive(Debug)]
enum Batch {
    /// This.
    Of(Vec<Item>),
    /// Nothing but what is known of it already.
    AsIndexed,
}

/// Puts what was read into a ledger.
#[derive(Debug)]
pub(super) struct Keeper {
    ledger: Ledger,
    /// Lines that are not understood, since the event before.
    unknown: u64,
}

/// Reads a file for the second time.
pub(super) fn read(
    source: &Source,
    file: &File,
    blocks: &Blocks,
    indices: &[Index],
    question: &Question<'_>,
    wanted: &Wanted,
) -> Result<Ledger, Error> {
    let needles = Needles::of(question);
    let work = |own: &mut Own, block: usize, give: Give<'_, Batch>| {
        let has_owners = wanted.owners_from.is_some_and(|from| block >= from);
        let is_needed = indices
            .get(block)
            .is_none_or(|index| index.may_have(wanted, has_owners));
        if !is_needed {
            let _ = give(Batch::AsIndexed);
            return Ok(());
        }
        let mut reader = Reader {
            question,
            wanted,
            has_owners,
            needles: &needles,
            runs: Runs::default(),
            items: Vec::new(),
        };
        reader
            .block(own, file, blocks, block, give)
            .map_err(|error| Error::reading(source, error))
    };
    let mut keeper = Keeper::new();
    in_order(indices.len(), work, |block, batch| {
        match batch {
            Batch::Of(items) => items.into_iter().for_each(|item| keeper.take(item)),
            Batch::AsIndexed => {
                let runs = indices.get(block).map(|index| index.runs.as_slice());
                for run in runs.unwrap_or_default() {
                    keeper.pass(run);
                }
            }
        }
        Ok(())
    })?;
    Ok(keeper.finish())
}

struct Reader<'r> {
    question: &'r Question<'r>,
    wanted: &'r Wanted,
    has_owners: bool,
    needles: &'r Needles<'r>,
    runs: Runs,
    items: Vec<Item>,
}

impl Reader<'_> {
    fn block(
        &mut self,
        own: &mut Own,
        file: &File,
        blocks: &Blocks,
        block: usize,
        give: Give<'_, Batch>,
    ) -> io::Result<()> {
        let range = blocks.range(block);
        let Own { buffer, checker } = own;
        let mut pieces = Pieces::new(file, buffer, range, blocks.whole.clone())?;
        while let Some(piece) = pieces.next()? {
            for look in self.needles.looks(&piece) {
                if look.is_empty() {
                    continue;
                }
                let seen = look.see(checker, |checked| self.matters(checked));
                self.take(seen, &look);
                if self.items.len() >= BATCH_MAX && self.hand_over(give).is_err() {
                    return Ok(());
                }
            }
        }
        self.close_runs();
        let _ = self.hand_over(give);
        Ok(())
    }

    fn hand_over(&mut self, give: Give<'_, Batch>) -> Result<(), Unwanted> {
        give(Batch::Of(std::mem::take(&mut self.items)))
    }

    fn close_runs(&mut self) {
        let runs = self.runs.take().into_iter();
        self.items.extend(runs.map(Item::Passed));
    }

    /// Whether more of a line may be wanted than that it is there.
    fn matters(&self, checked: &Checked<'_>) -> bool {
        let (meant, node) = self.wanted.inums();
        if !self.question.is_boot(checked.boot) {
            return false;
        }
        match checked.action {
            Action::TraceStart | Action::TraceEnd | Action::EventsLost => return true,
            Action::NetnsBind if self.has_owners => return true,
            Action::NetnsBind
            | Action::NetnsCreate
            | Action::NetnsDestroy
            | Action::NetnsEnter
            | Action::SysctlWrite
            | Action::SysctlRegister
            | Action::SysctlUnregister
            | Action::SysctlDrift => {}
        }
        let has_key = checked.is_of_key(|checked| self.needles.may_have_key(checked))
            || checked.place.lacks_cookie();
        let inum = survey::inum(&checked.place);
        meant.contains(&inum) || (has_key && node.contains(&inum))
    }

    fn take(&mut self, seen: Seen<'_>, look: &Look<'_>) {
        match seen {
            Seen::Checked(checked) => {
                if self.question.is_boot(checked.boot) {
                    self.runs.add(&checked);
                }
            }
            Seen::Event(event) => {
                if self.question.is_boot(event.host.boot.id.as_bytes()) {
                    self.event(event);
                }
            }
            Seen::Unknown { .. } if look.is_open => {}
            Seen::Unknown { outline, .. } => {
                let boot = outline.as_ref().map(|(boot, _)| boot);
                if boot.is_none_or(|boot| self.question.is_boot(boot.as_bytes())) {
                    self.close_runs();
                    let passed = outline.map(|(_, passed)| passed);
                    self.items.push(Item::Unknown(passed));
                }
            }
        }
    }

    fn event(&mut self, event: Box<Event>) {
        match self.wanted.part(&event, self.question.keys) {
            Part::Nothing => self.runs.add(&Checked::of(&event)),
            part @ (Part::Whole | Part::Owner | Part::Flaw) => {
                self.close_runs();
                self.items.push(Item::Event(event, part));
            }
        }
    }
}

impl Keeper {
    pub(super) fn new() -> Self {
        Self {
            ledger: Ledger::new(Limits::default()),
            unknown: 0,
        }
    }

    pub(super) fn take(&mut self, item: Item) {
        match item {
            Item::Passed(passed) => self.pass(&passed),
            Item::Event(event, part) => self.event(&event, part),
            Item::Unknown(passed) => {
                self.unknown += 1;
                if let Some(passed) = passed {
                    self.pass(&passed);
                }
            }
        }
    }

    fn event(&mut self, event: &Event, part: Part) {
        self.settle(event.event.ended_ns());
        match part {
            Part::Whole => self.ledger.take(event),
            Part::Owner => self.ledger.glance(event),
            Part::Flaw | Part::Nothing => self.ledger.note(event),
        }
    }

    fn pass(&mut self, passed: &Passed) {
        self.settle(passed.first_ns);
        self.ledger.pass(passed);
    }

    /// What the lines that are not understood may have said was before this moment.
    fn settle(&mut self, to_ns: u64) {
        if self.unknown == 0 {
            return;
        }
        let until = self.ledger.window().until();
        // Something at that very moment may be among it.
        let from_ns = until.map_or(0, |until| until.boottime_ns.saturating_sub(1));
        self.ledger.miss(Gap {
            from_ns,
            to_ns: to_ns.max(from_ns.saturating_add(2)),
            lines: self.unknown,
        });
        self.unknown = 0;
    }

    pub(super) fn finish(mut self) -> Ledger {
        self.settle(0);
        self.ledger
    }
}
