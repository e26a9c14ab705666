//! What a path and the runtime's state say together: the container and the pod. Pure.

use std::collections::BTreeMap;

use super::{
    cgroup::{Match, Place},
    runtime::Known,
};
use crate::event::{Confidence, Container, Image, Kubernetes, Named, Nested, Pod};

/// The outermost container that a place belongs to.
///
/// `known` is what the runtime's state says of the place's first candidate that it confirms, or
/// else of its container. Without state that has the same cgroup, a candidate is no container, and
/// a container is told by its path alone, without names.
pub fn container(place: &Place, known: Option<&Known>) -> Option<Container> {
    let (matched, confirmed) = outermost(place, known)?;
    let is_candidate = place.container.as_ref() != Some(matched);
    let within = place.container.iter().filter(|_| is_candidate);
    let nested = within.chain(&place.nested).map(nested).collect();
    Some(match confirmed {
        Some(known) => Container {
            confidence: Confidence::StateVerified,
            nested,
            ..inferred(known)
        },
        None => Container {
            id: matched.id.clone(),
            runtime: matched.runtime.map(|runtime| runtime.manager().into()),
            name: None,
            image: None,
            confidence: Confidence::PathOnly,
            nested,
        },
    })
}

/// The pod that a place belongs to. A pod's name, namespace and labels come from state that has
/// the same cgroup; of others only the UID in the path is told.
pub fn kubernetes(place: &Place, known: Option<&Known>) -> Option<Kubernetes> {
    let found = outermost(place, known);
    let confirmed = found.and_then(|(_, confirmed)| confirmed);
    // A UID below the outermost container is of a pod within it.
    let uid = match found {
        Some((matched, _)) => &matched.pod_uid,
        None => &place.pod_uid,
    };
    pod(confirmed, uid.as_deref())
}

/// Whose a network namespace is that this container lives in: that of the containers of a pod is the
/// pod's, which its sandbox stands for, be it a container (containerd) or not (CRI-O). A sandbox has
/// none of its own.
pub fn owner(
    container: &Container,
    kubernetes: Option<&Kubernetes>,
    sandbox: Option<&str>,
) -> (Container, Option<Kubernetes>) {
    if let (Some(kubernetes), Some(id)) = (kubernetes, sandbox) {
        let sandbox = Container {
            id: id.into(),
            name: None,
            image: None,
            nested: Vec::new(),
            ..container.clone()
        };
        let pod = Kubernetes {
            container: None,
            ..kubernetes.clone()
        };
        return (sandbox, Some(pod));
    }
    (container.clone(), kubernetes.cloned())
}

/// A container by something else than a cgroup: the bundle that a runtime's process was given.
pub fn inferred(known: &Known) -> Container {
    Container {
        id: known.id.clone(),
        runtime: Some(known.runtime.clone()).filter(|runtime| !runtime.is_empty()),
        name: known.name.clone(),
        image: known.image.clone().map(|name| Image { name }),
        confidence: Confidence::Inferred,
        nested: Vec::new(),
    }
}

/// The pod of such a container.
pub fn inferred_kubernetes(known: &Known) -> Option<Kubernetes> {
    pod(Some(known), None)
}

fn pod(known: Option<&Known>, uid: Option<&str>) -> Option<Kubernetes> {
    let pod = known.and_then(|known| known.pod.as_ref());
    let uid = uid.or_else(|| pod?.uid.as_deref());
    if uid.is_none() && pod.is_none() {
        return None;
    }
    let named = |name: &String| Named { name: name.clone() };
    Some(Kubernetes {
        pod: Pod {
            name: pod.and_then(|pod| pod.name.clone()),
            uid: uid.map(Into::into),
            labels: pod.map_or_else(BTreeMap::new, |pod| pod.labels.clone()),
        },
        namespace: pod.and_then(|pod| pod.namespace.as_ref()).map(named),
        container: known
            .and_then(|known| known.name_in_pod.as_ref())
            .map(named),
    })
}

/// The match that is the outermost container, and the state of it, if that has the same cgroup.
fn outermost<'a>(
    place: &'a Place,
    known: Option<&'a Known>,
) -> Option<(&'a Match, Option<&'a Known>)> {
    let known = known.filter(|known| known.is_cgroup_same == Some(true));
    let is_of = |matched: &Match| {
        known.is_some_and(|known| known.id == matched.id && known.end == Some(matched.end))
    };
    if let Some(candidate) = place.candidates.iter().find(|candidate| is_of(candidate)) {
        return Some((candidate, known));
    }
    let container = place.container.as_ref()?;
    Some((container, known.filter(|_| is_of(container))))
}

fn nested(matched: &Match) -> Nested {
    Nested {
        id: matched.id.clone(),
        runtime: matched.runtime.map(|runtime| runtime.manager().into()),
    }
}

#[cfg(test)]
#[path = "container_tests.rs"]
mod tests;
