use super::*;

#[test]
fn refusals_name_what_helps() {
    let refused = || io::Error::from_raw_os_error(libc::EPERM);
    let texts = [
        Error::Enter {
            inum: 7,
            source: refused(),
        }
        .to_string(),
        Error::Make { source: refused() }.to_string(),
    ];
    for text in texts {
        assert!(text.contains("it takes CAP_SYS_ADMIN"), "{text}");
    }
    let path = "/proc/1/ns/net".to_owned();
    let source = refused();
    let text = Error::Open { path, source }.to_string();
    assert!(text.contains("it takes CAP_SYS_PTRACE"), "{text}");
    let source = io::Error::from_raw_os_error(libc::EMFILE);
    let text = Error::Enter { inum: 7, source }.to_string();
    assert!(!text.contains("CAP_"), "{text}");
}

#[test]
fn what_lasts_is_tried_first() {
    let handle = Handle::new(7, ["/run/netns/a".into()], &[1, 2, 3, 4, 5]);
    assert_eq!(handle.paths.len(), 1 + PIDS_MAX);
    assert_eq!(handle.paths[..2], ["/run/netns/a", "/proc/1/ns/net"]);
}

#[test]
fn a_thread_that_panics_takes_nothing_with_it() {
    let results = apart("sysctl-tr:test", 2, || {
        assert_eq!(thread::current().name(), Some("sysctl-tr:test"));
        vec![1]
    });
    assert_eq!(results, [1, 1]);
    let results = apart("sysctl-tr:test", 1, || -> Vec<u8> {
        panic!("as asked for")
    });
    assert!(results.is_empty());
}

#[test]
fn a_process_that_is_gone() {
    let error = Handle::of_process(u32::MAX).unwrap_err();
    assert!(matches!(error, Error::Open { .. }), "{error}");
    let own = Handle::of_process(std::process::id()).unwrap();
    assert_eq!(own.enter().unwrap(), netns::current().unwrap());
}
