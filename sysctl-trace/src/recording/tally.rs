//! Counts of what was read, from its parts.

use super::{Boot, Error, Problem, Source, Tally};

/// So many boots are told apart.
const BOOTS_MAX: usize = 64;

/// Boots, in the order of their first events.
#[derive(Clone, Debug, Default)]
pub(super) struct Boots(Vec<Boot>);

impl Boots {
    /// Counts events.
    pub(super) fn count(&mut self, id: &[u8], host: &[u8], events: u64) {
        let Self(boots) = self;
        // Streams are of one boot for long.
        if let Some(boot) = boots.iter_mut().find(|boot| boot.id.as_bytes() == id) {
            boot.events += events;
        } else if boots.len() < BOOTS_MAX {
            boots.push(Boot {
                id: String::from_utf8_lossy(id).into_owned(),
                host: String::from_utf8_lossy(host).into_owned(),
                events,
            });
        }
    }

    pub(super) fn add(&mut self, Self(boots): Self) {
        for Boot { id, host, events } in boots {
            self.count(id.as_bytes(), host.as_bytes(), events);
        }
    }

    /// Whether there is just one that is wanted; which, where there are others.
    pub(super) fn check(self, source: &Source, wanted: Option<&str>) -> Result<(), Error> {
        let Self(boots) = self;
        let is_wanted = |boot: &&Boot| wanted.is_none_or(|wanted| boot.id.starts_with(wanted));
        let found: Vec<Boot> = boots.iter().filter(is_wanted).cloned().collect();
        match (found.as_slice(), wanted) {
            ([_], _) | ([], None) => Ok(()),
            ([], Some(wanted)) => Err(Error::OtherBoots {
                from: source.clone(),
                wanted: wanted.to_owned(),
                boots,
            }),
            ([_, _, ..], _) => Err(Error::SeveralBoots {
                from: source.clone(),
                boots: found,
            }),
        }
    }
}

impl Tally {
    /// Counts a line that is not understood; the last one counted in `lines` is it.
    pub(super) fn not_understood(&mut self, problem: Problem) {
        self.not_understood += 1;
        let line = self.lines;
        let is_fatal = matches!(problem, Problem::OtherMajor(_));
        let known = self.first_not_understood.as_ref();
        let is_known_fatal = known.is_some_and(|(_, it)| matches!(it, Problem::OtherMajor(_)));
        // One that ends the reading is told of rather than those before it.
        if known.is_none() || (is_fatal && !is_known_fatal) {
            self.first_not_understood = Some((line, problem));
        }
    }

    /// Adds what comes behind.
    pub(super) fn add(&mut self, next: Self) {
        let Self {
            lines,
            events,
            not_understood,
            first_not_understood,
            is_cut,
        } = next;
        if let Some((line, problem)) = first_not_understood {
            let before = self.lines;
            let is_fatal = matches!(problem, Problem::OtherMajor(_));
            if self.first_not_understood.is_none() || is_fatal {
                self.first_not_understood = Some((before + line, problem));
            }
        }
        self.lines += lines;
        self.events += events;
        self.not_understood += not_understood;
        self.is_cut |= is_cut;
    }

    /// An error where lines follow another major version.
    pub(super) fn refuse_other_major(&self, source: &Source) -> Result<(), Error> {
        match &self.first_not_understood {
            Some((line, Problem::OtherMajor(version))) => Err(Error::OtherMajor {
                from: source.clone(),
                line: *line,
                version: version.clone(),
            }),
            Some((
                _,
                Problem::NotJson(_)
                | Problem::TooLong
                | Problem::NotOurs
                | Problem::NotUnderstood(_),
            ))
            | None => Ok(()),
        }
    }

    /// An error where there is no event.
    pub(super) fn refuse_nothing(&self, source: &Source) -> Result<(), Error> {
        if self.events > 0 {
            return Ok(());
        }
        let from = source.clone();
        match &self.first_not_understood {
            Some((line, problem)) => Err(Error::NoEvents {
                from,
                line: *line,
                problem: problem.clone(),
            }),
            None if self.is_cut => Err(Error::OnlyCut(from)),
            None => Err(Error::Empty(from)),
        }
    }
}

#[cfg(test)]
#[path = "tally_tests.rs"]
mod tests;
