use super::*;

fn args(line: &str) -> Vec<String> {
    line.split(' ').map(ToOwned::to_owned).collect()
}

/// The files of sysctl(8): the outer is absent where it reads none, the inner where the system's.
fn procps(line: &str) -> Option<Option<Vec<String>>> {
    of_procps(&args(line)).map(|inputs| {
        assert_eq!(inputs.reader, Reader::Procps);
        inputs.files
    })
}

#[test]
fn sysctl_reads_the_system_s_files_or_those_it_is_given() {
    for line in [
        "sysctl --system",
        "/sbin/sysctl -q --sys",
        "busybox sysctl --system",
    ] {
        assert_eq!(procps(line), Some(None), "{line}");
    }
    for (line, files) in [
        ("sysctl -p", "/etc/sysctl.conf"),
        ("sysctl -qp", "/etc/sysctl.conf"),
        ("sysctl -f", "/etc/sysctl.conf"),
        ("sysctl --load", "/etc/sysctl.conf"),
        ("sysctl -p /a /b", "/a /b"),
        ("sysctl /a -p", "/a"),
        ("sysctl -p/a /b", "/a /b"),
        ("sysctl -eqp/a", "/a"),
        ("sysctl --load=/a", "/a"),
        ("sysctl --lo=/a -w", "/a"),
        ("sysctl -p -r ^net /a", "/a"),
        ("sysctl -p --pattern ^net /a", "/a"),
        ("sysctl -p -- -a", "-a"),
        ("busybox sysctl -p /a", "/a"),
    ] {
        assert_eq!(procps(line), Some(Some(args(files))), "{line}");
    }
}

#[test]
fn settings_among_the_arguments_are_of_no_file() {
    for line in [
        "sysctl net.core.somaxconn=1024",
        "sysctl -w net.core.somaxconn=1024",
        "sysctl -wq net.core.somaxconn=1024",
        "sysctl -r p net.core.somaxconn=1024",
        "sysctl -rp net.core.somaxconn=1024",
        "sysctl",
        "sysctl -",
    ] {
        assert_eq!(procps(line), None, "{line}");
    }
    assert_eq!(of_procps(&[]), None);
}

#[test]
fn systemd_reads_the_system_s_files_unless_it_is_given_others() {
    let files = |line: &str| of_systemd(Some(&args(line))).map(|inputs| inputs.files);
    for line in [
        "/lib/systemd/systemd-sysctl",
        "systemd-sysctl --prefix=/net/ipv4/conf/eth0 --strict",
        "systemd-sysctl --prefix /net/bridge",
    ] {
        assert_eq!(files(line), Some(None), "{line}");
    }
    assert_eq!(
        files("systemd-sysctl --prefix /net 50-a.conf /b"),
        Some(Some(args("50-a.conf /b")))
    );
    assert_eq!(files("systemd-sysctl --inline a=1"), None);
    let unknown = of_systemd(None).unwrap();
    assert_eq!((unknown.reader, unknown.files), (Reader::Systemd, None));
}

#[test]
fn a_file_is_found_from_the_folder_that_its_reader_was_started_in() {
    let args = ["sysctl", "-p", "x.conf", "/etc/y.conf", "-"].map(String::from);
    let mut inputs = of_procps(&args).unwrap();
    assert!(inputs.is_relative());
    inputs.start_from(None);
    assert!(inputs.is_relative());
    inputs.start_from(Some("/srv".into()));
    let files = ["/srv/x.conf", "/etc/y.conf", "-"].map(String::from);
    assert_eq!(inputs.files.as_deref(), Some(&files[..]));
    assert!(!inputs.is_relative());
    let mut inputs = of_systemd(Some(&["systemd-sysctl".into(), "x.conf".into()])).unwrap();
    inputs.start_from(Some("/srv".into()));
    assert_eq!(inputs.files.as_deref(), Some(&["x.conf".to_owned()][..]));
}
