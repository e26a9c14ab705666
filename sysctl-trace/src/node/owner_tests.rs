use std::fs;

use tempfile::TempDir;

use super::*;
use crate::event::Confidence;

const SANDBOX: &str = "ee40841f79d52f66f4958c8a484bd2dfb453228874dcca1a3f2ec6e8420ec87c";
const APP: &str = "5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";
const STRANGER: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A node with a pod, whose sandbox asks for a key.
struct Fixture {
    root: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for (id, kind, sysctl) in [
            (SANDBOX, "sandbox", r#"{"net.core.somaxconn": "1024"}"#),
            (APP, "container", "{}"),
        ] {
            let tasks = "run/containerd/io.containerd.runtime.v2.task/k8s.io";
            let bundle = root.path().join(tasks).join(id);
            fs::create_dir_all(&bundle).unwrap();
            let spec = format!(
                r#"{{"annotations": {{
                        "io.kubernetes.cri.container-type": "{kind}",
                        "io.kubernetes.cri.sandbox-id": "{SANDBOX}",
                        "io.kubernetes.cri.sandbox-name": "cart-0",
                        "io.kubernetes.cri.sandbox-namespace": "shop"}},
                    "linux": {{
                        "sysctl": {sysctl},
                        "cgroupsPath": "{}",
                        "namespaces": [
                            {{"type": "network", "path": "/var/run/netns/cni-1"}}]}}}}"#,
                cgroup(id)
            );
            fs::write(bundle.join("config.json"), spec).unwrap();
        }
        Self { root }
    }

    fn finder(&self) -> Finder {
        let owner = rustix::process::getuid().as_raw();
        Finder::new(State::at(self.root.path(), owner))
    }
}

fn cgroup(id: &str) -> String {
    format!("/kubepods/pod26ab26cd-6409-443f-a13c-fd6c231207c8/{id}")
}

fn fill(finder: &mut Finder, namespace: &mut Namespace, cgroups: &[&str]) {
    finder.fill_by_cgroups(namespace, cgroups.iter().map(|&path| path.to_owned()));
}

fn id(owner: &Owner) -> Option<&str> {
    owner.container.as_ref().map(|container| &*container.id)
}

#[test]
fn a_namespace_is_the_first_containers() {
    let fixture = Fixture::new();
    let mut finder = fixture.finder();
    let mut namespace = Namespace {
        pins: vec!["/run/netns/cni-1".into(), "/mnt/more".into()],
        ..Namespace::default()
    };
    let (sandbox, app) = (cgroup(SANDBOX), cgroup(APP));
    let within = format!("{app}/docker-{STRANGER}.scope");
    fill(
        &mut finder,
        &mut namespace,
        &[
            "/system.slice/sshd.service",
            &sandbox,
            &app,
            &sandbox,
            &within,
        ],
    );
    assert_eq!(id(&namespace.owner), Some(SANDBOX));
    assert_eq!(namespace.owner.bound_by, Some(Binding::Resident));
    assert_eq!(namespace.owner.pin.as_deref(), Some("/run/netns/cni-1"));
    let k8s = namespace.owner.k8s.as_ref().unwrap();
    assert_eq!(k8s.pod.name.as_deref(), Some("cart-0"));
    assert_eq!(
        namespace.known.unwrap().sysctls["net.core.somaxconn"],
        "1024"
    );
    let [other] = namespace.others.as_slice() else {
        panic!("{:?}", namespace.others);
    };
    assert_eq!(id(&other.owner), Some(APP));
    let known = other.known.as_ref().unwrap();
    assert_eq!(known.sandbox_sysctls["net.core.somaxconn"], "1024");
}

#[test]
fn the_nodes_own_is_nobodys() {
    let fixture = Fixture::new();
    let mut finder = fixture.finder();
    let mut node = Namespace {
        is_node: true,
        ..Namespace::default()
    };
    fill(&mut finder, &mut node, &["/", &cgroup(APP), "/init.scope"]);
    assert_eq!(node.owner, Owner::default());
    assert_eq!((node.known, node.others.len()), (None, 1));
}

#[test]
fn without_state_there_is_the_path() {
    let fixture = Fixture::new();
    let mut finder = fixture.finder();
    let mut namespace = Namespace::default();
    let forged = format!("/docker/{SANDBOX}");
    fill(&mut finder, &mut namespace, &["/some/text", &forged]);
    let container = namespace.owner.container.unwrap();
    assert_eq!(container.confidence, Confidence::PathOnly);
    // There is state of that id, with another cgroup.
    assert_eq!(namespace.known, None);
    let mut namespace = Namespace::default();
    fill(&mut finder, &mut namespace, &["/some/text", "/", "/../x"]);
    assert_eq!(namespace.owner, Owner::default());
}

#[test]
fn a_specification_names_the_file() {
    let fixture = Fixture::new();
    let mut finder = fixture.finder();
    let pinned = |pin: &str| Namespace {
        pins: vec![pin.to_owned()],
        ..Namespace::default()
    };
    let mut elsewhere = Namespace::default();
    fill(
        &mut finder,
        &mut elsewhere,
        &[&cgroup(APP), &cgroup(SANDBOX)],
    );
    let mut namespace = pinned("/run/netns/cni-1");
    fill(&mut finder, &mut namespace, &[]);
    finder.fill_by_specification(&mut namespace);
    assert_eq!(id(&namespace.owner), Some(SANDBOX));
    assert_eq!(namespace.owner.bound_by, Some(Binding::Specification));
    assert_eq!(namespace.owner.pin.as_deref(), Some("/run/netns/cni-1"));
    let mut other = pinned("/run/netns/cni-2");
    fill(&mut finder, &mut other, &[]);
    finder.fill_by_specification(&mut other);
    assert_eq!(id(&other.owner), None);
    finder.fill_by_specification(&mut elsewhere);
    assert_eq!(id(&elsewhere.owner), Some(SANDBOX));
}

#[test]
fn a_pods_namespace_is_the_pods_whichever_of_its_containers_is_found() {
    let fixture = Fixture::new();
    let mut finder = fixture.finder();
    let mut namespace = Namespace::default();
    fill(&mut finder, &mut namespace, &[&cgroup(APP)]);
    assert_eq!(id(&namespace.owner), Some(SANDBOX));
    let k8s = namespace.owner.k8s.as_ref().unwrap();
    assert_eq!(
        (k8s.pod.name.as_deref(), &k8s.container),
        (Some("cart-0"), &None)
    );
    // It is found by the container's name all the same.
    assert_eq!(id(&namespace.others[0].owner), Some(APP));
}
