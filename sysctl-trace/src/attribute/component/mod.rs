//! What a process is: the component behind it, by a table of rules. Pure.
//!
//! Names are cheap: any process takes the comm it likes, and a container the executables. So the
//! place comes first: a process in a container's cgroup is a process of that container, whatever
//! it is called, unless its executable is from the node's own file system or its lineage shows an
//! OCI runtime at work. Only then do names count. Each verdict lists what it rests on.
//!
//! CNI plugins are called `cni:NAME`, a container's program `container-process`, and any other
//! program of the node `program`.

mod cni;
mod engine;
mod rules;

use super::cgroup::Place;
use crate::event::{Component, Confidence, Container, Kubernetes, Stage, Sureness};
use rules::{INTERPRETERS, MULTI_CALL, NODE_NAMESPACES, Rule};

/// Folders that only root writes to.
const SYSTEM_FOLDERS: [&str; 7] = [
    "/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/opt/", "/snap/",
];

/// What is known of a process.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// comm of the thread that acted.
    pub name: &'a str,
    /// File name of the executable, from the kernel; absent for kernel threads.
    pub executable_name: Option<&'a str>,
    /// Full path of the executable, from /proc.
    pub executable: Option<&'a str>,
    /// Argument vector, from /proc.
    pub args: Option<&'a [String]>,
    /// Effective user, as the initial user namespace numbers it.
    pub uid: u32,
    /// It is a thread of the kernel, not of any process: the kernel says so.
    pub is_kernel_thread: bool,
    /// The setting that names this program as one that the kernel starts, where there is one.
    pub helper_setting: Option<&'a str>,
    /// Whether the executable is the node's own file, that only root can write, by device and inode.
    pub is_node_file: bool,
    /// Whether the mount that the executable was opened from belongs to the node's own mount
    /// namespace. Absent where that is not known, and where the mount belongs to no namespace:
    /// memory files and the clones that OCI runtimes make of themselves.
    pub executable_on_node: Option<bool>,
    /// Whether it is in the node's own mount namespace.
    pub in_node_mnt: Option<bool>,
    /// What the path of its cgroup tells.
    pub place: &'a Place,
    /// Whether that path is all there. Where it is not, a container that it does not show may be
    /// further in.
    pub is_place_whole: bool,
    /// The container that it belongs to, with what state told of it.
    pub container: Option<&'a Container>,
    /// The pod that it belongs to, with what state told of it.
    pub kubernetes: Option<&'a Kubernetes>,
    /// Parent, grandparent and so on.
    pub ancestors: &'a [Forebear<'a>],
}

/// A process above another.
#[derive(Clone, Copy, Debug)]
pub struct Forebear<'a> {
    /// comm of its main thread.
    pub name: &'a str,
    /// File name of its executable.
    pub executable_name: Option<&'a str>,
    /// As [`Subject::executable_on_node`].
    pub executable_on_node: Option<bool>,
    /// As [`Subject::is_kernel_thread`].
    pub is_kernel_thread: bool,
    /// Whether the mount that its executable was opened from belongs to another mount namespace
    /// than the one that the process itself is in.
    pub is_outside: bool,
}

/// What a process is. Total: what no rule knows is a program of the node or of a container.
pub fn component(subject: &Subject<'_>) -> Component {
    let mut subject = *subject;
    // A service with private mounts, or `ip netns exec`: another mount of the same file. A container
    // may have files of the node too, and is told apart by where it has them from.
    let may_be_contained = subject.contained().is_some() || subject.place.may_be_container();
    if subject.is_node_file && !may_be_contained {
        subject.executable_on_node = Some(true);
    }
    let subject = &subject;
    let mut found = by_rules(subject);
    if !subject.is_place_whole && !subject.is_kernel_thread && subject.contained().is_none() {
        found.confidence = Sureness::Inferred;
        let evidence = "its cgroup lies deeper than is followed: it may be a container's";
        found.evidence.push(evidence.to_owned());
    }
    found
}

fn by_rules(subject: &Subject<'_>) -> Component {
    if subject.is_kernel_thread {
        let evidence = vec!["it is a kernel thread".to_owned()];
        return verdict("kernel", Sureness::Observed, evidence);
    }
    if let Some(helper) = helper(subject) {
        return helper;
    }
    let mut found = by_place(subject);
    found.evidence.extend(below_helper(subject));
    found
}

/// A program that the kernel starts by itself: to take a core dump, to load a module.
fn helper(subject: &Subject<'_>) -> Option<Component> {
    let parent = subject.ancestors.first()?;
    if !parent.is_kernel_thread {
        return None;
    }
    let mut evidence = subject.names_evidence();
    evidence.push(format!(
        "a thread of the kernel started it: {}",
        parent.name
    ));
    evidence.extend(subject.helper_setting.map(ToOwned::to_owned));
    Some(verdict("usermodehelper", Sureness::Observed, evidence))
}

/// What is said of a process that such a program started.
fn below_helper(subject: &Subject<'_>) -> Option<String> {
    let mut pairs = subject.ancestors.windows(2);
    pairs.find_map(|pair| match pair {
        [helper, kernel] if kernel.is_kernel_thread && !helper.is_kernel_thread => Some(format!(
            "below a usermode helper, which the kernel started: {}",
            helper.executable_name.unwrap_or(helper.name)
        )),
        _ => None,
    })
}

fn by_place(subject: &Subject<'_>) -> Component {
    if let Some(step) = engine::step(subject) {
        return Component {
            stage: Some(step.stage),
            ..verdict(step.engine.name(), step.sureness, step.evidence)
        };
    }
    let is_on_node = subject.executable_on_node == Some(true);
    match subject.contained() {
        Some(contained) if !is_on_node => in_container(subject, &contained),
        Some(contained) => {
            let mut found = on_node(subject);
            found.evidence.push(contained.evidence());
            found
        }
        // A name that may be a container's, and files of another mount namespace.
        None if !is_on_node && subject.may_be_elsewhere() && subject.place.may_be_container() => {
            let mut evidence = subject.names_evidence();
            evidence.push("its mount namespace and cgroup are no service's".to_owned());
            verdict("container-process", Sureness::Inferred, evidence)
        }
        None => on_node(subject),
    }
}

fn verdict(name: &str, confidence: Sureness, evidence: Vec<String>) -> Component {
    Component {
        name: name.into(),
        stage: None,
        confidence,
        evidence,
    }
}

/// The container that a process is in, as far as that matters here.
struct Contained<'a> {
    id: &'a str,
    /// Nobody but root can have put a process there.
    is_sure: bool,
}

impl Contained<'_> {
    fn evidence(&self) -> String {
        format!("cgroup is that of container {}", self.id)
    }
}

/// A process of a container: what it is called does not count, but for the parts of Kubernetes
/// that run in pods.
fn in_container(subject: &Subject<'_>, contained: &Contained<'_>) -> Component {
    let mut evidence = vec![contained.evidence()];
    if let Some((rule, node_evidence)) = node_pod(subject) {
        evidence.push(node_evidence);
        evidence.extend(subject.names_evidence());
        return verdict(rule.name, Sureness::Inferred, evidence);
    }
    evidence.extend(subject.names_evidence());
    let is_sure = contained.is_sure && subject.executable_on_node == Some(false);
    let sureness = if is_sure {
        Sureness::Observed
    } else {
        Sureness::Inferred
    };
    verdict("container-process", sureness, evidence)
}

/// A part of Kubernetes that runs in a pod of a namespace of the cluster's own.
fn node_pod(subject: &Subject<'_>) -> Option<(&'static Rule, String)> {
    let kubernetes = subject.kubernetes?;
    let namespace = kubernetes.namespace.as_ref()?.name.as_str();
    let container = kubernetes.container.as_ref()?.name.as_str();
    let rule = rules::by_executable(subject.executable_name?)?;
    let is_of_node = NODE_NAMESPACES.contains(&namespace) && rule.in_pod.contains(&container);
    let evidence = format!("it is container {container} of a pod in namespace {namespace}");
    is_of_node.then_some((rule, evidence))
}

/// A process of the node, by the rules.
fn on_node(subject: &Subject<'_>) -> Component {
    let Some(executable) = subject.executable_name else {
        return verdict("program", Sureness::Inferred, subject.names_evidence());
    };
    if subject.pid == 1 && executable == "systemd" {
        let evidence = vec![
            "pid is 1".to_owned(),
            subject.executable_evidence(executable),
        ];
        return verdict("systemd", Sureness::Observed, evidence);
    }
    if let Some(plugin) = cni::plugin(subject) {
        let evidence = vec![subject.executable_evidence(executable), plugin.evidence];
        let sureness = if plugin.is_by_comm {
            Sureness::Inferred
        } else {
            subject.sureness()
        };
        return verdict(&format!("cni:{}", plugin.name), sureness, evidence);
    }
    if let Some(rule) = rules::by_executable(executable) {
        let mut evidence = vec![subject.executable_evidence(executable)];
        evidence.extend(subject.service_evidence(rule.name));
        if subject.name == "exe" {
            evidence.push("comm is exe: it has executed itself again".to_owned());
        }
        let stage = match subject.in_node_mnt {
            Some(true) => Some(Stage::Parent),
            Some(false) => Some(Stage::Init),
            None => None,
        };
        return Component {
            stage: stage.filter(|_| rule.has_stages),
            ..verdict(rule.name, subject.sureness(), evidence)
        };
    }
    by_other_names(subject, executable)
        .unwrap_or_else(|| verdict("program", subject.sureness(), subject.names_evidence()))
}

/// Applets and scripts: their executables are of another name.
fn by_other_names(subject: &Subject<'_>, executable: &str) -> Option<Component> {
    let mut evidence = vec![subject.executable_evidence(executable)];
    if MULTI_CALL.contains(&executable) {
        let rule = rules::by_executable(subject.name).filter(|rule| rule.is_applet)?;
        evidence.push(format!("comm is {}, an applet of it", subject.name));
        return Some(verdict(rule.name, Sureness::Inferred, evidence));
    }
    let is_version = |rest: &str| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    INTERPRETERS
        .iter()
        .any(|name| executable.strip_prefix(name).is_some_and(is_version))
        .then_some(())?;
    let script = subject
        .args?
        .iter()
        .skip(1)
        .find(|arg| !arg.starts_with('-'))?
        .rsplit('/')
        .next()?;
    let rule = rules::RULES
        .iter()
        .find(|rule| rule.script == Some(script))?;
    evidence.push(format!("it runs the script {script}"));
    let service = subject.service_evidence(rule.name);
    let sureness = match service {
        Some(_) => subject.sureness(),
        None => Sureness::Inferred,
    };
    evidence.extend(service);
    Some(verdict(rule.name, sureness, evidence))
}

impl<'a> Subject<'a> {
    /// The container that its cgroup is in.
    fn contained(&self) -> Option<Contained<'a>> {
        let by_path = self.place.container.as_ref();
        let is_rootless = by_path.is_some_and(|matched| matched.is_rootless);
        if let Some(container) = self.container {
            let is_verified = container.confidence == Confidence::StateVerified;
            return Some(Contained {
                id: &container.id,
                is_sure: is_verified || !is_rootless,
            });
        }
        by_path.map(|matched| Contained {
            id: &matched.id,
            is_sure: !is_rootless,
        })
    }

    /// Its files, or those that it sees, are of another mount namespace than the node's.
    fn may_be_elsewhere(&self) -> bool {
        match self.in_node_mnt {
            Some(is_node) => !is_node,
            None => self.executable_on_node == Some(false),
        }
    }

    /// How sure the name of its executable is. A file from the node's own file system counts if it
    /// lies where only root writes, or if root runs it.
    fn sureness(&self) -> Sureness {
        let is_system_file = || {
            self.executable
                .is_some_and(|path| SYSTEM_FOLDERS.iter().any(|folder| path.starts_with(folder)))
        };
        let is_sure = || self.uid == 0 || self.is_node_file || is_system_file();
        if self.executable_on_node == Some(true) && is_sure() {
            Sureness::Observed
        } else {
            Sureness::Inferred
        }
    }

    fn executable_evidence(&self, executable: &str) -> String {
        let origin = match self.executable_on_node {
            Some(true) if self.is_node_file => ", the node's own file",
            Some(true) => ", from the node's file system",
            Some(false) => ", not from the node's file system",
            None => "",
        };
        match self.executable {
            Some(path) => format!("executable is {executable} ({path}){origin}"),
            None => format!("executable is {executable}{origin}"),
        }
    }

    /// What it is called, where that decides nothing.
    fn names_evidence(&self) -> Vec<String> {
        let executable = self.executable_name;
        let mut evidence: Vec<_> = executable
            .map(|executable| self.executable_evidence(executable))
            .into_iter()
            .collect();
        if executable != Some(self.name) {
            evidence.push(format!("it calls itself {}", self.name));
        }
        evidence
    }

    fn service_evidence(&self, component: &str) -> Option<String> {
        let service = self.place.service.as_ref()?;
        let is_own = service.is_system && service.component == component;
        is_own.then(|| format!("cgroup is that of {}", service.unit))
    }
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
