use proptest::prelude::*;
use sysctl_trace_ebpf::record::{CUT_REQUESTED, Header};
use zerocopy::{FromZeros as _, IntoBytes as _};

use super::*;

/// A record of a write with these texts, as the probes lay them out.
fn write(path: &[u8], requested: &[u8], cut: u32) -> Vec<u8> {
    let mut acted = Acted::new_zeroed();
    acted.header.kind = KIND_SYSCTL_WRITE;
    acted.header.cut = cut;
    acted.deed.path = Span {
        offset: 0,
        len: path.len() as u16,
    };
    acted.deed.requested = Span {
        offset: path.len() as u16,
        len: requested.len() as u16,
    };
    acted.deed.text_len = (path.len() + requested.len()) as u32;
    [acted.as_bytes(), path, requested].concat()
}

fn deed(bytes: &[u8]) -> Deed<'_> {
    match record(bytes) {
        Ok(Record::SysctlWrite(deed)) => deed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_actors_texts_are_the_last_and_count_from_their_beginning() {
    let mut acted = Acted::new_zeroed();
    acted.header.kind = KIND_SYSCTL_WRITE;
    acted.header.cut = CUT_REQUESTED | record::CUT_CGROUP;
    acted.deed.requested = Span { offset: 0, len: 3 };
    acted.deed.text_len = 10;
    acted.actor.text_len = 7;
    acted.actor.executable = Span { offset: 4, len: 3 };
    let bytes = [acted.as_bytes(), b"777end\0run"].concat();
    let deed = deed(&bytes);
    assert_eq!(deed.requested(), "777");
    assert_eq!(deed.actor_text(acted.actor.executable), b"run");
    let identity = deed.identity();
    assert_eq!(identity.text, b"end\0run");
    assert_eq!(identity.cut, record::CUT_CGROUP);
}

#[test]
fn an_actor_with_more_text_than_there_is_has_none() {
    let mut acted = Acted::new_zeroed();
    acted.header.kind = KIND_SYSCTL_WRITE;
    acted.deed.text_len = 3;
    acted.actor.text_len = 4;
    acted.actor.executable = Span { offset: 0, len: 1 };
    let bytes = [acted.as_bytes(), b"777"].concat();
    let deed = deed(&bytes);
    assert!(deed.identity().text.is_empty());
    assert!(deed.actor_text(acted.actor.executable).is_empty());
}

#[test]
fn a_task_that_entered_says_how() {
    for (number, expected) in [
        (ENTERED_BY_SETNS, Some(EnteredBy::Setns)),
        (ENTERED_BY_EXEC, Some(EnteredBy::Exec)),
        (0, None),
        (99, None),
    ] {
        let mut acted = Acted::new_zeroed();
        acted.header.kind = KIND_NETNS_ENTER;
        acted.deed.entered_by = number;
        match record(acted.as_bytes()) {
            Ok(Record::NetnsEnter(deed)) => assert_eq!(deed.entered_by(), expected),
            other => panic!("{other:?}"),
        }
    }
}

/// A record of keys that come to be, as the probes lay them out.
fn table(entries: &[u8]) -> Vec<u8> {
    let mut acted = Acted::new_zeroed();
    acted.header.kind = KIND_TABLE_REGISTER;
    let path = b"d0\0conf\0ipv4\0net\0\0";
    acted.deed.path = Span {
        offset: 0,
        len: path.len() as u16,
    };
    acted.deed.new = Span {
        offset: path.len() as u16,
        len: entries.len() as u16,
    };
    acted.deed.text_len = (path.len() + entries.len()) as u32;
    [acted.as_bytes(), path, entries].concat()
}

#[test]
fn keys_that_come_to_be_have_names_and_what_is_told_of_their_memory() {
    let bytes = table(b"\x01\x04\x02\0\0\0rp_filter\0\0\0tag\0\x01\x04\x01\0\0\0cut");
    let Ok(Record::TableRegister(deed)) = record(&bytes) else {
        panic!("another kind");
    };
    assert_eq!(slashed(deed.path()), "net/ipv4/conf/d0");
    let keys: Vec<_> = deed.table_keys().collect();
    assert_eq!(
        keys,
        [
            TableKey {
                name: b"rp_filter",
                kind: ValueKind::Int,
                memory: &[2, 0, 0, 0]
            },
            TableKey {
                name: b"tag",
                kind: ValueKind::NotDecoded,
                memory: &[]
            }
        ]
    );
}

#[test]
fn keys_are_read_from_the_top_and_dots_swapped() {
    let bytes = write(b"forwarding\0eth0.100\0conf\0ipv4\0net\0\0", b"1\n", 0);
    let deed = deed(&bytes);
    assert_eq!(dotted(deed.path()), "net.ipv4.conf.eth0/100.forwarding");
    assert_eq!(
        deed.path().collect::<Vec<_>>().join(&b'/'),
        b"net/ipv4/conf/eth0.100/forwarding"
    );
    assert_eq!(deed.requested(), "1");
}

#[test]
fn requested_text_ends_at_nul_and_loses_one_newline() {
    for (given, expected) in [
        (&b"1\n\n"[..], "1\n"),
        (b"1", "1"),
        (b"1\0\n2", "1"),
        (b"", ""),
        (b"\xff\n", "\u{fffd}"),
    ] {
        assert_eq!(deed(&write(b"", given, 0)).requested(), expected);
    }
    assert!(!deed(&write(b"", b"1", CUT_REQUESTED)).requested_is_whole());
    assert!(deed(&write(b"", b"1\0", CUT_REQUESTED)).requested_is_whole());
}

#[test]
fn values_are_shown_as_their_files_show_them() {
    let ints = |numbers: &[i32]| {
        numbers
            .iter()
            .flat_map(|n| n.to_ne_bytes())
            .collect::<Vec<_>>()
    };
    let longs = |numbers: &[u64]| {
        numbers
            .iter()
            .flat_map(|n| n.to_ne_bytes())
            .collect::<Vec<_>>()
    };
    for (kind, bytes, expected) in [
        (ValueKind::Int, ints(&[-1]), Some("-1")),
        (
            ValueKind::Int,
            ints(&[4096, 131_072, 6_291_456]),
            Some("4096\t131072\t6291456"),
        ),
        (ValueKind::Uint, ints(&[-1]), Some("4294967295")),
        (
            ValueKind::Ulong,
            longs(&[u64::MAX]),
            Some("18446744073709551615"),
        ),
        (ValueKind::U8, vec![255], Some("255")),
        (ValueKind::Bool, vec![1], Some("1")),
        (ValueKind::Jiffies, ints(&[15_000]), Some("60")),
        (ValueKind::Jiffies, ints(&[-250]), Some("-1")),
        (ValueKind::Jiffies, ints(&[-249, 0, 250]), Some("-0\t0\t1")),
        (ValueKind::Jiffies, vec![], Some("")),
        (ValueKind::MsJiffies, ints(&[250]), Some("1000")),
        (ValueKind::UserhzJiffies, ints(&[-2]), Some("-0")),
        (ValueKind::UserhzJiffies, ints(&[250]), Some("100")),
        (ValueKind::UlongMsJiffies, longs(&[1250]), Some("5000")),
        (
            ValueKind::String,
            b"|/bin/x %p".to_vec(),
            Some("|/bin/x %p"),
        ),
        (ValueKind::NameOrNone, b"cubic\0\0".to_vec(), Some("cubic")),
        (ValueKind::NameOrNone, vec![], Some("NONE")),
        (
            ValueKind::PortPair,
            (60_999_u32 << 16 | 32_768).to_ne_bytes().to_vec(),
            Some("32768\t60999"),
        ),
        (ValueKind::PortPair, vec![1], None),
        (ValueKind::StaticKey, ints(&[0]), Some("0")),
        (ValueKind::StaticKey, ints(&[-1]), Some("1")),
        (ValueKind::StaticKey, ints(&[2]), Some("1")),
        (ValueKind::Bitmap, longs(&[0]), Some("")),
        (ValueKind::Bitmap, longs(&[0b11_1010]), Some("1,3-5")),
        (ValueKind::Bitmap, longs(&[1 << 63, 1]), Some("63-64")),
        (ValueKind::Bitmap, longs(&[u64::MAX]), Some("0-63")),
        (
            ValueKind::SeccompActions,
            ints(&[0b1000_0001]),
            Some("kill_process user_notif"),
        ),
        (ValueKind::SeccompActions, vec![], None),
        (ValueKind::Packets, ints(&[101]), Some("101")),
        (
            ValueKind::Uuid,
            (0x10..0x20).collect(),
            Some("10111213-1415-1617-1819-1a1b1c1d1e1f"),
        ),
        (ValueKind::Uuid, vec![0; 16], None),
        (ValueKind::NeighTime, ints(&[1]), None),
        (ValueKind::NotDecoded, ints(&[1]), None),
    ] {
        assert_eq!(value(kind, &bytes, 250).as_deref(), expected, "{kind:?}");
    }
}

#[test]
fn every_kind_stands_at_the_place_of_its_number() {
    for (number, kind) in (0..).zip(ValueKind::ALL) {
        assert_eq!(kind as u32, number);
        if kind != ValueKind::NeighTime {
            assert_eq!(value_kind(number, "retrans_time_ms"), kind);
        }
    }
    assert_eq!(value_kind(u32::MAX, ""), ValueKind::NotDecoded);
    let of_neighbours = |name: &str| {
        value_kind(
            ValueKind::NeighTime as u32,
            &format!("net/ipv6/neigh/lo/{name}"),
        )
    };
    assert_eq!(of_neighbours("retrans_time"), ValueKind::Int);
    assert_eq!(of_neighbours("retrans_time_ms"), ValueKind::MsJiffies);
    assert_eq!(of_neighbours("base_reachable_time"), ValueKind::Jiffies);
    assert_eq!(
        of_neighbours("base_reachable_time_ms"),
        ValueKind::MsJiffies
    );
    assert_eq!(of_neighbours("another"), ValueKind::NotDecoded);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, kind in 0_u32..6, filler in 0_usize..6000) {
        let mut record_bytes = vec![0xa5; filler];
        record_bytes.extend(bytes);
        let header = Header { kind, cut: 0, boottime_ns: 1 };
        let len = record_bytes.len().min(size_of::<Header>());
        record_bytes[..len].copy_from_slice(&header.as_bytes()[..len]);
        if let Ok(Record::SysctlWrite(deed) | Record::NetnsCreate(deed)) = record(&record_bytes) {
            deed.requested();
            let actor = deed.identity().actor;
            deed.actor_text(actor.cgroup);
            dotted(deed.path());
            let kind = value_kind(deed.acted.deed.value_kind, "");
            value(kind, deed.text(deed.acted.deed.old), 250);
        }
    }
}
