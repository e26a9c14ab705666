use super::*;

#[test]
fn start_time_is_found_behind_any_comm() {
    let stat = b"42 (a) b) (c) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 1 1 0\n";
    assert_eq!(start_ticks(stat), Some(12345));
    assert_eq!(start_ticks(b"42 (a"), None);
    assert_eq!(start_ticks(b""), None);
}

#[test]
fn own_start_time_is_that_of_the_stat_file() {
    let stat = fs::read("/proc/self/stat").unwrap();
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    let start = start_ticks(&stat).unwrap() as f64 / USER_HZ as f64;
    assert!(start > 0.0 && start <= uptime, "{start} of {uptime}");
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
