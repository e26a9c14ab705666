//! The kubelet's part: pods through containerd's CRI service.

mod call;
mod messages;

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::{Setting, containerd::Containerd, image};
use crate::scenarios::netns;
use call::Client;
use messages::{
    ContainerConfig, ContainerMetadata, ContainerStatusRequest, ContainerStatusResponse,
    CreateContainerRequest, ExecSyncRequest, ExecSyncResponse, Id, IdMapping, ImageSpec,
    ImageStatusRequest, ImageStatusResponse, LinuxContainerConfig, LinuxContainerSecurityContext,
    LinuxPodSandboxConfig, LinuxSandboxSecurityContext, NamespaceOptions, Nothing,
    PodSandboxConfig, PodSandboxMetadata, RunPodSandboxRequest, RuntimeStatusRequest,
    RuntimeStatusResponse, StatusRequest, StatusResponse, UserNamespace,
};

const SOCKET: &str = "/run/containerd/containerd.sock";

/// Where containerd looks for the network's configuration.
const NETWORK: &str = "/etc/cni/net.d/10-scenario.conflist";

/// The namespace of containerd that pods are in.
const NAMESPACE: &str = "k8s.io";

/// Whose namespaces are.
const OF_POD: i32 = 0;
const OF_CONTAINER: i32 = 1;
const OF_NODE: i32 = 2;

/// The first of the node's ids that a pod's user namespace has.
const FIRST_ID: u32 = 1_000_000;

/// A state of containers.
const EXITED: i32 = 2;

const PATIENCE: Duration = Duration::from_secs(20);

/// containerd with a CRI service that is ready for pods, and a bridge for these.
#[derive(Debug)]
pub struct Cri {
    client: Client,
    systemd_cgroup: bool,
    _containerd: Containerd,
    _network: Setting,
}

/// A pod to be.
#[derive(Clone, Copy, Debug)]
pub struct Spec<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its UID.
    pub uid: &'a str,
    /// Its sysctls.
    pub sysctls: &'a [(&'a str, &'a str)],
    /// Whether there may be privileged containers in it.
    pub privileged: bool,
    /// Whether it uses the node's network.
    pub host_network: bool,
    /// Whether it has a user namespace of its own.
    pub user_namespace: bool,
}

impl Spec<'_> {
    /// A pod that asks for nothing, and has no name yet.
    pub const NOTHING: Spec<'static> = Spec {
        name: "",
        namespace: "",
        uid: "",
        sysctls: &[],
        privileged: false,
        host_network: false,
        user_namespace: false,
    };

    fn namespaces(&self) -> NamespaceOptions {
        let ids = IdMapping {
            host_id: FIRST_ID,
            container_id: 0,
            length: 65_536,
        };
        NamespaceOptions {
            network: if self.host_network { OF_NODE } else { OF_POD },
            pid: OF_CONTAINER,
            ipc: OF_POD,
            user: self.user_namespace.then(|| UserNamespace {
                mode: OF_POD,
                uids: vec![ids],
                gids: vec![ids],
            }),
        }
    }
}

/// A pod, which is removed on drop with all that is in it.
#[derive(Debug)]
pub struct Pod<'a> {
    cri: &'a Cri,
    config: PodSandboxConfig,
    /// The ID of its sandbox, which is that of the pause container.
    pub id: String,
}

impl Cri {
    /// Starts containerd. runc makes cgroups, or asks systemd for them. The tuning plugin sets
    /// these sysctls in every pod, where there are any.
    pub fn start(systemd_cgroup: bool, tuned: &[(&str, &str)]) -> Result<Self> {
        let network = Setting::write(NETWORK, &network(tuned))?;
        let containerd = Containerd::start(systemd_cgroup)?;
        containerd.import(NAMESPACE)?;
        let cri = Self {
            client: Client::connect(Path::new(SOCKET))?,
            systemd_cgroup,
            _containerd: containerd,
            _network: network,
        };
        cri.wait_until_ready()?;
        Ok(cri)
    }

    /// It notices images and networks a moment after they are there.
    fn wait_until_ready(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            match self.lacks()? {
                None => return Ok(()),
                Some(what) if begun.elapsed() > PATIENCE => {
                    bail!("containerd is not ready for pods: {what}")
                }
                Some(_) => thread::sleep(Duration::from_millis(200)),
            }
        }
    }

    fn lacks(&self) -> Result<Option<String>> {
        let status: RuntimeStatusResponse =
            self.runtime("Status", &RuntimeStatusRequest { verbose: false })?;
        let status = status.status.context("no status")?;
        for condition in status.conditions {
            if ["RuntimeReady", "NetworkReady"].contains(&condition.kind.as_str())
                && !condition.holds
            {
                return Ok(Some(condition.message));
            }
        }
        let request = ImageStatusRequest {
            image: Some(image_spec()),
        };
        let found: ImageStatusResponse = self
            .client
            .call("runtime.v1.ImageService/ImageStatus", &request)?;
        Ok(found.image.is_none().then(|| "no image".to_owned()))
    }

    fn runtime<A: prost::Message + Default>(
        &self,
        method: &str,
        request: &impl prost::Message,
    ) -> Result<A> {
        let method = format!("runtime.v1.RuntimeService/{method}");
        self.client.call(&method, request)
    }

    /// Runs a pod without any container but the pause container.
    pub fn run_pod(&self, spec: &Spec<'_>) -> Result<Pod<'_>> {
        let sysctls = spec.sysctls.iter();
        let config = PodSandboxConfig {
            metadata: Some(PodSandboxMetadata {
                name: spec.name.to_owned(),
                uid: spec.uid.to_owned(),
                namespace: spec.namespace.to_owned(),
                attempt: 0,
            }),
            hostname: match spec.host_network {
                true => String::new(),
                false => spec.name.to_owned(),
            },
            // As the kubelet does it.
            labels: [
                ("io.kubernetes.pod.name", spec.name),
                ("io.kubernetes.pod.namespace", spec.namespace),
                ("io.kubernetes.pod.uid", spec.uid),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
            linux: Some(LinuxPodSandboxConfig {
                cgroup_parent: self.cgroup_parent(spec.uid),
                security_context: Some(LinuxSandboxSecurityContext {
                    namespaces: Some(spec.namespaces()),
                    privileged: spec.privileged,
                }),
                sysctls: sysctls
                    .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                    .collect(),
            }),
        };
        let request = RunPodSandboxRequest {
            config: Some(config.clone()),
        };
        let Id { id } = self.runtime("RunPodSandbox", &request)?;
        Ok(Pod {
            cri: self,
            config,
            id,
        })
    }

    fn cgroup_parent(&self, uid: &str) -> String {
        match self.systemd_cgroup {
            true => {
                let uid = uid.replace('-', "_");
                format!("kubepods-besteffort-pod{uid}.slice")
            }
            false => format!("/kubepods/besteffort/pod{uid}"),
        }
    }
}

impl Pod<'_> {
    /// Its network namespace, by way of the pause container.
    pub fn netns(&self) -> Result<u32> {
        netns::of_process(self.pid()?)
    }

    /// The pause container's process.
    pub fn pid(&self) -> Result<u32> {
        let request = StatusRequest {
            id: self.id.clone(),
            verbose: true,
        };
        let status: StatusResponse = self.cri.runtime("PodSandboxStatus", &request)?;
        let info = status.info.get("info").context("no information")?;
        let info: Value = serde_json::from_str(info)?;
        let pid = info["pid"].as_u64().context("no process")?;
        Ok(u32::try_from(pid)?)
    }

    /// Starts a container in it; its ID. It goes with the pod.
    pub fn start_container(&self, name: &str, privileged: bool) -> Result<String> {
        self.start(name, privileged, &["/bin/sleep", "100000"])
    }

    /// Runs a privileged container to its end, as an init container is run; its ID.
    pub fn run_init_container(&self, name: &str, command: &[&str]) -> Result<String> {
        let id = self.start(name, true, command)?;
        let begun = Instant::now();
        loop {
            let request = ContainerStatusRequest {
                container_id: id.clone(),
            };
            let answer: ContainerStatusResponse = self.cri.runtime("ContainerStatus", &request)?;
            let status = answer.status.context("no status")?;
            if status.state == EXITED {
                ensure!(
                    status.exit_code == 0,
                    "{name} ended with {}",
                    status.exit_code
                );
                return Ok(id);
            }
            ensure!(begun.elapsed() < PATIENCE, "{name} does not end");
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn namespaces(&self) -> Option<NamespaceOptions> {
        let linux = self.config.linux.as_ref()?;
        linux.security_context.as_ref()?.namespaces.clone()
    }

    fn start(&self, name: &str, privileged: bool, command: &[&str]) -> Result<String> {
        let request = CreateContainerRequest {
            pod_sandbox_id: self.id.clone(),
            config: Some(ContainerConfig {
                metadata: Some(ContainerMetadata {
                    name: name.to_owned(),
                }),
                image: Some(image_spec()),
                command: command.iter().map(ToString::to_string).collect(),
                linux: Some(LinuxContainerConfig {
                    security_context: Some(LinuxContainerSecurityContext {
                        privileged,
                        namespaces: self.namespaces(),
                    }),
                }),
            }),
            sandbox_config: Some(self.config.clone()),
        };
        let container: Id = self.cri.runtime("CreateContainer", &request)?;
        let Nothing {} = self.cri.runtime("StartContainer", &container)?;
        Ok(container.id)
    }

    /// Runs a command in one of its containers; what it printed.
    pub fn exec(&self, container: &str, command: &[&str]) -> Result<String> {
        let request = ExecSyncRequest {
            container_id: container.to_owned(),
            cmd: command.iter().map(ToString::to_string).collect(),
            timeout: 30,
        };
        let done: ExecSyncResponse = self.cri.runtime("ExecSync", &request)?;
        ensure!(
            done.exit_code == 0,
            "{command:?} in a container: {}: {}",
            done.exit_code,
            String::from_utf8_lossy(&done.stderr)
        );
        Ok(String::from_utf8_lossy(&done.stdout).trim_end().to_owned())
    }
}

impl Drop for Pod<'_> {
    fn drop(&mut self) {
        let id = Id {
            id: self.id.clone(),
        };
        for method in ["StopPodSandbox", "RemovePodSandbox"] {
            if let Err(error) = self.cri.runtime::<Nothing>(method, &id) {
                eprintln!("when removing a pod: {error:#}");
            }
        }
    }
}

fn image_spec() -> ImageSpec {
    ImageSpec {
        image: image::NAME.to_owned(),
    }
}

/// The format: <https://www.cni.dev/docs/spec/#configuration-format>.
fn network(tuned: &[(&str, &str)]) -> String {
    let mut plugins = vec![serde_json::json!({
        "type": "bridge",
        "bridge": "pods0",
        "isGateway": true,
        "ipam": { "type": "host-local", "ranges": [[{ "subnet": "10.88.7.0/24" }]] },
    })];
    if !tuned.is_empty() {
        let sysctls: serde_json::Map<String, Value> = tuned
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Value::from(*value)))
            .collect();
        plugins.push(serde_json::json!({ "type": "tuning", "sysctl": sysctls }));
    }
    serde_json::json!({ "cniVersion": "0.4.0", "name": "pods", "plugins": plugins }).to_string()
}
