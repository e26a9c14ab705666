use super::*;
use crate::attribute::{cgroup::parse, runtime::KnownPod};

const H: &str = "5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";
const H2: &str = "ee40841f79d52f66f4958c8a484bd2dfb453228874dcca1a3f2ec6e8420ec87c";
const UID: &str = "26ab26cd-6409-443f-a13c-fd6c231207c8";

/// State of a container whose own cgroup is the path up to `end`.
fn known(id: &str, end: usize) -> Known {
    Known {
        id: id.into(),
        runtime: "containerd".into(),
        name: Some("web".into()),
        image: Some("busybox".into()),
        is_cgroup_same: Some(true),
        end: Some(end),
        ..Known::default()
    }
}

#[test]
fn a_path_alone_tells_id_and_runtime() {
    let place = parse(&format!("/system.slice/docker-{H}.scope/docker/{H2}"));
    let expected = Container {
        id: H.into(),
        runtime: Some("docker".into()),
        name: None,
        image: None,
        confidence: Confidence::PathOnly,
        nested: vec![Nested {
            id: H2.into(),
            runtime: Some("docker".into()),
        }],
    };
    assert_eq!(container(&place, None), Some(expected));
    assert_eq!(kubernetes(&place, None), None);
}

#[test]
fn state_with_the_same_cgroup_adds_names() {
    let path = format!("/system.slice/docker-{H}.scope/x");
    let found = container(&parse(&path), Some(&known(H, path.len() - 2))).unwrap();
    assert_eq!(found.confidence, Confidence::StateVerified);
    assert_eq!(found.name.as_deref(), Some("web"));
    assert_eq!(found.image.unwrap().name, "busybox");
    assert_eq!(found.runtime.as_deref(), Some("containerd"));
}

#[test]
fn state_with_another_cgroup_or_none_adds_nothing() {
    let path = format!("/docker/{H}");
    let whole = known(H, path.len());
    for known in [
        Known {
            is_cgroup_same: Some(false),
            ..whole.clone()
        },
        Known {
            is_cgroup_same: None,
            ..whole.clone()
        },
        Known {
            id: H2.into(),
            ..whole.clone()
        },
        Known {
            end: Some(1),
            ..whole.clone()
        },
        Known { end: None, ..whole },
    ] {
        let found = container(&parse(&path), Some(&known)).unwrap();
        assert_eq!(found.confidence, Confidence::PathOnly, "{known:?}");
        assert_eq!((found.name, found.image), (None, None));
    }
}

#[test]
fn free_text_is_a_container_only_with_state() {
    let path = "/default/web";
    assert_eq!(container(&parse(path), None), None);
    let unconfirmed = Known {
        is_cgroup_same: None,
        ..known("web", path.len())
    };
    assert_eq!(container(&parse(path), Some(&unconfirmed)), None);
    let found = container(&parse(path), Some(&known("web", path.len()))).unwrap();
    assert_eq!(
        (found.id.as_str(), found.confidence),
        ("web", Confidence::StateVerified)
    );
}

#[test]
fn a_confirmed_candidate_is_outside_of_what_it_made_itself() {
    let path = format!("/default/web/kubepods/pod{UID}/docker-{H}.scope");
    let known = known("web", "/default/web".len());
    let found = container(&parse(&path), Some(&known)).unwrap();
    assert_eq!(found.id, "web");
    assert_eq!(found.nested[0].id, H);
    assert_eq!(kubernetes(&parse(&path), Some(&known)), None);
    let uid = kubernetes(&parse(&path), None).unwrap().pod.uid;
    assert_eq!(uid.as_deref(), Some(UID));
}

#[test]
fn pods_have_names_from_state_and_the_uid_from_the_path() {
    let path = format!("/kubepods/pod{UID}/{H}");
    let place = parse(&path);
    let by_path = kubernetes(&place, None).unwrap();
    assert_eq!(by_path.pod.uid.as_deref(), Some(UID));
    assert_eq!((by_path.pod.name, by_path.namespace), (None, None));
    let known = Known {
        pod: Some(KnownPod {
            uid: Some("another".into()),
            name: Some("web-7d4b9".into()),
            namespace: Some("shop".into()),
            labels: [("app".into(), "web".into())].into(),
        }),
        name_in_pod: Some("app".into()),
        ..known(H, path.len())
    };
    let found = kubernetes(&place, Some(&known)).unwrap();
    assert_eq!(found.pod.uid.as_deref(), Some(UID));
    assert_eq!(found.pod.name.as_deref(), Some("web-7d4b9"));
    assert_eq!(found.pod.labels["app"], "web");
    assert_eq!(found.namespace.unwrap().name, "shop");
    assert_eq!(found.container.unwrap().name, "app");
    let found = inferred_kubernetes(&known).unwrap();
    assert_eq!(found.pod.uid.as_deref(), Some("another"));
    assert_eq!(inferred(&known).confidence, Confidence::Inferred);
}

#[test]
fn a_pod_is_told_of_its_monitor_as_well() {
    let place = parse(&format!("/kubepods/pod{UID}/crio-conmon-{H}"));
    assert_eq!(container(&place, None), None);
    assert_eq!(
        kubernetes(&place, None).unwrap().pod.uid.as_deref(),
        Some(UID)
    );
}
