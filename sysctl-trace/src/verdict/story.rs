//! For tests: what happens to one key in two namespaces, and the events that tell of it.

use std::sync::Arc;

use smol_str::{SmolStr, ToSmolStr};

use crate::{
    event::{Action, Component, Event, NetnsId, Outcome, Stage, Sureness},
    output::samples,
    rendered::Rendered,
    time::Epoch,
};

/// Time between two events.
const STEP_NS: u64 = 100_000_000;

pub(crate) const KEY: &str = "net.core.somaxconn";
/// The namespace that events are about unless told otherwise.
pub(crate) const WEB: NetnsId = NetnsId {
    inum: 4026532281,
    cookie: 41,
};

/// Events, and what is really there.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) told: Vec<Event>,
    /// The value in the kernel's memory.
    pub(crate) value: SmolStr,
    netns: NetnsId,
    now_ns: u64,
    /// How long the next write takes.
    took_ns: u64,
}

impl Story {
    /// A tracer has begun.
    pub(crate) fn new() -> Self {
        let mut story = Self {
            told: Vec::new(),
            value: "128".into(),
            netns: WEB,
            now_ns: 1_000_000,
            took_ns: 0,
        };
        story.tell(Action::TraceStart, samples::started());
        story
    }

    /// Goes on in another namespace.
    pub(crate) fn at(mut self, netns: NetnsId, value: SmolStr) -> Self {
        (self.netns, self.value) = (netns, value);
        self
    }

    pub(crate) fn create(mut self) -> Self {
        self.value = "4096".into();
        self.tell(Action::NetnsCreate, by("runc", samples::created()));
        self
    }

    pub(crate) fn destroy(mut self) -> Self {
        self.tell(Action::NetnsDestroy, samples::destroyed());
        self
    }

    /// Somebody is seen in it.
    pub(crate) fn meet(mut self) -> Self {
        self.tell(Action::NetnsEnter, samples::entered());
        self
    }

    pub(crate) fn write(mut self, component: &str, asked: &str) -> Self {
        let event = samples::write(asked, &self.value, asked);
        self.value = asked.into();
        self.tell(Action::SysctlWrite, by(component, event));
        self
    }

    pub(crate) fn refuse(mut self, component: &str, asked: &str) -> Self {
        let event = samples::refused("EINVAL", asked, &self.value);
        self.tell(Action::SysctlWrite, by(component, event));
        self
    }

    /// Two at once: both see the value from before, and the first that returns has written last.
    pub(crate) fn race(
        mut self,
        winner: &str,
        asked: &str,
        loser: &str,
        overwritten: &str,
    ) -> Self {
        let first = samples::write(asked, &self.value, asked);
        let second = samples::write(overwritten, &self.value, asked);
        self.value = asked.into();
        self.tell(Action::SysctlWrite, by(winner, first));
        self.took_ns = 2 * STEP_NS;
        self.tell(Action::SysctlWrite, by(loser, second));
        self
    }

    /// It is changed by other ways, which is found out.
    pub(crate) fn drift(mut self, value: &str) -> Self {
        let event = samples::write("", &self.value, value);
        self.value = value.into();
        self.tell(Action::SysctlDrift, event);
        self
    }

    pub(crate) fn lose(mut self, count: u64) -> Self {
        let since = self.now_ns + STEP_NS / 2;
        let mut event = samples::lost();
        event.trace.since_boottime_ns = Some(since);
        if let Some(lost) = &mut event.trace.lost {
            (lost.ring_full, lost.probe_missed) = (count, 0);
        }
        event.trace.lost_by_action = [(Action::SysctlWrite, count)].into();
        self.tell(Action::EventsLost, event);
        self
    }

    /// One begins, is held up, and ends last; meanwhile another writes.
    pub(crate) fn stall(mut self, held_up: &str, asked: &str, other: &str, between: &str) -> Self {
        let first = samples::write(between, &self.value, between);
        let last = samples::write(asked, &self.value, asked);
        self.value = asked.into();
        self.tell(Action::SysctlWrite, by(other, first));
        self.took_ns = 2 * STEP_NS;
        self.tell(Action::SysctlWrite, by(held_up, last));
        self
    }

    /// Nothing happens.
    pub(crate) fn wait(mut self, steps: u64) -> Self {
        self.now_ns += steps * STEP_NS;
        self
    }

    fn tell(&mut self, action: Action, mut event: Event) {
        self.now_ns += STEP_NS;
        event.event.action = action;
        let took_ns = std::mem::take(&mut self.took_ns);
        event.event.boottime_ns = self.now_ns - took_ns;
        event.event.duration = (action == Action::SysctlWrite).then_some(took_ns);
        event.timestamp = Epoch(0).moment(self.now_ns);
        event.event.sequence = self.told.len() as u64 + 1;
        if action == Action::SysctlDrift {
            event.process = None;
            event.event.outcome = Outcome::Unknown;
        }
        if action == Action::TraceStart {
            self.told.push(event);
            return;
        }
        if let Some(netns) = &mut event.netns {
            netns.inum = Some(self.netns.inum);
            let cookie = self.netns.cookie;
            netns.cookie = (cookie != 0).then(|| cookie.to_smolstr());
        }
        self.told.push(event);
    }
}

fn by(component: &str, mut event: Event) -> Event {
    let pid = 300 + component.len() as u32;
    event.process = Some(Arc::new(Rendered::new(samples::process(pid, component))));
    event.component = Some(Arc::new(Rendered::new(Component {
        name: component.into(),
        stage: (component == "runc").then_some(Stage::Init),
        confidence: Sureness::Observed,
        evidence: Vec::new(),
    })));
    event
}
