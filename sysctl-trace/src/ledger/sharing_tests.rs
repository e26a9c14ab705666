use crate::{
    event::{Event, NodeKeys},
    ledger::{Ledger, Limits, Sharing},
    output::samples,
};

const SHARED: &str = "net.core.rmem_max";
const OTHER: &str = "net.core.somaxconn";

/// The start of a run of a tracer, which says this of keys.
fn started(session: &str, shared: Option<&[&str]>) -> Event {
    let mut event = samples::started();
    event.trace.session = std::sync::Arc::new(crate::rendered::Rendered::new(session.to_owned()));
    event.event.sequence = 1;
    event.trace.keys = shared.map(|shared| {
        Box::new(NodeKeys {
            shared: shared.iter().map(|key| (*key).into()).collect(),
            aliases: Vec::new(),
        })
    });
    event
}

fn sharing(events: &[Event], key: &str) -> Sharing {
    let mut ledger = Ledger::new(Limits::default());
    for event in events {
        ledger.take(event);
    }
    ledger.window().sharing(key, None)
}

#[test]
fn whose_a_key_is_is_what_all_streams_say() {
    let tells = started("1-1", Some(&[SHARED]));
    let silent = started("2-2", None);
    let both = [tells.clone(), silent.clone()];
    for (events, key, expected) in [
        (&both[..1], SHARED, Sharing::Shared),
        (&both[..1], OTHER, Sharing::Own),
        (&both[1..], SHARED, Sharing::Unknown),
        (&both[1..], OTHER, Sharing::Unknown),
        (&both[..], SHARED, Sharing::Shared),
        (&both[..], OTHER, Sharing::Unknown),
        (&[], OTHER, Sharing::Unknown),
    ] {
        assert_eq!(sharing(events, key), expected, "{key} by {}", events.len());
    }
}

#[test]
fn keys_of_devices_are_a_namespaces_own() {
    let silent = [started("1-1", None)];
    for (key, expected) in [
        ("net.ipv4.conf.all.rp_filter", Sharing::Own),
        ("net.ipv6.conf.eth0/100.mtu", Sharing::Own),
        ("net.ipv4.neigh.eth0.delay_first_probe_time", Sharing::Own),
        ("net.ipv4.neigh.default.gc_thresh1", Sharing::Unknown),
        ("vm.swappiness", Sharing::Own),
    ] {
        assert_eq!(sharing(&silent, key), expected, "{key}");
    }
}
