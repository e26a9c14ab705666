//! The containers that processes live in, by their cgroups, and what the runtimes' state on disk
//! says of them.
//!
//! The path of a cgroup tells at once that there is a container. Its name, its image and its pod
//! stand on disk: some before the container's first process, some moments later. What was once
//! read stays, also when the container is gone.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use smol_str::SmolStr;

use super::{
    cgroup::{self, Match, Place},
    container,
    pin::below_run,
    requester::Asked,
    resident,
    runtime::{Known, State, arguments::Invocation},
};
use crate::{
    event::{Confidence, Container, Kubernetes, Requester},
    rendered::Rendered,
};

/// How many cgroups are remembered. When there are more, all are forgotten and read anew.
const REMEMBERED_MAX: usize = 4096;

/// How long state that is not on disk is not looked for again, once events no longer wait for it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The cgroups seen so far.
#[derive(Debug)]
pub struct Homes {
    state: State,
    known: HashMap<Box<str>, Rc<Home>>,
}

/// One cgroup, and the container that it is part of.
#[derive(Debug)]
pub struct Home {
    path: Box<str>,
    place: Place,
    told: RefCell<Told>,
    version: Cell<u32>,
    waits: Cell<bool>,
    look_at: Cell<Instant>,
}

#[derive(Debug, Default)]
struct Told {
    container: Option<Arc<Rendered<Container>>>,
    kubernetes: Option<Arc<Rendered<Kubernetes>>>,
    /// The file of the network namespace that the container's specification names.
    netns_path: Option<String>,
    /// The sandbox of its pod, where it is not that itself.
    sandbox: Option<SmolStr>,
    /// What was asked for of the container; absent where no state tells.
    asked: Option<Asked>,
}

impl Homes {
    /// Nothing seen yet.
    pub fn new(state: State) -> Self {
        Self {
            state,
            known: HashMap::new(),
        }
    }

    /// The runtimes' state, and the node's configuration.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The cgroup with this path.
    pub fn of(&mut self, path: &str) -> Rc<Home> {
        if let Some(home) = self.known.get(path) {
            return home.clone();
        }
        if self.known.len() >= REMEMBERED_MAX {
            self.known.clear();
        }
        let home = Rc::new(Home::new(path));
        home.look(&self.state);
        self.known.insert(path.into(), home.clone());
        home
    }

    /// The container of a process that lives in the network namespace with this number.
    pub fn of_inhabitants(&mut self, inum: u32) -> Option<Rc<Home>> {
        resident::cgroups(inum)
            .iter()
            .map(|path| self.of(path))
            .find(|home| home.is_inside())
    }

    /// The container whose specification names this file as its network namespace.
    pub fn by_netns_path(&self, path: &str) -> Option<Rc<Home>> {
        let same = |home: &&Rc<Home>| {
            let told = home.told.borrow();
            told.netns_path
                .as_deref()
                .is_some_and(|named| below_run(named) == below_run(path))
        };
        self.known.values().find(same).cloned()
    }

    /// A process in this cgroup was started by a runtime's process with these arguments.
    pub fn claim(&self, home: &Home, invocation: &Invocation) {
        home.claim(invocation, &self.state);
    }

    /// Looks once more for what is not known of a container.
    pub fn look(&self, home: &Home) {
        home.look(&self.state);
    }
}

impl Home {
    fn new(path: &str) -> Self {
        let place = cgroup::parse(path);
        let told = Told {
            container: container::container(&place, None).map(shared),
            kubernetes: container::kubernetes(&place, None).map(shared),
            netns_path: None,
            sandbox: None,
            asked: None,
        };
        let waits = place.container.is_some() || !place.candidates.is_empty();
        Self {
            path: path.into(),
            place,
            told: RefCell::new(told),
            version: Cell::new(0),
            waits: Cell::new(waits),
            look_at: Cell::new(Instant::now()),
        }
    }

    /// What its path tells.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The container, as far as it is known.
    pub fn container(&self) -> Option<Arc<Rendered<Container>>> {
        self.told.borrow().container.clone()
    }

    /// The pod, as far as it is known.
    pub fn kubernetes(&self) -> Option<Arc<Rendered<Kubernetes>>> {
        self.told.borrow().kubernetes.clone()
    }

    /// The sandbox of its pod, where it is not that itself.
    pub fn sandbox(&self) -> Option<SmolStr> {
        self.told.borrow().sandbox.clone()
    }

    /// The file of the network namespace that its specification names.
    pub fn netns_path(&self) -> Option<String> {
        self.told.borrow().netns_path.clone()
    }

    /// Who asked for a key of the container, as far as that is known: a path below /proc/sys. A
    /// container within it has keys of its own, of which nothing is known.
    pub fn requester(&self, path: &str) -> Option<Arc<Requester>> {
        let told = self.told.borrow();
        let container = told.container.as_ref()?;
        let asked = told.asked.as_ref()?;
        let is_outermost = container.nested.is_empty();
        is_outermost.then(|| asked.requester(path)).flatten()
    }

    /// Whether it is known what was asked for of the container.
    pub fn is_asked(&self) -> bool {
        self.told.borrow().asked.is_some()
    }

    /// Changes whenever more becomes known.
    pub fn version(&self) -> u32 {
        self.version.get()
    }

    /// Whether it is known to be a container's.
    pub fn is_inside(&self) -> bool {
        self.told.borrow().container.is_some()
    }

    /// Whether its path can be that of a container.
    pub fn may_be_inside(&self) -> bool {
        self.place.container.is_some() || !self.place.candidates.is_empty()
    }

    /// Whether more is expected on disk within moments.
    pub fn is_unsettled(&self) -> bool {
        self.waits.get()
    }

    /// Nothing more is expected soon.
    pub fn give_up(&self) {
        self.waits.set(false);
        self.look_at.set(Instant::now() + LOOK_EVERY);
    }

    fn is_verified(&self) -> bool {
        let told = self.told.borrow();
        told.container
            .as_ref()
            .is_some_and(|container| container.confidence == Confidence::StateVerified)
    }

    fn look(&self, state: &State) {
        if !self.may_be_inside() || self.is_verified() {
            return;
        }
        let now = Instant::now();
        if !self.waits.get() && now < self.look_at.get() {
            return;
        }
        match self.find(state) {
            Some(known) => self.learn(&known),
            None if !self.waits.get() => self.look_at.set(now + LOOK_EVERY),
            None => {}
        }
    }

    /// What the state says of the outermost candidate that it confirms, or else of the container
    /// that the path names.
    fn find(&self, state: &State) -> Option<Known> {
        state
            .look_up(&self.place, &self.path)
            .filter(|known| known.is_cgroup_same == Some(true))
    }

    /// A runtime's process was asked for a container whose id is a name in the path: it counts
    /// until the state says more.
    fn claim(&self, invocation: &Invocation, state: &State) {
        let same = |matched: &&Match| matched.id == invocation.id;
        let mut all = self.place.container.iter().chain(&self.place.candidates);
        let Some(matched) = all.find(same) else {
            return;
        };
        let known = state.bundle(invocation, self.path.get(..matched.end));
        let mut told = self.told.borrow_mut();
        if told.asked.is_none() {
            told.asked = known.as_ref().map(Asked::of);
        }
        if told.container.is_some() {
            return;
        }
        let known = known.unwrap_or_else(|| Known {
            id: matched.id.clone(),
            runtime: invocation.runtime.clone(),
            name: invocation.name.clone(),
            ..Known::default()
        });
        told.container = Some(shared(container::inferred(&known)));
        told.kubernetes = container::inferred_kubernetes(&known).map(shared);
        told.netns_path = known.netns_path;
        told.sandbox = known.sandbox_id;
        self.version.set(self.version.get() + 1);
    }

    fn learn(&self, known: &Known) {
        let container = container::container(&self.place, Some(known)).map(shared);
        let kubernetes = container::kubernetes(&self.place, Some(known)).map(shared);
        *self.told.borrow_mut() = Told {
            container,
            kubernetes,
            netns_path: known.netns_path.clone(),
            sandbox: known.sandbox_id.clone(),
            asked: Some(Asked::of(known)),
        };
        self.version.set(self.version.get() + 1);
        if self.is_verified() {
            self.waits.set(false);
        }
    }
}

fn shared<T>(value: T) -> Arc<Rendered<T>> {
    Arc::new(Rendered::new(value))
}
