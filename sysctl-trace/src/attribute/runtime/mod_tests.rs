use std::fs;

use tempfile::TempDir;

use super::*;
use crate::attribute::cgroup::parse;

const H: &str = "5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";
const SANDBOX: &str = "ee40841f79d52f66f4958c8a484bd2dfb453228874dcca1a3f2ec6e8420ec87c";
const UID: &str = "26ab26cd-6409-443f-a13c-fd6c231207c8";

/// State below a temporary root.
struct Machine {
    root: TempDir,
}

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        Self { root }
    }

    fn with(self, path: &str, text: &str) -> Self {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn state(&self) -> State {
        State::at(self.root.path(), rustix::process::getuid().as_raw())
    }

    /// What is known of the first candidate or container that there is state of.
    fn find(&self, path: &str) -> Option<Known> {
        let place = parse(path);
        let mut all = place.candidates.iter().chain(&place.container);
        all.find_map(|matched| self.state().find(matched, path))
    }
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(key, value)| (key.into(), value.into())).into()
}

fn spec(cgroups_path: &str, sysctl: &str, annotations: &str) -> String {
    format!(
        r#"{{"ociVersion": "1.1.0",
            "process": {{"terminal": false, "args": ["sh"], "cwd": "/"}},
            "root": {{"path": "rootfs"}},
            "annotations": {annotations},
            "linux": {{
                "sysctl": {sysctl},
                "cgroupsPath": "{cgroups_path}",
                "namespaces": [
                    {{"type": "pid"}},
                    {{"type": "network", "path": "/var/run/netns/cni-1a2b"}}
                ],
                "seccomp": {{"defaultAction": "SCMP_ACT_ERRNO"}}
            }}}}"#
    )
}

fn task(namespace: &str, id: &str) -> String {
    format!("run/containerd/io.containerd.runtime.v2.task/{namespace}/{id}/config.json")
}

fn docker() -> Machine {
    let sysctl = r#"{"net.core.somaxconn": "1024", "net.ipv4.ip_unprivileged_port_start": "0"}"#;
    let folder = format!("var/lib/docker/containers/{H}");
    Machine::new()
        .with(
            &task("moby", H),
            &spec("system.slice:docker:5aaf", sysctl, "null").replace(":5aaf", &format!(":{H}")),
        )
        .with(
            &format!("{folder}/config.v2.json"),
            &format!(
                r#"{{"StreamConfig": {{}}, "State": {{"Running": true, "Pid": 4711}}, "ID": "{H}",
                    "Name": "/web", "Driver": "overlay2",
                    "Config": {{"Hostname": "5aaf9eb7648e", "Image": "busybox:1.36",
                        "Labels": {{"com.example.team": "red"}}}},
                    "NetworkSettings": {{"SandboxKey": "/var/run/docker/netns/6f26"}}}}"#
            ),
        )
        .with(
            &format!("{folder}/hostconfig.json"),
            r#"{"NetworkMode": "bridge", "Sysctls": {"net.core.somaxconn": "1024"}}"#,
        )
}

#[test]
fn docker_is_told_by_bundle_and_by_its_own_files() {
    let path = format!("/system.slice/docker-{H}.scope");
    let known = docker().find(&path);
    let expected = Known {
        id: H.into(),
        runtime: "docker".into(),
        name: Some("web".into()),
        image: Some("busybox:1.36".into()),
        labels: map([("com.example.team", "red")]),
        sysctls: map([
            ("net.core.somaxconn", "1024"),
            ("net.ipv4.ip_unprivileged_port_start", "0"),
        ]),
        sysctls_file: Some(format!("/{}", task("moby", H))),
        user_sysctls: map([("net.core.somaxconn", "1024")]),
        user_sysctls_file: Some(format!("/var/lib/docker/containers/{H}/hostconfig.json")),
        netns_path: Some("/var/run/netns/cni-1a2b".into()),
        cgroups_path: Some(format!("system.slice:docker:{H}")),
        is_cgroup_same: Some(true),
        end: Some(path.len()),
        ..Known::default()
    };
    assert_eq!(known, Some(expected));
}

#[test]
fn another_cgroup_with_a_known_id_is_not_the_container() {
    let known = docker().find(&format!("/docker/{H}")).unwrap();
    assert_eq!(known.is_cgroup_same, Some(false));
}

#[test]
fn docker_without_a_bundle_is_verified_by_the_state_of_runc() {
    let machine = docker();
    fs::remove_dir_all(machine.root.path().join("run")).unwrap();
    let path = format!("/docker/{H}");
    let known = machine.find(&path).unwrap();
    assert_eq!(
        (known.name.as_deref(), known.is_cgroup_same),
        (Some("web"), None)
    );
    assert_eq!(
        known.netns_path.as_deref(),
        Some("/var/run/docker/netns/6f26")
    );
    let machine = machine.with(
        &format!("run/docker/runtime-runc/moby/{H}/state.json"),
        &format!(r#"{{"id": "{H}", "cgroup_paths": {{"": "/sys/fs/cgroup/docker/{H}"}}}}"#),
    );
    assert_eq!(machine.find(&path).unwrap().is_cgroup_same, Some(true));
}

#[test]
fn a_pod_has_its_keys_in_the_sandbox() {
    let slice = format!("kubepods-besteffort-pod{}.slice", UID.replace('-', "_"));
    let annotations = |kind: &str, more: &str| {
        format!(
            r#"{{"io.kubernetes.cri.container-type": "{kind}",
                "io.kubernetes.cri.sandbox-id": "{SANDBOX}",
                "io.kubernetes.cri.sandbox-name": "web-7d4b9",
                "io.kubernetes.cri.sandbox-namespace": "shop",
                "io.kubernetes.cri.sandbox-uid": "{UID}"{more}}}"#
        )
    };
    let machine = Machine::new()
        .with(
            &task("k8s.io", SANDBOX),
            &spec(
                &format!("{slice}:cri-containerd:{SANDBOX}"),
                r#"{"net.core.somaxconn": "4096"}"#,
                &annotations("sandbox", ""),
            ),
        )
        .with(
            &task("k8s.io", H),
            &spec(
                &format!("{slice}:cri-containerd:{H}"),
                "{}",
                &annotations(
                    "container",
                    r#", "io.kubernetes.cri.container-name": "app",
                       "io.kubernetes.cri.image-name": "docker.io/library/nginx:1.27""#,
                ),
            ),
        );
    let folder = format!("/kubepods.slice/kubepods-besteffort.slice/{slice}");
    let known = machine
        .find(&format!("{folder}/cri-containerd-{H}.scope"))
        .unwrap();
    let pod = KnownPod {
        uid: Some(UID.into()),
        name: Some("web-7d4b9".into()),
        namespace: Some("shop".into()),
        labels: BTreeMap::new(),
    };
    assert_eq!(known.is_cgroup_same, Some(true));
    assert_eq!(known.runtime, "containerd");
    assert_eq!(known.name_in_pod.as_deref(), Some("app"));
    assert_eq!(known.image.as_deref(), Some("docker.io/library/nginx:1.27"));
    assert_eq!(known.sandbox_sysctls, map([("net.core.somaxconn", "4096")]));
    assert_eq!(
        known.sandbox_sysctls_file,
        Some(format!("/{}", task("k8s.io", SANDBOX)))
    );
    assert_eq!(known.pod.as_ref(), Some(&pod));
    assert!(known.sysctls.is_empty() && !known.is_sandbox);

    let sandbox = machine
        .find(&format!("{folder}/cri-containerd-{SANDBOX}.scope"))
        .unwrap();
    assert!(sandbox.is_sandbox);
    assert_eq!((&sandbox.sandbox_id, &sandbox.name), (&None, &None));
    assert_eq!(sandbox.sysctls, map([("net.core.somaxconn", "4096")]));
    assert_eq!(sandbox.pod, Some(pod));
}

#[test]
fn one_name_in_two_namespaces_is_told_by_the_cgroup() {
    let machine = Machine::new()
        .with(
            &task("blue", "web"),
            &spec("/blue/web", r#"{"a": "1"}"#, "{}"),
        )
        .with(
            &task("red", "web"),
            &spec("/red/web", r#"{"a": "2"}"#, "{}"),
        );
    let known = machine.find("/red/web/deeper").unwrap();
    assert_eq!(known.sysctls, map([("a", "2")]));
    assert_eq!(
        (known.runtime.as_str(), known.is_cgroup_same),
        ("containerd", Some(true))
    );
    assert_eq!(
        machine.find("/green/web").unwrap().is_cgroup_same,
        Some(false)
    );
    assert_eq!(machine.find("/red/other"), None);
}

#[test]
fn crio_tells_of_its_pods_by_annotations() {
    let folder = "run/containers/storage/overlay-containers";
    let sandbox = format!(
        r#"{{"io.kubernetes.cri-o.ContainerType": "sandbox",
            "io.kubernetes.cri-o.SandboxID": "{SANDBOX}",
            "io.kubernetes.cri-o.KubeName": "web-7d4b9",
            "io.kubernetes.cri-o.Namespace": "shop",
            "io.kubernetes.cri-o.Name": "k8s_POD_web-7d4b9_shop_{UID}_0",
            "io.kubernetes.cri-o.Labels": "{{\"app\":\"web\",\"io.kubernetes.pod.uid\":\"{UID}\"}}"}}"#
    );
    let container = format!(
        r#"{{"io.kubernetes.cri-o.ContainerType": "container",
            "io.kubernetes.cri-o.SandboxID": "{SANDBOX}",
            "io.kubernetes.cri-o.ImageName": "quay.io/shop/web:3",
            "io.kubernetes.cri-o.Name": "k8s_app_web-7d4b9_shop_{UID}_0",
            "io.kubernetes.cri-o.Labels": "{{\"io.kubernetes.container.name\":\"app\",\"io.kubernetes.pod.name\":\"web-7d4b9\",\"io.kubernetes.pod.namespace\":\"shop\",\"io.kubernetes.pod.uid\":\"{UID}\"}}"}}"#
    );
    let machine = Machine::new()
        .with(
            &format!("{folder}/{SANDBOX}/userdata/config.json"),
            &spec(
                "x.slice:crio:s",
                r#"{"net.core.somaxconn": "4096"}"#,
                &sandbox,
            ),
        )
        .with(
            &format!("{folder}/{H}/userdata/config.json"),
            &spec(&format!("x.slice:crio:{H}"), "null", &container),
        );
    let known = machine
        .find(&format!("/x.slice/crio-{H}.scope/container"))
        .unwrap();
    assert_eq!(
        (known.runtime.as_str(), known.is_cgroup_same),
        ("cri-o", Some(true))
    );
    assert_eq!(known.name.as_deref(), Some("app"));
    assert_eq!(known.name_in_pod.as_deref(), Some("app"));
    assert_eq!(known.image.as_deref(), Some("quay.io/shop/web:3"));
    assert_eq!(known.sandbox_sysctls, map([("net.core.somaxconn", "4096")]));
    let pod = known.pod.unwrap();
    assert_eq!(
        (pod.name.as_deref(), pod.namespace.as_deref()),
        (Some("web-7d4b9"), Some("shop"))
    );
    assert_eq!(
        (pod.uid.as_deref(), pod.labels),
        (Some(UID), map([("app", "web")]))
    );
}

#[test]
fn podman_has_names_in_the_lists_of_its_storage() {
    let folder = "var/lib/containers/storage/overlay-containers";
    let machine = Machine::new()
        .with(
            &format!("{folder}/{H}/userdata/config.json"),
            &spec(
                &format!("machine.slice:libpod:{H}"),
                r#"{"net.ipv4.ping_group_range": "0 0"}"#,
                r#"{"io.container.manager": "libpod", "org.opencontainers.image.stopSignal": "15"}"#,
            ),
        )
        .with(
            &format!("{folder}/volatile-containers.json"),
            &format!(
                r#"[{{"id": "{SANDBOX}"}}, {{"id": "{H}", "names": ["web"], "layer": "x",
                    "metadata": "{{\"image-name\":\"docker.io/library/busybox:latest\",\"name\":\"web\",\"created-at\":1760200649}}",
                    "created": "2025-10-11T16:37:29.214855063Z"}}]"#
            ),
        );
    let path = format!("/machine.slice/libpod-{H}.scope/container");
    let known = machine.find(&path).unwrap();
    assert_eq!(
        (known.runtime.as_str(), known.is_cgroup_same),
        ("podman", Some(true))
    );
    assert_eq!(known.name.as_deref(), Some("web"));
    assert_eq!(
        known.image.as_deref(),
        Some("docker.io/library/busybox:latest")
    );
    assert_eq!(known.pod, None);
}

#[test]
fn a_manager_that_wrote_no_cgroup_down_is_verified_by_its_oci_runtime() {
    let machine = Machine::new()
        .with(
            &format!("var/lib/containers/storage/overlay-containers/{H}/userdata/config.json"),
            &spec("", "{}", r#"{"io.container.manager": "libpod"}"#),
        )
        .with(
            &format!("run/crun/{H}/status"),
            &format!(r#"{{"pid": 1, "cgroup-path": "/machine.slice/libpod-{H}.scope/container"}}"#),
        );
    let known = machine
        .find(&format!("/machine.slice/libpod-{H}.scope/container"))
        .unwrap();
    assert_eq!(
        (known.runtime.as_str(), known.is_cgroup_same),
        ("podman", Some(true))
    );
}

#[test]
fn runc_and_crun_by_themselves_have_state_of_their_own() {
    let machine = Machine::new()
        .with(
            "run/runc/web/state.json",
            r#"{"id": "web", "init_process_pid": 42, "init_process_start": "12345",
                "config": {"sysctl": {"net.core.somaxconn": "7"},
                    "labels": ["io.example=1", "bundle=/w"],
                    "namespaces": [{"type": "NEWNET", "path": ""}]},
                "cgroup_paths": {"pids": "/sys/fs/cgroup/pids/web", "": "/sys/fs/cgroup/unified/web"}}"#,
        )
        .with(
            "run/crun/app/status",
            r#"{"pid": 43, "process-start-time": 5, "cgroup-path": "/app", "scope": "",
                "rootfs": "/b/rootfs", "systemd-cgroup": false, "bundle": "/b", "created": "x"}"#,
        )
        .with("b/config.json", &spec("", r#"{"net.core.somaxconn": "8"}"#, "{}"));
    let known = machine.find("/web").unwrap();
    assert_eq!(
        (known.runtime.as_str(), known.is_cgroup_same),
        ("runc", Some(true))
    );
    assert_eq!(known.sysctls, map([("net.core.somaxconn", "7")]));
    assert_eq!(known.sysctls_file.as_deref(), Some("/w/config.json"));
    assert_eq!(known.netns_path, None);
    assert_eq!(machine.find("/x/web").unwrap().is_cgroup_same, Some(false));
    let known = machine.find("/app").unwrap();
    assert_eq!(
        (known.runtime.as_str(), known.is_cgroup_same),
        ("crun", Some(true))
    );
    assert_eq!(known.sysctls, map([("net.core.somaxconn", "8")]));
    assert_eq!(known.sysctls_file.as_deref(), Some("/b/config.json"));
}

#[test]
fn machines_are_known_by_their_unit() {
    let text =
        "# This is private data. Do not parse.\nNAME=jammy\nSCOPE=machine-jammy.scope\nLEADER=99\n";
    let machine = Machine::new().with("run/systemd/machines/jammy", text);
    let known = machine
        .find("/machine.slice/machine-jammy.scope/payload")
        .unwrap();
    assert_eq!(
        (known.runtime.as_str(), known.is_cgroup_same),
        ("systemd-nspawn", Some(true))
    );
    let other = machine
        .find("/machine.slice/systemd-nspawn@jammy.service")
        .unwrap();
    assert_eq!(other.is_cgroup_same, Some(false));
}

#[test]
fn a_bundle_is_read_by_the_arguments_of_its_runtime() {
    let machine = Machine::new().with("b/config.json", &spec("/web", r#"{"a": "1"}"#, "{}"));
    let args = ["runc", "run", "--bundle", "/b", "web"].map(str::to_owned);
    let invocation = arguments::invocation(&args).unwrap();
    let known = machine.state().bundle(&invocation, Some("/web")).unwrap();
    assert_eq!((known.runtime.as_str(), known.id.as_str()), ("runc", "web"));
    assert_eq!(
        (known.is_cgroup_same, &known.sysctls),
        (Some(true), &map([("a", "1")]))
    );
    let known = machine.state().bundle(&invocation, None).unwrap();
    assert_eq!(known.is_cgroup_same, None);
}

#[test]
fn half_written_and_foreign_files_tell_nothing() {
    let whole = spec("/default/web", "{}", "{}");
    for text in ["", "{", "[]", "null", "\u{0}", &whole[..whole.len() / 2]] {
        let machine = Machine::new().with(&task("default", "web"), text);
        let known = machine.find("/default/web");
        assert_eq!(
            known.and_then(|known| known.is_cgroup_same),
            None,
            "{text:?}"
        );
    }
    for text in [r#"{"id": "other"}"#, "{}", "x"] {
        let machine = Machine::new().with("run/runc/web/state.json", text);
        assert_eq!(machine.find("/web"), None, "{text:?}");
    }
}

#[test]
fn the_outermost_that_state_confirms_is_looked_up() {
    let machine = Machine::new()
        .with(&task("default", "web"), &spec("/default/web", "{}", "{}"))
        .with(
            &task("default", H),
            &spec(&format!("/docker/{H}"), "{}", "{}"),
        );
    let id = |path: &str| {
        let known = machine.state().look_up(&parse(path), path)?;
        Some((known.id.to_string(), known.is_cgroup_same))
    };
    let web = Some(("web".to_owned(), Some(true)));
    assert_eq!(id(&format!("/default/web/docker-{H}.scope")), web);
    assert_eq!(id("/default/web/web"), web);
    assert_eq!(
        id(&format!("/docker/{H}")),
        Some((H.to_owned(), Some(true)))
    );
    assert_eq!(
        id(&format!("/web/docker-{H}.scope")),
        Some((H.to_owned(), Some(false)))
    );
    assert_eq!(id("/other/web"), None);
}
