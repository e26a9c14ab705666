use super::*;

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
fn arguments_are_of_one_process_only() {
    let stat = Stat::parse(&fs::read("/proc/self/stat").unwrap()).unwrap();
    let start_boottime_ns = stat.start * (1_000_000_000 / USER_HZ);
    let pid = std::process::id();
    let args = args_of(pid, start_boottime_ns).unwrap();
    assert_eq!(args[0], std::env::args().next().unwrap());
    assert_eq!(args_of(pid, start_boottime_ns + 1_000_000_000), None);
}

#[test]
fn arguments_of_a_record() {
    let bytes = b"sysctl\0-w\0net.core.somaxconn=1024\0";
    let vector = ["sysctl", "-w", "net.core.somaxconn=1024"].map(String::from);
    assert_eq!(recorded(bytes, Args::Full), Some(vector.to_vec()));
    assert_eq!(recorded(bytes, Args::Redacted), Some(vector.to_vec()));
    assert_eq!(recorded(bytes, Args::None), None);
    assert_eq!(recorded(b"", Args::Full), None);
    let blanked = recorded(b"sysctl\0--token=x\0", Args::Redacted);
    assert_eq!(blanked.as_deref().map(<[String]>::len), Some(2));
    assert_ne!(blanked, recorded(b"sysctl\0--token=x\0", Args::Full));
    // More than is told: they are not all there.
    assert_eq!(recorded(&b"a\0".repeat(65), Args::Full), None);
}
