//! Who: the component behind a process, the container and the pod that it belongs to, and the
//! owner of a network namespace.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// What a process is, as people name it: `runc`, `kubelet`, `sysctl(8)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Component {
    /// Its name, from the table in the README.
    #[schemars(with = "String")]
    pub name: SmolStr,
    /// For runtimes: how far the process is on its way to the container's program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// How sure that is.
    pub confidence: Sureness,
    /// What it rests on, one fact each.
    pub evidence: Vec<String>,
}

/// How far a runtime's process is on its way to the container's program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The process that was asked for a container; it stays outside.
    Parent,
    /// Between parent and init: it enters or makes the namespaces.
    Child,
    /// Inside, before it executes the container's program.
    Init,
}

/// How sure it is what a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sureness {
    /// By facts that the kernel vouches for and that neither an unprivileged process nor a
    /// container can choose.
    Observed,
    /// By names, which any privileged process of the node can take.
    Inferred,
}

/// ECS `container.*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Container {
    /// The id, in full, as the runtime gives it.
    #[schemars(with = "String")]
    pub id: SmolStr,
    /// The runtime that manages it: `docker`, `containerd`, `podman`; absent where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub runtime: Option<SmolStr>,
    /// Its name, where the runtime's state tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// How sure the id is.
    pub confidence: Confidence,
    /// Containers within it, from the outside inwards: by names that the outer one can choose, so
    /// they are not verified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nested: Vec<Nested>,
}

/// ECS `container.image.*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Image {
    /// Its name, as the runtime was given it.
    pub name: String,
}

/// A container within a container, by the name of a cgroup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Nested {
    /// The id in the name.
    #[schemars(with = "String")]
    pub id: SmolStr,
    /// The runtime, as the name has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub runtime: Option<SmolStr>,
}

/// How sure it is which container this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// The runtime's own state on disk has this id with this cgroup.
    StateVerified,
    /// By the path of the cgroup alone.
    PathOnly,
    /// By something else: arguments of a runtime's process, the environment of a CNI plugin.
    Inferred,
}

/// OpenTelemetry `k8s.*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kubernetes {
    /// The pod.
    pub pod: Pod,
    /// Its namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Named>,
    /// The container's name in the pod's specification; absent for the pod's sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Named>,
}

/// OpenTelemetry `k8s.pod.*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pod {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its UID; of a static pod the hash of its configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Its labels.
    #[serde(rename = "label", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// A thing with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Named {
    /// The name.
    pub name: String,
}

/// Whose a network namespace is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Owner {
    /// The component that made it; absent where that was not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub creator: Option<SmolStr>,
    /// The file that keeps it, such as /run/netns/NAME.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// What the container was told by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound_by: Option<Binding>,
    /// The container that it was made for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// That container's pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k8s: Option<Kubernetes>,
}

impl Owner {
    /// The same where it names one of the containers that live in a pod: they share their namespace,
    /// which is the pod's. Tracers before schema 1.3 told the first of them where a pod has no
    /// container of its own, as with CRI-O.
    #[must_use]
    pub fn of_pod(mut self) -> Self {
        if let Some(k8s) = &mut self.k8s
            && k8s.container.take().is_some()
        {
            self.container = None;
        }
        self
    }
}

/// What told which container a network namespace belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Binding {
    /// A process in the container's cgroup made it.
    Creator,
    /// The container's runtime entered it on the way to the container's program.
    Runtime,
    /// The container's first program was executed in it.
    Exec,
    /// A process of the container lives in it.
    Resident,
    /// The container's OCI specification names its file.
    Specification,
}

/// On whose behalf a key was written: where the value was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Requester {
    /// What kind of place that is.
    pub source: RequesterSource,
    /// The value asked for there, as it stands there.
    pub value: String,
    /// The file it stands in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in that file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// Where a value was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RequesterSource {
    /// `securityContext.sysctls` of a pod.
    PodSecurityContext,
    /// `docker run --sysctl`, or the like in docker's API.
    DockerOption,
    /// `linux.sysctl` of a container's OCI specification, and nothing known above it.
    OciSpec,
    /// A default of the container engine: its OCI specification has it, and nobody asked for it.
    EngineDefault,
    /// The configuration of a CNI network, for its plugins.
    CniConfiguration,
    /// A file in sysctl.d.
    SysctlFile,
}
