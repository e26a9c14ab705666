use super::*;

const NODE: u32 = 4026531840;
const FRESH: u32 = 4026532281;

fn key(path: &str, netns: Option<u32>, data: u64) -> KeyFacts {
    KeyFacts {
        path: Path::new(ROOT).join(path),
        data,
        handler_address: 7,
        handler: None,
        netns,
        kind: ValueKind::Int,
        value: None,
        is_cut: false,
        reason: None,
    }
}

#[test]
fn a_key_is_shared_by_the_kernels_word() {
    let node = [
        key("net/core/somaxconn", Some(NODE), 10),
        key("net/core/rmem_max", Some(NODE), 20),
        key("net/core/netdev_max_backlog", Some(NODE), 30),
        key("net/of_no_namespace", None, 40),
        key("net/ipv4/without_memory", Some(NODE), 0),
        key("vm/swappiness", None, 50),
    ];
    let fresh = [
        key("net/core/somaxconn", Some(FRESH), 11),
        key("net/core/rmem_max", Some(FRESH), 20),
        key("net/of_no_namespace", None, 40),
        key("net/ipv4/without_memory", Some(FRESH), 0),
    ];
    let NodeKeys { shared, aliases } = decide(&node, &fresh);
    assert_eq!(
        shared,
        [
            "net.core.rmem_max",
            "net.core.netdev_max_backlog",
            "net.of_no_namespace"
        ]
    );
    assert!(aliases.is_empty(), "{aliases:?}");
}

#[test]
fn names_of_one_memory_are_told_where_they_show_the_same() {
    let other = |kind, key: KeyFacts| KeyFacts { kind, ..key };
    let node = [
        key("net/ipv4/conf/all/forwarding", Some(NODE), 10),
        key("net/ipv4/ip_forward", Some(NODE), 10),
        other(
            ValueKind::NeighTime,
            key("net/ipv4/neigh/default/base_reachable_time", Some(NODE), 20),
        ),
        other(
            ValueKind::NeighTime,
            key(
                "net/ipv4/neigh/default/base_reachable_time_ms",
                Some(NODE),
                20,
            ),
        ),
        // Both have the address of their namespace.
        other(
            ValueKind::NotDecoded,
            key("net/core/rps_default_mask", Some(NODE), 30),
        ),
        other(
            ValueKind::NotDecoded,
            key("net/ipv4/ip_local_port_range", Some(NODE), 30),
        ),
        key("vm/one", None, 0),
        key("vm/other", None, 0),
    ];
    let NodeKeys { aliases, .. } = decide(&node, &[]);
    assert_eq!(
        aliases,
        [["net.ipv4.conf.all.forwarding", "net.ipv4.ip_forward"]]
    );
}

#[test]
fn keys_of_devices_are_not_looked_for() {
    let root = tempfile::tempdir().unwrap();
    for path in [
        "net/ipv4/conf/all/forwarding",
        "net/ipv4/conf/eth0/forwarding",
        "net/ipv4/ip_forward",
        "vm/swappiness",
    ] {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "1").unwrap();
    }
    let mut paths = Vec::new();
    collect(root.path(), "", &mut paths).unwrap();
    paths.sort_unstable();
    let paths: Vec<_> = paths
        .iter()
        .map(|path| path.strip_prefix(root.path()).unwrap().to_str().unwrap())
        .collect();
    assert_eq!(
        paths,
        [
            "net/ipv4/conf/all/forwarding",
            "net/ipv4/ip_forward",
            "vm/swappiness"
        ]
    );
}
