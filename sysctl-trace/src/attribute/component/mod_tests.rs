use proptest::prelude::*;

use super::*;
use crate::{
    attribute::{cgroup::parse, container::container},
    event::{Named, Pod},
};

const H: &str = "5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";
const H2: &str = "ee40841f79d52f66f4958c8a484bd2dfb453228874dcca1a3f2ec6e8420ec87c";

/// A process whose facts can be changed one by one. At first it is a root shell of the node.
#[derive(Clone)]
struct Case {
    pid: u32,
    name: &'static str,
    executable_name: Option<&'static str>,
    executable: Option<&'static str>,
    args: Option<Vec<String>>,
    uid: u32,
    is_kernel_thread: bool,
    helper_setting: Option<&'static str>,
    is_node_file: bool,
    on_node: Option<bool>,
    in_node_mnt: Option<bool>,
    path: String,
    is_path_whole: bool,
    kubernetes: Option<Kubernetes>,
    ancestors: Vec<Forebear<'static>>,
}

const SYSTEMD: Forebear<'static> = ancestor("systemd", Some(true));
const SHIM: Forebear<'static> = ancestor("containerd-shim-runc-v2", Some(true));

const fn ancestor(name: &'static str, on_node: Option<bool>) -> Forebear<'static> {
    Forebear {
        name,
        executable_name: Some(name),
        executable_on_node: on_node,
        is_kernel_thread: false,
        is_outside: matches!(on_node, Some(true)),
    }
}

/// A process with an executable of its own name.
fn case(name: &'static str) -> Case {
    Case {
        pid: 4711,
        name,
        executable_name: Some(name),
        executable: None,
        args: None,
        uid: 0,
        is_kernel_thread: false,
        helper_setting: None,
        is_node_file: false,
        on_node: Some(true),
        in_node_mnt: Some(true),
        path: "/system.slice/ssh.service".into(),
        is_path_whole: true,
        kubernetes: None,
        ancestors: vec![SYSTEMD],
    }
}

impl Case {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// In a container's cgroup.
    fn contained(self) -> Self {
        self.with(|case| {
            case.path = format!("/system.slice/docker-{H}.scope");
            case.in_node_mnt = Some(false);
        })
    }

    /// With an executable that lies elsewhere.
    fn opened(self, executable: &'static str, on_node: Option<bool>) -> Self {
        self.with(|case| {
            case.executable_name = Some(executable);
            case.on_node = on_node;
        })
    }

    fn below<const N: usize>(self, ancestors: [Forebear<'static>; N]) -> Self {
        self.with(|case| case.ancestors = ancestors.into())
    }

    fn args(self, line: &str) -> Self {
        self.with(|case| case.args = Some(line.split(' ').map(Into::into).collect()))
    }

    fn is(&self) -> Component {
        let place = parse(&self.path);
        let container = container(&place, None);
        component(&Subject {
            pid: self.pid,
            name: self.name,
            executable_name: self.executable_name,
            executable: self.executable,
            args: self.args.as_deref(),
            uid: self.uid,
            is_kernel_thread: self.is_kernel_thread,
            helper_setting: self.helper_setting,
            is_node_file: self.is_node_file,
            executable_on_node: self.on_node,
            in_node_mnt: self.in_node_mnt,
            place: &place,
            is_place_whole: self.is_path_whole,
            container: container.as_ref(),
            kubernetes: self.kubernetes.as_ref(),
            ancestors: &self.ancestors,
        })
    }

    /// Asserts the verdict, and that it lists what it rests on.
    #[track_caller]
    fn gives(&self, name: &str, stage: Option<Stage>, sureness: Sureness) -> Component {
        let found = self.is();
        assert_eq!(
            (found.name.as_str(), found.stage, found.confidence),
            (name, stage, sureness),
            "{found:?}"
        );
        assert!(!found.evidence.is_empty());
        found
    }

    #[track_caller]
    fn observed(&self, name: &str) -> Component {
        self.gives(name, None, Sureness::Observed)
    }

    #[track_caller]
    fn inferred(&self, name: &str) -> Component {
        self.gives(name, None, Sureness::Inferred)
    }
}

/// The kernel's thread that starts programs.
const KTHREADD: Forebear<'static> = Forebear {
    executable_name: None,
    executable_on_node: None,
    is_kernel_thread: true,
    ..ancestor("kthreadd", None)
};

#[test]
fn a_program_that_the_kernel_starts_is_not_the_kernel() {
    const SETTING: &str = "kernel.core_pattern names it";
    let helper = case("prog")
        .below([KTHREADD])
        .with(|case| case.helper_setting = Some(SETTING));
    let found = helper.observed("usermodehelper");
    assert!(found.evidence.iter().any(|fact| fact.contains("kthreadd")));
    assert_eq!(found.evidence.last().unwrap(), SETTING);
    // What it starts is an ordinary program.
    let child = case("sysctl").below([ancestor("prog", Some(true)), KTHREADD]);
    let found = child.observed("sysctl(8)");
    assert!(found.evidence.last().unwrap().contains("usermode helper"));
}

#[test]
fn a_sandboxed_service_runs_the_nodes_own_file() {
    let service = || {
        case("systemd-networkd")
            .opened("systemd-networkd", Some(false))
            .with(|case| {
                case.uid = 998;
                case.in_node_mnt = Some(false);
            })
    };
    service().gives("systemd-networkd", None, Sureness::Inferred);
    let proven = || service().with(|case| case.is_node_file = true);
    proven().observed("systemd-networkd");
    // udev starts systemd-sysctl in a group of its own, by mounts of its own.
    let below = |path: &str| proven().with(|case| case.path = path.into());
    below("/system.slice/systemd-udevd.service/udev").observed("systemd-networkd");
    below("/default/web").gives("container-process", None, Sureness::Inferred);
    // A container's process does not become the node's by it.
    let contained = proven().contained();
    contained.gives("container-process", None, Sureness::Observed);
}

#[test]
fn a_cgroup_that_is_not_all_known_makes_it_less_sure() {
    let shown = case("sysctl").with(|case| case.is_path_whole = false);
    let found = shown.gives("sysctl(8)", None, Sureness::Inferred);
    assert!(found.evidence.last().unwrap().contains("deeper"));
    // The outermost container counts, and that is there.
    let contained = shown.contained().opened("sh", Some(false));
    contained.gives("container-process", None, Sureness::Observed);
}

#[test]
fn the_kernel_and_pid_1_are_what_the_kernel_says() {
    let thread = case("kworker/0:1").with(|case| {
        case.is_kernel_thread = true;
        case.executable_name = None;
    });
    thread.observed("kernel");
    case("systemd")
        .with(|case| case.pid = 1)
        .observed("systemd");
    let unknown = case("systemd").with(|case| {
        case.pid = 1;
        case.on_node = None;
    });
    unknown.observed("systemd");
    case("busybox")
        .with(|case| case.pid = 1)
        .observed("program");
}

#[test]
fn components_of_the_node_are_known_by_their_executables() {
    for (executable, name) in [
        ("systemd-sysctl", "systemd-sysctl"),
        ("systemd-networkd", "systemd-networkd"),
        ("sysctl", "sysctl(8)"),
        ("ip", "iproute2"),
        ("dockerd", "dockerd"),
        ("containerd", "containerd"),
        ("containerd-shim-runc-v2", "containerd-shim"),
        ("podman", "podman"),
        ("conmon", "conmon"),
        ("crio", "cri-o"),
        ("pinns", "pinns"),
        ("kubelet", "kubelet"),
        ("kube-proxy", "kube-proxy"),
        ("cilium-agent", "cilium-agent"),
        ("calico-node", "calico-node"),
        ("NetworkManager", "NetworkManager"),
        ("incusd", "incus"),
        ("bash", "program"),
    ] {
        case(executable).observed(name);
        let unknown = case(executable).opened(executable, None);
        unknown.inferred(name);
    }
    case("systemd-nspawn").gives("systemd-nspawn", Some(Stage::Parent), Sureness::Observed);
    case("lxc-start").gives("lxc", Some(Stage::Parent), Sureness::Observed);
    let init = case("lxc-start").with(|case| {
        case.path = "/lxc.payload.web".into();
        case.in_node_mnt = Some(false);
    });
    init.gives("lxc", Some(Stage::Init), Sureness::Observed);
}

#[test]
fn evidence_says_what_a_verdict_rests_on() {
    let dockerd = case("dockerd").with(|case| {
        case.executable = Some("/usr/bin/dockerd");
        case.path = "/system.slice/docker.service".into();
    });
    assert_eq!(
        dockerd.observed("dockerd").evidence,
        [
            "executable is dockerd (/usr/bin/dockerd), from the node's file system",
            "cgroup is that of docker.service",
        ]
    );
    let hook = case("exe")
        .opened("dockerd", Some(true))
        .args("libnetwork-setkey a b");
    let evidence = hook.observed("dockerd").evidence;
    assert_eq!(evidence[1], "comm is exe: it has executed itself again");
}

#[test]
fn files_of_users_prove_nothing() {
    let user = |path| {
        case("kubelet").with(|case| {
            case.uid = 1000;
            case.executable = path;
        })
    };
    user(None).inferred("kubelet");
    user(Some("/home/me/kubelet")).inferred("kubelet");
    user(Some("/usr/bin/kubelet")).observed("kubelet");
    let lineage = [ancestor("runc", Some(true)), ancestor("conmon", Some(true))];
    for on_node in [Some(true), None] {
        let init = case("runc:[2:INIT]").opened("runc", on_node).below(lineage);
        let init = init.with(|case| case.uid = 1000);
        init.gives("runc", Some(Stage::Init), Sureness::Inferred);
    }
}

#[test]
fn applets_and_scripts_have_other_executables() {
    case("sysctl")
        .opened("busybox", Some(true))
        .inferred("sysctl(8)");
    case("ip")
        .opened("busybox", Some(true))
        .inferred("iproute2");
    case("dockerd")
        .opened("busybox", Some(true))
        .observed("program");
    case("sh").opened("busybox", Some(true)).observed("program");
    let tuned = case("tuned")
        .opened("python3.13", Some(true))
        .args("/usr/bin/python3 -Es /usr/sbin/tuned -l");
    tuned.inferred("tuned");
    let own = tuned.with(|case| case.path = "/system.slice/tuned.service".into());
    own.observed("tuned");
    case("tuned")
        .opened("python3.13", Some(true))
        .args("python3 /tmp/x")
        .observed("program");
}

#[test]
fn services_with_mount_namespaces_of_their_own_are_inferred() {
    let networkd = case("systemd-networkd")
        .opened("systemd-networkd", Some(false))
        .with(|case| {
            case.path = "/system.slice/systemd-networkd.service".into();
            case.in_node_mnt = Some(false);
        });
    networkd.inferred("systemd-networkd");
    let in_netns = case("sysctl").opened("sysctl", Some(false)).with(|case| {
        case.path = "/user.slice/user-0.slice/session-1.scope".into();
        case.in_node_mnt = Some(false);
    });
    in_netns.inferred("sysctl(8)");
    case("runc")
        .opened("runc", Some(false))
        .gives("runc", Some(Stage::Parent), Sureness::Inferred);
}

#[test]
fn runc_is_told_by_stage() {
    let runc = ancestor("runc", Some(true));
    case("runc")
        .below([SHIM])
        .gives("runc", Some(Stage::Parent), Sureness::Observed);
    for executable in ["runc", "exe", "memfd:runc_cloned:/proc/self/exe"] {
        let of = |comm| {
            case(comm)
                .contained()
                .opened(executable, None)
                .below([runc, SHIM])
        };
        of("runc:[1:CHILD]").gives("runc", Some(Stage::Child), Sureness::Observed);
        of("runc:[2:INIT]").gives("runc", Some(Stage::Init), Sureness::Observed);
        of("runc:[0:PARENT]").gives("runc", Some(Stage::Child), Sureness::Observed);
        of("exe")
            .args("runc init")
            .gives("runc", Some(Stage::Child), Sureness::Observed);
        of("6").gives("runc", Some(Stage::Child), Sureness::Observed);
    }
    let own = case("runc:[2:INIT]").contained().opened("runc", Some(true));
    let found = own.gives("runc", Some(Stage::Init), Sureness::Observed);
    assert_eq!(
        found.evidence,
        [
            "executable is runc, from the node's file system",
            "comm is runc:[2:INIT]"
        ]
    );
    // In the foreground runc stays the parent of the container's own program.
    let foreground = case("runc:[2:INIT]").contained().opened("runc", None);
    let foreground = foreground.below([runc, ancestor("bash", Some(true))]);
    foreground.gives("runc", Some(Stage::Init), Sureness::Inferred);
}

#[test]
fn where_the_kernel_tells_of_no_file_system_names_are_inferred() {
    let parent = ancestor("runc", None);
    let init = case("runc:[2:INIT]").contained().opened("runc", None);
    let known = init
        .clone()
        .below([parent, ancestor("containerd-shim-runc-v2", None)]);
    known.gives("runc", Some(Stage::Init), Sureness::Inferred);
    init.below([ancestor("sh", None)])
        .inferred("container-process");
    case("runc")
        .opened("runc", None)
        .gives("runc", Some(Stage::Parent), Sureness::Inferred);
    case("runc")
        .contained()
        .opened("runc", None)
        .inferred("container-process");
}

/// podman of a user lives in a mount namespace of its own: conmon is from there, the container is
/// elsewhere again.
#[test]
fn a_users_crun_is_told_by_a_manager_from_outside() {
    let init = case("crun").opened("crun", None).contained();
    let conmon = ancestor("conmon", Some(false));
    let outside = Forebear {
        is_outside: true,
        ..conmon
    };
    let clone = ancestor("crun", None);
    init.clone()
        .below([clone, outside])
        .gives("crun", Some(Stage::Init), Sureness::Inferred);
    init.below([clone, conmon]).inferred("container-process");
}

#[test]
fn crun_and_youki_are_told_by_stage() {
    let conmon = ancestor("conmon", Some(true));
    let clone = ancestor("crun", None);
    let parent = case("crun").opened("crun", None).below([conmon]);
    parent.gives("crun", Some(Stage::Parent), Sureness::Observed);
    let parent = case("crun")
        .opened("crun", None)
        .below([ancestor("bash", Some(true))]);
    parent.gives("crun", Some(Stage::Parent), Sureness::Inferred);
    let init = case("crun")
        .contained()
        .opened("crun", None)
        .below([clone, conmon]);
    init.gives("crun", Some(Stage::Init), Sureness::Inferred);
    // Without the privilege to mount, the clone lies in memory; comm is its descriptor.
    let in_memory = case("4").opened("memfd:crun_cloned:/proc/self/exe", None);
    let parent = in_memory.clone().below([conmon]);
    parent.gives("crun", Some(Stage::Parent), Sureness::Observed);
    let clone = Forebear {
        name: "4",
        ..ancestor("memfd:crun_cloned:/proc/self/exe", None)
    };
    let init = in_memory.below([clone, conmon]);
    init.gives("crun", Some(Stage::Init), Sureness::Inferred);
    init.contained().inferred("container-process");
    let init = case("crun")
        .contained()
        .below([ancestor("crun", Some(true)), conmon]);
    init.gives("crun", Some(Stage::Init), Sureness::Observed);
    let youki = case("youki:[2:INIT]")
        .contained()
        .opened("youki", Some(true))
        .below([SHIM]);
    youki.gives("youki", Some(Stage::Init), Sureness::Observed);
    let inter = case("youki:[1:INTER]")
        .opened("youki", Some(true))
        .below([SHIM]);
    inter.gives("youki", Some(Stage::Child), Sureness::Observed);
}

#[test]
fn plugins_are_known_by_folder_or_lineage() {
    let containerd = ancestor("containerd", Some(true));
    let plugin = |name| case(name).below([containerd, SYSTEMD]);
    plugin("bridge").observed("cni:bridge");
    plugin("cilium-cni").observed("cni:cilium-cni");
    let ipam = case("host-local").below([ancestor("bridge", Some(true)), containerd]);
    ipam.observed("cni:host-local");
    let own = case("acme").with(|case| case.executable = Some("/opt/cni/bin/acme"));
    own.observed("cni:acme");
    let debian = case("tuning").with(|case| case.executable = Some("/usr/lib/cni/tuning"));
    debian.observed("cni:tuning");
    plugin("bridge")
        .opened("cni", Some(true))
        .inferred("cni:bridge");
    plugin("bridge")
        .opened("bridge", None)
        .inferred("cni:bridge");
    case("bridge").observed("iproute2");
    let tool = plugin("bridge").with(|case| case.executable = Some("/usr/sbin/bridge"));
    tool.observed("iproute2");
    case("tuning").observed("program");
    plugin("acme").observed("program");
}

#[test]
fn a_process_of_the_node_is_not_fooled_by_comm() {
    for executable in ["sh", "python3.13", "exe", "busybox"] {
        let fake = case("runc:[2:INIT]").opened(executable, Some(true));
        let found = fake.observed("program");
        assert!(
            found
                .evidence
                .contains(&"it calls itself runc:[2:INIT]".to_owned())
        );
    }
    let fake = case("crun").opened("python3.13", Some(true)).contained();
    fake.observed("program");
}

#[test]
fn programs_of_containers_are_what_they_are_whatever_they_are_called() {
    for name in [
        "containerd",
        "runc",
        "crun",
        "dockerd",
        "sysctl",
        "ip",
        "kubelet",
        "bridge",
        "sh",
    ] {
        let fake = case(name)
            .contained()
            .opened(name, Some(false))
            .below([SHIM]);
        let found = fake.observed("container-process");
        assert_eq!(
            found.evidence[0],
            format!("cgroup is that of container {H}")
        );
        let unknown = case(name).contained().opened(name, None).below([SHIM]);
        unknown.inferred("container-process");
    }
    let found = case("dockerd")
        .contained()
        .opened("python3", Some(false))
        .is();
    assert_eq!(found.evidence[2], "it calls itself dockerd");
}

#[test]
fn a_container_that_plays_runc_and_its_child_is_still_one() {
    let fake = ancestor("runc", Some(false));
    let init = case("runc:[2:INIT]").contained();
    let child = init.clone().opened("runc", Some(false)).below([fake, SHIM]);
    child.observed("container-process");
    let from_memory = init
        .clone()
        .opened("memfd:runc_cloned:/proc/self/exe", None);
    from_memory
        .clone()
        .below([fake, SHIM])
        .inferred("container-process");
    let memory_parent = Forebear {
        name: "runc",
        ..ancestor("memfd:runc_cloned:/proc/self/exe", None)
    };
    from_memory
        .clone()
        .below([memory_parent, SHIM])
        .inferred("container-process");
    from_memory.below([SHIM]).inferred("container-process");
    // The first process of a container that runc runs in the foreground.
    let real = ancestor("runc", Some(true));
    let first = init
        .opened("runc", Some(false))
        .below([real, ancestor("bash", Some(true))]);
    first.observed("container-process");
}

#[test]
fn runtimes_within_containers_are_processes_of_the_outer_one() {
    let inner = |name: &'static str| {
        case(name).opened("runc", Some(false)).with(|case| {
            case.path = format!("/docker/{H}/docker/{H2}");
            case.in_node_mnt = Some(false);
        })
    };
    let shim = ancestor("containerd-shim-runc-v2", Some(false));
    let found = inner("runc:[2:INIT]").below([ancestor("runc", Some(false)), shim]);
    let evidence = found.observed("container-process").evidence;
    assert_eq!(evidence[0], format!("cgroup is that of container {H}"));
    inner("runc").below([shim]).observed("container-process");
    let dockerd = inner("dockerd").opened("dockerd", Some(false));
    dockerd.below([SHIM]).observed("container-process");
}

#[test]
fn a_rootless_container_can_be_any_process_of_that_user() {
    let found = case("sh").opened("sh", Some(false)).with(|case| {
        case.path = format!("/user.slice/user-1000.slice/user@1000.service/libpod-{H}.scope");
        case.uid = 1000;
    });
    found.inferred("container-process");
}

#[test]
fn a_container_that_no_state_confirms_has_no_components() {
    let found = case("containerd")
        .opened("containerd", Some(false))
        .with(|case| {
            case.path = "/default/web".into();
            case.in_node_mnt = Some(false);
        });
    found.inferred("container-process");
    let runc = found
        .clone()
        .with(|case| case.executable_name = Some("runc"));
    runc.inferred("container-process");
    found
        .clone()
        .opened("containerd", None)
        .inferred("container-process");
    let memory = found.opened("memfd:crun_cloned:/proc/self/exe", None);
    let memory = memory.below([SHIM]);
    memory.inferred("container-process");
    let outside = memory.with(|case| case.in_node_mnt = Some(true));
    outside.gives("crun", Some(Stage::Parent), Sureness::Inferred);
}

#[test]
fn parts_of_kubernetes_run_in_pods_of_its_own_namespaces() {
    let named = |name: &str| Some(Named { name: name.into() });
    let proxy = |namespace: &str, container: &str| {
        case("kube-proxy")
            .contained()
            .opened("kube-proxy", Some(false))
            .with(|case| {
                case.kubernetes = Some(Kubernetes {
                    pod: Pod::default(),
                    namespace: named(namespace),
                    container: named(container),
                });
            })
    };
    proxy("kube-system", "kube-proxy").inferred("kube-proxy");
    proxy("shop", "kube-proxy").observed("container-process");
    proxy("kube-system", "web").observed("container-process");
    let other = proxy("kube-system", "kube-proxy").opened("sh", Some(false));
    other.observed("container-process");
}

#[test]
fn without_names_there_is_a_program() {
    let nameless = case("x").with(|case| {
        case.executable_name = None;
        case.on_node = None;
        case.in_node_mnt = None;
        case.ancestors.clear();
    });
    nameless.inferred("program");
    nameless.contained().inferred("container-process");
}

/// Names that mean something here.
const NAMES: [&str; 14] = [
    "runc",
    "runc:[1:CHILD]",
    "runc:[2:INIT]",
    "crun",
    "youki",
    "youki:[2:INIT]",
    "exe",
    "memfd:runc_cloned:/proc/self/exe",
    "containerd",
    "containerd-shim-runc-v2",
    "bridge",
    "systemd",
    "sysctl",
    "busybox",
];

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(NAMES.as_slice())
}

proptest! {
    #[test]
    fn no_choice_of_a_container_makes_it_a_component(
        names in (name(), name()),
        above in prop::collection::vec(
            (name(), name(), prop::sample::select(vec![None, Some(false)])), 0..4),
        uid in prop::sample::select(vec![0, 1000]),
        manager in prop::option::of(Just(SHIM)),
    ) {
        let mut ancestors: Vec<_> = above
            .into_iter()
            .map(|(name, executable, executable_on_node)| Forebear {
                is_kernel_thread: false,
                name,
                executable_name: Some(executable),
                executable_on_node,
                is_outside: executable_on_node == Some(true),
            })
            .collect();
        ancestors.extend(manager);
        ancestors.push(SYSTEMD);
        let own = case(names.0).contained().opened(names.1, Some(false)).with(|case| {
            case.uid = uid;
            case.ancestors = ancestors;
        });
        prop_assert_eq!(own.is().name, "container-process");
        // A file that no namespace has is not enough to be sure.
        let cloned = own.opened(names.1, None);
        prop_assert_eq!(cloned.is().confidence, Sureness::Inferred);
    }
}

#[test]
fn a_service_with_mounts_and_groups_of_its_own_is_no_container() {
    let of_udev = case("systemd-sysctl").with(|case| {
        case.path = "/system.slice/systemd-udevd.service/udev".into();
        case.on_node = Some(false);
        case.in_node_mnt = Some(false);
    });
    assert_eq!(of_udev.is().name, "systemd-sysctl");
    let elsewhere = of_udev.with(|case| case.path = "/default/web".into());
    assert_eq!(elsewhere.is().name, "container-process");
}
