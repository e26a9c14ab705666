use std::{path::Path, rc::Rc, sync::Arc};

use tempfile::TempDir;

use super::*;
use crate::{
    attribute::requester::behalf,
    attribute::runtime::{State, arguments::invocation},
    event::{Component, NetnsId, RequesterSource, Sureness},
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
        Self::at(Path::new("/nonexistent"), Duration::ZERO)
    }

    /// With state below a root.
    fn at(root: &Path, settle: Duration) -> Self {
        let owner = rustix::process::getuid().as_raw();
        Self {
            attributor: Attributor::new(settle),
            homes: Homes::new(State::at(root, owner)),
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
        events.extend(self.release());
        events
    }

    fn release(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        self.attributor.release(&mut events, &self.homes);
        events
    }

    fn actor(&mut self, path: &str, name: &str, stage: Option<Stage>) -> Rc<Actor> {
        let component = Component {
            name: name.into(),
            stage,
            confidence: Sureness::Observed,
            evidence: Vec::new(),
        };
        Rc::new(Actor {
            process: Arc::new(Rendered::new(samples::process(300, name))),
            behalf: behalf(&component, None),
            component: Arc::new(Rendered::new(component)),
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
    let container = events[0].container.known().unwrap();
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

/// A root with these files.
fn root(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        write(root.path(), path, text);
    }
    root
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The bundle of a container, and what it says.
fn bundle(namespace: &str, path: &str) -> (String, String) {
    let id = path.rsplit('/').next().unwrap();
    let tasks = "run/containerd/io.containerd.runtime.v2.task";
    let spec = format!(
        r#"{{"linux": {{"cgroupsPath": "{path}", "sysctl": {{"net.core.somaxconn": "1024"}}}}}}"#
    );
    (format!("{tasks}/{namespace}/{id}/config.json"), spec)
}

/// Who asked, and in which file.
fn requester(event: &Event) -> Option<(RequesterSource, &str)> {
    let requester = event.sysctl.as_ref()?.requester.as_ref()?;
    Some((requester.source, requester.file.as_deref().unwrap()))
}

#[test]
fn who_asked_is_told_when_state_comes_late() {
    let root = root(&[]);
    let mut bench = Bench::at(root.path(), Duration::from_secs(60));
    let init = bench.actor("/default/web", "runc", Some(Stage::Init));
    let events = bench.take(samples::write("1024", "4096", "1024"), Some(init), None);
    assert!(events.is_empty());
    let (path, spec) = bundle("default", "/default/web");
    write(root.path(), &path, &spec);
    std::thread::sleep(bench.attributor.due().unwrap() - std::time::Instant::now());
    let events = bench.release();
    let asked = Some((RequesterSource::OciSpec, format!("/{path}")));
    let told = requester(&events[0]).map(|(source, file)| (source, file.to_owned()));
    assert_eq!(told, asked);
    assert_eq!(events[1].event.action, Action::NetnsBind);
    assert_eq!(requester(&events[1]), None);
}

#[test]
fn docker_s_user_asked_and_a_program_in_the_container_did_not() {
    let (path, spec) = bundle("moby", WEB);
    let folder = format!("var/lib/docker/containers/{}", id(WEB).unwrap());
    let hostconfig = format!("{folder}/hostconfig.json");
    let root = root(&[
        (&path, &spec),
        (&format!("{folder}/config.v2.json"), "{}"),
        (
            &hostconfig,
            r#"{"Sysctls": {"net/core/somaxconn": "1024"}}"#,
        ),
    ]);
    let mut bench = Bench::at(root.path(), Duration::ZERO);
    let init = bench.actor(WEB, "runc", Some(Stage::Init));
    let event = || samples::write("1024", "4096", "1024");
    let events = bench.take(event(), Some(init.clone()), None);
    let file = format!("/{hostconfig}");
    let asked = Some((RequesterSource::DockerOption, file.as_str()));
    assert_eq!(requester(&events[0]), asked);
    let created = bench.take(samples::created(), Some(init), None);
    assert_eq!(requester(&created[0]), None);
    let program = bench.actor(WEB, "container-process", None);
    let events = bench.take(event(), Some(program), None);
    assert_eq!(requester(&events[0]), None);
    // Of a container within it nothing is known.
    let within = bench.actor(&format!("{WEB}{AGENT}"), "runc", Some(Stage::Init));
    let events = bench.take(event(), Some(within), None);
    assert_eq!(events[0].container.known().unwrap().nested.len(), 1);
    assert_eq!(requester(&events[0]), None);
}

#[test]
fn a_bundle_tells_before_the_runtime_has_state() {
    let (_, spec) = bundle("", "/web");
    let root = root(&[("b/config.json", &spec)]);
    let mut bench = Bench::at(root.path(), Duration::ZERO);
    let init = bench.actor("/web", "runc", Some(Stage::Init));
    let args = ["runc", "run", "-b", "/b", "web"].map(ToOwned::to_owned);
    let home = init.home.as_ref().unwrap();
    bench.homes.claim(home, &invocation(&args).unwrap());
    let events = bench.take(samples::write("1024", "4096", "1024"), Some(init), None);
    let asked = Some((RequesterSource::OciSpec, "/b/config.json"));
    assert_eq!(requester(&events[0]), asked);
    // A container whose state is elsewhere than expected.
    let (_, spec) = bundle("", WEB);
    write(root.path(), "c/config.json", &spec);
    let init = bench.actor(WEB, "runc", Some(Stage::Init));
    let args = ["runc", "run", "-b", "/c", id(WEB).unwrap()].map(ToOwned::to_owned);
    let home = init.home.as_ref().unwrap();
    bench.homes.claim(home, &invocation(&args).unwrap());
    let events = bench.take(samples::write("1024", "4096", "1024"), Some(init), None);
    let asked = Some((RequesterSource::OciSpec, "/c/config.json"));
    assert_eq!(requester(&events[0]), asked);
}

#[test]
fn pinns_writes_for_the_container_that_gets_the_namespace() {
    let (path, spec) = bundle("k8s.io", WEB);
    let root = root(&[(&path, &spec)]);
    let mut bench = Bench::at(root.path(), Duration::ZERO);
    let pinns = bench.actor(NODE, "pinns", None);
    let event = || samples::write("1024", "4096", "1024");
    let events = bench.take(event(), Some(pinns.clone()), None);
    assert_eq!(requester(&events[0]), None);
    let runc = bench.actor(WEB, "runc", Some(Stage::Child));
    bench.take(samples::entered(), Some(runc), Some(EnteredBy::Setns));
    let events = bench.take(event(), Some(pinns), None);
    let file = format!("/{path}");
    let asked = Some((RequesterSource::OciSpec, file.as_str()));
    assert_eq!(requester(&events[0]), asked);
}

#[test]
fn configuration_of_the_node_asks_what_its_programs_write() {
    let network = r#"{"type": "tuning", "sysctl": {"net.core.somaxconn": "500"}}"#;
    let root = root(&[
        ("etc/cni/net.d/10-pods.conf", network),
        ("etc/sysctl.d/10-a.conf", "net.core.somaxconn = 2048"),
    ]);
    let mut bench = Bench::at(root.path(), Duration::ZERO);
    let mut told = |name: &str, text: &str| {
        let actor = bench.actor(NODE, name, None);
        let events = bench.take(samples::write(text, "4096", text), Some(actor), None);
        requester(&events[0]).map(|(source, file)| (source, file.to_owned()))
    };
    let network = (
        RequesterSource::CniConfiguration,
        "/etc/cni/net.d/10-pods.conf".to_owned(),
    );
    let file = (
        RequesterSource::SysctlFile,
        "/etc/sysctl.d/10-a.conf".to_owned(),
    );
    assert_eq!(told("cni:tuning", "500"), Some(network));
    assert_eq!(told("cni:tuning", "2048"), None);
    assert_eq!(told("cni:sbr", "500"), None);
    assert_eq!(told("systemd-sysctl", "2048"), Some(file));
    assert_eq!(told("systemd-sysctl", "500"), None);
    assert_eq!(told("sysctl(8)", "2048"), None);
    assert_eq!(told("dockerd", "2048"), None);
}

#[test]
fn pinns_arguments_tell_what_the_pod_asked_for() {
    let mut bench = Bench::new();
    let pinns = bench.actor(NODE, "pinns", None);
    let asked = |args: Option<&[&str]>| {
        let mut event = samples::write("1024", "4096", "1024");
        let mut process = samples::process(300, "pinns");
        process.args = args.map(|args| args.iter().map(|&arg| arg.into()).collect());
        event.process = Some(Arc::new(Rendered::new(process)));
        event
    };
    let args = ["pinns", "-s", "net/core/somaxconn", "1024", "--net"];
    let events = bench.take(asked(Some(&args)), Some(pinns.clone()), None);
    let found = events[0].sysctl.as_ref().unwrap().requester.as_ref();
    let found = found.map(|requester| (requester.source, requester.value.as_str()));
    assert_eq!(found, Some((RequesterSource::PodSecurityContext, "1024")));
    let events = bench.take(asked(None), Some(pinns), None);
    assert_eq!(events[0].sysctl.as_ref().unwrap().requester, None);
}

#[test]
fn the_namespace_of_a_pod_is_the_pods_where_its_sandbox_is_no_container() {
    const APP: &str = "5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";
    const SANDBOX: &str = "ee40841f79d52f66f4958c8a484bd2dfb453228874dcca1a3f2ec6e8420ec87c";
    let cgroup = format!("/kubepods/pod26ab26cd-6409-443f-a13c-fd6c231207c8/crio-{APP}");
    let bundle = |id: &str, kind: &str, sysctl: &str| {
        let path =
            format!("var/lib/containers/storage/overlay-containers/{id}/userdata/config.json");
        let spec = format!(
            r#"{{"annotations": {{
                    "io.kubernetes.cri-o.ContainerType": "{kind}",
                    "io.kubernetes.cri-o.SandboxID": "{SANDBOX}",
                    "io.kubernetes.pod.name": "cart-0",
                    "io.kubernetes.pod.namespace": "shop",
                    "io.kubernetes.container.name": "app"}},
                "linux": {{"sysctl": {sysctl}, "cgroupsPath": "{cgroup}"}}}}"#
        );
        (path, spec)
    };
    let (app, app_spec) = bundle(APP, "container", "{}");
    let (sandbox, sandbox_spec) = bundle(SANDBOX, "sandbox", r#"{"net.core.somaxconn": "1024"}"#);
    let root = root(&[(&app, &app_spec), (&sandbox, &sandbox_spec)]);
    let mut bench = Bench::at(root.path(), Duration::ZERO);
    let program = bench.actor(&cgroup, "container-process", None);
    let events = bench.take(samples::entered(), Some(program), Some(EnteredBy::Exec));
    let event = &events[0];
    assert_eq!(owner(event), (None, Some(SANDBOX), Some(Binding::Exec)));
    let owned = event.netns.as_ref().unwrap().owner.as_ref().unwrap();
    let k8s = owned.k8s.as_ref().unwrap();
    assert_eq!(
        (k8s.pod.name.as_deref(), &k8s.container),
        (Some("cart-0"), &None)
    );
    assert_eq!(
        event.container.known().map(|own| own.id.as_str()),
        Some(APP)
    );
    // What pinns writes is what the sandbox asks for, wherever its arguments are.
    let pinns = bench.actor(NODE, "pinns", None);
    let events = bench.take(samples::write("1024", "4096", "1024"), Some(pinns), None);
    let file = format!("/{sandbox}");
    let asked = Some((RequesterSource::PodSecurityContext, file.as_str()));
    assert_eq!(requester(&events[0]), asked);
}
