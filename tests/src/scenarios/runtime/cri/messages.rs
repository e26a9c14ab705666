//! The messages of CRI that scenarios need, with the fields that they need: written by hand from
//! `runtime/v1/api.proto` of <https://github.com/kubernetes/cri-api>, so that no protobuf compiler
//! is wanted. What is not named here is skipped when read.

use std::collections::HashMap;

use prost::Message;

/// A pod to be.
#[derive(Clone, PartialEq, Message)]
pub struct PodSandboxConfig {
    /// What it is called.
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<PodSandboxMetadata>,
    /// Its host name.
    #[prost(string, tag = "2")]
    pub hostname: String,
    /// Its labels.
    #[prost(map = "string, string", tag = "6")]
    pub labels: HashMap<String, String>,
    /// What is special to Linux.
    #[prost(message, optional, tag = "8")]
    pub linux: Option<LinuxPodSandboxConfig>,
}

/// What a pod is called.
#[derive(Clone, PartialEq, Message)]
pub struct PodSandboxMetadata {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its UID.
    #[prost(string, tag = "2")]
    pub uid: String,
    /// Its namespace.
    #[prost(string, tag = "3")]
    pub namespace: String,
    /// How often it was tried before.
    #[prost(uint32, tag = "4")]
    pub attempt: u32,
}

/// What is special to Linux in a pod.
#[derive(Clone, PartialEq, Message)]
pub struct LinuxPodSandboxConfig {
    /// The cgroup that those of its containers lie in.
    #[prost(string, tag = "1")]
    pub cgroup_parent: String,
    /// What its containers may be allowed.
    #[prost(message, optional, tag = "2")]
    pub security_context: Option<LinuxSandboxSecurityContext>,
    /// Its sysctls.
    #[prost(map = "string, string", tag = "3")]
    pub sysctls: HashMap<String, String>,
}

/// What a pod's containers may be allowed.
#[derive(Clone, PartialEq, Message)]
pub struct LinuxSandboxSecurityContext {
    /// Its namespaces.
    #[prost(message, optional, tag = "1")]
    pub namespaces: Option<NamespaceOptions>,
    /// Everything.
    #[prost(bool, tag = "6")]
    pub privileged: bool,
}

/// Whose namespaces are used: 0 the pod's, 1 the container's, 2 the node's.
#[derive(Clone, PartialEq, Message)]
pub struct NamespaceOptions {
    /// Network.
    #[prost(int32, tag = "1")]
    pub network: i32,
    /// Processes.
    #[prost(int32, tag = "2")]
    pub pid: i32,
    /// System V's means of communication.
    #[prost(int32, tag = "3")]
    pub ipc: i32,
    /// Users.
    #[prost(message, optional, tag = "5")]
    pub user: Option<UserNamespace>,
}

/// A pod's user namespace.
#[derive(Clone, PartialEq, Message)]
pub struct UserNamespace {
    /// Whose it is.
    #[prost(int32, tag = "1")]
    pub mode: i32,
    /// Users.
    #[prost(message, repeated, tag = "2")]
    pub uids: Vec<IdMapping>,
    /// Groups.
    #[prost(message, repeated, tag = "3")]
    pub gids: Vec<IdMapping>,
}

/// Ids of a user namespace.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct IdMapping {
    /// The first, on the node.
    #[prost(uint32, tag = "1")]
    pub host_id: u32,
    /// The first, in the namespace.
    #[prost(uint32, tag = "2")]
    pub container_id: u32,
    /// How many.
    #[prost(uint32, tag = "3")]
    pub length: u32,
}

/// `RunPodSandbox`.
#[derive(Clone, PartialEq, Message)]
pub struct RunPodSandboxRequest {
    /// The pod.
    #[prost(message, optional, tag = "1")]
    pub config: Option<PodSandboxConfig>,
}

/// `StopPodSandbox` and `RemovePodSandbox`, what `RunPodSandbox` answers, `StartContainer`, and
/// what `CreateContainer` answers: all have an ID alone.
#[derive(Clone, PartialEq, Message)]
pub struct Id {
    /// The ID.
    #[prost(string, tag = "1")]
    pub id: String,
}

/// An answer that says nothing.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Nothing {}

/// `PodSandboxStatus` and `ContainerStatus`.
#[derive(Clone, PartialEq, Message)]
pub struct StatusRequest {
    /// The pod's or the container's ID.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Whether to tell more.
    #[prost(bool, tag = "2")]
    pub verbose: bool,
}

/// What both answer.
#[derive(Clone, PartialEq, Message)]
pub struct StatusResponse {
    /// More, as JSON.
    #[prost(map = "string, string", tag = "2")]
    pub info: HashMap<String, String>,
}

/// `CreateContainer`.
#[derive(Clone, PartialEq, Message)]
pub struct CreateContainerRequest {
    /// The pod's ID.
    #[prost(string, tag = "1")]
    pub pod_sandbox_id: String,
    /// The container.
    #[prost(message, optional, tag = "2")]
    pub config: Option<ContainerConfig>,
    /// The pod.
    #[prost(message, optional, tag = "3")]
    pub sandbox_config: Option<PodSandboxConfig>,
}

/// A container to be.
#[derive(Clone, PartialEq, Message)]
pub struct ContainerConfig {
    /// What it is called.
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<ContainerMetadata>,
    /// Its image.
    #[prost(message, optional, tag = "2")]
    pub image: Option<ImageSpec>,
    /// What it runs.
    #[prost(string, repeated, tag = "3")]
    pub command: Vec<String>,
    /// What is special to Linux.
    #[prost(message, optional, tag = "15")]
    pub linux: Option<LinuxContainerConfig>,
}

/// What a container is called.
#[derive(Clone, PartialEq, Message)]
pub struct ContainerMetadata {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
}

/// An image.
#[derive(Clone, PartialEq, Message)]
pub struct ImageSpec {
    /// Its name.
    #[prost(string, tag = "1")]
    pub image: String,
}

/// What is special to Linux in a container.
#[derive(Clone, PartialEq, Message)]
pub struct LinuxContainerConfig {
    /// What it may do.
    #[prost(message, optional, tag = "2")]
    pub security_context: Option<LinuxContainerSecurityContext>,
}

/// What a container may do.
#[derive(Clone, PartialEq, Message)]
pub struct LinuxContainerSecurityContext {
    /// Everything.
    #[prost(bool, tag = "2")]
    pub privileged: bool,
    /// Its namespaces.
    #[prost(message, optional, tag = "3")]
    pub namespaces: Option<NamespaceOptions>,
}

/// `ContainerStatus`.
#[derive(Clone, PartialEq, Message)]
pub struct ContainerStatusRequest {
    /// The container's ID.
    #[prost(string, tag = "1")]
    pub container_id: String,
}

/// What it answers.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct ContainerStatusResponse {
    /// How the container is.
    #[prost(message, optional, tag = "1")]
    pub status: Option<ContainerStatus>,
}

/// How a container is.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct ContainerStatus {
    /// 0 created, 1 running, 2 exited, 3 unknown.
    #[prost(int32, tag = "3")]
    pub state: i32,
    /// Its exit status.
    #[prost(int32, tag = "7")]
    pub exit_code: i32,
}

/// `ExecSync`.
#[derive(Clone, PartialEq, Message)]
pub struct ExecSyncRequest {
    /// The container's ID.
    #[prost(string, tag = "1")]
    pub container_id: String,
    /// What is run in it.
    #[prost(string, repeated, tag = "2")]
    pub cmd: Vec<String>,
    /// How long it may take, in seconds.
    #[prost(int64, tag = "3")]
    pub timeout: i64,
}

/// What it answers.
#[derive(Clone, PartialEq, Message)]
pub struct ExecSyncResponse {
    /// What the command printed.
    #[prost(bytes = "vec", tag = "1")]
    pub stdout: Vec<u8>,
    /// What it complained about.
    #[prost(bytes = "vec", tag = "2")]
    pub stderr: Vec<u8>,
    /// Its exit status.
    #[prost(int32, tag = "3")]
    pub exit_code: i32,
}

/// `Status`.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct RuntimeStatusRequest {
    /// Whether to tell more.
    #[prost(bool, tag = "1")]
    pub verbose: bool,
}

/// What it answers.
#[derive(Clone, PartialEq, Message)]
pub struct RuntimeStatusResponse {
    /// How the runtime is.
    #[prost(message, optional, tag = "1")]
    pub status: Option<RuntimeStatus>,
}

/// How a runtime is.
#[derive(Clone, PartialEq, Message)]
pub struct RuntimeStatus {
    /// What must hold.
    #[prost(message, repeated, tag = "1")]
    pub conditions: Vec<RuntimeCondition>,
}

/// Something that must hold.
#[derive(Clone, PartialEq, Message)]
pub struct RuntimeCondition {
    /// What it is about: `RuntimeReady`, `NetworkReady`.
    #[prost(string, tag = "1")]
    pub kind: String,
    /// Whether it holds.
    #[prost(bool, tag = "2")]
    pub holds: bool,
    /// Why it does not.
    #[prost(string, tag = "4")]
    pub message: String,
}

/// `ImageStatus`.
#[derive(Clone, PartialEq, Message)]
pub struct ImageStatusRequest {
    /// The image.
    #[prost(message, optional, tag = "1")]
    pub image: Option<ImageSpec>,
}

/// What it answers.
#[derive(Clone, PartialEq, Message)]
pub struct ImageStatusResponse {
    /// The image, if it is there.
    #[prost(message, optional, tag = "1")]
    pub image: Option<Image>,
}

/// An image that is there.
#[derive(Clone, PartialEq, Message)]
pub struct Image {
    /// Its ID.
    #[prost(string, tag = "1")]
    pub id: String,
}
