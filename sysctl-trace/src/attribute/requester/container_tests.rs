use proptest::prelude::*;

use super::*;
use crate::attribute::runtime::KnownPod;

const SOMAXCONN: &str = "net.core.somaxconn";
const PORT_START: &str = "net.ipv4.ip_unprivileged_port_start";
const PING_GROUPS: &str = "net.ipv4.ping_group_range";

fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(key, value)| (key.into(), value.into())).into()
}

fn known<const N: usize>(runtime: &str, sysctls: [(&str, &str); N]) -> Known {
    Known {
        runtime: runtime.into(),
        sysctls: map(sysctls),
        sysctls_file: Some("/b/config.json".into()),
        ..Known::default()
    }
}

fn asked(source: RequesterSource, value: &str, file: &str) -> Option<Requester> {
    Some(Requester {
        source,
        value: value.into(),
        file: Some(file.into()),
        line: None,
    })
}

fn docker() -> Known {
    Known {
        user_sysctls: map([(SOMAXCONN, "1024")]),
        user_sysctls_file: Some("/d/hostconfig.json".into()),
        ..known(
            "docker",
            [
                (SOMAXCONN, "1024"),
                (PORT_START, "0"),
                ("net.ipv4.tcp_syncookies", "0"),
            ],
        )
    }
}

/// A container in a pod whose sandbox has keys.
fn in_pod() -> Known {
    Known {
        pod: Some(KnownPod::default()),
        sandbox_sysctls: map([
            ("net/core/somaxconn", "4096"),
            (PORT_START, "0"),
            (PING_GROUPS, "0\t2147483647"),
        ]),
        sandbox_sysctls_file: Some("/s/config.json".into()),
        ..known("containerd", [])
    }
}

#[test]
fn docker_s_user_is_told_from_docker() {
    let known = docker();
    let user = asked(RequesterSource::DockerOption, "1024", "/d/hostconfig.json");
    assert_eq!(of_container(&known, SOMAXCONN), user);
    assert_eq!(of_container(&known, "net/core/somaxconn"), user);
    for (key, value) in [(PORT_START, "0"), ("net.ipv4.tcp_syncookies", "0")] {
        let docker = asked(RequesterSource::EngineDefault, value, "/b/config.json");
        assert_eq!(of_container(&known, key), docker);
    }
    assert_eq!(of_container(&known, "net.ipv4.ip_forward"), None);
}

#[test]
fn without_docker_s_own_files_only_its_defaults_are_docker_s() {
    let known = Known {
        user_sysctls: BTreeMap::new(),
        user_sysctls_file: None,
        ..docker()
    };
    let spec = asked(RequesterSource::OciSpec, "1024", "/b/config.json");
    assert_eq!(of_container(&known, SOMAXCONN), spec);
    let docker = asked(RequesterSource::EngineDefault, "0", "/b/config.json");
    assert_eq!(of_container(&known, PORT_START), docker);
}

#[test]
fn a_pod_asks_by_its_sandbox_but_for_the_defaults() {
    let known = in_pod();
    let pod = asked(
        RequesterSource::PodSecurityContext,
        "4096",
        "/s/config.json",
    );
    assert_eq!(of_container(&known, SOMAXCONN), pod);
    for (key, value) in [(PORT_START, "0"), (PING_GROUPS, "0\t2147483647")] {
        let engine = asked(RequesterSource::EngineDefault, value, "/s/config.json");
        assert_eq!(of_container(&known, key), engine);
    }
    let own = Known {
        is_sandbox: true,
        sysctls: map([(PORT_START, "1024")]),
        sandbox_sysctls: BTreeMap::new(),
        ..known
    };
    let pod = asked(
        RequesterSource::PodSecurityContext,
        "1024",
        "/b/config.json",
    );
    assert_eq!(of_container(&own, PORT_START), pod);
}

#[test]
fn a_pod_of_cri_o_asks_for_all_that_its_sandbox_has() {
    let known = Known {
        runtime: "cri-o".into(),
        ..in_pod()
    };
    let pod = asked(RequesterSource::PodSecurityContext, "0", "/s/config.json");
    assert_eq!(of_container(&known, PORT_START), pod);
}

#[test]
fn a_pod_through_docker_asks_by_docker_s_options() {
    let known = Known {
        pod: Some(KnownPod::default()),
        ..docker()
    };
    let pod = asked(
        RequesterSource::PodSecurityContext,
        "1024",
        "/d/hostconfig.json",
    );
    assert_eq!(of_container(&known, SOMAXCONN), pod);
}

#[test]
fn podman_has_a_default_of_its_own() {
    let file = "/b/config.json";
    let of = |value| of_container(&known("podman", [(PING_GROUPS, value)]), PING_GROUPS);
    assert_eq!(
        of("0 0"),
        asked(RequesterSource::EngineDefault, "0 0", file)
    );
    assert_eq!(of("0 5"), asked(RequesterSource::OciSpec, "0 5", file));
}

#[test]
fn a_specification_by_itself_asks_for_what_it_has() {
    for runtime in ["containerd", "runc", "crun", "youki"] {
        let known = known(runtime, [("net/core/somaxconn", "7"), (PORT_START, "0")]);
        for (key, value) in [(SOMAXCONN, "7"), (PORT_START, "0")] {
            let spec = asked(RequesterSource::OciSpec, value, "/b/config.json");
            assert_eq!(of_container(&known, key), spec, "{runtime}");
        }
    }
}

#[test]
fn what_is_kept_is_what_is_found() {
    for known in [docker(), in_pod(), known("runc", [(SOMAXCONN, "7")])] {
        let kept = Asked::of(&known);
        for key in [SOMAXCONN, PORT_START, PING_GROUPS, "net.ipv4.ip_forward"] {
            let found = kept.requester(&path_of(key));
            assert_eq!(found.as_deref(), of_container(&known, key).as_ref());
        }
    }
}

#[test]
fn what_no_kernel_takes_is_passed_over() {
    let long = "1".repeat(TEXT_MAX + 1);
    assert_eq!(
        of_container(&known("runc", [(SOMAXCONN, &long)]), SOMAXCONN),
        None
    );
    assert_eq!(of_container(&known("runc", [(&long, "1")]), &long), None);
}

proptest! {
    #[test]
    fn any_state_is_taken(keys in proptest::collection::btree_map(".*", ".*", 0..8), key in ".*") {
        let known = Known { sysctls: keys, runtime: "docker".into(), ..Known::default() };
        let found = of_container(&known, &key);
        let kept = Asked::of(&known).requester(&path_of(&key));
        prop_assert_eq!(kept.as_deref(), found.as_ref());
    }
}
