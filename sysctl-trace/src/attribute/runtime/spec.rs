//! An OCI bundle's `config.json`, as far as it tells whose container it is. Pure.
//!
//! Only the fields needed are read, so that a specification with anything else in it, also of a
//! version that is not known, is read all the same.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Known, KnownPod};

/// Labels and annotations that kubelet gives.
const POD_NAME: &str = "io.kubernetes.pod.name";
const POD_NAMESPACE: &str = "io.kubernetes.pod.namespace";
const POD_UID: &str = "io.kubernetes.pod.uid";
const CONTAINER_NAME: &str = "io.kubernetes.container.name";
/// What kubelet, its shims and CRI-O put among a pod's own labels.
const NOT_OF_THE_POD: [&str; 3] = [
    "io.kubernetes.",
    "annotation.io.kubernetes.",
    "io.cri-containerd.",
];

/// `config.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Spec {
    annotations: Option<BTreeMap<String, String>>,
    linux: Option<Linux>,
    /// The file that it was read from.
    #[serde(skip)]
    file: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Linux {
    cgroups_path: Option<String>,
    sysctl: Option<BTreeMap<String, String>>,
    namespaces: Option<Vec<Namespace>>,
}

#[derive(Debug, Deserialize)]
struct Namespace {
    #[serde(rename = "type")]
    kind: String,
    path: Option<String>,
}

impl Spec {
    /// Absent where it is no such file, or only half written.
    pub(super) fn parse(json: &[u8], file: String) -> Option<Self> {
        let spec: Self = serde_json::from_slice(json).ok()?;
        Some(Self {
            file: Some(file),
            ..spec
        })
    }

    /// What it tells of a container that this runtime manages, if its annotations name no other.
    pub(super) fn known(self, id: &str, runtime: &str) -> Known {
        let linux = self.linux.unwrap_or_default();
        let network = |namespace: &Namespace| namespace.kind == "network";
        let netns_path = linux
            .namespaces
            .and_then(|all| all.into_iter().find(network)?.path)
            .filter(|path| !path.is_empty());
        let mut known = Known {
            id: id.into(),
            runtime: runtime.into(),
            sysctls: linux.sysctl.unwrap_or_default(),
            sysctls_file: self.file,
            netns_path,
            cgroups_path: linux.cgroups_path.filter(|path| !path.is_empty()),
            ..Known::default()
        };
        let annotations = Annotations(self.annotations.unwrap_or_default());
        if annotations
            .0
            .contains_key("io.kubernetes.cri.container-type")
        {
            annotations.add_containerd(&mut known);
        } else if annotations.is("io.container.manager", "libpod") {
            known.runtime = "podman".into();
            known.sandbox_id = annotations.sandbox("io.kubernetes.cri-o.SandboxID", id);
        } else if annotations
            .0
            .contains_key("io.kubernetes.cri-o.ContainerType")
        {
            annotations.add_crio(&mut known);
        } else {
            known.name = annotations.get("nerdctl/name");
        }
        known
    }
}

struct Annotations(BTreeMap<String, String>);

impl Annotations {
    fn get(&self, key: &str) -> Option<String> {
        self.0.get(key).filter(|value| !value.is_empty()).cloned()
    }

    fn is(&self, key: &str, value: &str) -> bool {
        self.0.get(key).is_some_and(|found| found == value)
    }

    fn sandbox(&self, key: &str, own: &str) -> Option<smol_str::SmolStr> {
        self.get(key).filter(|id| id != own).map(Into::into)
    }

    fn add_containerd(&self, known: &mut Known) {
        let get = |key: &str| self.get(&format!("io.kubernetes.cri.{key}"));
        known.runtime = "containerd".into();
        known.is_sandbox = self.is("io.kubernetes.cri.container-type", "sandbox");
        known.sandbox_id = self.sandbox("io.kubernetes.cri.sandbox-id", &known.id);
        known.name = get("container-name");
        known.name_in_pod.clone_from(&known.name);
        known.image = get("image-name");
        known.pod = Some(KnownPod {
            uid: get("sandbox-uid"),
            name: get("sandbox-name"),
            namespace: get("sandbox-namespace"),
            labels: BTreeMap::new(),
        });
    }

    fn add_crio(&self, known: &mut Known) {
        let get = |key: &str| self.get(&format!("io.kubernetes.cri-o.{key}"));
        known.runtime = "cri-o".into();
        known.is_sandbox = self.is("io.kubernetes.cri-o.ContainerType", "sandbox");
        known.sandbox_id = self.sandbox("io.kubernetes.cri-o.SandboxID", &known.id);
        let labels = get("Labels")
            .and_then(|labels| serde_json::from_str(&labels).ok())
            .unwrap_or_default();
        add_labels(known, labels);
        let pod = known.pod.get_or_insert_default();
        pod.uid = pod.uid.take().or_else(|| self.get(POD_UID));
        pod.namespace = (pod.namespace.take())
            .or_else(|| self.get(POD_NAMESPACE))
            .or_else(|| get("Namespace"));
        pod.name = pod.name.take().or_else(|| self.get(POD_NAME));
        if known.is_sandbox {
            pod.name = pod.name.take().or_else(|| get("KubeName"));
        } else {
            known.name_in_pod = known
                .name_in_pod
                .take()
                .or_else(|| self.get(CONTAINER_NAME));
        }
        known.image = get("ImageName");
        known.name = known.name_in_pod.clone().or_else(|| get("Name"));
    }
}

/// Splits a container's labels into what they say of its pod and its own. A sandbox has the
/// labels of the pod.
pub(super) fn add_labels(known: &mut Known, mut labels: BTreeMap<String, String>) {
    let mut take = |key: &str| labels.remove(key).filter(|value| !value.is_empty());
    let mut pod = KnownPod {
        uid: take(POD_UID),
        name: take(POD_NAME),
        namespace: take(POD_NAMESPACE),
        labels: BTreeMap::new(),
    };
    // `POD` is what docker's sandboxes are called.
    known.name_in_pod = take(CONTAINER_NAME).filter(|name| !known.is_sandbox && name != "POD");
    let is_in_pod = pod != KnownPod::default();
    if is_in_pod {
        labels.retain(|key, _| !NOT_OF_THE_POD.iter().any(|prefix| key.starts_with(prefix)));
    }
    if is_in_pod && known.is_sandbox {
        pod.labels = labels;
    } else {
        known.labels = labels;
    }
    if is_in_pod {
        known.pod = Some(pod);
    }
}
