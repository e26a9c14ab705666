//! 18: pods as CRI-O makes them, where pinns writes what a pod asks for before any container is there.

use anyhow::{Context as _, Result};

use super::{
    KEY, Kept,
    claims::{Claim, Claims},
};
use crate::scenarios::{
    Context,
    expect::{Container, Expect, Pod},
    runtime::{
        cri::Spec,
        crio::{self, Crio},
    },
};

const PLAIN: Spec<'_> = Spec {
    name: "plain-guest",
    namespace: "shop",
    uid: "66be915019464a661169f5a136d98923",
    ..Spec::NOTHING
};

const ASKED: Spec<'_> = Spec {
    name: "asked-guest",
    uid: "46f1041f84fa2c02df0f9a03904b208c",
    sysctls: &[("net.ipv4.ip_default_ttl", "77"), (KEY, "1024")],
    ..PLAIN
};

const BOTH: Spec<'_> = Spec {
    name: "both-guest",
    uid: "d3e6d2b6ca865938e85898248af81a19",
    sysctls: &[(KEY, "1024")],
    ..PLAIN
};

const WITH_INFRA: Spec<'_> = Spec {
    name: "infra-guest",
    uid: "0f2d4c1b8a6e4f53b7c9d1e2f3a4b5c6",
    sysctls: &[(KEY, "900")],
    ..PLAIN
};

const ON_HOST: Spec<'_> = Spec {
    name: "hosttune-guest",
    namespace: "kube-system",
    uid: "63a15993207b7e5716e9d5fe458d841a",
    host_network: true,
    ..PLAIN
};

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    let crio = Crio::start()?;
    let _value = Kept::set(KEY, "2048")?;
    let mut claims = Claims::watching()?;
    let plain = crio.run_pod(&PLAIN)?;
    plain.start_container("app")?;
    let asked = crio.run_pod(&ASKED)?;
    // Nothing of the pod runs yet.
    let netns = asked.netns()?.to_string();
    claims.ask_once(&Claim::about(
        &netns,
        &["is 1024 in", "pinns[<pid>]"],
        &["specification eliminated", "kubelet eliminated"],
    ))?;
    let app = asked.start_container("app")?;
    let both = crio.run_pod(&BOTH)?;
    let write = "sysctl -w net.core.somaxconn=512 >/dev/null";
    let tune = both.run_init_container("tune", &["/bin/sh", "-c", write])?;
    both.start_container("app")?;

    claims.ask(Claim::about(
        "shop/plain-guest",
        &[
            "is 4096 in pod shop/plain-guest",
            "observed:",
            "the kernel set it",
        ],
        &[],
    ))?;
    for key in [KEY, "net.ipv4.ip_default_ttl"] {
        ask_of_asking(&mut claims, "shop/asked-guest", key)?;
    }
    // The container that wrote is told by its name, whichever is asked about.
    claims.ask(Claim::about(
        "shop/both-guest",
        &[
            "is 512 in pod shop/both-guest",
            "in container tune wrote it",
            "observed:",
            "a process set it",
        ],
        &["specification set it"],
    ))?;
    // crun writes it again, for the infra container: that changes nothing.
    let with_infra = crio.run_pod_with_infra(&WITH_INFRA)?;
    with_infra.start_container("app")?;
    ask_of_asking(&mut claims, "shop/infra-guest", KEY)?;
    let on_host = crio.run_pod(&ON_HOST)?;
    let write = "sysctl -w net.core.somaxconn=300 >/dev/null";
    on_host.run_init_container("tune", &["/bin/sh", "-c", write])?;
    on_host.start_container("app")?;
    claims.ask(Claim::about(
        "node",
        &[
            "is 300 on the node: sysctl[<pid>]",
            "tune",
            "kube-system/hosttune-guest",
            "observed:",
        ],
        &[],
    ))?;
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
        name: ASKED.name,
        namespace: ASKED.namespace,
        uid: ASKED.uid,
    };
    let wrote = Expect {
        times: Some(1),
        process: Some("pinns"),
        component: Some("pinns"),
        confidence: Some("observed"),
        container: Some(None),
        owner_pod: Some(pod),
        creator: Some("pinns"),
        ..Expect::wrote(asked.netns()?, KEY, "1024")
    };
    trace
        .expect(&Expect {
            owner_pod: None,
            ..wrote
        })
        .context("what pinns wrote")?;
    trace.expect(&Expect {
        component: Some("container-process"),
        container: Some(Some(Container {
            id: &app,
            runtime: "cri-o",
            name: Some("app"),
            image: Some(crio::IMAGE),
            confidence: Some("state-verified"),
        })),
        pod: Some(pod),
        owner_pod: Some(pod),
        ..Expect::bound(asked.netns()?)
    })?;
    trace.expect(&Expect {
        times: Some(1),
        component: Some("container-process"),
        container: Some(Some(Container {
            id: &tune,
            runtime: "cri-o",
            name: Some("tune"),
            image: Some(crio::IMAGE),
            confidence: Some("state-verified"),
        })),
        ..Expect::wrote(both.netns()?, KEY, "512")
    })?;
    Ok(())
}

/// The recorder knows of the sandbox's specification. A recording has what pinns was given only where it
/// could be read before pinns ended, which is within milliseconds; else it must not clear anyone.
fn ask_of_asking<'a>(claims: &mut Claims<'a>, target: &'a str, key: &'a str) -> Result<()> {
    let by_pinns = Claim {
        key,
        ..Claim::about(
            target,
            &["pinns[<pid>]", "observed:"],
            &["specification eliminated"],
        )
    };
    claims.ask_once(&Claim {
        says: &[
            "wrote it, as the pod's securityContext asks",
            "observed:",
            "the pod's securityContext asks for",
            "specification set it",
            "kubelet passed it on",
            "pinns[<pid>]",
        ],
        ..by_pinns.clone()
    })?;
    claims.ask_later(by_pinns);
    Ok(())
}
