use sysctl_trace_ebpf::record::{Acted, KIND_SYSCTL_WRITE};
use zerocopy::FromZeros as _;

use super::*;
use crate::decode::{self, Record};

/// What becomes of an actor.
fn process(change: impl FnOnce(&mut record::Actor)) -> Arc<Rendered<Process>> {
    let mut acted = Acted::new_zeroed();
    acted.header.kind = KIND_SYSCTL_WRITE;
    change(&mut acted.actor);
    let Ok(Record::SysctlWrite(deed)) = decode::record(acted.as_bytes()) else {
        panic!("no write");
    };
    Processes::new(Epoch(0), "boot".into(), Args::None)
        .of(&deed)
        .process
        .clone()
}

#[test]
fn where_an_executable_is_mounted_is_known_but_not_told() {
    let process = process(|actor| {
        actor.executable_mnt_inum = 4026531841;
        actor.ancestors_len = 2;
        actor.ancestors[0].executable_mnt_inum = 4026532277;
    });
    assert_eq!(process.executable_mnt, Some(4026531841));
    assert_eq!(process.ancestors[0].executable_mnt, Some(4026532277));
    assert_eq!(process.ancestors[1].executable_mnt, None);
    assert_eq!(process.parent, process.ancestors.first().cloned());
    assert!(!process.json().unwrap().contains("40265"));
}

#[test]
fn fields_are_found_behind_any_comm() {
    let fields = "1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 1 1 0 1 1 1 1 1 0 0 0 0 1 0 0 17 \
                  0 0 0 0 0 0 1 1 1 777 1 1 1 0\n";
    let stat = format!("42 (a) b) (c) S {fields}");
    let expected = Stat {
        state: b'S',
        start: 12345,
        arg_start: 777,
    };
    assert_eq!(Stat::parse(stat.as_bytes()), Some(expected));
    assert_eq!(Stat::parse(b"42 (a"), None);
    assert_eq!(Stat::parse(b""), None);
}

#[test]
fn own_stat_tells_own_start_and_arguments() {
    let stat = Stat::parse(&fs::read("/proc/self/stat").unwrap()).unwrap();
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    let start = stat.start as f64 / USER_HZ as f64;
    assert!(start > 0.0 && start <= uptime, "{start} of {uptime}");
    assert!(matches!(stat.state, b'R' | b'S'), "{}", stat.state);
    assert_ne!(stat.arg_start, 0);
}

#[test]
fn vectors_are_split_and_cut() {
    assert_eq!(
        split(b"a\0b c\0"),
        (vec!["a".to_owned(), "b c".to_owned()], false)
    );
    assert_eq!(split(b""), (vec![], false));
    assert_eq!(
        split(b"a\0\0b"),
        (vec!["a".to_owned(), String::new(), "b".to_owned()], false)
    );
    let (long, cut) = split(&[b'x'; ARGS_MAX + 1]);
    assert!(cut && long[0].len() == ARGS_MAX);
    let (many, cut) = split(&b"x\0".repeat(ARGS_COUNT_MAX + 1));
    assert!(cut && many.len() == ARGS_COUNT_MAX);
}

#[test]
fn capabilities_have_names_or_numbers() {
    assert_eq!(
        capabilities(1 | 1 << 21 | 1 << 63),
        ["CAP_CHOWN", "CAP_SYS_ADMIN", "63"]
    );
}
