//! Which of the namespaces that a tracer knows is meant. Pure.
//!
//! A tracer also knows those that are gone: a container that was started again has had several. The
//! one that is there is meant, or else the latest.

use crate::{
    event::{NetnsId, Owner},
    target::{Candidate, Error, Target},
};

/// A namespace that a tracer knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub(super) id: NetnsId,
    pub(super) is_node: bool,
    pub(super) owner: Option<&'a Owner>,
    /// Processes that were seen in it, as far as they matter.
    pub(super) pids: &'a [u32],
    /// When it was made, in nanoseconds since boot; absent where that was not seen.
    pub(super) created_ns: Option<u64>,
    pub(super) is_gone: bool,
}

/// The one that is meant, and how many others of that name are gone.
pub(super) fn choose(target: &Target, known: &[Known<'_>]) -> Result<(NetnsId, usize), Error> {
    let pins: Vec<Vec<String>> = known.iter().map(Known::pins).collect();
    let candidates: Vec<Candidate<'_>> = known
        .iter()
        .zip(&pins)
        .map(|(one, pins)| one.candidate(pins))
        .collect();
    let fits: Vec<_> = candidates.iter().map(|one| target.fit(one)).collect();
    let best = fits.iter().flatten().min();
    let mut meant: Vec<usize> = (0..known.len())
        .filter(|at| best.is_some() && fits[*at].as_ref() == best)
        .collect();
    let all = meant.len();
    if meant.iter().any(|at| !known[*at].is_gone) {
        meant.retain(|at| !known[*at].is_gone);
    } else if let Some(latest) = meant.iter().copied().max_by_key(|at| known[*at].created_ns) {
        meant = vec![latest];
    }
    match meant.as_slice() {
        [one] => Ok((known[*one].id, all - 1)),
        several => {
            let rest = several.iter().map(|at| candidates[*at].clone());
            // None or several: the target says so in its words.
            let named: Vec<Candidate<'_>> = match several {
                [] => candidates.clone(),
                _ => rest.collect(),
            };
            target.find(named).map(|_| (known[several[0]].id, all - 1))
        }
    }
}

impl Known<'_> {
    fn pins(&self) -> Vec<String> {
        let pin = self.owner.and_then(|owner| owner.pin.clone());
        pin.into_iter().collect()
    }

    fn candidate<'a>(&'a self, pins: &'a [String]) -> Candidate<'a> {
        Candidate {
            inum: self.id.inum,
            is_node: self.is_node,
            pins,
            pids: self.pids,
            owners: self.owner.into_iter().collect(),
        }
    }
}

#[cfg(test)]
#[path = "choose_tests.rs"]
mod tests;
