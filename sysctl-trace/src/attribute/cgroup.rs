//! The path of a cgroup → the container, pod or service that its name tells of. Pure.
//!
//! A path says where a process is, not who it is: whoever may write to a cgroup's folder chooses
//! the names below it. So the outermost match is the identity; what stands below it is told as
//! nested and is not verified. Names that any text may be are candidates: they count when the
//! runtime's state on disk confirms them.

mod names;

use smol_str::SmolStr;

use names::{
    Service as Told, is_hash, is_unit, machine, monitor, pod_uid, service, uuid, without_suffix,
};

/// How many candidates are kept, from the outside inwards.
const CANDIDATES_MAX: usize = 8;
/// The longest free text that is taken as an id.
const ID_LEN_MAX: usize = 255;

/// What the path of a cgroup tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The path leads out of its own root by `..`: it was read in a foreign cgroup namespace and
    /// tells nothing.
    pub is_foreign: bool,
    /// The outermost container whose name has a certain form.
    pub container: Option<Match>,
    /// Free-text names above it, or all there are where no name has a certain form, from the
    /// outside inwards. The first that the runtime's state confirms is the outermost container.
    pub candidates: Vec<Match>,
    /// UID of the pod that the outermost container belongs to: dashed, or 32 hexadecimal digits
    /// for a static pod. Present without a container for processes that serve the pod.
    pub pod_uid: Option<SmolStr>,
    /// Containers below the outermost, from the outside inwards: by names that it can choose.
    pub nested: Vec<Match>,
    /// The service that the path names; absent within a container.
    pub service: Option<Service>,
    /// The ECS task whose slice this is.
    pub ecs_task: Option<SmolStr>,
}

impl Place {
    /// Whether a free-text name can be a container's though no state confirms it. What lies below a
    /// service of the node is that service's.
    pub fn may_be_container(&self) -> bool {
        self.candidates.iter().any(|one| !one.is_in_service)
    }
}

/// A component of the path that names a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The id.
    pub id: SmolStr,
    /// The runtime, where the form of the name tells it.
    pub runtime: Option<Runtime>,
    /// It lies below a user's service manager: the runtime is not root's, and that user can
    /// choose the name.
    pub is_rootless: bool,
    /// It lies below a service of the node. Services make groups of their own there, with any names.
    pub is_in_service: bool,
    /// UID of the pod between the container around this one, or the root, and this one.
    pub pod_uid: Option<SmolStr>,
    /// Where the container's own cgroup ends in the path, in bytes.
    pub end: usize,
}

/// A service of the node, by its cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The component that runs there, by the name that events give it.
    pub component: &'static str,
    /// The component of the path that says so.
    pub unit: SmolStr,
    /// Only slices of the system lie above it: nobody but root can choose the name.
    pub is_system: bool,
    /// The container that it serves, for a container's monitor.
    pub serves: Option<SmolStr>,
}

/// A runtime, as far as the form of a name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Runtime {
    /// dockerd.
    Docker,
    /// containerd's own Kubernetes interface.
    ContainerdCri,
    /// containerd's plain interface: `ctr` and others.
    ContainerdCtr,
    /// nerdctl with containerd.
    Nerdctl,
    /// CRI-O.
    CriO,
    /// podman.
    Podman,
    /// runc by itself.
    Runc,
    /// crun by itself.
    Crun,
    /// youki by itself.
    Youki,
    /// buildah.
    Buildah,
    /// LXC, or Incus, which uses it.
    Lxc,
    /// systemd-nspawn.
    Nspawn,
    /// libvirt's LXC driver.
    LibvirtLxc,
    /// Amazon's ECS agent on Fargate.
    EcsFargate,
    /// Nomad's exec driver.
    Nomad,
    /// Garden of Cloud Foundry.
    Garden,
    /// Firecracker's jailer.
    Firecracker,
}

impl Runtime {
    /// Who manages the containers, as events name it.
    pub const fn manager(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::ContainerdCri | Self::ContainerdCtr | Self::Nerdctl => "containerd",
            Self::CriO => "cri-o",
            Self::Podman => "podman",
            Self::Runc => "runc",
            Self::Crun => "crun",
            Self::Youki => "youki",
            Self::Buildah => "buildah",
            Self::Lxc => "lxc",
            Self::Nspawn => "systemd-nspawn",
            Self::LibvirtLxc => "libvirt-lxc",
            Self::EcsFargate => "ecs",
            Self::Nomad => "nomad",
            Self::Garden => "garden",
            Self::Firecracker => "firecracker",
        }
    }
}

/// Reads a path from the root of its hierarchy. Total: whatever it can't read, it does not claim.
pub fn parse(path: &str) -> Place {
    if path.split('/').any(|name| name == "..") {
        return Place {
            is_foreign: true,
            ..Place::default()
        };
    }
    let mut walk = Walk::default();
    let mut start = 0;
    for name in path.split('/') {
        let end = start + name.len();
        start = end + 1;
        if !name.is_empty() {
            walk.step(name, end);
        }
    }
    walk.place
}

/// What has been seen of a path so far.
#[derive(Default)]
struct Walk<'a> {
    place: Place,
    /// Components since the root or since the last container.
    above: Vec<&'a str>,
    pod_uid: Option<SmolStr>,
    is_rootless: bool,
    is_in_service: bool,
}

/// What one component of a path is.
enum Found<'a> {
    Container(SmolStr, Option<Runtime>),
    Pod(SmolStr),
    Service(Told<'a>),
    EcsTask(&'a str),
    /// Any text may stand here.
    FreeText(&'a str, Option<Runtime>),
    /// A folder that is known to be none of those.
    Folder,
}

impl<'a> Walk<'a> {
    fn step(&mut self, name: &'a str, end: usize) {
        let is_within = self.place.container.is_some();
        if !is_within && (name == "user.slice" || name.starts_with("user@")) {
            self.is_rootless = true;
        }
        let found = self.find(name);
        // A user's manager has whatever the user starts below it.
        if !is_within && name.ends_with(".service") && !name.starts_with("user@") {
            self.is_in_service = true;
        }
        self.above.push(name);
        match found {
            Found::Container(id, runtime) => self.enter(id, runtime, end),
            Found::Pod(uid) => {
                if !is_within {
                    self.place.pod_uid = Some(uid.clone());
                }
                self.pod_uid = Some(uid);
            }
            Found::Service(known) if !is_within => {
                self.place.service = Some(Service {
                    component: known.component,
                    unit: name.into(),
                    is_system: known.is_system,
                    serves: known.serves.map(SmolStr::new),
                });
            }
            Found::EcsTask(id) if !is_within => self.place.ecs_task = Some(id.into()),
            Found::FreeText(id, runtime)
                if !is_within && self.place.candidates.len() < CANDIDATES_MAX =>
            {
                let candidate = self.matched(id.into(), runtime, end);
                self.place.candidates.push(candidate);
            }
            Found::Service(_) | Found::EcsTask(_) | Found::FreeText(..) | Found::Folder => {}
        }
    }

    fn enter(&mut self, id: SmolStr, runtime: Option<Runtime>, end: usize) {
        let mut matched = self.matched(id, runtime, end);
        matched.pod_uid = self.pod_uid.take();
        self.above.clear();
        if self.place.container.is_none() {
            self.place.pod_uid.clone_from(&matched.pod_uid);
            self.place.service = None;
            self.place.container = Some(matched);
        } else {
            self.place.nested.push(matched);
        }
    }

    fn matched(&self, id: SmolStr, runtime: Option<Runtime>, end: usize) -> Match {
        Match {
            id,
            runtime,
            is_rootless: self.is_rootless,
            is_in_service: self.is_in_service,
            pod_uid: self.pod_uid.clone(),
            end,
        }
    }

    fn find(&mut self, name: &'a str) -> Found<'a> {
        let parent = self.above.last().copied();
        if let Some(found) = self
            .find_by_name(name)
            .or_else(|| self.by_parent(parent?, name))
        {
            return found;
        }
        if let Some(known) = service(&self.above, name) {
            return Found::Service(known);
        }
        if is_hash(name) {
            // A pod of podman lies there, with its containers below.
            if parent == Some("libpod_parent") {
                return Found::Folder;
            }
            return Found::Container(name.into(), None);
        }
        if is_unit(name) || !is_free_text(name) {
            return Found::Folder;
        }
        // `/NAMESPACE/ID`, both free text, is what containerd makes of a container's name.
        let is_second = matches!(self.above.as_slice(), [first] if !is_unit(first));
        Found::FreeText(name, is_second.then_some(Runtime::ContainerdCtr))
    }

    /// Names that tell by themselves what they are.
    fn find_by_name(&mut self, name: &'a str) -> Option<Found<'a>> {
        if let Some(uid) = pod_uid(&self.above, name) {
            return Some(Found::Pod(uid));
        }
        if let Some(known) = monitor(name) {
            return Some(Found::Service(known));
        }
        // Drivers that do not agree: a slice of systemd, a prefix and an id as one name.
        let mut parts = name.splitn(3, ':');
        if let (Some(slice), Some(prefix), Some(id)) = (parts.next(), parts.next(), parts.next()) {
            if let Some(uid) = pod_uid(&self.above, slice) {
                self.pod_uid = Some(uid);
            }
            return Some(match Prefix::of(prefix) {
                Some(prefix) if is_hash(id) => Found::Container(id.into(), Some(prefix.runtime)),
                Some(prefix) if is_free_text(id) => Found::FreeText(id, Some(prefix.runtime)),
                Some(_) | None => Found::Folder,
            });
        }
        let (stem, is_scope) = match name.strip_suffix(".scope") {
            Some(stem) => (stem, true),
            None => (name, false),
        };
        for prefix in &PREFIXES {
            let Some(id) = stem
                .strip_prefix(prefix.text)
                .and_then(|rest| rest.strip_prefix('-'))
            else {
                continue;
            };
            if is_hash(id) && (is_scope || prefix.is_folder_too) {
                return Some(Found::Container(id.into(), Some(prefix.runtime)));
            }
            if prefix.is_free_text && is_scope && is_free_text(id) {
                return Some(Found::FreeText(id, Some(prefix.runtime)));
            }
        }
        if let Some(name) = name.strip_prefix("lxc.payload.") {
            return Some(certain(name, Runtime::Lxc));
        }
        let task = without_suffix(name.strip_prefix("ecstasks-"), ".slice");
        task.map(Found::EcsTask)
    }

    /// Names that are told by the folder they lie in.
    fn by_parent(&self, parent: &str, name: &'a str) -> Option<Found<'a>> {
        match parent {
            "docker" if is_hash(name) => Some(certain(name, Runtime::Docker)),
            "lxc" if !is_unit(name) => Some(certain(name, Runtime::Lxc)),
            "machine.slice" => {
                if let Some((id, runtime)) = machine(name) {
                    return Some(Found::Container(id, Some(runtime)));
                }
                // Newer ones have the machine's bare name, which only the registry confirms.
                let id = name.strip_suffix(".scope")?;
                let may_be = !id.starts_with("machine-") && is_free_text(id);
                may_be.then_some(Found::FreeText(id, Some(Runtime::Nspawn)))
            }
            "garden" => Some(certain(garden(name)?, Runtime::Garden)),
            "firecracker" if uuid(name) => Some(certain(name, Runtime::Firecracker)),
            _ if self.above.contains(&"nomad.slice") => {
                let id = name.strip_suffix(".scope")?;
                let (allocation, task) = id.split_once('.')?;
                (uuid(allocation) && !task.is_empty()).then(|| certain(id, Runtime::Nomad))
            }
            task if self.above.contains(&"ecs") => {
                let number = name.strip_prefix(task)?.strip_prefix('-')?;
                let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
                is_number.then(|| certain(name, Runtime::EcsFargate))
            }
            _ => None,
        }
    }
}

/// A container of a form that is certain, if its id can be one.
fn certain<'a>(id: &str, runtime: Runtime) -> Found<'a> {
    if id.is_empty() {
        return Found::Folder;
    }
    Found::Container(id.into(), Some(runtime))
}

/// `PREFIX-ID.scope` as systemd's driver makes it, or `PREFIX-ID`.
struct Prefix {
    text: &'static str,
    runtime: Runtime,
    /// The runtime gives the name to a folder as well, without `.scope`.
    is_folder_too: bool,
    /// Ids may be any text: then only the runtime's state confirms them.
    is_free_text: bool,
}

impl Prefix {
    const fn new(text: &'static str, runtime: Runtime) -> Self {
        Self {
            text,
            runtime,
            is_folder_too: false,
            is_free_text: false,
        }
    }

    const fn folder_too(text: &'static str, runtime: Runtime) -> Self {
        Self {
            is_folder_too: true,
            ..Self::new(text, runtime)
        }
    }

    const fn free_text(text: &'static str, runtime: Runtime) -> Self {
        Self {
            is_free_text: true,
            ..Self::new(text, runtime)
        }
    }

    fn of(text: &str) -> Option<&'static Self> {
        PREFIXES.iter().find(|prefix| prefix.text == text)
    }
}

static PREFIXES: [Prefix; 10] = [
    Prefix::new("docker", Runtime::Docker),
    Prefix::new("cri-containerd", Runtime::ContainerdCri),
    Prefix::new("nerdctl", Runtime::Nerdctl),
    Prefix::folder_too("crio", Runtime::CriO),
    Prefix::folder_too("libpod-payload", Runtime::Podman),
    Prefix::folder_too("libpod", Runtime::Podman),
    Prefix::free_text("runc", Runtime::Runc),
    Prefix::free_text("crun", Runtime::Crun),
    Prefix::free_text("youki", Runtime::Youki),
    Prefix::free_text("buildah", Runtime::Buildah),
];

/// `8-4-4-4-4` hexadecimal digits, and what a sidecar's suffix follows with a dash.
fn garden(name: &str) -> Option<&str> {
    const LEN: usize = 28;
    let (id, rest) = name.split_at_checked(LEN)?;
    let is_id = names::has_groups(id, &[8, 4, 4, 4, 4]);
    (is_id && (rest.is_empty() || rest.starts_with('-'))).then_some(id)
}

/// Whether a text can be an id: what runtimes allow in one, and nothing that leads elsewhere when
/// it becomes part of a path.
pub fn is_free_text(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'-' | b'.');
    !text.is_empty()
        && text.len() <= ID_LEN_MAX
        && !text.starts_with('.')
        && text.bytes().all(allowed)
}

#[cfg(test)]
#[path = "cgroup_tests.rs"]
mod tests;
