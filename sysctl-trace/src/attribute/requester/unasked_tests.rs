use std::sync::Arc;

use super::*;
use crate::output::samples;

/// A write of 31 by this component, with these arguments; none where they could not be read.
fn write(component: &str, args: Option<&[&str]>) -> Event {
    let mut event = samples::write("31", "5", "31");
    let mut process = samples::process(7, component);
    process.args = args.map(|args| args.iter().map(|&arg| arg.into()).collect());
    event.process = Some(Arc::new(Rendered::new(process)));
    event.component = Some(Arc::new(Rendered::new(Component {
        name: component.into(),
        stage: None,
        confidence: Sureness::Observed,
        evidence: Vec::new(),
    })));
    event
}

#[track_caller]
fn is(component: &str, args: Option<&[&str]>, why: Unasked) {
    assert_eq!(
        unasked(&write(component, args)),
        why,
        "{component} {args:?}"
    );
}

#[test]
fn arguments_with_key_and_value_prove_that_nobody_else_asked() {
    for args in [
        &["sysctl", "-w", "net.core.somaxconn=31"][..],
        &["sysctl", "net/core/somaxconn=31"],
        &["busybox", "sysctl", "-w", "net.core.somaxconn=31"],
        // As it stands in memory that the program has taken apart.
        &["sysctl", "-w", "net/core/somaxconn", "31"],
    ] {
        is("sysctl(8)", Some(args), Unasked::OwnArguments);
    }
    for text in [
        "sysctl -w net.core.somaxconn=31",
        "echo 31 > /proc/sys/net/core/somaxconn",
        "true; sysctl -w 'net.core.somaxconn=31'; false",
    ] {
        let args = ["/bin/sh", "-c", text];
        is("program", Some(&args), Unasked::OwnArguments);
    }
}

#[test]
fn arguments_with_another_key_or_value_prove_nothing() {
    for args in [
        &["sysctl", "-w", "net.core.somaxconn=32"][..],
        &["sysctl", "-w", "net.core.rmem_max=31"],
        &["sysctl", "-w", "[redacted]"],
    ] {
        is("sysctl(8)", Some(args), Unasked::AnyProgram);
    }
    let args = ["sh", "-c", "echo 3 > /proc/sys/net/core/somaxconn # 131"];
    is("program", Some(&args), Unasked::AnyProgram);
    is(
        "program",
        Some(&["tee", "/proc/sys/net/core/somaxconn"]),
        Unasked::AnyProgram,
    );
}

#[test]
fn what_applies_files_or_specifications_may_have_done_so() {
    is("sysctl(8)", None, Unasked::NoArguments);
    is("systemd-sysctl", None, Unasked::NoArguments);
    is("tuned", None, Unasked::Files);
    for args in [
        &["sysctl", "-p", "/tmp/x"][..],
        &["sysctl", "-q", "--load=/tmp/x"],
        &["sysctl", "-p"],
        &["sysctl", "-p", "-"],
        &["sysctl", "--system"],
    ] {
        is("sysctl(8)", Some(args), Unasked::Files);
    }
    for name in ["runc", "crun", "youki", "pinns", "cri-o", "lxc"] {
        is(name, None, Unasked::Specification);
    }
    is("cni:tuning", None, Unasked::Configuration);
    is("cni:of-somebody", None, Unasked::Configuration);
}

#[test]
fn what_writes_by_its_own_rules_was_asked_by_nobody() {
    for name in [
        "kubelet",
        "kernel",
        "containerd",
        "dockerd",
        "cni:bridge",
        "NetworkManager",
    ] {
        is(name, None, Unasked::OwnRules);
    }
    is("container-process", None, Unasked::Contained);
    is("program", None, Unasked::AnyProgram);
}

#[test]
fn dockerd_is_asked_for_the_keys_of_devices() {
    let mut event = write("dockerd", None);
    event.sysctl.as_mut().unwrap().path = "net/ipv4/conf/eth0/log_martians".into();
    assert_eq!(unasked(&event), Unasked::Specification);
    event.sysctl.as_mut().unwrap().path = "net/ipv4/conf/all/log_martians".into();
    assert_eq!(unasked(&event), Unasked::OwnRules);
}

#[test]
fn a_name_that_is_not_proven_proves_nothing() {
    for name in ["kubelet", "container-process"] {
        let mut event = write(name, None);
        let mut component = event.component.as_deref().unwrap().value().clone();
        component.confidence = Sureness::Inferred;
        event.component = Some(Arc::new(Rendered::new(component)));
        assert_eq!(unasked(&event), Unasked::AnyProgram, "{name}");
        event.component = None;
        assert_eq!(unasked(&event), Unasked::AnyProgram);
    }
}

#[test]
fn pinns_is_asked_by_a_pod() {
    let args = ["pinns", "-s", "net/core/somaxconn", "31", "--net"];
    let requester = by_arguments(&write("pinns", Some(&args))).unwrap();
    assert_eq!(requester.source, RequesterSource::PodSecurityContext);
    assert_eq!(requester.value, "31");
    // Another value, another program, or nothing to read.
    let other = ["pinns", "-s", "net/core/somaxconn", "32", "--net"];
    assert_eq!(by_arguments(&write("pinns", Some(&other))), None);
    assert_eq!(by_arguments(&write("program", Some(&args))), None);
    assert_eq!(by_arguments(&write("pinns", None)), None);
}
