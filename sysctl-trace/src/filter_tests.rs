use globset::Glob;

use super::*;
use crate::output::samples;

fn globs(patterns: &[&str]) -> Globs {
    let signs: Vec<Sign<Glob>> = patterns
        .iter()
        .map(|pattern| Sign::of(pattern).try_map(Glob::new).unwrap())
        .collect();
    Globs::new(&signs).unwrap()
}

fn values<T: PartialEq>(signs: impl IntoIterator<Item = Sign<T>>) -> Values<T> {
    let mut values = Values::default();
    for sign in signs {
        values.add(sign);
    }
    values
}

fn key(patterns: &[&str]) -> Filter {
    Filter {
        key: globs(patterns),
        ..Filter::default()
    }
}

fn comm(patterns: &[&str]) -> Filter {
    Filter {
        comm: globs(patterns),
        ..Filter::default()
    }
}

#[test]
fn nothing_given_shows_everything() {
    for event in samples::all() {
        assert!(Filter::default().passes(&event));
    }
}

#[test]
fn keys_match_in_both_spellings() {
    let write = samples::write("1", "2", "1");
    for (patterns, want) in [
        (&["net.core.somaxconn"][..], true),
        (&["net/core/somaxconn"], true),
        (&["net.core.*"], true),
        (&["net/*"], true),
        (&["*somaxconn"], true),
        (&["net.core.somaxcon?"], true),
        (&["{kernel,net}.*"], true),
        (&["net.core"], false),
        (&["kernel.*"], false),
        (&["kernel.*", "net.*"], true),
        (&["!kernel.*"], true),
        (&["!net.core.*"], false),
        (&["net.*", "!net.core.*"], false),
        (&["net.*", "!net.ipv4.*"], true),
        (&["!net/core/somaxconn"], false),
    ] {
        assert_eq!(key(patterns).passes(&write), want, "{patterns:?}");
    }
}

#[test]
fn interfaces_with_dots_match_as_sysctl_writes_them() {
    let mut write = samples::write("1", "2", "1");
    let sysctl = write.sysctl.as_mut().unwrap();
    sysctl.key = "net.ipv4.conf.eth0/100.forwarding".into();
    sysctl.path = "net/ipv4/conf/eth0.100/forwarding".into();
    assert!(key(&["net.ipv4.conf.eth0/100.*"]).passes(&write));
    assert!(key(&["net/ipv4/conf/eth0.100/*"]).passes(&write));
}

#[test]
fn an_event_without_the_field_passes_excluding_values_only() {
    let gone = samples::destroyed();
    assert!(!key(&["*"]).passes(&gone));
    assert!(key(&["!*"]).passes(&gone));
    assert!(!comm(&["*"]).passes(&gone));
    assert!(comm(&["!systemd"]).passes(&gone));
    let pid = |sign| Filter {
        pid: values([sign]),
        ..Filter::default()
    };
    assert!(!pid(Sign::Wanted(1)).passes(&gone));
    assert!(pid(Sign::Unwanted(1)).passes(&gone));
}

#[test]
fn a_new_namespace_is_about_the_key_it_tells() {
    assert!(key(&["net.core.somaxconn"]).passes(&samples::created()));
    assert!(!key(&["kernel.*"]).passes(&samples::created()));
}

#[test]
fn numbers_and_actions() {
    let write = samples::write("1", "2", "1");
    let netns = |signs: &[Sign<u32>]| Filter {
        netns: values(signs.iter().copied()),
        ..Filter::default()
    };
    assert!(netns(&[Sign::Wanted(1), Sign::Wanted(4026532281)]).passes(&write));
    assert!(!netns(&[Sign::Wanted(1)]).passes(&write));
    assert!(!netns(&[Sign::Unwanted(4026532281)]).passes(&write));
    let action = |sign| Filter {
        action: values([sign]),
        ..Filter::default()
    };
    assert!(action(Sign::Wanted(Action::SysctlWrite)).passes(&write));
    assert!(!action(Sign::Wanted(Action::NetnsCreate)).passes(&write));
    assert!(!action(Sign::Unwanted(Action::SysctlWrite)).passes(&write));
}

#[test]
fn options_add_up() {
    let mut filter = key(&["net.*"]);
    filter.pid = values([Sign::Wanted(296)]);
    assert!(filter.passes(&samples::write("1", "2", "1")));
    filter.comm = globs(&["dockerd"]);
    assert!(!filter.passes(&samples::write("1", "2", "1")));
}

#[test]
fn a_comm_may_look_like_a_pattern() {
    assert!(comm(&["runc:*"]).passes(&samples::write("1", "2", "1")));
    assert!(comm(&[r"runc:\[2:INIT\]"]).passes(&samples::write("1", "2", "1")));
}

#[test]
fn loss_always_passes() {
    let filter = Filter {
        key: globs(&["no.such"]),
        action: values([
            Sign::Wanted(Action::NetnsCreate),
            Sign::Unwanted(Action::EventsLost),
        ]),
        pid: values([Sign::Wanted(1)]),
        comm: globs(&["no-such"]),
        netns: values([Sign::Wanted(1)]),
        component: globs(&["no-such"]),
        container: globs(&["no-such"]),
        pod: globs(&["no-such"]),
        namespace: globs(&["no-such"]),
        runtime: globs(&["no-such"]),
    };
    assert!(filter.passes(&samples::lost()));
}

#[test]
fn containers_of_the_process_and_of_the_namespace_count() {
    let only = |container: &str| Filter {
        container: globs(&[container]),
        ..Filter::default()
    };
    // The process is in web's container, the namespace belongs to the pod's sandbox.
    let event = samples::bound();
    assert!(only("web").passes(&event));
    assert!(only("0a1b*").passes(&event));
    assert!(only("ffee*").passes(&event));
    assert!(!only("db").passes(&event));
    assert!(!only("!web").passes(&event));
    assert!(!only("web").passes(&samples::write("1", "2", "1")));
}

#[test]
fn pods_runtimes_and_components() {
    let event = samples::bound();
    let by = |change: fn(&mut Filter, Globs), pattern: &str| {
        let mut filter = Filter::default();
        change(&mut filter, globs(&[pattern]));
        filter.passes(&event)
    };
    let pod = |filter: &mut Filter, globs| filter.pod = globs;
    assert!(by(pod, "shop-*"));
    assert!(by(pod, "eb052b63-ea96-4728-ab4a-64ab3babccd7"));
    assert!(!by(pod, "other"));
    let namespace = |filter: &mut Filter, globs| filter.namespace = globs;
    assert!(by(namespace, "default"));
    assert!(!by(namespace, "kube-system"));
    let runtime = |filter: &mut Filter, globs| filter.runtime = globs;
    assert!(by(runtime, "containerd"));
    assert!(!by(runtime, "docker"));
    let component = |filter: &mut Filter, globs| filter.component = globs;
    assert!(by(component, "run?"));
    assert!(!by(component, "!runc"));
}

#[test]
fn keys_that_come_and_go_are_about_each_of_them() {
    let registered = samples::registered();
    for wanted in [
        "net.ipv4.conf.eth0/100.rp_filter",
        "net/ipv4/conf/eth0.100/rp_filter",
        "*.tag",
    ] {
        assert!(key(&[wanted]).passes(&registered), "{wanted}");
    }
    assert!(!key(&["net.ipv4.conf.eth1.rp_filter"]).passes(&registered));
    assert!(key(&["!*.rp_filter"]).passes(&registered), "the others");
    assert!(!key(&["!net.*"]).passes(&registered));
    let mut cut = samples::registered();
    cut.trace.truncated.push("table".into());
    assert!(
        key(&["vm.*"]).passes(&cut),
        "it may be one that is not named"
    );
}
