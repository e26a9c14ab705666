use super::*;

#[test]
fn the_kernel_changes_these_keys_with_others() {
    for (written, reached, expected) in [
        (
            "net.ipv4.ip_forward",
            "net.ipv4.conf.all.forwarding",
            Effect::Same,
        ),
        (
            "net.ipv4.conf.all.forwarding",
            "net.ipv4.ip_forward",
            Effect::Same,
        ),
        (
            "net.ipv4.ip_forward",
            "net.ipv4.conf.eth0/100.forwarding",
            Effect::Fans,
        ),
        (
            "net.ipv4.ip_forward",
            "net.ipv4.conf.all.accept_redirects",
            Effect::Opposes,
        ),
        (
            "net.ipv6.conf.all.disable_ipv6",
            "net.ipv6.conf.d0.disable_ipv6",
            Effect::Fans,
        ),
        (
            "net.ipv6.conf.all.disable_ipv6",
            "net.ipv6.conf.default.disable_ipv6",
            Effect::Fans,
        ),
        (
            "net.ipv6.conf.d0.stable_secret",
            "net.ipv6.conf.d0.addr_gen_mode",
            Effect::Makes(2),
        ),
        (
            "net.ipv4.conf.default.rp_filter",
            "net.ipv4.conf.d0.rp_filter",
            Effect::MayCopy,
        ),
        ("vm.dirty_bytes", "vm.dirty_ratio", Effect::Resets),
        (
            "net.ipv4.neigh.d0.retrans_time",
            "net.ipv4.neigh.d0.retrans_time_ms",
            Effect::OtherUnit,
        ),
        (
            "net.ipv6.neigh.default.retrans_time_ms",
            "net.ipv6.neigh.d0.retrans_time",
            Effect::May,
        ),
        (
            "net.ipv4.neigh.default.unres_qlen",
            "net.ipv4.neigh.d0.unres_qlen_bytes",
            Effect::May,
        ),
        (
            "net.ipv6.route.gc_min_interval_ms",
            "net.ipv6.route.gc_min_interval",
            Effect::OtherUnit,
        ),
        (
            "net.ipv6.conf.default.stable_secret",
            "net.ipv6.conf.d0.addr_gen_mode",
            Effect::Makes(2),
        ),
        (
            "net.ipv6.conf.all.forwarding",
            "net.ipv6.conf.d0.force_forwarding",
            Effect::May,
        ),
        (
            "net.netfilter.nf_conntrack_max",
            "net.nf_conntrack_max",
            Effect::Same,
        ),
        ("kernel.watchdog", "kernel.soft_watchdog", Effect::May),
    ] {
        assert_eq!(
            effect(written, reached),
            Some(expected),
            "{written} {reached}"
        );
        assert!(is_reachable(reached), "{reached}");
        assert!(reaching(reached).any(|key| key == written), "{reached}");
    }
}

#[test]
fn others_are_left_alone() {
    for (written, reached) in [
        ("vm.dirty_ratio", "vm.dirty_ratio"),
        ("vm.dirty_ratio", "vm.dirty_background_bytes"),
        (
            "net.ipv6.conf.default.disable_ipv6",
            "net.ipv6.conf.d0.disable_ipv6",
        ),
        (
            "net.ipv6.conf.d0.disable_ipv6",
            "net.ipv6.conf.d1.disable_ipv6",
        ),
        ("net.ipv6.conf.all.accept_ra", "net.ipv6.conf.d0.accept_ra"),
        (
            "net.ipv6.conf.all.disable_policy",
            "net.ipv6.conf.d0.disable_policy",
        ),
        ("net.ipv4.conf.all.rp_filter", "net.ipv4.conf.d0.rp_filter"),
        (
            "net.ipv4.conf.default.forwarding",
            "net.ipv4.conf.d0.forwarding",
        ),
        ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"),
        ("net.core.somaxconn", "net.core.rmem_max"),
    ] {
        assert_eq!(effect(written, reached), None, "{written} {reached}");
    }
}

#[test]
fn what_reaches_a_key_does_so_by_rule() {
    assert_eq!(reaching("net.core.somaxconn").count(), 0);
    let of_device: Vec<_> = reaching("net.ipv6.conf.d0.disable_ipv6").collect();
    assert_eq!(of_device, ["net.ipv6.conf.all.disable_ipv6"]);
    let forwarding: Vec<_> = reaching("net.ipv4.conf.d0.forwarding").collect();
    assert_eq!(
        forwarding,
        ["net.ipv4.conf.all.forwarding", "net.ipv4.ip_forward"]
    );
    for key in ["vm.dirty_ratio", "net.ipv4.neigh.eth0/100.retrans_time_ms"] {
        for other in reaching(key) {
            assert!(effect(&other, key).is_some(), "{other} {key}");
        }
    }
}
