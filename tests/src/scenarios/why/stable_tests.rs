use super::*;

#[test]
fn what_varies_has_a_placeholder() {
    for (text, expected) in [
        (
            "1  07:40:34.939150  ip[343] (iproute2)",
            "1  <time>           ip[<pid>] (iproute2)",
        ),
        (
            "runc:[2:INIT][343] wrote \"1024\"",
            "runc:[2:INIT][<pid>] wrote \"1024\"",
        ),
        ("netns 4026532281", "netns <netns>"),
        (
            "is 4096 in 3f1b0c7e52b4 (docker)",
            "is 4096 in <id> (docker)",
        ),
        (
            "/run/netns/cni-3f1b0c7e-52b4-4c7e-9a44-0d1f6f5b2a10",
            "/run/netns/cni-<uuid>",
        ),
        (
            "the tracer lost 1938 events since",
            "the tracer lost <count> events since",
        ),
        ("/etc/sysctl.d/99-x.conf:3", "/etc/sysctl.d/99-x.conf:3"),
        (
            "7 namespaces in 0.25 s (12.34 ms each)",
            "<count> namespaces in <time> s (<time> ms each)",
        ),
    ] {
        assert_eq!(stable(text), expected);
    }
}

#[test]
fn ids_are_replaced_as_a_whole_only() {
    let id = "ab".repeat(32);
    assert_eq!(stable(&format!("docker/{id}/x")), "docker/<id>/x");
    assert_eq!(stable(&format!("z{id}")), format!("z{id}"));
    assert_eq!(stable("abcdefabcdef0"), "abcdefabcdef0");
}
