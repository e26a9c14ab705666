use super::*;

#[test]
fn the_hierarchy_that_counts() {
    for (cgroup, expected) in [
        ("0::/system.slice/x.scope\n", Some("/system.slice/x.scope")),
        ("0::/\n", Some("/")),
        (
            "4:pids:/docker/a\n1:name=systemd:/b\n0::/\n",
            Some("/docker/a"),
        ),
        ("4:cpu,pids:/docker/a\n0::/c\n", Some("/c")),
        ("4:pids:/docker/a\n", Some("/docker/a")),
        ("0::/a:cri-containerd:b\n", Some("/a:cri-containerd:b")),
        ("1:name=systemd:/b\n", None),
        ("nonsense\n", None),
        ("", None),
    ] {
        assert_eq!(path(cgroup).as_deref(), expected, "{cgroup}");
    }
}

#[test]
fn this_process_lives_somewhere() {
    let own = fs::metadata("/proc/self/ns/net").unwrap().ino();
    let own_path = path(&fs::read_to_string("/proc/self/cgroup").unwrap());
    let found = cgroups(u32::try_from(own).unwrap());
    assert!(own_path.is_none_or(|path| found.contains(&path)));
    assert!(cgroups(1).is_empty());
}
