//! 19: a kubelet's ways with pods: static pods, a value that the kernel refuses, the node's network, init
//! containers that end, and cgroups that runc makes itself. 20: a pod with a user namespace.

use anyhow::{Context as _, Result, bail};

use super::{
    KEY, Kept,
    claims::{Claim, Claims},
};
use crate::scenarios::{
    Context,
    expect::{Expect, Pod},
    runtime::cri::{Cri, Spec},
};

/// Of a static pod: its name ends with the node's, and its UID is a hash.
const STATIC: Spec<'_> = Spec {
    name: "asked-guest",
    namespace: "shop",
    uid: "46f1041f84fa2c02df0f9a03904b208c",
    sysctls: &[(KEY, "777")],
    ..Spec::NOTHING
};

const REFUSED: Spec<'_> = Spec {
    name: "badvalue-guest",
    uid: "2564ffd0ccbb646a99379947682892da",
    sysctls: &[(KEY, "many")],
    ..STATIC
};

const WITH_INIT: Spec<'_> = Spec {
    name: "two-guest",
    uid: "d3e6d2b6ca865938e85898248af81a19",
    privileged: true,
    ..STATIC
};

const ON_HOST: Spec<'_> = Spec {
    name: "hosttune-guest",
    namespace: "kube-system",
    uid: "63a15993207b7e5716e9d5fe458d841a",
    sysctls: &[],
    privileged: true,
    host_network: true,
    ..STATIC
};

const WITH_USERS: Spec<'_> = Spec {
    name: "userns-guest",
    uid: "a51a3e3f39df60049bb9a8a12574fca5",
    user_namespace: true,
    ..STATIC
};

/// What is said of the static pod.
const BY_ITSELF: &[&str] = &[
    "is 777 in pod shop/asked-guest: runc init[<pid>] wrote it, as the pod's securityContext asks",
    "observed:",
    "specification set it",
    "kubelet passed it on",
    "containerd passed it on",
];

/// Runs scenario 19.
pub fn run(_: &Context) -> Result<()> {
    let _value = Kept::set(KEY, "2048")?;
    slices().context("systemd's cgroups")?;
    let cri = Cri::start(false, &[])?;
    let mut claims = Claims::watching()?;
    let asked = cri.run_pod(&STATIC)?;
    asked.start_container("app", false)?;
    claims.ask(Claim::about("shop/asked-guest", BY_ITSELF, &[]))?;
    claims.end().map(drop).context("cgroups of runc's own")
}

fn slices() -> Result<()> {
    let cri = Cri::start(true, &[])?;
    let mut claims = Claims::watching()?;
    let asked = cri.run_pod(&STATIC)?;
    asked.start_container("app", false)?;
    claims.ask(Claim::about("shop/asked-guest", BY_ITSELF, &[]))?;

    if cri.run_pod(&REFUSED).is_ok() {
        bail!("the kernel took {:?}", REFUSED.sysctls);
    }
    claims.ask_later(Claim::about(
        "shop/badvalue-guest",
        &["4096 in pod shop/badvalue-guest", "refused"],
        &["overwritten"],
    ));

    let two = cri.run_pod(&WITH_INIT)?;
    two.start_container("first", false)?;
    let write = |value: &str| format!("sysctl -w {KEY}={value} >/dev/null");
    two.run_init_container("tune", &["/bin/sh", "-c", &write("512")])?;
    two.start_container("second", false)?;
    claims.ask(Claim::about(
        "shop/two-guest",
        &[
            "is 512 in pod shop/two-guest: sysctl[<pid>] in container tune wrote it",
            "observed:",
            "a process set it",
        ],
        &["specification set it"],
    ))?;

    let on_host = cri.run_pod(&ON_HOST)?;
    on_host.run_init_container("tune", &["/bin/sh", "-c", &write("300")])?;
    on_host.start_container("app", false)?;
    let of_node = Claim::about(
        "node",
        &[
            "is 300 on the node: sysctl[<pid>]",
            "container tune",
            "pod kube-system/hosttune-guest",
            "observed:",
        ],
        &[],
    );
    claims.ask(of_node)?;
    claims.ask(Claim {
        options: &["--json"],
        ..Claim::about("node", &["\"hosttune-guest\"", "\"kube-system\""], &[])
    })?;
    claims.ask(Claim::about(
        "kube-system/hosttune-guest",
        &[
            "is 300 on the node",
            "pod kube-system/hosttune-guest uses",
            "observed:",
        ],
        &[],
    ))?;

    let trace = claims.end()?;
    let pod = Pod {
        name: ON_HOST.name,
        namespace: ON_HOST.namespace,
        uid: ON_HOST.uid,
    };
    trace.expect(&Expect {
        times: Some(1),
        component: Some("container-process"),
        pod: Some(pod),
        ..Expect::wrote(on_host.netns()?, KEY, "300")
    })?;
    Ok(())
}

/// Runs scenario 20. How sure the answer is of runc, whose ids the user namespace maps, is not asked.
pub fn with_users(_: &Context) -> Result<()> {
    let cri = Cri::start(true, &[])?;
    let _value = Kept::set(KEY, "2048")?;
    let mut claims = Claims::watching()?;
    let pod = cri.run_pod(&WITH_USERS)?;
    pod.start_container("app", false)?;
    claims.ask(Claim::about(
        "shop/userns-guest",
        &[
            "is 777 in pod shop/userns-guest: runc init[<pid>] wrote it, as the pod's securityContext asks",
            "specification set it",
        ],
        &[],
    ))?;
    claims.end().map(drop)
}
