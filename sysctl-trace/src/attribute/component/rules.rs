//! What is recognised by the name of its executable. A new component is a new line here.

/// How a component is recognised.
#[derive(Debug)]
pub(super) struct Rule {
    /// The name that events give it.
    pub name: &'static str,
    /// Names of its executable; a `*` at the end stands for any rest.
    pub executables: &'static [&'static str],
    /// A script of that name, run by an interpreter.
    pub script: Option<&'static str>,
    /// It may also be an applet of a multi-call program such as busybox.
    pub is_applet: bool,
    /// It starts OCI runtimes or CNI plugins.
    pub is_manager: bool,
    /// It stays outside of the containers that it runs, and its children execute their programs.
    pub has_stages: bool,
    /// Names of the container that it runs in as part of a Kubernetes node.
    pub in_pod: &'static [&'static str],
}

const fn rule(name: &'static str, executables: &'static [&'static str]) -> Rule {
    Rule {
        name,
        executables,
        script: None,
        is_applet: false,
        is_manager: false,
        has_stages: false,
        in_pod: &[],
    }
}

impl Rule {
    const fn script(self, name: &'static str) -> Self {
        Self {
            script: Some(name),
            ..self
        }
    }

    const fn applet(self) -> Self {
        Self {
            is_applet: true,
            ..self
        }
    }

    const fn manager(self) -> Self {
        Self {
            is_manager: true,
            ..self
        }
    }

    const fn stages(self) -> Self {
        Self {
            has_stages: true,
            ..self
        }
    }

    const fn in_pod(self, in_pod: &'static [&'static str]) -> Self {
        Self { in_pod, ..self }
    }

    pub(super) fn is_executable(&self, name: &str) -> bool {
        self.executables
            .iter()
            .any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == *pattern,
            })
    }
}

/// All but the OCI runtimes, whose processes change on their way, and CNI plugins.
pub(super) static RULES: [Rule; 34] = [
    rule("systemd", &["systemd", "systemd-executor"]),
    rule("systemd-sysctl", &["systemd-sysctl"]),
    rule("systemd-networkd", &["systemd-networkd"]),
    rule("systemd-udevd", &["systemd-udevd"]),
    rule("systemd-nspawn", &["systemd-nspawn"]).stages(),
    rule("sysctl(8)", &["sysctl"]).applet(),
    rule("iproute2", &["ip", "tc", "bridge"]).applet(),
    rule("dockerd", &["dockerd"]).manager(),
    rule("docker-proxy", &["docker-proxy"]),
    rule("containerd-shim", &["containerd-shim*"]).manager(),
    rule("containerd", &["containerd"]).manager(),
    rule("ctr", &["ctr"]),
    rule("nerdctl", &["nerdctl"]).manager(),
    rule("buildkitd", &["buildkitd"]).manager(),
    rule("buildah", &["buildah"]).manager(),
    rule("podman", &["podman"]).manager(),
    rule("conmon", &["conmon", "conmonrs"]).manager(),
    rule("netavark", &["netavark"]),
    rule("cri-o", &["crio"]).manager(),
    rule("pinns", &["pinns"]),
    rule("kubelet", &["kubelet"]).manager(),
    rule("k3s", &["k3s", "k3s-server", "k3s-agent"]).manager(),
    rule("rke2", &["rke2"]).manager(),
    rule("kube-proxy", &["kube-proxy"]).in_pod(&["kube-proxy"]),
    rule("cilium-agent", &["cilium-agent"]).in_pod(&["cilium-agent"]),
    rule("calico-node", &["calico-node"]).in_pod(&["calico-node"]),
    rule("flanneld", &["flanneld"]).in_pod(&["kube-flannel"]),
    rule("tuned", &["tuned"]).script("tuned"),
    rule("NetworkManager", &["NetworkManager"]),
    rule(
        "lxc",
        &["lxc-start", "lxc-execute", "lxc-attach", "lxc-autostart"],
    )
    .stages(),
    rule("incus", &["incusd"]),
    rule("lxd", &["lxd"]),
    rule("rootlesskit", &["rootlesskit"]).manager(),
    rule("firewalld", &["firewalld"]).script("firewalld"),
];

/// Programs that are many programs, told apart by the name that they are called by.
pub(super) const MULTI_CALL: [&str; 3] = ["busybox", "toybox", "coreutils"];
/// What runs scripts; versions may follow.
pub(super) const INTERPRETERS: [&str; 3] = ["python", "perl", "ruby"];
/// Namespaces of Kubernetes that only those who run the cluster make pods in.
pub(super) const NODE_NAMESPACES: [&str; 4] =
    ["kube-system", "kube-flannel", "calico-system", "cilium"];

/// The rule for an executable's name.
pub(super) fn by_executable(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.is_executable(name))
}

/// Whether an executable of this name starts OCI runtimes or CNI plugins.
pub(super) fn is_manager(name: &str) -> bool {
    by_executable(name).is_some_and(|rule| rule.is_manager)
}
