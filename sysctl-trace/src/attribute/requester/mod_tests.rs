use super::*;
use crate::event::Sureness;

fn of(name: &str, stage: Option<Stage>, args: Option<&str>) -> Behalf {
    let component = Component {
        name: name.into(),
        stage,
        confidence: Sureness::Observed,
        evidence: Vec::new(),
    };
    let args: Option<Vec<_>> = args.map(|line| line.split(' ').map(ToOwned::to_owned).collect());
    behalf(&component, args.as_deref())
}

#[test]
fn either_name_of_a_key_is_a_path() {
    for (key, path) in [
        ("net.core.somaxconn", "net/core/somaxconn"),
        ("net/core/somaxconn", "net/core/somaxconn"),
        ("/net/core//somaxconn", "net/core/somaxconn"),
        (
            "net.ipv4.conf.enp3s0/200.forwarding",
            "net/ipv4/conf/enp3s0.200/forwarding",
        ),
        (
            "net/ipv4/conf/enp3s0.200/forwarding",
            "net/ipv4/conf/enp3s0.200/forwarding",
        ),
        ("domainname", "domainname"),
        ("", ""),
    ] {
        assert_eq!(path_of(key), path, "{key}");
    }
}

#[test]
fn runtimes_write_for_the_container_once_they_are_on_their_way() {
    for name in ["runc", "crun", "youki"] {
        assert_eq!(of(name, Some(Stage::Child), None), Behalf::Container);
        assert_eq!(of(name, Some(Stage::Init), None), Behalf::Container);
        assert_eq!(of(name, Some(Stage::Parent), None), Behalf::Nobody);
    }
    assert_eq!(of("pinns", None, None), Behalf::Namespace);
    // Not an OCI runtime, though it has stages.
    assert_eq!(
        of("systemd-nspawn", Some(Stage::Init), None),
        Behalf::Nobody
    );
}

#[test]
fn others_write_for_what_they_were_given() {
    assert_eq!(
        of("cni:tuning", None, None),
        Behalf::Network("tuning".into())
    );
    let files = of("systemd-sysctl", None, None);
    assert!(matches!(files, Behalf::Files(inputs) if inputs.reader == Reader::Systemd));
    let files = of("sysctl(8)", None, Some("sysctl --system"));
    assert!(matches!(files, Behalf::Files(inputs) if inputs.reader == Reader::Procps));
    for args in [None, Some("sysctl -w net.core.somaxconn=1")] {
        assert_eq!(of("sysctl(8)", None, args), Behalf::Nobody);
    }
    for name in ["dockerd", "container-process", "program", "kernel"] {
        assert_eq!(of(name, None, Some("x --system -p")), Behalf::Nobody);
    }
}
