use std::{fs, path::Path};

use tempfile::TempDir;

use super::*;
use crate::attribute::requester::Inputs;

const PATH: &str = "net/core/somaxconn";

/// A node where sysctl.d and a network have the same key.
fn node() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("etc/sysctl.d/10-a.conf", "net.core.somaxconn = 1024\n");
    write("etc/sysctl.d/20-b.conf", "\nnet.core.somaxconn = 2048\n");
    write("etc/sysctl.d/30-c.conf", "net.ipv4.tcp_rmem = 1\t2  3\n");
    write(
        "etc/cni/net.d/10-pods.conf",
        r#"{"type": "tuning", "sysctl": {"net.core.somaxconn": "500"}}"#,
    );
    root
}

fn state(root: &Path) -> State {
    State::at(root, rustix::process::getuid().as_raw())
}

fn files(reader: Reader) -> Behalf {
    let files = None;
    Behalf::Files(Inputs { reader, files })
}

fn written<'a>(path: &'a str, requested: &'a str) -> Written<'a> {
    Written {
        path,
        requested: Some(requested),
        is_cut: false,
    }
}

/// `file:line` of what is found for one write by a process of its own.
fn found(behalf: &Behalf, written: Written<'_>) -> Option<String> {
    let root = node();
    let requester = LookUp::default().find(&state(root.path()), behalf, "a", written)?;
    let file = requester.file.as_deref().unwrap();
    Some(format!("{file}:{}", requester.line.unwrap()))
}

#[test]
fn each_write_is_told_by_the_line_that_has_its_value() {
    let a = Some("/etc/sysctl.d/10-a.conf:1".to_owned());
    let b = Some("/etc/sysctl.d/20-b.conf:2".to_owned());
    let procps = files(Reader::Procps);
    assert_eq!(found(&procps, written(PATH, "1024")), a);
    assert_eq!(found(&procps, written(PATH, "2048")), b);
    assert_eq!(found(&procps, written(PATH, "204")), None);
    let systemd = files(Reader::Systemd);
    assert_eq!(found(&systemd, written(PATH, "1024")), None);
    assert_eq!(found(&systemd, written(PATH, "2048")), b);
    let rmem = found(&systemd, written("net/ipv4/tcp_rmem", "1 2 3"));
    assert_eq!(rmem.as_deref(), Some("/etc/sysctl.d/30-c.conf:1"));
    let network = Behalf::Network("tuning".into());
    let pods = Some("/etc/cni/net.d/10-pods.conf:1".to_owned());
    assert_eq!(found(&network, written(PATH, "500")), pods);
    assert_eq!(found(&network, written(PATH, "1024")), None);
    for behalf in [Behalf::Nobody, Behalf::Container, Behalf::Namespace] {
        assert_eq!(found(&behalf, written(PATH, "500")), None);
    }
}

#[test]
fn what_is_not_known_of_the_text_decides_nothing() {
    let systemd = files(Reader::Systemd);
    let b = Some("/etc/sysctl.d/20-b.conf:2".to_owned());
    let unreadable = Written {
        requested: None,
        ..written(PATH, "")
    };
    assert_eq!(found(&systemd, unreadable), b);
    let cut = |requested| Written {
        is_cut: true,
        ..written(PATH, requested)
    };
    assert_eq!(found(&systemd, cut("20")), b);
    assert_eq!(found(&systemd, cut("10")), None);
}

#[test]
fn a_process_is_told_by_what_there_was_when_it_began() {
    let root = node();
    let state = state(root.path());
    let mut look_up = LookUp::default();
    let systemd = files(Reader::Systemd);
    let mut line = |process: &str, requested: &str| {
        let found = look_up.find(&state, &systemd, process, written(PATH, requested));
        found.and_then(|requester| requester.line)
    };
    assert_eq!(line("a", "2048"), Some(2));
    fs::write(
        root.path().join("etc/sysctl.d/20-b.conf"),
        "net.core.somaxconn = 1",
    )
    .unwrap();
    assert_eq!(line("a", "2048"), Some(2));
    assert_eq!(line("b", "2048"), None);
    assert_eq!(line("b", "1"), Some(1));
}
