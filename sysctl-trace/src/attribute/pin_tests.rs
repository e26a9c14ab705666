use super::*;

#[test]
fn namespaces_among_the_mounts() {
    let mountinfo = "\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:4 net:[4026532281] /run/netns/a rw shared:9 master:3 - nsfs nsfs rw
31 22 0:4 net:[4026532282] /mnt/with\\040space\\134 rw - nsfs nsfs rw
32 22 0:4 mnt:[4026532283] /run/snapd/ns/x.mnt rw - nsfs nsfs rw
33 22 0:40 net:[4026532284] /mnt/liar rw - tmpfs nsfs rw
34 22 0:4 net:[4026532285] /mnt/bad\\9 rw - nsfs nsfs rw
35 22 0:4 net:[99999999999] /mnt/large rw - nsfs nsfs rw
36 22 0:4 net:[4026532286]
nonsense
";
    let pin = |inum, path: &str| Pin {
        inum,
        path: path.to_owned(),
    };
    assert_eq!(
        mounted(mountinfo),
        [
            pin(4_026_532_281, "/run/netns/a"),
            pin(4_026_532_282, "/mnt/with space\\"),
        ]
    );
}

#[test]
fn one_run_by_two_names() {
    assert_eq!(below_run("/var/run/netns/a"), "/run/netns/a");
    assert_eq!(below_run("/run/netns/a"), "/run/netns/a");
    assert_eq!(below_run("/var/runner"), "/var/runner");
}

#[test]
fn what_keeps_no_namespace_is_no_pin() {
    let pins = Pins::new();
    assert!(pins.inum(Path::new("/proc/self/ns/net")).is_some());
    assert_eq!(pins.inum(Path::new("/dev/null")), None);
    assert_eq!(pins.inum(Path::new("/no/such")), None);
    assert!(pins.all().is_ok());
}
