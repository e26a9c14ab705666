//! Whose a namespace is: the containers of the processes in it, by their cgroups.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::Namespace;
use crate::{
    attribute::{
        cgroup, container,
        pin::below_run,
        resident,
        runtime::{Known, State},
    },
    event::{Binding, Owner},
};

/// A container with processes in a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tenant {
    /// The container and its pod.
    pub owner: Owner,
    /// What the runtime's state says of it, if it has the same cgroup.
    pub known: Option<Known>,
}

/// The look-up of containers. Each cgroup is looked up once.
#[derive(Debug)]
pub(super) struct Finder {
    state: State,
    /// By cgroup; `None` where that is no container's.
    known: HashMap<String, Option<Arc<Tenant>>>,
}

impl Finder {
    pub(super) fn new(state: State) -> Self {
        Self {
            state,
            known: HashMap::new(),
        }
    }

    /// Tells whose a namespace is, by the processes in it.
    pub(super) fn fill(&mut self, namespace: &mut Namespace) {
        let pids = std::mem::take(&mut namespace.pids);
        let cgroups = pids.iter().filter_map(|&pid| resident::cgroup(pid));
        self.fill_by_cgroups(namespace, cgroups);
        namespace.pids = pids;
    }

    fn fill_by_cgroups(
        &mut self,
        namespace: &mut Namespace,
        cgroups: impl Iterator<Item = String>,
    ) {
        namespace.owner.pin = namespace.pins.first().cloned();
        let mut seen = HashSet::new();
        for tenant in cgroups.filter_map(|path| self.of(path)) {
            let container = tenant.owner.container.as_ref();
            if !seen.insert(container.map(|container| container.id.clone())) {
                continue;
            }
            // The node's own is nobody's.
            if seen.len() > 1 || namespace.is_node {
                namespace.others.push((*tenant).clone());
                continue;
            }
            namespace.settle(&tenant, Binding::Resident);
        }
    }

    /// Tells whose a namespace is in which no container lives: of the one whose specification
    /// names its file, if that container lives elsewhere. Containers without processes are not
    /// looked for.
    pub(super) fn fill_by_specification(&self, namespace: &mut Namespace) {
        if namespace.is_node || namespace.owner.container.is_some() {
            return;
        }
        let names_it = |known: &&Known| {
            let path = known.netns_path.as_deref().map(below_run);
            let is_it = |pin: &String| Some(below_run(pin)) == path;
            namespace.pins.iter().any(is_it)
        };
        // All containers of a pod name it; the sandbox came first.
        let rank = |known: &Known| (!known.is_sandbox, known.id.clone());
        let tenants = self.known.values().flatten();
        let named = tenants.filter(|tenant| tenant.known.as_ref().filter(names_it).is_some());
        let Some(tenant) = named.min_by_key(|tenant| tenant.known.as_ref().map(rank)) else {
            return;
        };
        namespace.settle(tenant, Binding::Specification);
    }

    fn of(&mut self, path: String) -> Option<Arc<Tenant>> {
        if let Some(known) = self.known.get(&path) {
            return known.clone();
        }
        let tenant = tenant(&self.state, &path).map(Arc::new);
        self.known.insert(path, tenant.clone());
        tenant
    }
}

impl Namespace {
    /// It belongs to this container, or to the pod of it.
    fn settle(&mut self, tenant: &Tenant, by: Binding) {
        self.known.clone_from(&tenant.known);
        let Some(container) = &tenant.owner.container else {
            return;
        };
        let sandbox = tenant.known.as_ref();
        let sandbox = sandbox.and_then(|known| known.sandbox_id.as_deref());
        let k8s = tenant.owner.k8s.as_ref();
        let (owner, k8s) = container::owner(container, k8s, sandbox);
        if owner.id != container.id {
            self.others.push(tenant.clone());
        }
        self.owner = Owner {
            pin: self.owner.pin.take(),
            bound_by: Some(by),
            container: Some(owner),
            k8s,
            ..Owner::default()
        };
    }
}

/// The container that a cgroup belongs to.
fn tenant(state: &State, path: &str) -> Option<Tenant> {
    let place = cgroup::parse(path);
    let known = state
        .look_up(&place, path)
        .filter(|known| known.is_cgroup_same == Some(true));
    let container = container::container(&place, known.as_ref())?;
    Some(Tenant {
        owner: Owner {
            bound_by: Some(Binding::Resident),
            k8s: container::kubernetes(&place, known.as_ref()),
            container: Some(container),
            ..Owner::default()
        },
        known,
    })
}

#[cfg(test)]
#[path = "owner_tests.rs"]
mod tests;
