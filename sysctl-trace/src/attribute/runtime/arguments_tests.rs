use super::*;

fn of(line: &str) -> Option<Invocation> {
    let args: Vec<_> = line.split(' ').map(str::to_owned).collect();
    invocation(&args)
}

fn id_and_bundle(line: &str) -> Option<(String, Option<String>)> {
    of(line).map(|found| (found.id.into(), found.bundle))
}

#[test]
fn oci_runtimes_name_the_bundle_and_then_the_id() {
    for line in [
        "/usr/sbin/runc --root /run/containerd/runc/k8s.io --log /l --log-format json --systemd-cgroup create --bundle /b --pid-file /p web",
        "runc create --bundle=/b web",
        "runc run -d -b /b web",
        "/usr/bin/crun --systemd-cgroup --root=/run/crun create --bundle /b --pid-file /p web",
        "youki --log /l create --bundle /b web extra",
    ] {
        let expected = Some(("web".to_owned(), Some("/b".to_owned())));
        assert_eq!(id_and_bundle(line), expected, "{line}");
    }
    assert_eq!(of("/x/crun run web").unwrap().runtime, "crun");
    assert_eq!(id_and_bundle("runc run web"), Some(("web".into(), None)));
    assert_eq!(
        id_and_bundle("runc run -b . web"),
        Some(("web".into(), None))
    );
}

#[test]
fn other_commands_name_nothing() {
    for line in [
        "runc init",
        "runc exec web sh",
        "runc create --bundle /b",
        "runc create --bundle",
        "runc",
        "runc run ../web",
        "runc run a/b",
        "sh -c runc run web",
        "",
    ] {
        assert_eq!(of(line), None, "{line}");
    }
    assert_eq!(invocation(&[]), None);
}

#[test]
fn shims_and_monitors_name_more() {
    let shim = of("/usr/bin/containerd-shim-runc-v2 -namespace moby -id web -address /run/a.sock");
    let shim = shim.unwrap();
    assert_eq!(
        (shim.id.as_str(), shim.namespace.as_deref()),
        ("web", Some("moby"))
    );
    let conmon = of(
        "/usr/bin/conmon --api-version 1 -c abc -u abc -r /usr/bin/crun -b /s/abc/userdata -n web",
    );
    let conmon = conmon.unwrap();
    assert_eq!(
        (conmon.id.as_str(), conmon.name.as_deref()),
        ("abc", Some("web"))
    );
    assert_eq!(conmon.bundle.as_deref(), Some("/s/abc/userdata"));
    assert_eq!(of("conmon -n web"), None);
}
