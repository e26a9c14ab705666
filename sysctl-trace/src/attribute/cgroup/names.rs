//! What single components of a cgroup's path can be.

use smol_str::SmolStr;

use super::Runtime;

/// Suffixes of what systemd manages as cgroups.
const UNIT_SUFFIXES: [&str; 6] = [".slice", ".service", ".scope", ".mount", ".socket", ".swap"];

/// Units of systemd, or their stems in front of an `@`, and the components that run in them.
const UNITS: [(&str, &str); 27] = [
    ("docker.service", "dockerd"),
    ("snap.docker.dockerd.service", "dockerd"),
    ("containerd.service", "containerd"),
    ("kubelet.service", "kubelet"),
    ("snap.kubelet.daemon.service", "kubelet"),
    ("kube-proxy.service", "kube-proxy"),
    ("crio.service", "cri-o"),
    ("cri-o.service", "cri-o"),
    ("podman.service", "podman"),
    ("k3s.service", "k3s"),
    ("k3s-agent.service", "k3s"),
    ("rke2-server.service", "rke2"),
    ("rke2-agent.service", "rke2"),
    ("buildkit.service", "buildkitd"),
    ("cilium.service", "cilium-agent"),
    ("calico-node.service", "calico-node"),
    ("tuned.service", "tuned"),
    ("NetworkManager.service", "NetworkManager"),
    ("systemd-networkd.service", "systemd-networkd"),
    ("systemd-sysctl.service", "systemd-sysctl"),
    ("systemd-udevd.service", "systemd-udevd"),
    ("lxc.service", "lxc"),
    ("lxc@.service", "lxc"),
    ("incus.service", "incus"),
    ("snap.lxd.daemon.service", "lxd"),
    ("lxd.service", "lxd"),
    ("procps.service", "sysctl(8)"),
];

/// Folders at the root without a unit's name: the first and the second component of the path.
const FOLDERS: [(&str, &str, &str); 4] = [
    ("podruntime", "kubelet", "kubelet"),
    ("podruntime", "runtime", "containerd"),
    ("system", "runtime", "containerd"),
    ("libpod_parent", "conmon", "conmon"),
];

/// A service by a component of the path.
pub(super) struct Service<'a> {
    pub component: &'static str,
    pub is_system: bool,
    pub serves: Option<&'a str>,
}

/// The service that a component names, below those above it.
pub(super) fn service<'a>(above: &[&str], name: &str) -> Option<Service<'a>> {
    let found = |component, is_system| {
        Some(Service {
            component,
            is_system,
            serves: None,
        })
    };
    if above.is_empty() && name == "init.scope" {
        return found("systemd", true);
    }
    if let [parent] = above {
        let folder = FOLDERS
            .iter()
            .find(|(first, second, _)| first == parent && *second == name);
        if let Some(&(_, _, component)) = folder {
            return found(component, true);
        }
    }
    if name.starts_with("lxc.monitor.") {
        return found("lxc", above.is_empty());
    }
    let is_named = |unit: &str| match unit.split_once('@') {
        Some((stem, suffix)) => name
            .strip_prefix(stem)
            .is_some_and(|rest| rest.starts_with('@') && rest.ends_with(suffix)),
        None => name == unit,
    };
    let &(_, component) = UNITS.iter().find(|(unit, _)| is_named(unit))?;
    let is_of_system = |name: &&str| name.ends_with(".slice") && *name != "user.slice";
    found(component, above.iter().all(is_of_system))
}

/// The monitor of a container of podman or CRI-O. It runs as root or as the container's user.
pub(super) fn monitor(name: &str) -> Option<Service<'_>> {
    let stem = name.strip_suffix(".scope").unwrap_or(name);
    let id = ["libpod-conmon-", "crio-conmon-"]
        .iter()
        .find_map(|prefix| stem.strip_prefix(prefix))?;
    is_hash(id).then_some(Service {
        component: "conmon",
        is_system: false,
        serves: Some(id),
    })
}

/// The UID of a pod that kubelet made the folder or the slice for.
pub(super) fn pod_uid(above: &[&str], name: &str) -> Option<SmolStr> {
    if let Some(stem) = name.strip_suffix(".slice") {
        let (parent, uid) = stem.rsplit_once("-pod")?;
        let is_kubepods = parent.split('-').any(|part| part == "kubepods");
        let uid = uid.replace('_', "-");
        return (is_kubepods && is_pod_uid(&uid)).then(|| uid.into());
    }
    let uid = name.strip_prefix("pod")?;
    (above.contains(&"kubepods") && is_pod_uid(uid)).then(|| uid.into())
}

/// A UUID, or the hash of a static pod's configuration.
fn is_pod_uid(uid: &str) -> bool {
    uuid(uid) || (uid.len() == 32 && uid.bytes().all(is_hex))
}

/// A machine of systemd's registry below `machine.slice`: its name, and who runs it.
pub(super) fn machine(name: &str) -> Option<(SmolStr, Runtime)> {
    if let Some(instance) =
        without_suffix(name.strip_prefix("systemd-nspawn@"), ".service").filter(|i| !i.is_empty())
    {
        return Some((unescape(instance)?, Runtime::Nspawn));
    }
    let name = unescape(without_suffix(name.strip_prefix("machine-"), ".scope")?)?;
    if name.is_empty() || name.starts_with("qemu-") {
        return None;
    }
    match name.strip_prefix("lxc-") {
        Some(domain) => Some((domain.into(), Runtime::LibvirtLxc)),
        None => Some((name, Runtime::Nspawn)),
    }
}

/// A unit's name without systemd's `\xNN`; absent where that gives no text.
fn unescape(name: &str) -> Option<SmolStr> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = match rest {
            [b'\\', b'x', high, low, ..] => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match code {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                rest = rest.get(4..)?;
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    Some(String::from_utf8(bytes).ok()?.into())
}

fn digit(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}

/// What remains of a text without its end, if there is a text with that end.
pub(super) fn without_suffix<'a>(text: Option<&'a str>, suffix: &str) -> Option<&'a str> {
    text?.strip_suffix(suffix)
}

/// Whether systemd manages a cgroup of this name.
pub(super) fn is_unit(name: &str) -> bool {
    UNIT_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// 64 lower-case hexadecimal digits: the id that most runtimes give.
pub(super) fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(is_hex)
}

/// A UUID in lower case, with dashes.
pub(super) fn uuid(text: &str) -> bool {
    has_groups(text, &[8, 4, 4, 4, 12])
}

/// Groups of lower-case hexadecimal digits of these lengths, with dashes between.
pub(super) fn has_groups(text: &str, lengths: &[usize]) -> bool {
    let mut groups = text.split('-');
    lengths.iter().all(|&length| {
        groups
            .next()
            .is_some_and(|group| group.len() == length && group.bytes().all(is_hex))
    }) && groups.next().is_none()
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}
