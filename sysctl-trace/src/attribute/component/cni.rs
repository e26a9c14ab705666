//! CNI plugins: small programs that a runtime executes to set a pod's network up.

use super::{Subject, rules};

/// Plugins by name, for those outside of a folder of plugins.
const PLUGINS: [&str; 31] = [
    "aws-cni",
    "azure-vnet",
    "bandwidth",
    "bridge",
    "calico",
    "calico-ipam",
    "cilium-cni",
    "dhcp",
    "dummy",
    "egress-cni",
    "firewall",
    "flannel",
    "host-device",
    "host-local",
    "install-cni",
    "ipvlan",
    "kindnet",
    "loopback",
    "macvlan",
    "multus",
    "multus-shim",
    "ovn-k8s-cni-overlay",
    "portmap",
    "ptp",
    "sbr",
    "static",
    "tap",
    "tuning",
    "vlan",
    "vrf",
    "weave-net",
];
/// Folders of programs that are no plugins, whatever their names: there is also a bridge(8).
const NO_PLUGINS: [&str; 4] = ["/sbin", "/usr/sbin", "/bin", "/usr/bin"];

/// A plugin: its name, and what says that it is one.
pub(super) struct Plugin<'a> {
    pub name: &'a str,
    pub evidence: String,
    /// The name is one that the process chose itself.
    pub is_by_comm: bool,
}

/// The plugin that a process of the node is.
pub(super) fn plugin<'a>(subject: &Subject<'a>) -> Option<Plugin<'a>> {
    let name = subject.executable_name?;
    let folder = subject
        .executable
        .and_then(|path| path.rsplit_once('/'))
        .map(|(folder, _)| folder);
    if let Some(folder) = folder {
        if folder.ends_with("/cni/bin") || folder.ends_with("/cni") {
            return Some(Plugin {
                name,
                evidence: format!("its folder is one of CNI plugins: {folder}"),
                is_by_comm: false,
            });
        }
        if NO_PLUGINS.contains(&folder) {
            return None;
        }
    }
    // k3s has its plugins in one executable.
    let is_by_comm = name == "cni";
    let name = if is_by_comm { subject.name } else { name };
    if !PLUGINS.contains(&name) {
        return None;
    }
    let runtime = subject.ancestors.iter().find(|ancestor| {
        ancestor.executable_on_node != Some(false)
            && ancestor.executable_name.is_some_and(rules::is_manager)
    })?;
    Some(Plugin {
        name,
        evidence: format!("{} is among its ancestors", runtime.executable_name?),
        is_by_comm,
    })
}
