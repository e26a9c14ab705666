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
fn the_start_stands_behind_any_name() {
    let rest = "S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 777 9 9";
    for name in ["sh", "a b", ") S 1 ", "((", ""] {
        assert_eq!(
            start_in(&format!("42 ({name}) {rest}")),
            Some(777),
            "{name}"
        );
    }
    assert_eq!(start_in("42 (sh) S 1"), None);
    assert_eq!(start_in(""), None);
}

#[test]
fn the_first_started_stand_first() {
    let own = std::process::id();
    // No process has this pid.
    let mut pids = [u32::MAX, own, 1];
    sort_by_start(&mut pids);
    assert_eq!(pids, [1, own, u32::MAX]);
}

#[test]
fn this_process_lives_somewhere() {
    let own = std::process::id();
    let inum = netns::of_process(own).unwrap();
    let found = all().unwrap().find(|resident| resident.pid == own).unwrap();
    assert_eq!(found.netns.unwrap(), inum);
    let own_path = path(&fs::read_to_string("/proc/self/cgroup").unwrap());
    assert!(own_path.is_none_or(|path| cgroups(inum).contains(&path)));
    assert!(cgroups(1).is_empty());
}
