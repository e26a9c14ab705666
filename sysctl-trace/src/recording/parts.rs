//! How much of an event is wanted. Pure.

use std::collections::BTreeSet;

use crate::{
    event::{Action, Event, Netns},
    ledger::{Place, is_usable},
};

use super::{Keys, survey};

/// Which places are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    meant: BTreeSet<Place>,
    node: BTreeSet<Place>,
    meant_inums: BTreeSet<u32>,
    node_inums: BTreeSet<u32>,
    /// The block from which on the owners of all others are, for names that are alike.
    pub(super) owners_from: Option<usize>,
}

/// How much of an event is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// Whose the namespace is.
    Owner,
    /// That it can't count, or may be of another place than it says.
    Flaw,
    /// That it was.
    Nothing,
}

impl Wanted {
    /// Of the places that are meant, and of the node's own.
    pub(super) fn new(
        meant: BTreeSet<Place>,
        node: BTreeSet<Place>,
        owners_from: Option<usize>,
    ) -> Self {
        Self {
            meant_inums: meant.iter().map(survey::inum).collect(),
            node_inums: node.iter().map(survey::inum).collect(),
            meant,
            node,
            owners_from,
        }
    }

    /// The numbers of the namespaces that are meant, and of the node's own.
    pub(super) const fn inums(&self) -> (&BTreeSet<u32>, &BTreeSet<u32>) {
        (&self.meant_inums, &self.node_inums)
    }

    /// Whether a namespace of this number is wanted.
    pub(super) fn has_inum(&self, inum: u32) -> bool {
        self.meant_inums.contains(&inum) || self.node_inums.contains(&inum)
    }

    pub(super) fn part(&self, event: &Event, keys: Keys<'_>) -> Part {
        let part = self.usable_part(event, keys);
        match part {
            Part::Nothing if self.is_flaw(event) => Part::Flaw,
            Part::Whole | Part::Owner | Part::Flaw | Part::Nothing => part,
        }
    }

    /// Whether it may be about what is wanted, for want of what would tell.
    fn is_flaw(&self, event: &Event) -> bool {
        let is_of_these = |netns: &Netns| match netns.inum {
            None => true,
            Some(inum) => netns.cookie.is_none() && self.has_inum(inum),
        };
        !is_usable(event) || event.netns.as_ref().is_some_and(is_of_these)
    }

    fn usable_part(&self, event: &Event, keys: Keys<'_>) -> Part {
        let place = Place::of(event);
        match event.event.action {
            Action::TraceStart | Action::TraceEnd | Action::EventsLost => Part::Whole,
            Action::NetnsCreate | Action::NetnsDestroy | Action::NetnsEnter => {
                match self.meant.contains(&place) {
                    true => Part::Whole,
                    false => Part::Nothing,
                }
            }
            // They tell of lives of keys, the node's too, whatever is asked.
            Action::SysctlRegister | Action::SysctlUnregister => {
                match self.meant.contains(&place) || self.node.contains(&place) {
                    true => Part::Whole,
                    false => Part::Nothing,
                }
            }
            Action::NetnsBind => match self.owners_from.is_some() || self.meant.contains(&place) {
                true => Part::Whole,
                false => Part::Nothing,
            },
            Action::SysctlWrite | Action::SysctlDrift => {
                let sysctl = event.sysctl.as_ref();
                let is_key = sysctl.is_some_and(|sysctl| (keys.are_meant)(sysctl));
                let is_meant = self.meant.contains(&place);
                if is_key && (is_meant || self.node.contains(&place)) {
                    Part::Whole
                } else if is_meant {
                    Part::Owner
                } else {
                    Part::Nothing
                }
            }
        }
    }
}

/// The same where every place may turn out to be wanted.
pub(super) fn of_all(event: &Event, keys: Keys<'_>) -> Part {
    match event.event.action {
        Action::SysctlWrite | Action::SysctlDrift => match &event.sysctl {
            Some(sysctl) if (keys.are_meant)(sysctl) => Part::Whole,
            Some(_) | None => Part::Owner,
        },
        Action::NetnsCreate
        | Action::NetnsDestroy
        | Action::NetnsEnter
        | Action::NetnsBind
        | Action::SysctlRegister
        | Action::SysctlUnregister
        | Action::EventsLost
        | Action::TraceStart
        | Action::TraceEnd => Part::Whole,
    }
}
