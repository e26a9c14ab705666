use std::fs::{create_dir_all, write};

use super::*;

fn keys(texts: &[&str]) -> Keys {
    Keys::parse(texts).unwrap()
}

fn paths(found: &Found) -> Vec<&str> {
    found.keys.iter().map(|key| &*key.path).collect()
}

/// A /proc/sys of these files.
fn tree(files: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for file in files {
        let path = root.path().join(file);
        create_dir_all(path.parent().unwrap()).unwrap();
        write(path, "1\n").unwrap();
    }
    root
}

#[test]
fn the_first_separator_tells_which_spelling_it_is() {
    for (text, path, dotted) in [
        (
            "net.core.somaxconn",
            "net/core/somaxconn",
            "net.core.somaxconn",
        ),
        (
            "net/core/somaxconn",
            "net/core/somaxconn",
            "net.core.somaxconn",
        ),
        (
            "/proc/sys/net/core/somaxconn",
            "net/core/somaxconn",
            "net.core.somaxconn",
        ),
        (
            "net.ipv4.conf.eth0/1.forwarding",
            "net/ipv4/conf/eth0.1/forwarding",
            "net.ipv4.conf.eth0/1.forwarding",
        ),
        (
            "net/ipv4/conf/eth0.1/forwarding",
            "net/ipv4/conf/eth0.1/forwarding",
            "net.ipv4.conf.eth0/1.forwarding",
        ),
    ] {
        let key = Key::parse(text).unwrap();
        assert_eq!((&*key.path, &*key.dotted), (path, dotted), "{text}");
    }
}

#[test]
fn what_is_no_key() {
    for text in [
        "",
        ".",
        "net..core",
        "net.core.",
        "/etc/passwd",
        "net/../kernel/panic",
        "net/./core",
        "/proc/sys/",
        "net.//.x",
        "../../etc/passwd",
    ] {
        let error = Key::parse(text)
            .map(|key| key.path)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(&format!("'{text}' is no key: ")),
            "{error}"
        );
    }
    let error = Keys::parse(["net.[a"]).unwrap_err().to_string();
    assert!(error.starts_with("'net.[a' is no key: "), "{error}");
}

#[test]
fn only_net_is_of_the_namespace() {
    let of_netns = |text| Key::parse(text).unwrap().is_of_netns();
    assert!(of_netns("net.core.somaxconn"));
    assert!(!of_netns("vm.swappiness"));
    assert!(!of_netns("network.x"));
    assert!(!of_netns("user.net"));
}

#[test]
fn patterns_stand_for_what_is_there() {
    let root = tree(&[
        "net/ipv4/tcp_rmem",
        "net/ipv4/tcp_wmem",
        "net/ipv4/udp_mem",
        "net/ipv4/conf/eth0.1/tcp_x",
        "net/ipv4/conf/lo/forwarding",
        "net/core/somaxconn",
        "vm/overcommit_memory",
        "vm/swappiness",
    ]);
    let expect = |texts: &[&str], of_netns: &[&str], of_node: &[&str]| {
        let keys = keys(texts);
        assert_eq!(paths(&keys.of_netns(root.path())), of_netns, "{texts:?}");
        assert_eq!(paths(&keys.of_node(root.path())), of_node, "{texts:?}");
    };
    let tcp = ["net/ipv4/tcp_rmem", "net/ipv4/tcp_wmem"];
    expect(&["net.ipv4.tcp_*"], &tcp, &[]);
    expect(&["/proc/sys/net/ipv4/tcp_*"], &tcp, &[]);
    expect(&["net.ipv4.{tcp_rmem,tcp_wmem}"], &tcp, &[]);
    let vlan = ["net/ipv4/conf/eth0.1/tcp_x"];
    expect(&["net.ipv4.conf.eth0/1.*"], &vlan, &[]);
    expect(&["net/ipv4/conf/eth0.1/*"], &vlan, &[]);
    // As in `--key`, a star stands for separators too.
    expect(
        &["net.ipv4.*_x", "net.core.*"],
        &["net/core/somaxconn", vlan[0]],
        &[],
    );
    expect(&["*s*n*"], &["net/core/somaxconn"], &["vm/swappiness"]);
    expect(
        &["vm.*", "vm.swappiness"],
        &[],
        &["vm/overcommit_memory", "vm/swappiness"],
    );
    expect(&["nosuch.*", "net.nosuch*"], &[], &[]);
    // What is named is asked for, there or not.
    expect(
        &["net.nosuch", "vm.nosuch"],
        &["net/nosuch"],
        &["vm/nosuch"],
    );
}

#[test]
fn too_many_are_told() {
    let root = tree(&[]);
    let folder = root.path().join("net");
    create_dir_all(&folder).unwrap();
    for number in 0..=FOUND_MAX {
        write(folder.join(number.to_string()), "").unwrap();
    }
    let found = keys(&["net.*"]).of_netns(root.path());
    assert_eq!((found.keys.len(), found.is_cut), (FOUND_MAX, true));
    let found = keys(&["net.1*"]).of_netns(root.path());
    assert!(!found.is_cut && found.keys.len() > 1000);
}
