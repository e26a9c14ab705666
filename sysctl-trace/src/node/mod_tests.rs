use super::*;

fn target(text: &str) -> Target {
    Target::parse(text).unwrap()
}

fn own() -> u32 {
    netns::of_thread().unwrap()
}

fn refusal(text: &str) -> String {
    Node::look_for(&target(text)).unwrap_err().to_string()
}

#[test]
fn this_process_is_found_by_every_number() {
    let pid = std::process::id();
    let node = Node::look().unwrap();
    let found = node.find(&Target::Inum(own())).unwrap();
    assert!(found.pids.contains(&pid));
    for text in [
        pid.to_string(),
        own().to_string(),
        format!("net:[{}]", own()),
        format!("/proc/{pid}/ns/net"),
        "/proc/self/ns/net".to_owned(),
    ] {
        let (found, _) = Node::look_for(&target(&text)).unwrap();
        assert_eq!(found.inum, own(), "{text}");
        assert!(found.pids.contains(&pid), "{text}");
        // Processes keep it; the file that it was asked for by does not.
        assert_eq!(
            (found.path, found.owner.pin),
            (None, found.pins.first().cloned())
        );
    }
}

#[test]
fn what_is_not_there() {
    for text in ["1:no-such", "no-such/pod", "4294967295"] {
        let error = refusal(text);
        assert!(
            error.starts_with(&format!("nothing is called '{text}'")),
            "{error}"
        );
    }
    let error = refusal("/dev/null");
    assert!(
        error.starts_with("/dev/null is not a network namespace"),
        "{error}"
    );
    let error = refusal("/no/such");
    assert!(
        error.starts_with("cannot look at /no/such: No such file"),
        "{error}"
    );
    // Not a process, so it may be the beginning of an id.
    assert!(refusal("4194305").starts_with("nothing is called '4194305'"));
}

#[test]
fn what_was_passed_over_is_told() {
    assert_eq!(Skipped::default().to_string(), "");
    let skipped = Skipped {
        processes: 3,
        mounts: true,
    };
    assert_eq!(
        skipped.to_string(),
        "; 3 processes could not be looked at, which takes CAP_SYS_PTRACE; the mounts could not be \
         read"
    );
}

#[test]
fn what_only_a_file_stands_for() {
    let named = |by| Named { inum: 7, by };
    let nothing = Node::default();
    let by_file = nothing
        .missing(named(By::File("/proc/5/fd/3".into())))
        .unwrap();
    assert_eq!(
        by_file.handle(),
        Handle::new(7, ["/proc/5/fd/3".into()], &[])
    );
    let by_thread = nothing.missing(named(By::Process(5))).unwrap();
    assert_eq!(by_thread.handle(), Handle::new(7, [], &[5]));
    assert!(nothing.missing(named(By::Number)).is_none());
    let node = Node {
        namespaces: vec![by_thread],
        ..Node::default()
    };
    assert!(node.missing(named(By::Process(6))).is_none());
}
