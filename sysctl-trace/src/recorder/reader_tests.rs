use super::*;

#[test]
fn a_value_is_read_as_its_file_shows_it() {
    assert_eq!(value("kernel/ostype").unwrap().unwrap(), "Linux");
    assert!(value("kernel/no-such-key").is_err());
}

#[test]
fn what_is_no_network_namespace_is_not_entered() {
    for path in ["/dev/null", "/proc/self/ns/uts", "/proc/self/status"] {
        let file = File::open(path).unwrap();
        let reading = read(7, &file, &["kernel/ostype"]);
        assert_eq!(reading.id, 7);
        assert_eq!((reading.netns, reading.values.len()), (None, 0), "{path}");
    }
}

#[test]
fn the_longest_reading_fits_into_a_message() {
    let reading = Reading {
        id: u64::MAX,
        netns: Some(NetnsId {
            inum: u32::MAX,
            cookie: u64::MAX,
        }),
        begun_ns: u64::MAX,
        ended_ns: u64::MAX,
        values: vec![Some("\x01".repeat(VALUE_MAX - 1).into()); KEYS_MAX],
    };
    let message = serde_json::to_vec(&reading).unwrap();
    assert!(message.len() < MESSAGE_MAX, "{}", message.len());
    let read: Reading = serde_json::from_slice(&message).unwrap();
    assert_eq!(read, reading);
}
