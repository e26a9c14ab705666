use std::{path::Path, rc::Rc, sync::Arc};

use super::*;
use crate::{
    attribute::runtime::State,
    event::{Component, NetnsId, Sureness},
    output::samples,
    rendered::Rendered,
};

const AGENT: &str = "/docker/5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";
const WEB: &str = "/docker/ee40841f79d52f66f4958c8a484bd2dfb453228874dcca1a3f2ec6e8420ec87c";
const NODE: &str = "/system.slice/containerd.service";

/// A namespace that is not the node's.
const ID: NetnsId = NetnsId {
    inum: 7,
    cookie: 41,
};

/// An attributor that lets nothing wait, and cgroups without state on disk.
struct Bench {
    attributor: Attributor,
    homes: Homes,
}

impl Bench {
    fn new() -> Self {
        Self {
            attributor: Attributor::new(Duration::ZERO),
            homes: Homes::new(State::at(Path::new("/nonexistent"), 0)),
        }
    }

    /// The events that come of this one.
    fn take(
        &mut self,
        event: Event,
        actor: Option<Rc<Actor>>,
        entered: Option<EnteredBy>,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let assembled = Assembled {
            event,
            actor,
            netns: Some(ID),
            entered,
        };
        self.attributor
            .take(assembled, &mut self.homes, &mut events);
        self.attributor.release(&mut events, &self.homes);
        events
    }

    fn actor(&mut self, path: &str, name: &str, stage: Option<Stage>) -> Rc<Actor> {
        Rc::new(Actor {
            process: Arc::new(Rendered::new(samples::process(300, name))),
            component: Arc::new(Rendered::new(Component {
                name: name.into(),
                stage,
                confidence: Sureness::Observed,
                evidence: Vec::new(),
            })),
            home: Some(self.homes.of(path)),
            cut: &[],
        })
    }
}

fn owner(event: &Event) -> (Option<&str>, Option<&str>, Option<Binding>) {
    let owner = event.netns.as_ref().and_then(|netns| netns.owner.as_ref());
    owner.map_or((None, None, None), |owner| {
        let container = owner.container.as_ref().map(|container| &*container.id);
        (owner.creator.as_deref(), container, owner.bound_by)
    })
}

fn id(path: &str) -> Option<&str> {
    path.strip_prefix("/docker/")
}

#[test]
fn a_container_owns_what_its_own_process_makes() {
    let mut bench = Bench::new();
    let runc = bench.actor(WEB, "runc", Some(Stage::Child));
    let events = bench.take(samples::created(), Some(runc), None);
    assert_eq!(events.len(), 1);
    assert_eq!(
        owner(&events[0]),
        (Some("runc"), id(WEB), Some(Binding::Creator))
    );
    let container = events[0].container.as_ref().unwrap();
    assert_eq!(Some(&*container.id), id(WEB));
}

#[test]
fn a_visitor_ties_nothing_and_a_runtime_does() {
    let mut bench = Bench::new();
    let containerd = bench.actor(NODE, "containerd", None);
    let events = bench.take(samples::created(), Some(containerd), None);
    assert_eq!(owner(&events[0]), (Some("containerd"), None, None));

    let agent = bench.actor(AGENT, "container-process", None);
    let events = bench.take(samples::entered(), Some(agent), Some(EnteredBy::Setns));
    assert_eq!(events.len(), 1);
    assert_eq!(owner(&events[0]), (Some("containerd"), None, None));

    let runc = bench.actor(WEB, "runc", Some(Stage::Child));
    let events = bench.take(samples::entered(), Some(runc), Some(EnteredBy::Setns));
    let actions: Vec<Action> = events.iter().map(|event| event.event.action).collect();
    assert_eq!(actions, [Action::NetnsEnter, Action::NetnsBind]);
    for event in &events {
        let told = (Some("containerd"), id(WEB), Some(Binding::Runtime));
        assert_eq!(owner(event), told);
    }

    // Whoever comes later changes nothing.
    let runc = bench.actor(AGENT, "runc", Some(Stage::Init));
    let events = bench.take(samples::entered(), Some(runc), Some(EnteredBy::Setns));
    assert_eq!(events.len(), 1);
    assert_eq!(owner(&events[0]).1, id(WEB));
}

#[test]
fn a_number_that_is_used_again_begins_anew() {
    let mut bench = Bench::new();
    let runc = bench.actor(WEB, "runc", Some(Stage::Child));
    bench.take(samples::created(), Some(runc), None);
    let events = bench.take(samples::destroyed(), None, None);
    assert_eq!(owner(&events[0]).1, id(WEB));
    let program = bench.actor(NODE, "program", None);
    let events = bench.take(samples::created(), Some(program), None);
    assert_eq!(owner(&events[0]), (Some("program"), None, None));
}

#[test]
fn a_write_by_a_runtime_inside_tells_as_well() {
    let mut bench = Bench::new();
    let init = bench.actor(WEB, "crun", Some(Stage::Init));
    let events = bench.take(samples::write("1", "2", "1"), Some(init), None);
    let actions: Vec<Action> = events.iter().map(|event| event.event.action).collect();
    assert_eq!(actions, [Action::SysctlWrite, Action::NetnsBind]);
    assert!(events[1].sysctl.is_none());
    assert_eq!(owner(&events[0]).1, id(WEB));
}
