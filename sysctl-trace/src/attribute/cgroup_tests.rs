use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const PATHS: &str = include_str!("../../tests/data/cgroup-paths.tsv");
const H: &str = "5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";
const H2: &str = "ee40841f79d52f66f4958c8a484bd2dfb453228874dcca1a3f2ec6e8420ec87c";

/// A row of the table, by the names of its columns.
fn rows() -> Vec<HashMap<&'static str, &'static str>> {
    let mut lines = PATHS.lines();
    let columns: Vec<_> = lines.next().unwrap().split('\t').collect();
    lines
        .map(|line| columns.iter().copied().zip(line.split('\t')).collect())
        .collect()
}

/// What a place says, in the words of the table.
fn told(place: &Place) -> (String, String) {
    if place.is_foreign {
        return ("invalid".into(), String::new());
    }
    if let Some(container) = &place.container {
        let all: Vec<_> = std::iter::once(container)
            .chain(&place.nested)
            .map(runtime)
            .collect();
        return (all.join(" > "), container.id.to_string());
    }
    if let Some(service) = &place.service {
        let served = service.serves.clone().unwrap_or_default();
        return (format!("component:{}", service.component), served.into());
    }
    if place.ecs_task.is_some() {
        return ("ecs task slice".into(), String::new());
    }
    match place.candidates.iter().find(|c| c.runtime.is_some()) {
        Some(candidate) => (runtime(candidate), candidate.id.to_string()),
        None => ("none".into(), String::new()),
    }
}

fn runtime(matched: &Match) -> String {
    let name = match matched.runtime {
        Some(Runtime::Docker) => "docker",
        Some(Runtime::ContainerdCri) => "containerd-cri",
        Some(Runtime::ContainerdCtr) => "containerd-ctr",
        Some(Runtime::Nerdctl) => "nerdctl",
        Some(Runtime::CriO) => "crio",
        Some(Runtime::Podman) => "podman",
        Some(Runtime::Runc) => "runc",
        Some(Runtime::Crun) => "crun",
        Some(Runtime::Youki) => "youki",
        Some(Runtime::Buildah) => "buildah",
        Some(Runtime::Lxc) => "lxc",
        Some(Runtime::Nspawn) => "nspawn",
        Some(Runtime::LibvirtLxc) => "libvirt-lxc",
        Some(Runtime::EcsFargate) => "ecs-fargate",
        Some(Runtime::Nomad) => "nomad",
        Some(Runtime::Garden) => "garden",
        Some(Runtime::Firecracker) => "firecracker-jailer",
        None if matched.pod_uid.is_some() => "k8s",
        None => "unknown",
    };
    let rootless = if matched.is_rootless { "-rootless" } else { "" };
    format!("{name}{rootless}")
}

/// The words of the table without what the path alone can't tell.
fn expected(runtime: &str) -> &str {
    match runtime {
        "docker?" | "container, runtime unknown" => "unknown",
        "lxc/incus" => "lxc",
        other => other.split(" (").next().unwrap(),
    }
}

#[test]
fn every_path_of_the_table_gives_its_answer() {
    let rows = rows();
    assert_eq!(rows.len(), 60);
    for row in rows {
        let path = row["path"];
        let place = parse(path);
        let (runtime, id) = told(&place);
        assert_eq!(runtime, expected(row["runtime"]), "runtime of {path}");
        // The monitor of CRI-O is told with the id of the container that it serves as well.
        if !(row["outermost_id"].is_empty() && runtime == "component:conmon") {
            assert_eq!(id, row["outermost_id"], "outermost id of {path}");
        }
        let pods = std::iter::once(&place.pod_uid).chain(place.nested.iter().map(|n| &n.pod_uid));
        let pod = pods.flatten().next().cloned().unwrap_or_default();
        assert_eq!(pod, row["pod_uid"], "UID of the pod of {path}");
        let inner: Vec<_> = place.nested.iter().map(|n| n.id.as_str()).collect();
        assert_eq!(inner.join(" "), row["inner_id"], "inner id of {path}");
        assert!(!row["source"].is_empty(), "source of {path}");
    }
}

#[test]
fn the_pod_of_an_inner_cluster_is_not_that_of_the_outer_container() {
    let uid = "09a70ae9-ccc4-491e-651e-5c773579b349";
    let place = parse(&format!(
        "/system.slice/docker-{H}.scope/kubelet/kubepods/burstable/pod{uid}/{H2}"
    ));
    assert_eq!(place.pod_uid, None);
    assert_eq!(place.nested[0].pod_uid.as_deref(), Some(uid));
    assert_eq!(place.service, None);
}

#[test]
fn the_container_ends_where_its_name_does() {
    let path = format!("/machine.slice/libpod-{H}.scope/container/x");
    let container = parse(&path).container.unwrap();
    let own = format!("/machine.slice/libpod-{H}.scope");
    assert_eq!(&path[..container.end], own);
}

#[test]
fn free_text_is_a_candidate_and_never_a_container() {
    for (path, ids) in [
        ("/web", vec!["web"]),
        ("/system.slice/web", vec!["web"]),
        ("/default/web/deeper", vec!["default", "web", "deeper"]),
        ("/system.slice/runc-web.scope", vec!["web"]),
        ("/user.slice/crun-a.b.scope", vec!["a.b"]),
        ("/system.slice:runc:web", vec!["web"]),
        ("/system.slice/ssh.service", vec![]),
        ("/", vec![]),
        ("", vec![]),
        ("/we b", vec![]),
        ("/.hidden", vec![]),
    ] {
        let place = parse(path);
        assert_eq!(place.container, None, "{path}");
        let found: Vec<_> = place.candidates.iter().map(|c| c.id.as_str()).collect();
        assert_eq!(found, ids, "{path}");
    }
}

#[test]
fn candidates_stand_above_the_outermost_container_only() {
    let place = parse(&format!("/default/web/docker-{H}.scope/x/y"));
    assert_eq!(place.container.unwrap().id, H);
    let ids: Vec<_> = place.candidates.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["default", "web"]);
}

#[test]
fn ids_are_whole_components_of_64_lower_case_digits() {
    let upper = H.to_uppercase();
    let cut = &H[1..];
    for name in [
        format!("docker-{upper}.scope"),
        format!("docker-{cut}.scope"),
        format!("docker-{H}0.scope"),
        format!("docker-{H}"),
        format!("xdocker-{H}.scope"),
        format!("cri-containerd-{H}.service"),
        format!("{H}.mount"),
    ] {
        assert_eq!(parse(&format!("/{name}")).container, None, "{name}");
    }
}

#[test]
fn services_are_of_the_system_only_below_its_slices() {
    let of = |path: &str| parse(path).service.map(|s| (s.component, s.is_system));
    assert_eq!(of("/system.slice/docker.service"), Some(("dockerd", true)));
    assert_eq!(of("/init.scope"), Some(("systemd", true)));
    assert_eq!(of("/lxc.monitor.web"), Some(("lxc", true)));
    assert_eq!(of("/system.slice/lxc@web.service"), Some(("lxc", true)));
    assert_eq!(
        of("/web/system.slice/docker.service"),
        Some(("dockerd", false))
    );
    assert_eq!(
        of("/user.slice/user-1000.slice/user@1000.service/app.slice/docker.service"),
        Some(("dockerd", false))
    );
    assert_eq!(of("/system.slice/x-docker.service"), None);
}

#[test]
fn machines_are_told_from_virtual_ones() {
    let of = |path: &str| parse(path).container.map(|c| (c.id, c.runtime));
    let nspawn = Some(("a-b".into(), Some(Runtime::Nspawn)));
    assert_eq!(of(r"/machine.slice/machine-a\x2db.scope"), nspawn);
    assert_eq!(
        of(r"/machine.slice/systemd-nspawn@a\x2db.service/supervisor"),
        nspawn
    );
    assert_eq!(of(r"/machine.slice/machine-qemu\x2d1\x2da.scope"), None);
    let bare = parse("/machine.slice/barge.scope/payload");
    assert_eq!(bare.container, None);
    let first = &bare.candidates[0];
    assert_eq!(
        (&*first.id, first.runtime),
        ("barge", Some(Runtime::Nspawn))
    );
    assert_eq!(of(r"/machine.slice/machine-\xff.scope"), None);
}

#[test]
fn others_have_forms_of_their_own() {
    let of = |path: &str| parse(path).container.map(|c| (c.id, c.runtime));
    let task = "551e7604-e35c-42b3-b825-416853441234.web";
    assert_eq!(
        of(&format!("/nomad.slice/share.slice/{task}.scope")),
        Some((task.into(), Some(Runtime::Nomad)))
    );
    assert_eq!(
        of(&format!("/libpod_parent/{H}/libpod-{H2}")),
        Some((H2.into(), Some(Runtime::Podman)))
    );
}

/// Paths that name a container, without what may lie below it.
fn containers() -> Vec<(String, Match)> {
    rows()
        .iter()
        .filter_map(|row| {
            let container = parse(row["path"]).container?;
            Some((row["path"][..container.end].to_owned(), container))
        })
        .collect()
}

/// Components that mean something, and any others.
fn component() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(H.to_owned()),
        Just(format!("docker-{H2}.scope")),
        Just(format!("crio-{H2}")),
        Just(format!("libpod-conmon-{H2}.scope")),
        Just(format!("a.slice:cri-containerd:{H2}")),
        Just("docker".to_owned()),
        Just("docker.service".to_owned()),
        Just("lxc".to_owned()),
        Just("lxc.payload.x".to_owned()),
        Just("machine.slice".to_owned()),
        Just("supervisor".to_owned()),
        Just("kubepods".to_owned()),
        Just("pod9729a196c4723b60ab401eaff722982d".to_owned()),
        Just("user@0.service".to_owned()),
        "[^/]{0,80}",
        r"(machine-|systemd-nspawn@|runc-)?[a-f0-9\\x:.-]{0,70}(\.scope|\.service|\.slice)?",
    ]
}

proptest! {
    #[test]
    fn no_path_panics(path in ".{0,200}") {
        parse(&path);
    }

    #[test]
    fn no_path_of_components_panics(names in prop::collection::vec(component(), 0..8)) {
        let path = format!("/{}", names.join("/"));
        let place = parse(&path);
        for matched in place.container.iter().chain(&place.candidates).chain(&place.nested) {
            prop_assert!(path.get(..matched.end).is_some());
            prop_assert!(!matched.id.is_empty());
        }
    }

    #[test]
    fn nothing_below_a_container_changes_whose_it_is(
        below in prop::collection::vec(component(), 0..6),
        at in any::<prop::sample::Index>(),
    ) {
        let containers = containers();
        let (path, expected) = &containers[at.index(containers.len())];
        prop_assume!(below.iter().all(|name| name != ".."));
        let place = parse(&format!("{path}/{}", below.join("/")));
        prop_assert_eq!(place.container.as_ref(), Some(expected));
        prop_assert_eq!(&place.pod_uid, &expected.pod_uid);
        prop_assert_eq!(place.service, None);
    }

    #[test]
    fn a_path_that_leads_out_is_no_container(
        mut names in prop::collection::vec(component(), 0..6),
        at in any::<prop::sample::Index>(),
    ) {
        names.insert(at.index(names.len() + 1), "..".to_owned());
        let place = parse(&format!("/{}", names.join("/")));
        prop_assert_eq!(place, Place { is_foreign: true, ..Place::default() });
    }
}

#[test]
fn what_lies_below_a_service_is_the_services() {
    for path in [
        "/system.slice/systemd-udevd.service/udev",
        "/system.slice/system-foo.slice/foo@1.service/payload/more",
        "/foo.service/supervised",
    ] {
        let place = parse(path);
        assert!(!place.candidates.is_empty(), "{path}");
        assert!(!place.may_be_container(), "{path}: {place:?}");
    }
    for path in [
        "/default/web",
        "/user.slice/user-1000.slice/user@1000.service/web",
        "/system.slice/crun-web.scope",
    ] {
        assert!(parse(path).may_be_container(), "{path}");
    }
    // A name of a certain form is a container's, also there.
    let path = format!(
        "/system.slice/podman.service/libpod-payload-{}",
        "a".repeat(64)
    );
    assert!(parse(&path).container.is_some());
}
