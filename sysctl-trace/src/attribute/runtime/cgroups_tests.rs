use super::*;

#[test]
fn absolute_paths_are_the_same_or_not() {
    assert_eq!(agrees("/docker/web", "/docker/web"), Some(true));
    assert_eq!(agrees("/docker/web/", "/docker/web"), Some(true));
    assert_eq!(agrees("/docker/web", "/x/docker/web"), Some(false));
    assert_eq!(agrees("", "/docker/web"), None);
}

#[test]
fn slices_of_systemd_are_unfolded() {
    let pod = "kubepods-burstable-podc704ef4c.slice:cri-containerd:web";
    let path = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podc704ef4c.slice/cri-containerd-web.scope";
    assert_eq!(agrees(pod, path), Some(true));
    assert_eq!(agrees(pod, &format!("/x{path}")), Some(false));
    for (specified, path) in [
        ("system.slice:docker:web", "/system.slice/docker-web.scope"),
        (":runc:web", "/system.slice/runc-web.scope"),
        ("-.slice:libpod:web", "/libpod-web.scope"),
        ("a.slice::web", "/a.slice/web.scope"),
        ("a.slice:x:y.slice", "/a.slice/y.slice"),
    ] {
        assert_eq!(agrees(specified, path), Some(true), "{specified}");
    }
    assert_eq!(agrees("a:b:web", "/a/b-web.scope"), Some(false));
    assert_eq!(agrees(":::", "/x"), Some(false));
}

#[test]
fn relative_paths_count_only_where_root_alone_makes_folders() {
    let specified = "kubepods-pod1.slice:cri-containerd:web";
    let at = |above: &str| agrees(specified, &format!("{above}/{specified}"));
    assert_eq!(at("/system.slice/containerd.service"), Some(true));
    assert_eq!(at(""), Some(true));
    assert_eq!(at("/user.slice/user-1000.slice/user@1000.service"), None);
    assert_eq!(at("/another-container"), None);
    assert_eq!(agrees("web", "/system.slice/xweb"), Some(false));
}

#[test]
fn folders_of_either_version_become_paths() {
    assert_eq!(from_mount("/sys/fs/cgroup/a/b", true), Some("/a/b"));
    assert_eq!(from_mount("/sys/fs/cgroup/unified/a", true), Some("/a"));
    assert_eq!(from_mount("/sys/fs/cgroup/pids/a/b", false), Some("/a/b"));
    assert_eq!(from_mount("/sys/fs/cgroup/pids", false), None);
    assert_eq!(from_mount("/sys/fs/cgroup", true), None);
    assert_eq!(from_mount("/elsewhere/a", true), None);
}
