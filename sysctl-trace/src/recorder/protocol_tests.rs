use super::*;
use crate::{ledger::Limits, output::samples};

fn ledger() -> Ledger {
    let mut ledger = Ledger::new(Limits::default());
    for event in [
        samples::started(),
        samples::created(),
        samples::bound(),
        samples::write("1024", "4096", "1024"),
        samples::not_decoded(),
        samples::lost(),
    ] {
        ledger.take(&event);
    }
    ledger
}

#[test]
fn requests_are_read_back() {
    let netns = Place::Netns(NetnsId {
        inum: 4026532281,
        cookie: u64::MAX,
    });
    for request in [
        Request::Candidates,
        Request::Excerpt(vec![netns, Place::Node]),
    ] {
        let line = encode(&request).unwrap();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert_eq!(decode::<Request>(&line).unwrap(), request);
    }
    let line = r#"{"version":1,"body":{"excerpt":[{"netns":{"inum":7,"cookie":0}},"node"]}}"#;
    let netns = Place::Netns(NetnsId { inum: 7, cookie: 0 });
    assert_eq!(
        decode::<Request>(line.as_bytes()).unwrap(),
        Request::Excerpt(vec![netns, Place::Node])
    );
}

#[test]
fn another_version_is_told_whatever_it_says() {
    let other = br#"{"version":2,"body":{"something":"else"},"more":1}"#;
    let error = decode::<Request>(other).unwrap_err();
    assert!(matches!(error, Error::Version(2)), "{error}");
    let error = decode::<Response>(other).unwrap_err();
    assert!(error.to_string().contains("version 2"), "{error}");
}

#[test]
fn nonsense_is_no_message() {
    for line in [
        &b""[..],
        b"{}",
        b"hello",
        br#"{"version":1}"#,
        br#"{"version":1,"body":"everything"}"#,
        br#"{"version":-1,"body":"candidates"}"#,
        b"\xff\xfe",
    ] {
        let error = decode::<Request>(line).unwrap_err();
        assert!(matches!(error, Error::Json(_)), "{error}");
    }
}

#[test]
fn an_excerpt_comes_through_whole() {
    let ledger = ledger();
    let id = samples::created().netns.unwrap().id();
    let places = vec![Place::Netns(id), Place::Node];
    let response = Request::Excerpt(places.clone()).answer(&ledger);
    let read: Response = decode(&encode(&response).unwrap()).unwrap();
    let Response::Excerpt(read) = read else {
        panic!("{read:?}");
    };
    let namespaces = &ledger.excerpt(&places).namespaces;
    assert_eq!(&read.namespaces, namespaces);
    assert_eq!(read.namespaces.len(), 2);
    assert_eq!(read.window.begun(), ledger.window().begun());
    let since = crate::ledger::Since {
        key: "net.core.somaxconn",
        place: Place::Node,
        from_ns: read.window.begun().unwrap().boottime_ns,
        to_ns: None,
        hidden: crate::ledger::Hidden::Change,
    };
    assert!(read.window.flaw(&since).is_some());
    assert_eq!(read.window.prove(&since), ledger.window().prove(&since));
    assert_eq!(read.node, ledger.node());
}

#[test]
fn candidates_are_the_namespaces_and_not_the_node() {
    let response = Request::Candidates.answer(&ledger());
    let read: Response = decode(&encode(&response).unwrap()).unwrap();
    assert_eq!(read, response);
    let Response::Candidates(Candidates { node, namespaces }) = read else {
        panic!("{read:?}");
    };
    assert_eq!(node.unwrap().inum, 4026531840);
    let [candidate] = &namespaces[..] else {
        panic!("{namespaces:?}");
    };
    assert_eq!(candidate.id, samples::created().netns.unwrap().id());
    assert!(candidate.created.is_some());
    assert!(candidate.destroyed.is_none());
    assert_eq!(candidate.owner, Some(samples::owner()));
}
