use std::fs;

use proptest::prelude::*;

use super::*;

const LIST: &str = r#"{
  "cniVersion": "1.0.0",
  "name": "pods",
  "plugins": [
    {"type": "bridge", "sysctl": {"net.core.rmem_max": "1"}},
    {
      "type": "tuning",
      "sysctl": {
        "net.core.somaxconn": "500",
        "net/ipv4/conf/IFNAME/arp_filter": "1",
        "net.ipv4.tcp_rmem": "4096 87380 6291456",
        "net.core.wmem_max": 5
      }
    }
  ]
}"#;

fn found(json: &str, plugin: &str, key: &str) -> Vec<(String, Option<u32>)> {
    let all = tuned(json.as_bytes(), "/f");
    let path = path_of(key);
    let is_it = |tuned: &Tuned| tuned.is(plugin, &path);
    let told = |tuned: Tuned| {
        assert_eq!(tuned.requester.source, RequesterSource::CniConfiguration);
        assert_eq!(tuned.requester.file.as_deref(), Some("/f"));
        (tuned.requester.value, tuned.requester.line)
    };
    all.into_iter().filter(is_it).map(told).collect()
}

#[test]
fn a_plugin_in_a_list_is_given_its_own_keys() {
    let of = |key| found(LIST, "tuning", key);
    assert_eq!(of("net.core.somaxconn"), [("500".into(), Some(9))]);
    let arp = [("1".into(), Some(10))];
    assert_eq!(of("net.ipv4.conf.eth0.arp_filter"), arp);
    assert_eq!(of("net/ipv4/conf/eth0.5/arp_filter"), arp);
    assert_eq!(of("net.ipv4.conf.arp_filter"), []);
    assert_eq!(of("net.core.rmem_max"), []);
    assert_eq!(of("net.core.wmem_max"), []);
    assert_eq!(found(LIST, "sbr", "net.core.somaxconn"), []);
}

#[test]
fn a_network_may_be_one_plugin_or_hold_others() {
    let alone = r#"{"type": "tuning", "sysctl": {"net.core.somaxconn": "7"}}"#;
    let expected = [("7".to_owned(), Some(1))];
    assert_eq!(found(alone, "tuning", "net/core/somaxconn"), expected);
    let within = format!(r#"{{"type": "multus", "delegates": [{alone}]}}"#);
    assert_eq!(found(&within, "tuning", "net.core.somaxconn"), expected);
    let twice = format!(r#"{{"plugins": [{alone}, {alone}]}}"#);
    let expected = [("7".to_owned(), None), ("7".to_owned(), None)];
    assert_eq!(found(&twice, "tuning", "net.core.somaxconn"), expected);
}

#[test]
fn networks_are_read_in_the_order_of_their_names() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("etc/cni/net.d");
    fs::create_dir_all(folder.join("inner")).unwrap();
    let write = |name: &str, value: &str| {
        let text =
            format!(r#"{{"type": "tuning", "sysctl": {{"net.core.somaxconn": "{value}"}}}}"#);
        fs::write(folder.join(name), text).unwrap();
    };
    write("20-b.json", "2");
    write("10-a.conflist", "1");
    write("30-c.conf", "3");
    write("05-off.conf.bak", "4");
    fs::write(folder.join("00-broken.conf"), "{").unwrap();
    let state = State::at(root.path(), rustix::process::getuid().as_raw());
    let found = networks(&state, "tuning", "net.core.somaxconn");
    let told: Vec<_> = found
        .iter()
        .map(|requester| (requester.value.as_str(), requester.file.as_deref().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("1", "/etc/cni/net.d/10-a.conflist"),
            ("2", "/etc/cni/net.d/20-b.json"),
            ("3", "/etc/cni/net.d/30-c.conf"),
        ]
    );
    let foreign = State::at(root.path(), rustix::process::getuid().as_raw() + 1);
    assert_eq!(networks(&foreign, "tuning", "net.core.somaxconn"), []);
}

proptest! {
    #[test]
    fn any_file_is_taken(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        tuned(&bytes, "/f");
    }

    #[test]
    fn any_part_of_a_file_is_taken(at in 0..LIST.len(), byte in any::<u8>()) {
        let mut json = LIST.as_bytes().to_vec();
        json[at] = byte;
        tuned(&json, "/f");
        tuned(&json[..at], "/f");
    }

    #[test]
    fn any_key_is_taken(key in ".{1,20}", value in ".{0,20}") {
        let json = serde_json::json!({"type": "tuning", "sysctl": {&key: &value}}).to_string();
        let all = tuned(json.as_bytes(), "/f");
        prop_assert_eq!(all.len(), 1);
        prop_assert_eq!(&all[0].requester.value, &value);
    }
}
