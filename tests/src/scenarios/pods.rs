//! 5: pods through containerd's CRI service, as the kubelet asks for them.

use anyhow::{Context as _, Result};

use super::{
    Context,
    expect::{Container, Expect, Pod},
    runtime::{
        cri::{Cri, Spec},
        image,
    },
    watch::while_watching,
};

const KEY: &str = "net.core.somaxconn";

const SPEC: Spec<'_> = Spec {
    name: "shop",
    namespace: "prod",
    uid: "3f1b0c7e-52b4-4c7e-9a44-0d1f6f5b2a10",
    ..Spec::NOTHING
};

const POD: Pod<'_> = Pod {
    name: SPEC.name,
    namespace: SPEC.namespace,
    uid: SPEC.uid,
};

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    for systemd_cgroup in [true, false] {
        let cri = Cri::start(systemd_cgroup, &[])?;
        let driver = if systemd_cgroup {
            "systemd"
        } else {
            "cgroupfs"
        };
        without_sysctls(&cri).with_context(|| format!("without sysctls, {driver}"))?;
        with_sysctls(&cri).with_context(|| format!("with sysctls, {driver}"))?;
    }
    let cri = Cri::start(true, &[(KEY, "640")])?;
    with_tuning(&cri).context("with the tuning plugin")
}

fn container<'a>(id: &'a str, name: Option<&'a str>) -> Container<'a> {
    Container {
        id,
        runtime: "containerd",
        name,
        // The sandbox's stands in containerd's database only.
        image: name.map(|_| image::NAME),
        confidence: Some("state-verified"),
    }
}

/// A thread of containerd made the namespace, for nobody yet.
fn by_containerd<'a>(netns: u32) -> Expect<'a> {
    Expect {
        process: Some("containerd"),
        component: Some("containerd"),
        confidence: Some("observed"),
        container: Some(None),
        ..Expect::created(netns)
    }
}

/// The runtime of the pod's sandbox entered it.
fn for_sandbox<'a>(netns: u32, id: &'a str) -> Expect<'a> {
    Expect {
        component: Some("runc"),
        container: Some(Some(container(id, None))),
        pod: Some(POD),
        owner: Some(container(id, None)),
        owner_pod: Some(POD),
        creator: Some("containerd"),
        ..Expect::bound(netns)
    }
}

fn without_sysctls(cri: &Cri) -> Result<()> {
    let ((pod, netns), trace) = while_watching(|| {
        let pod = cri.run_pod(&SPEC)?;
        let netns = pod.netns()?;
        Ok((pod, netns))
    })?;
    trace.expect(&by_containerd(netns))?;
    trace.expect(&for_sandbox(netns, &pod.id))?;
    Ok(())
}

/// The sandbox's runc writes the pod's sysctls; a container of the pod writes another value.
fn with_sysctls(cri: &Cri) -> Result<()> {
    let ((pod, netns, app), trace) = while_watching(|| {
        let pod = cri.run_pod(&Spec {
            sysctls: &[(KEY, "1024")],
            privileged: true,
            ..SPEC
        })?;
        let netns = pod.netns()?;
        let app = pod.start_container("app", true)?;
        pod.start_container("sidecar", false)?;
        let write = "sysctl -w net.core.somaxconn=512 >/dev/null";
        pod.exec(&app, &["sh", "-c", write])?;
        Ok((pod, netns, app))
    })?;
    trace.expect(&by_containerd(netns))?;
    trace.expect(&for_sandbox(netns, &pod.id))?;
    trace.expect(&Expect {
        process: Some("runc:[2:INIT]"),
        component: Some("runc"),
        stage: Some("init"),
        container: Some(Some(container(&pod.id, None))),
        pod: Some(POD),
        owner: Some(container(&pod.id, None)),
        owner_pod: Some(POD),
        ..Expect::wrote(netns, KEY, "1024")
    })?;
    trace.expect(&Expect {
        times: Some(1),
        process: Some("sysctl"),
        component: Some("container-process"),
        container: Some(Some(container(&app, Some("app")))),
        pod: Some(POD),
        owner: Some(container(&pod.id, None)),
        owner_pod: Some(POD),
        ..Expect::wrote(netns, KEY, "512")
    })?;
    Ok(())
}

fn with_tuning(cri: &Cri) -> Result<()> {
    let ((pod, netns), trace) = while_watching(|| {
        let pod = cri.run_pod(&SPEC)?;
        let netns = pod.netns()?;
        Ok((pod, netns))
    })?;
    trace.expect(&by_containerd(netns))?;
    trace.expect(&for_sandbox(netns, &pod.id))?;
    trace.expect(&Expect {
        times: Some(1),
        process: Some("tuning"),
        component: Some("cni:tuning"),
        container: Some(None),
        creator: Some("containerd"),
        ..Expect::wrote(netns, KEY, "640")
    })?;
    Ok(())
}
