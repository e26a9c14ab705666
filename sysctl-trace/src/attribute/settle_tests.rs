use std::path::Path;

use super::*;
use crate::{
    attribute::{home::Homes, owner::Owners, runtime::State},
    event::{Binding, Component, NetnsId, Stage, Sureness},
    output::samples,
};

const CONTAINER: &str = "/docker/5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";

/// A namespace that crun has just made, for a child that is on its way.
fn made_by_crun() -> Rc<Owned> {
    let owned = Owners::default().of(NetnsId {
        inum: 4026532281,
        cookie: 41,
    });
    let crun = Component {
        name: "crun".into(),
        stage: Some(Stage::Parent),
        confidence: Sureness::Observed,
        evidence: Vec::new(),
    };
    owned.made_by(&crun, None);
    owned
}

/// The cgroup of a container whose runtime has no state on disk.
fn home() -> Rc<Home> {
    let homes = &mut Homes::new(State::at(Path::new("/nonexistent"), 0));
    homes.of(CONTAINER)
}

fn held(event: Event, owned: Option<Rc<Owned>>) -> Held {
    Held {
        event,
        home: None,
        owned,
        behalf: Behalf::Nobody,
    }
}

/// A queue with a namespace that waits and a write behind it.
fn queue(settle: Duration) -> (Queue, Rc<Owned>) {
    let mut queue = Queue::new(settle);
    let owned = made_by_crun();
    let mut events = Vec::new();
    queue.push(held(samples::created(), Some(owned.clone())), &mut events);
    queue.push(held(samples::write("1", "2", "1"), None), &mut events);
    assert!(events.is_empty());
    (queue, owned)
}

fn released(queue: &mut Queue, now: Instant) -> Vec<Event> {
    let mut events = Vec::new();
    queue.release_at(now, &mut events, |_| {});
    events
}

#[test]
fn one_that_waits_holds_up_those_behind_it_and_no_longer_than_allowed() {
    let settle = Duration::from_millis(200);
    let (mut queue, _owned) = queue(settle);
    let start = Instant::now();
    assert!(released(&mut queue, start).is_empty());
    assert!(queue.due().is_some());
    assert!(released(&mut queue, start + settle / 2).is_empty());
    let events = released(&mut queue, start + settle);
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].event.action, samples::created().event.action);
    assert!(queue.due().is_none());
}

#[test]
fn what_becomes_known_is_told_and_ends_the_wait() {
    let (mut queue, owned) = queue(Duration::from_millis(200));
    let start = Instant::now();
    assert!(released(&mut queue, start).is_empty());
    let home = home();
    home.give_up();
    assert!(owned.bind(&home, Binding::Exec));
    let events = released(&mut queue, start);
    assert_eq!(events.len(), 2);
    let owner = events[0].netns.as_ref().unwrap().owner.as_ref().unwrap();
    assert_eq!(owner.creator.as_deref(), Some("crun"));
    assert_eq!(owner.bound_by, Some(Binding::Exec));
    let container = owner.container.as_ref().unwrap();
    assert!(CONTAINER.ends_with(container.id.as_str()));
    assert!(events[1].netns.as_ref().unwrap().owner.is_none());
}

#[test]
fn without_patience_nothing_waits() {
    let (mut queue, _owned) = queue(Duration::ZERO);
    assert_eq!(released(&mut queue, Instant::now()).len(), 2);
}

#[test]
fn a_container_is_waited_for_once() {
    let home = home();
    let mut queue = Queue::new(Duration::from_millis(200));
    let with_home = |event| Held {
        event,
        home: Some(home.clone()),
        owned: None,
        behalf: Behalf::Nobody,
    };
    let mut events = Vec::new();
    queue.push(with_home(samples::write("1", "2", "1")), &mut events);
    assert!(events.is_empty());
    let start = Instant::now();
    assert!(released(&mut queue, start).is_empty());
    assert_eq!(
        released(&mut queue, start + Duration::from_millis(201)).len(),
        1
    );
    queue.push(with_home(samples::write("2", "1", "2")), &mut events);
    assert_eq!(events.len(), 1);
    let container = events[0].container.known().unwrap();
    assert!(CONTAINER.ends_with(container.id.as_str()));
}

#[test]
fn the_end_takes_everything() {
    let (mut queue, _owned) = queue(Duration::from_secs(10));
    let mut events = Vec::new();
    let mut looks = 0;
    queue.release_all(&mut events, |_| looks += 1);
    assert_eq!((events.len(), looks), (2, 1));
}

#[test]
fn what_need_not_wait_is_handed_over_at_once() {
    let mut queue = Queue::new(Duration::from_secs(10));
    let mut events = Vec::new();
    queue.push(held(samples::write("1", "2", "1"), None), &mut events);
    assert_eq!(events.len(), 1);
    assert!(queue.due().is_none());
}

#[test]
fn too_many_do_not_wait() {
    let (mut queue, _owned) = queue(Duration::from_secs(10));
    for _ in 0..HELD_MAX {
        queue.push(held(samples::write("1", "2", "1"), None), &mut Vec::new());
    }
    let events = released(&mut queue, Instant::now());
    assert_eq!(events.len(), HELD_MAX + 2);
}
