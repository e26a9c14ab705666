use std::{fs, sync::Mutex};

use super::*;
use crate::kernel::netns;

fn own() -> Handle {
    Handle::new(netns::of_thread().unwrap(), [], &[std::process::id()])
}

#[test]
fn the_namespace_that_one_is_in_takes_no_privilege() {
    let keys = Keys::parse(["net.core.somaxconn", "net.core.nosuch", "vm.swappiness"]).unwrap();
    let told = Mutex::new(Vec::new());
    let read = read(&[own(), own(), own()], &keys, |done, total| {
        told.lock().unwrap().push((done, total));
    });
    let text = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    assert_eq!(read.len(), 3);
    for one in read {
        let one = one.unwrap();
        assert_eq!(one.id, netns::current().unwrap());
        assert_eq!(
            one.values.get("net.core.somaxconn").and_then(Value::text),
            Some(text.trim_end())
        );
        assert_eq!(one.values.get("net.core.nosuch"), Some(&Value::Hidden));
        // It is not the namespace's.
        assert_eq!(one.values.get("vm.swappiness"), None);
    }
    let mut told = told.into_inner().unwrap();
    told.sort_unstable();
    assert_eq!(told, [(1, 3), (2, 3), (3, 3)]);
    assert_eq!(read_one(&own(), &keys).unwrap().values.values.len(), 2);
    let node = read_node(&keys);
    assert_eq!(node.values.len(), 1);
    assert!(node.get("vm.swappiness").unwrap().text().is_some());
}

#[test]
fn what_is_gone_does_not_stop_the_others() {
    let keys = Keys::parse(["net.core.somaxconn"]).unwrap();
    let other = Handle::new(
        1,
        ["/dev/null".into(), "/no/such".into()],
        &[std::process::id()],
    );
    let read = read(&[other, own()], &keys, |_, _| {});
    assert!(matches!(read[0], Err(enter::Error::Gone(1))), "{read:?}");
    assert!(read[1].is_ok(), "{read:?}");
    assert!(super::read(&[], &keys, |_, _| {}).is_empty());
}

#[test]
fn what_files_show() {
    let folder = tempfile::tempdir().unwrap();
    let mut buffer = vec![0; 16];
    let mut value_of = |bytes: &[u8]| {
        let path = folder.path().join("key");
        fs::write(&path, bytes).unwrap();
        value(&path, &mut buffer)
    };
    let text = |text: &str| Value::Text(text.into());
    assert_eq!(value_of(b"4096\t1\n"), text("4096\t1"));
    assert_eq!(value_of(b"a\n\n"), text("a\n"));
    assert_eq!(value_of(b""), text(""));
    assert_eq!(value_of(b"\xff"), text("\u{fffd}"));
    // Longer than the first buffer: read again from the beginning.
    let long = "x".repeat(100);
    assert_eq!(value_of(long.as_bytes()), text(&long));
    assert_eq!(value_of(&vec![b'x'; VALUE_MAX]), Value::TooLong);
    let at = |name: &str| value(&folder.path().join(name), &mut [0; 16]);
    assert_eq!(at("nosuch"), Value::Hidden);
    assert_eq!(at("key/nosuch"), Value::Hidden);
    assert_eq!(at("."), Value::Unreadable(Errno::ISDIR));
}
