//! Says of each event what did it, in which container, and whose the namespace is.

use std::{fs, os::unix::fs::MetadataExt as _, sync::Arc, time::Duration};

use super::{
    assemble::Assembled,
    home::Homes,
    owner::{Owned, Owners},
    pin::Pins,
    process::{Actor, is_started_by_runtime},
    requester::{Behalf, LookUp, Written, by_arguments},
    settle::{Held, Queue},
};
use crate::{
    decode::EnteredBy,
    event::{Action, Binding, Event, Outcome, Process, Stage, Type},
};

/// What is known of containers and namespaces, and the events that wait for more.
#[derive(Debug)]
pub struct Attributor {
    owners: Owners,
    pins: Pins,
    queue: Queue,
    look_up: LookUp,
    /// The node's own network namespace.
    node_netns: Option<u32>,
}

impl Attributor {
    /// Nothing known yet. `settle`: how long an event may wait.
    pub fn new(settle: Duration) -> Self {
        let node = fs::metadata("/proc/1/ns/net").ok();
        Self {
            owners: Owners::default(),
            pins: Pins::new(),
            queue: Queue::new(settle),
            look_up: LookUp::default(),
            node_netns: node.and_then(|data| u32::try_from(data.ino()).ok()),
        }
    }

    /// Learns from an event and hands it over, or lets it wait if it has to.
    pub fn take(&mut self, assembled: Assembled, homes: &mut Homes, events: &mut Vec<Event>) {
        let Assembled {
            mut event,
            actor,
            netns,
            entered,
        } = assembled;
        event.component = actor.as_ref().map(|actor| actor.component.clone());
        if let Some(home) = actor.as_ref().and_then(|actor| actor.home.as_ref()) {
            homes.look(home);
        }
        if let Some(actor) = &actor {
            self.ask_configuration(&mut event, actor, homes);
        }
        // The node's own namespace is nobody's.
        let id = netns.filter(|id| Some(id.inum) != self.node_netns);
        let owned = match event.event.action {
            Action::EventsLost | Action::TraceStart | Action::TraceEnd | Action::SysctlDrift => {
                None
            }
            Action::NetnsDestroy => id.and_then(|id| self.owners.forget(id)),
            Action::NetnsCreate => {
                let owned = id.map(|id| {
                    // Whatever had this number before is gone.
                    self.owners.forget(id);
                    self.owners.of(id)
                });
                if let (Some(owned), Some(actor)) = (&owned, &actor) {
                    let home = if actor.is_on_the_way() {
                        actor.new_container()
                    } else {
                        actor.container()
                    };
                    owned.made_by(&actor.component, home);
                }
                owned
            }
            Action::SysctlWrite
            | Action::SysctlRegister
            | Action::SysctlUnregister
            | Action::NetnsEnter
            | Action::NetnsBind => id.map(|id| self.owners.of(id)),
        };
        let bind = match (&owned, &actor) {
            (Some(owned), Some(actor)) if owned.is_free() => {
                let by = binding(&event, actor, entered);
                self.is_bound_by(owned, actor, by, homes)
                    .then(|| bind_event(&event))
            }
            (_, None) | (None | Some(_), _) => None,
        };
        let home = actor.as_ref().and_then(|actor| actor.home.as_ref());
        let behalf = actor
            .as_ref()
            .map_or(Behalf::Nobody, |actor| actor.behalf.clone());
        for event in [Some(event), bind].into_iter().flatten() {
            let held = Held {
                event,
                home: home.cloned(),
                owned: owned.clone(),
                behalf: behalf.clone(),
            };
            self.queue.push(held, events);
        }
    }

    /// When to come back, where an event waits.
    pub fn due(&self) -> Option<std::time::Instant> {
        self.queue.due()
    }

    /// Hands over the events that wait no longer.
    pub fn release(&mut self, events: &mut Vec<Event>, homes: &Homes) {
        let pins = &self.pins;
        self.queue.release(events, |held| look(held, pins, homes));
    }

    /// Hands over all events, after a last look.
    pub fn release_all(&mut self, events: &mut Vec<Event>, homes: &Homes) {
        let pins = &self.pins;
        self.queue
            .release_all(events, |held| look(held, pins, homes));
    }

    /// On whose behalf a key was written, where that stands in the node's configuration. Of others
    /// it is told when the event leaves.
    fn ask_configuration(&mut self, event: &mut Event, actor: &Actor, homes: &Homes) {
        if event.event.action != Action::SysctlWrite {
            return;
        }
        match &actor.behalf {
            Behalf::Nobody | Behalf::Container => return,
            // The sandbox's specification tells more, where it is known as the event leaves.
            Behalf::Namespace => {
                let found = by_arguments(event);
                if let Some(sysctl) = &mut event.sysctl {
                    sysctl.requester = found.map(Arc::new);
                }
                return;
            }
            Behalf::Network(_) | Behalf::Files(_) => {}
        }
        let Some(sysctl) = &mut event.sysctl else {
            return;
        };
        let written = Written {
            path: &sysctl.path,
            requested: sysctl.requested.as_deref(),
            is_cut: event
                .trace
                .truncated
                .iter()
                .any(|name| name == "sysctl.requested"),
        };
        let process = &actor.process.entity_id;
        let found = self
            .look_up
            .find(homes.state(), &actor.behalf, process, written);
        sysctl.requester = found;
    }

    /// Whether it just became known whose the namespace is.
    fn is_bound_by(
        &self,
        owned: &Owned,
        actor: &Actor,
        by: Option<Binding>,
        homes: &mut Homes,
    ) -> bool {
        let home = match by {
            Some(Binding::Runtime | Binding::Exec) => actor.new_container(),
            Some(Binding::Creator | Binding::Resident | Binding::Specification) => {
                actor.container()
            }
            None => None,
        };
        if let (Some(by), Some(home)) = (by, home) {
            return owned.bind(home, by);
        }
        if owned.is_to_be_searched()
            && let Some(home) = homes.of_inhabitants(owned.inum())
        {
            return owned.bind(&home, Binding::Resident);
        }
        owned.look(&self.pins);
        match owned.pin().and_then(|pin| homes.by_netns_path(&pin)) {
            Some(home) => owned.bind(&home, Binding::Specification),
            None => false,
        }
    }
}

fn look(held: &Held, pins: &Pins, homes: &Homes) {
    if let Some(home) = &held.home {
        homes.look(home);
    }
    if let Some(owned) = &held.owned {
        owned.look(pins);
        if let Some(home) = owned.home() {
            homes.look(&home);
        }
    }
}

/// What an event tells of whose its namespace is.
fn binding(event: &Event, actor: &Actor, entered: Option<EnteredBy>) -> Option<Binding> {
    match event.event.action {
        Action::SysctlWrite => binding_of_writer(event, actor),
        Action::NetnsEnter => binding_of_entrant(entered?, actor),
        Action::NetnsCreate
        | Action::NetnsDestroy
        | Action::NetnsBind
        | Action::EventsLost
        | Action::TraceStart
        | Action::TraceEnd
        | Action::SysctlRegister
        | Action::SysctlUnregister
        | Action::SysctlDrift => None,
    }
}

/// What a write into a namespace tells of whose it is.
fn binding_of_writer(event: &Event, actor: &Actor) -> Option<Binding> {
    let inum = event.netns.as_ref()?.inum?;
    let process: &Process = &actor.process;
    // Written to from outside, through a descriptor that was opened within.
    if process.namespaces.net != Some(inum) {
        return None;
    }
    match actor.component.stage {
        Some(Stage::Child | Stage::Init) => Some(Binding::Runtime),
        Some(Stage::Parent) => None,
        // A thread may be there on a visit; the process lives where its main thread is.
        None => {
            actor.container()?;
            let main = fs::metadata(format!("/proc/{}/ns/net", process.pid)).ok()?;
            (main.ino() == u64::from(inum)).then_some(Binding::Resident)
        }
    }
}

/// What a task that comes to be in a namespace tells of whose it is.
fn binding_of_entrant(entered: EnteredBy, actor: &Actor) -> Option<Binding> {
    if actor.is_on_the_way() {
        return Some(Binding::Runtime);
    }
    match entered {
        // Agents in containers visit the namespaces of others.
        EnteredBy::Setns => None,
        EnteredBy::Exec => is_started_by_runtime(&actor.process).then_some(Binding::Exec),
    }
}

/// The event that says so, where it became known by a write.
fn bind_event(write: &Event) -> Event {
    let mut event = write.clone();
    event.event.action = Action::NetnsBind;
    event.event.type_ = [Type::Info];
    event.event.outcome = Outcome::Success;
    event.event.duration = None;
    event.error = None;
    event.sysctl = None;
    event
        .trace
        .truncated
        .retain(|field| !field.starts_with("sysctl."));
    event
}

#[cfg(test)]
#[path = "attributor_tests.rs"]
mod tests;
