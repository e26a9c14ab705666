//! Which events come from a command and its descendants.
//!
//! A process is known by its entity id, which outlives its pid. Each event names the ancestors of
//! its actor, so whoever stands between a member and the actor becomes a member, too, and stays
//! one when a parent ends and the kernel gives its children to another. A child that was given
//! away before any of its line was seen in an event can't be told from a stranger.

use std::collections::HashSet;

use crate::event::{Action, Ancestor, Event, NetnsId, Process};

/// The command and those of its descendants that were seen.
#[derive(Debug)]
pub struct Tree {
    root_pid: u32,
    members: HashSet<String>,
    /// The namespaces that members made: their end is told without a process.
    made: HashSet<NetnsId>,
}

impl Tree {
    /// The tree below the process with this pid, which must be alive or not waited for.
    pub fn new(root_pid: u32) -> Self {
        Self {
            root_pid,
            members: HashSet::new(),
            made: HashSet::new(),
        }
    }

    /// Whether the event comes from the tree. Remembers what it tells about the tree.
    pub fn holds(&mut self, event: &Event) -> bool {
        match event.event.action {
            Action::EventsLost | Action::TraceStart | Action::TraceEnd => true,
            Action::SysctlDrift => event
                .netns
                .as_ref()
                .is_some_and(|netns| self.made.contains(&netns.id())),
            Action::NetnsDestroy => event
                .netns
                .as_ref()
                .is_some_and(|netns| self.made.remove(&netns.id())),
            Action::NetnsCreate => {
                let ours = self.holds_actor(event);
                if let Some(netns) = &event.netns
                    && ours
                {
                    self.made.insert(netns.id());
                }
                ours
            }
            Action::SysctlWrite
            | Action::SysctlRegister
            | Action::SysctlUnregister
            | Action::NetnsEnter
            | Action::NetnsBind => self.holds_actor(event),
        }
    }

    fn holds_actor(&mut self, event: &Event) -> bool {
        event
            .process
            .as_ref()
            .is_some_and(|process| self.holds_process(process))
    }

    fn holds_process(&mut self, process: &Process) -> bool {
        if self.is_member(process.pid, &process.entity_id) {
            self.remember(&process.entity_id);
            return true;
        }
        let found = process
            .ancestors
            .iter()
            .position(|Ancestor { pid, entity_id, .. }| self.is_member(*pid, entity_id));
        let Some(found) = found else { return false };
        self.remember(&process.entity_id);
        for ancestor in &process.ancestors[..=found] {
            self.remember(&ancestor.entity_id);
        }
        true
    }

    /// Until the root was seen, its pid is all that is known of it.
    fn is_member(&self, pid: u32, entity_id: &str) -> bool {
        if self.members.is_empty() {
            pid == self.root_pid
        } else {
            self.members.contains(entity_id)
        }
    }

    fn remember(&mut self, entity_id: &str) {
        if !self.members.contains(entity_id) {
            self.members.insert(entity_id.to_owned());
        }
    }
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
