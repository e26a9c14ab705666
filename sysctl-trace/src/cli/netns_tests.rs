use super::*;

fn own() -> (String, u32) {
    let link = std::fs::read_link("/proc/self/ns/net").unwrap();
    let text = link.to_str().unwrap().to_owned();
    let inum = text
        .trim_start_matches("net:[")
        .trim_end_matches(']')
        .parse()
        .unwrap();
    (text, inum)
}

#[test]
fn a_path_stands_for_its_number() {
    assert_eq!(inum(Path::new("/proc/self/ns/net")).unwrap(), own().1);
    let named = [
        Sign::Wanted(Netns::Path("/proc/self/ns/net".into())),
        Sign::Unwanted(Netns::Inum(7)),
    ];
    let mut want = Values::default();
    want.add(Sign::Wanted(own().1));
    want.add(Sign::Unwanted(7));
    assert_eq!(resolve(&named).unwrap(), want);
}

#[test]
fn other_files_are_refused() {
    for path in ["/proc/self/ns/mnt", "/proc/self/ns", "/dev/null", "/"] {
        let error = inum(Path::new(path)).unwrap_err().to_string();
        assert!(error.contains("not a network namespace"), "{path}: {error}");
    }
    let named = [Sign::Wanted(Netns::Path("/run/netns/no-such".into()))];
    let error = format!("{:#}", resolve(&named).unwrap_err());
    assert!(
        error.starts_with("--netns /run/netns/no-such: cannot open it: No such file"),
        "{error}"
    );
}
