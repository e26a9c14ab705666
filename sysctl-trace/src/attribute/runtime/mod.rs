//! What the runtimes themselves say of a container: their state on disk, which only root writes.
//!
//! Reading is in one module, `files`; the others take bytes apart and are pure. No runtime is asked
//! anything, so nothing here waits for one.

pub mod arguments;
pub mod cgroups;
mod docker;
mod engine;
mod files;
mod machine;
mod spec;
mod storage;

use std::{collections::BTreeMap, path::Path};

use smol_str::SmolStr;

use super::cgroup::{Match, Place, Runtime, is_free_text};
use files::Files;
use spec::Spec;

/// Folders in which containerd keeps the bundles of running tasks, by namespace and id: its own,
/// that of a containerd started by dockerd, and those of distributions of Kubernetes.
const TASKS: [&str; 5] = [
    "run/containerd/io.containerd.runtime.v2.task",
    "run/docker/containerd/daemon/io.containerd.runtime.v2.task",
    "run/k3s/containerd/io.containerd.runtime.v2.task",
    "var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task",
    "run/containerd/io.containerd.runtime.v1.linux",
];
/// containerd's namespace of dockerd's containers.
const NAMESPACE_DOCKER: &str = "moby";

/// What is known of a container from the state of its runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The id.
    pub id: SmolStr,
    /// Who manages it, as events name it: `docker`, `containerd`, `podman`, `cri-o`, `runc`.
    pub runtime: SmolStr,
    /// Its name.
    pub name: Option<String>,
    /// The name of its image.
    pub image: Option<String>,
    /// Labels of the container, without those that describe its pod.
    pub labels: BTreeMap<String, String>,
    /// Its pod in Kubernetes.
    pub pod: Option<KnownPod>,
    /// Its name in the pod's specification.
    pub name_in_pod: Option<String>,
    /// It is the sandbox of a pod: the `pause` container.
    pub is_sandbox: bool,
    /// The sandbox that it shares namespaces with.
    pub sandbox_id: Option<SmolStr>,
    /// Keys that its OCI specification asks the OCI runtime to set, the manager's defaults among
    /// them.
    pub sysctls: BTreeMap<String, String>,
    /// The file that these stand in: the specification's. Absent where none was found.
    pub sysctls_file: Option<String>,
    /// The same in the specification of its sandbox: those of a pod stand only there.
    pub sandbox_sysctls: BTreeMap<String, String>,
    /// The file that these stand in.
    pub sandbox_sysctls_file: Option<String>,
    /// Keys that the user asked docker to set (`--sysctl`), without docker's defaults.
    pub user_sysctls: BTreeMap<String, String>,
    /// The file that these would stand in; absent where it could not be read, so that nothing is
    /// known of what the user asked for.
    pub user_sysctls_file: Option<String>,
    /// The network namespace that it joins, as the specification has it: a path.
    pub netns_path: Option<String>,
    /// Its cgroup, as the state has it.
    pub cgroups_path: Option<String>,
    /// Whether that is the cgroup seen; absent where the state does not tell.
    pub is_cgroup_same: Option<bool>,
    /// [`Match::end`] of what this was found for; absent where that was no path.
    pub end: Option<usize>,
}

/// What is known of a pod from the state of a runtime. containerd keeps a pod's labels in a
/// database only, so they are absent there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownPod {
    /// Its UID.
    pub uid: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// The runtimes' state on this machine.
#[derive(Clone, Debug)]
pub struct State {
    files: Files,
}

impl Default for State {
    /// The state below `/`, written by root.
    fn default() -> Self {
        Self::at(Path::new("/"), 0)
    }
}

impl State {
    /// The state below another root. Files of others than this owner are passed over.
    pub fn at(root: &Path, owner: u32) -> Self {
        Self {
            files: Files::new(root, owner),
        }
    }

    /// What the runtimes know of the outermost container of a place: of the first candidate whose
    /// state has the same cgroup, or else of the container that the path tells.
    pub fn look_up(&self, place: &Place, cgroup_path: &str) -> Option<Known> {
        let confirmed = |known: &Known| known.is_cgroup_same == Some(true);
        place
            .candidates
            .iter()
            .find_map(|candidate| self.find(candidate, cgroup_path).filter(confirmed))
            .or_else(|| self.find(place.container.as_ref()?, cgroup_path))
    }

    /// What a runtime knows of a container or candidate in the path of a cgroup. Where several
    /// have state of that id, the one whose cgroup is the one seen.
    pub fn find(&self, matched: &Match, cgroup_path: &str) -> Option<Known> {
        let cgroup = cgroup_path.get(..matched.end)?;
        let id = matched.id.as_str();
        if !is_free_text(id) {
            return None;
        }
        let known = if matched.runtime == Some(Runtime::Nspawn) {
            let file = self.files.read(&format!("run/systemd/machines/{id}"))?;
            machine::known(id, &file, cgroup)
        } else {
            self.best(id, cgroup)
        };
        known.map(|known| Known {
            end: Some(matched.end),
            ..known
        })
    }

    /// What a bundle says of a container that an OCI runtime was asked for. `cgroup` is the
    /// container's own, as far as it is known yet.
    pub fn bundle(
        &self,
        invocation: &arguments::Invocation,
        cgroup: Option<&str>,
    ) -> Option<Known> {
        let bundle = invocation.bundle.as_deref()?;
        let mut known = self
            .spec(bundle)?
            .known(&invocation.id, &invocation.runtime);
        known.is_cgroup_same = spec_agrees(&known, cgroup);
        Some(known)
    }

    /// The contents of a file of the node's configuration: a path from the root, without a slash to
    /// begin with. Links are followed within the root.
    pub fn configuration(&self, path: &str) -> Option<Vec<u8>> {
        self.files.read_configuration(path)
    }

    /// Names of the files in a folder of configuration, sorted.
    pub fn configurations(&self, folder: &str) -> Vec<String> {
        self.files.configurations(folder)
    }

    fn best(&self, id: &str, cgroup: &str) -> Option<Known> {
        let mut best: Option<Known> = None;
        let found = self.containerd(id, cgroup).into_iter();
        let others = [Self::storage, Self::docker, Self::crun, Self::runc];
        for known in found.chain(others.iter().filter_map(|read| read(self, id, cgroup))) {
            if known.is_cgroup_same == Some(true) {
                return Some(match best {
                    // What a manager says of the same container is more than its OCI runtime.
                    Some(manager) if has_low_level(&manager, &known) => Known {
                        is_cgroup_same: Some(true),
                        ..manager
                    },
                    Some(_) | None => known,
                });
            }
            best.get_or_insert(known);
        }
        best
    }

    fn spec(&self, bundle: &str) -> Option<Spec> {
        let bundle = bundle.strip_prefix('/').unwrap_or(bundle);
        let path = format!("{bundle}/config.json");
        Spec::parse(&self.files.read(&path)?, shown(&path))
    }

    /// One for each namespace of containerd that has a task of that id.
    fn containerd(&self, id: &str, cgroup: &str) -> Vec<Known> {
        let mut found = Vec::new();
        for tasks in TASKS {
            for namespace in self.files.folders(tasks) {
                let Some(mut known) = self.task(tasks, &namespace, id) else {
                    continue;
                };
                let by_spec = spec_agrees(&known, Some(cgroup));
                known.is_cgroup_same = match by_spec {
                    Some(true) => by_spec,
                    Some(false) | None => self.engine_agrees(&namespace, id, cgroup).or(by_spec),
                };
                if let Some(sandbox) = known.sandbox_id.clone()
                    && let Some(sandbox) = self.task(tasks, &namespace, &sandbox)
                {
                    known.add_sandbox(sandbox);
                }
                found.push(known);
            }
        }
        found
    }

    fn task(&self, tasks: &str, namespace: &str, id: &str) -> Option<Known> {
        if !is_free_text(id) {
            return None;
        }
        let spec = self.spec(&format!("{tasks}/{namespace}/{id}"))?;
        let mut known = spec.known(id, "containerd");
        if namespace == NAMESPACE_DOCKER {
            known.runtime = SmolStr::new_static("docker");
            self.add_docker(&mut known);
        }
        Some(known)
    }

    /// Whether runc's state for one of containerd's namespaces has the cgroup seen.
    fn engine_agrees(&self, namespace: &str, id: &str, cgroup: &str) -> Option<bool> {
        ["run/containerd/runc", "run/docker/runtime-runc"]
            .iter()
            .find_map(|root| {
                let path = format!("{root}/{namespace}/{id}/state.json");
                let file = self.files.read(&path)?;
                engine::runc(id, &file, cgroup, shown(&path))?.is_cgroup_same
            })
    }

    /// podman and CRI-O.
    fn storage(&self, id: &str, cgroup: &str) -> Option<Known> {
        let read = |id: &str| {
            storage::FOLDERS.iter().find_map(|folder| {
                let spec = self.spec(&format!("{folder}/{id}/userdata"))?;
                Some(spec.known(id, storage::RUNTIME))
            })
        };
        let mut known = read(id)?;
        known.is_cgroup_same = spec_agrees(&known, Some(cgroup));
        if let Some(sandbox) = known.sandbox_id.clone().filter(|id| is_free_text(id))
            && let Some(sandbox) = read(&sandbox)
        {
            known.add_sandbox(sandbox);
        }
        let lists = storage::lists().filter_map(|path| self.files.read(&path));
        if let Some(entry) = lists.filter_map(|list| storage::entry(&list, id)).next() {
            known.name = known.name.or(entry.name);
            known.image = known.image.or(entry.image);
        }
        Some(known)
    }

    /// docker's containers whose bundle was not found. docker does not write their cgroup down.
    fn docker(&self, id: &str, cgroup: &str) -> Option<Known> {
        let mut known = Known {
            id: id.into(),
            runtime: SmolStr::new_static("docker"),
            ..Known::default()
        };
        if !self.add_docker(&mut known) {
            return None;
        }
        known.is_cgroup_same = self.engine_agrees(NAMESPACE_DOCKER, id, cgroup);
        Some(known)
    }

    /// Adds what dockerd wrote down of a container; false where it did not.
    fn add_docker(&self, known: &mut Known) -> bool {
        let folder = format!("var/lib/docker/containers/{}", known.id);
        let read = |name| self.files.read(&format!("{folder}/{name}"));
        let Some(config) = read("config.v2.json").and_then(|file| docker::Config::parse(&file))
        else {
            return false;
        };
        let host = read("hostconfig.json").and_then(|file| docker::HostConfig::parse(&file));
        let host = host.map(|host| (host, shown(&format!("{folder}/hostconfig.json"))));
        docker::add(known, config, host);
        true
    }

    /// crun by itself, or for a manager.
    fn crun(&self, id: &str, cgroup: &str) -> Option<Known> {
        let folder = format!("run/crun/{id}");
        let status = engine::Status::parse(&self.files.read(&format!("{folder}/status"))?)?;
        let spec = self.spec(&folder).or_else(|| self.spec(&status.bundle));
        let mut known = spec.unwrap_or_default().known(id, "crun");
        known.is_cgroup_same = status.agrees(cgroup);
        Some(known)
    }

    /// runc by itself, or for a manager.
    fn runc(&self, id: &str, cgroup: &str) -> Option<Known> {
        let path = format!("run/runc/{id}/state.json");
        engine::runc(id, &self.files.read(&path)?, cgroup, shown(&path))
    }
}

/// A path from the root, as events have it.
fn shown(path: &str) -> String {
    format!("/{path}")
}

/// Whether a manager's state and an OCI runtime's can be of the same container: they have the same
/// id, which was made by chance or is of the only manager.
fn has_low_level(manager: &Known, engine: &Known) -> bool {
    manager.is_cgroup_same.is_none()
        && manager.id == engine.id
        && matches!(engine.runtime.as_str(), "runc" | "crun")
}

fn spec_agrees(known: &Known, cgroup: Option<&str>) -> Option<bool> {
    cgroups::agrees(known.cgroups_path.as_deref()?, cgroup?)
}

impl Known {
    /// Adds what stands in the state of the sandbox only.
    fn add_sandbox(&mut self, sandbox: Self) {
        if sandbox.id == self.id {
            return;
        }
        self.sandbox_sysctls = sandbox.sysctls;
        self.sandbox_sysctls_file = sandbox.sysctls_file;
        let Some(outer) = sandbox.pod else { return };
        let own = self.pod.get_or_insert_default();
        own.uid = own.uid.take().or(outer.uid);
        own.name = own.name.take().or(outer.name);
        own.namespace = own.namespace.take().or(outer.namespace);
        if !outer.labels.is_empty() {
            own.labels = outer.labels;
        }
    }
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
