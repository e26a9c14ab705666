use super::*;

const SOMAXCONN: &str = "net/core/somaxconn";
const RANGE: &str = "net/ipv4/ip_local_port_range";

fn value_in(args: &[&str], path: &str) -> Option<String> {
    let args: Vec<String> = args.iter().map(|&arg| arg.into()).collect();
    value(&args, path)
}

/// pinns is asked for two keys.
#[track_caller]
fn both(args: &[&str]) {
    let args = [&["/usr/bin/pinns", "-d", "/var/run", "-f", "uuid"], args].concat();
    assert_eq!(
        value_in(&args, SOMAXCONN).as_deref(),
        Some("1024"),
        "{args:?}"
    );
    assert_eq!(
        value_in(&args, RANGE).as_deref(),
        Some("2000 3000"),
        "{args:?}"
    );
    assert_eq!(value_in(&args, "net/ipv4/ip_forward"), None, "{args:?}");
}

#[test]
fn keys_are_found_as_they_were_given_and_as_pinns_leaves_them() {
    let range = "net.ipv4.ip_local_port_range=2000 3000";
    let taken_apart = "net/ipv4/ip_local_port_range";
    both(&["-s", "net.core.somaxconn=1024", "-s", range, "--net"]);
    both(&["-s", SOMAXCONN, "1024", "-s", range, "--net"]);
    both(&[
        "-s",
        SOMAXCONN,
        "1024",
        "-s",
        taken_apart,
        "2000 3000",
        "--net",
    ]);
    both(&[
        "--net",
        "-snet.core.somaxconn=1024",
        &format!("--sysctl={range}"),
    ]);
}

#[test]
fn keys_that_are_joined_are_found_at_each_moment() {
    let range = "net.ipv4.ip_local_port_range=2000 3000";
    let taken_apart = "net/ipv4/ip_local_port_range";
    both(&["-s", &format!("net.core.somaxconn=1024+{range}"), "--ipc"]);
    both(&["-s", SOMAXCONN, "1024", range, "--ipc"]);
    both(&["-s", SOMAXCONN, "1024", taken_apart, "2000 3000", "--ipc"]);
}

#[test]
fn a_value_may_look_like_an_option_or_have_a_plus() {
    let args = ["pinns", "-s", "kernel/x", "-1", "--net"];
    assert_eq!(value_in(&args, "kernel/x").as_deref(), Some("-1"));
    let args = ["pinns", "-s", "kernel.x=a+b", "--net"];
    assert_eq!(value_in(&args, "kernel/x").as_deref(), Some("a+b"));
}

#[test]
fn other_options_are_no_keys() {
    let args = [
        "pinns",
        "-d",
        "net.core.somaxconn=1024",
        "-f",
        SOMAXCONN,
        "7",
    ];
    assert_eq!(value_in(&args, SOMAXCONN), None);
    assert_eq!(value_in(&["pinns", "-s"], SOMAXCONN), None);
    assert_eq!(value_in(&["pinns", "-s", SOMAXCONN], SOMAXCONN), None);
    assert_eq!(value_in(&[], SOMAXCONN), None);
}

#[test]
fn the_last_of_several_values_counts() {
    let args = [
        "pinns",
        "-s",
        "net.core.somaxconn=1",
        "-s",
        "net/core/somaxconn=2",
    ];
    assert_eq!(value_in(&args, SOMAXCONN).as_deref(), Some("2"));
}
