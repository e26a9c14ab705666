//! Whose a network namespace is: learned record by record, told by every event about it.
//!
//! A namespace that a container's own process makes belongs to that container at once. Others are
//! made beforehand, by a process outside: by containerd for a pod, by crun for its child, by `ip
//! netns`. Whose they are shows when the container's runtime enters them or its first program is
//! executed in them.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use smol_str::SmolStr;

use super::{container, home::Home, pin::Pins};
use crate::{
    event::{Binding, Component, Container, Kubernetes, NetnsId, Owner, Stage},
    rendered::Rendered,
};

/// How many namespaces are remembered. Those that are destroyed are forgotten; when there are more,
/// as where the tracer misses that, all are forgotten and learned anew.
const REMEMBERED_MAX: usize = 16_384;

/// How often the file that keeps a namespace is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The namespaces seen so far.
#[derive(Debug, Default)]
pub struct Owners {
    known: HashMap<NetnsId, Rc<Owned>>,
}

/// What is known of one namespace. Events that wait share it with those to come.
#[derive(Debug, Default)]
pub struct Owned {
    inum: u32,
    creator: RefCell<Option<SmolStr>>,
    bound: RefCell<Option<(Rc<Home>, Binding)>>,
    pin: RefCell<Option<String>>,
    /// When the file that keeps it may be looked for again.
    look_at: Cell<Option<Instant>>,
    /// Its inhabitants were looked for.
    searched: Cell<bool>,
    /// What is still expected of it soon.
    awaited: Cell<Awaited>,
    told: RefCell<Option<Told>>,
}

#[derive(Debug)]
struct Told {
    /// [`Home::version`] when it was put together.
    version: u32,
    owner: Arc<Rendered<Owner>>,
}

/// What a new namespace is expected to get within moments, going by who made it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Awaited {
    #[default]
    Nothing,
    /// A file that keeps it.
    Pin,
    /// The container that it was made for.
    Container,
}

impl Owners {
    /// What is known of a namespace.
    pub fn of(&mut self, id: NetnsId) -> Rc<Owned> {
        if self.known.len() >= REMEMBERED_MAX && !self.known.contains_key(&id) {
            self.known.clear();
        }
        let owned = self.known.entry(id).or_insert_with(|| {
            Rc::new(Owned {
                inum: id.inum,
                ..Owned::default()
            })
        });
        owned.clone()
    }

    /// The namespace is gone; its number will be used again.
    pub fn forget(&mut self, id: NetnsId) -> Option<Rc<Owned>> {
        self.known.remove(&id)
    }
}

impl Owned {
    /// A process made it.
    pub fn made_by(&self, component: &Component, home: Option<&Rc<Home>>) {
        *self.creator.borrow_mut() = Some(component.name.clone());
        self.told.borrow_mut().take();
        if let Some(home) = home {
            *self.bound.borrow_mut() = Some((home.clone(), Binding::Creator));
            return;
        }
        self.awaited.set(match (&*component.name, component.stage) {
            ("systemd-nspawn" | "lxc" | "incus", _) => Awaited::Container,
            (_, Some(Stage::Parent | Stage::Child | Stage::Init)) => Awaited::Container,
            ("containerd" | "podman" | "pinns" | "cri-o" | "iproute2" | "dockerd", None) => {
                Awaited::Pin
            }
            (_, None) => Awaited::Nothing,
        });
    }

    /// It belongs to this container; whether that is news.
    pub fn bind(&self, home: &Rc<Home>, by: Binding) -> bool {
        let mut bound = self.bound.borrow_mut();
        if bound.is_some() {
            return false;
        }
        *bound = Some((home.clone(), by));
        self.told.borrow_mut().take();
        true
    }

    /// Its number.
    pub fn inum(&self) -> u32 {
        self.inum
    }

    /// Whether it is not known yet which container it belongs to.
    pub fn is_free(&self) -> bool {
        self.bound.borrow().is_none()
    }

    /// Whether its inhabitants are to be looked for: once, of one that was there before the tracer.
    pub fn is_to_be_searched(&self) -> bool {
        self.is_free() && self.creator.borrow().is_none() && !self.searched.replace(true)
    }

    /// The cgroup of the container that it belongs to.
    pub fn home(&self) -> Option<Rc<Home>> {
        self.bound.borrow().as_ref().map(|(home, _)| home.clone())
    }

    /// The file that keeps it, where one is known.
    pub fn pin(&self) -> Option<String> {
        self.pin.borrow().clone()
    }

    /// Looks for what is still missing, if that was not done just now.
    pub fn look(&self, pins: &Pins) {
        if self.pin.borrow().is_some() {
            return;
        }
        let now = Instant::now();
        if self.look_at.get().is_some_and(|at| now < at) {
            return;
        }
        self.look_at.set(Some(now + LOOK_EVERY));
        if let Some(pin) = pins.find(self.inum) {
            *self.pin.borrow_mut() = Some(pin);
            self.told.borrow_mut().take();
        }
    }

    /// Whether more is expected to be known within moments.
    pub fn is_unsettled(&self) -> bool {
        let bound = self.bound.borrow();
        match (self.awaited.get(), &*bound) {
            (_, Some((home, _))) => home.is_unsettled(),
            (Awaited::Nothing, None) => false,
            (Awaited::Pin, None) => self.pin.borrow().is_none(),
            (Awaited::Container, None) => true,
        }
    }

    /// Nothing more is expected.
    pub fn give_up(&self) {
        self.awaited.set(Awaited::Nothing);
    }

    /// What an event says of it; nothing where nothing is known.
    pub fn tell(&self) -> Option<Arc<Rendered<Owner>>> {
        let bound = self.bound.borrow();
        let version = bound.as_ref().map_or(0, |(home, _)| home.version());
        if let Some(told) = &*self.told.borrow()
            && told.version == version
        {
            return Some(told.owner.clone());
        }
        let (container, k8s) = match &*bound {
            Some((home, _)) => in_namespace(home),
            None => (None, None),
        };
        let owner = Owner {
            creator: self.creator.borrow().clone(),
            pin: self.pin.borrow().clone(),
            bound_by: container
                .is_some()
                .then(|| bound.as_ref().map(|(_, by)| *by))
                .flatten(),
            container,
            k8s,
        };
        if owner == Owner::default() {
            return None;
        }
        let owner = Arc::new(Rendered::new(owner));
        *self.told.borrow_mut() = Some(Told {
            version,
            owner: owner.clone(),
        });
        Some(owner)
    }
}

/// Whose a namespace is in which a container lives.
fn in_namespace(home: &Home) -> (Option<Container>, Option<Kubernetes>) {
    let kubernetes = home.kubernetes();
    let kubernetes = kubernetes.as_ref().map(|k8s| k8s.value());
    match home.container() {
        Some(container) => {
            let sandbox = home.sandbox();
            let (container, k8s) = container::owner(&container, kubernetes, sandbox.as_deref());
            (Some(container), k8s)
        }
        None => (None, kubernetes.cloned()),
    }
}
