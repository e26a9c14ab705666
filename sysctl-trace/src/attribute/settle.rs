//! Events that wait for what is not on disk yet.
//!
//! They leave in the order in which they came: one that waits holds up those behind it, for at most
//! the time that the user allows.

use std::{
    collections::VecDeque,
    rc::Rc,
    time::{Duration, Instant},
};

use super::{home::Home, owner::Owned, requester::Behalf};
use crate::event::{Action, Event};

/// How often what is missing is looked for while an event waits for it.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How many events wait at most; where there are more, the first leaves before its time.
const HELD_MAX: usize = 8192;

/// An event, and what may still become known about it.
#[derive(Debug)]
pub struct Held {
    /// The event, with nothing said of containers yet.
    pub event: Event,
    /// The cgroup of its process.
    pub home: Option<Rc<Home>>,
    /// The namespace that it is about.
    pub owned: Option<Rc<Owned>>,
    /// What its process writes keys on behalf of.
    pub behalf: Behalf,
}

/// The events that have come and not left yet.
#[derive(Debug)]
pub struct Queue {
    settle: Duration,
    held: VecDeque<(Instant, Held)>,
    look_at: Instant,
}

impl Held {
    fn is_unsettled(&self) -> bool {
        self.home.as_ref().is_some_and(|home| home.is_unsettled())
            || self
                .owned
                .as_ref()
                .is_some_and(|owned| owned.is_unsettled())
    }

    fn give_up(&self) {
        if let Some(home) = &self.home
            && home.is_unsettled()
        {
            home.give_up();
        }
        if let Some(owned) = &self.owned {
            owned.give_up();
        }
    }

    /// The event with all that is known by now. Nothing where it was to say which container it is,
    /// and that did not become known.
    fn told(mut self) -> Option<Event> {
        if let Some(home) = &self.home {
            self.event.container = home.container().into();
            self.event.k8s = home.kubernetes();
        }
        self.tell_requester();
        if let (Some(netns), Some(owned)) = (&mut self.event.netns, &self.owned) {
            netns.owner = owned.tell();
        }
        let owner = self
            .event
            .netns
            .as_ref()
            .and_then(|netns| netns.owner.as_ref());
        let is_empty = self.event.event.action == Action::NetnsBind
            && owner.is_none_or(|owner| owner.bound_by.is_none());
        (!is_empty).then_some(self.event)
    }

    /// On whose behalf a key was written, where that stands in the state of a container.
    fn tell_requester(&mut self) {
        let (Action::SysctlWrite, Some(sysctl)) = (self.event.event.action, &mut self.event.sysctl)
        else {
            return;
        };
        let home = match &self.behalf {
            Behalf::Nobody | Behalf::Network(_) | Behalf::Files(_) => return,
            Behalf::Container => self.home.clone(),
            Behalf::Namespace => self.owned.as_ref().and_then(|owned| owned.home()),
        };
        if let Some(found) = home.and_then(|home| home.requester(&sysctl.path)) {
            sysctl.requester = Some(found);
        }
    }
}

impl Queue {
    /// Nothing waits yet. `settle`: how long an event may.
    pub fn new(settle: Duration) -> Self {
        Self {
            settle,
            held: VecDeque::new(),
            look_at: Instant::now(),
        }
    }

    /// Takes an event. Where nothing waits before it, and it need not wait, it is handed over.
    pub fn push(&mut self, held: Held, events: &mut Vec<Event>) {
        if self.held.is_empty() && !held.is_unsettled() {
            events.extend(held.told());
        } else {
            self.held.push_back((Instant::now() + self.settle, held));
        }
    }

    /// When to come back, where an event waits.
    pub fn due(&self) -> Option<Instant> {
        let (due, _) = self.held.front()?;
        Some(self.look_at.min(*due))
    }

    /// Hands over the events that wait no longer. `look` looks for what is missing.
    pub fn release(&mut self, events: &mut Vec<Event>, look: impl FnMut(&Held)) {
        if !self.held.is_empty() {
            self.release_at(Instant::now(), events, look);
        }
    }

    /// Hands over everything, after a last look.
    pub fn release_all(&mut self, events: &mut Vec<Event>, mut look: impl FnMut(&Held)) {
        for (_, held) in self.held.drain(..) {
            if held.is_unsettled() {
                look(&held);
            }
            events.extend(held.told());
        }
    }

    fn release_at(&mut self, now: Instant, events: &mut Vec<Event>, mut look: impl FnMut(&Held)) {
        let is_time = now >= self.look_at;
        while let Some((due, first)) = self.held.front() {
            if first.is_unsettled() {
                if is_time {
                    look(first);
                }
                let may_wait = now < *due && self.held.len() <= HELD_MAX;
                if may_wait && first.is_unsettled() {
                    break;
                }
                first.give_up();
            }
            if let Some((_, held)) = self.held.pop_front() {
                events.extend(held.told());
            }
        }
        if is_time {
            self.look_at = now + LOOK_EVERY;
        }
    }
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
