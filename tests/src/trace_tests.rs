use super::*;

const WRITE: &str = r#"{"@timestamp":"2026-11-22T07:40:34.939150120Z","schema":{"name":"sysctl-trace","version":"1.3"},"event":{"kind":"event","category":["configuration"],"type":["change"],"action":"sysctl-write","outcome":"success","sequence":1,"boottime_ns":7,"duration":3},"host":{"name":"node","boot":{"id":"b"}},"process":{"pid":5,"name":"sh","executable_name":"sh","executable":"/bin/sh","args":["sh"],"start":"2026-11-22T07:40:34.000000001Z","entity_id":"b-5-1","thread":{"id":5,"capabilities":{"effective":[]}},"user":{"id":"0"},"group":{"id":"0"},"parent":{"pid":1,"name":"init","start":"2026-11-22T07:40:30.000000001Z","entity_id":"b-1-1"},"ancestors":[{"pid":1,"name":"init","start":"2026-11-22T07:40:30.000000001Z","entity_id":"b-1-1"}],"cgroup":"/","namespaces":{"net":1,"pid":2,"mnt":3,"user":4,"cgroup":5},"enrichment":"complete"},"component":{"name":"program","confidence":"inferred","evidence":[]},"container":null,"sysctl":{"key":"vm.swappiness","path":"vm/swappiness","type":"int","requested":"1","old":"2","new":"1","position":0,"size":2,"written":2},"trace":{"session":"s","truncated":[]}}"#;
const LOST: &str = r#"{"@timestamp":"2026-11-22T07:40:35.939150120Z","schema":{"name":"sysctl-trace","version":"1.3"},"event":{"kind":"metric","category":["host"],"type":["info"],"action":"events-lost","outcome":"unknown","sequence":2,"boottime_ns":8},"host":{"name":"node","boot":{"id":"b"}},"trace":{"session":"s","truncated":[],"lost":{"ring_full":1,"in_flight":0,"probe_missed":0,"unreadable":0},"since_boottime_ns":6,"lost_by_action":{"netns-enter":1}}}"#;
const START: &str = r#"{"@timestamp":"2026-11-22T07:40:34.939150120Z","schema":{"name":"sysctl-trace","version":"1.3"},"event":{"kind":"event","category":["host"],"type":["start"],"action":"trace-start","outcome":"success","sequence":1,"boottime_ns":6},"host":{"name":"node","boot":{"id":"b"}},"netns":{"inum":9},"trace":{"session":"s","truncated":[],"filters":{"key":["vm.*"]},"filtered_by":["key"],"watched":["sysctl-write"]}}"#;

const END: &str = r#"{"@timestamp":"2026-11-22T07:40:36.939150120Z","schema":{"name":"sysctl-trace","version":"1.3"},"event":{"kind":"event","category":["host"],"type":["end"],"action":"trace-end","outcome":"success","sequence":3,"boottime_ns":9},"host":{"name":"node","boot":{"id":"b"}},"trace":{"session":"s","truncated":[],"end":{"reason":"signal","events":3,"lost":{"ring_full":1,"in_flight":0,"probe_missed":0,"unreadable":0}}}}"#;

fn wrong(lines: &str) -> Vec<String> {
    parse(lines.as_bytes()).1
}

#[test]
fn a_right_stream_is_right() {
    let (events, wrong) = parse(format!("{WRITE}\n{LOST}\n").as_bytes());
    assert_eq!(wrong, [""; 0]);
    assert_eq!(events.len(), 2);
    assert_eq!(events[1].trace.lost.unwrap().total(), 1);
}

#[test]
fn each_wrong_line_is_told() {
    for (old, new) in [
        ("939150120Z", "93915012Z"),
        ("939150120Z", "939150120+00:00"),
        ("T07:40:34.9", "T27:40:34.9"),
        (r#""name":"sysctl-trace""#, r#""name":"other""#),
        (r#""version":"1.3""#, r#""version":"2.0""#),
        (r#""sequence":1"#, r#""sequence":2"#),
        (r#""sequence":1"#, r#""sequence":"1""#),
        (r#""kind":"event""#, r#""kind":"metric""#),
        (r#"["configuration"]"#, r#"["host"]"#),
        (r#"["change"]"#, r#"["creation"]"#),
        (r#""outcome":"success""#, r#""outcome":"failure""#),
        (r#""outcome":"success""#, r#""outcome":"unknown""#),
        (r#""action":"sysctl-write""#, r#""action":"sysctl-read""#),
        (r#""old":"2""#, r#""old":null"#),
        (r#""old":"2""#, r#""old":2"#),
        (r#""old":"2""#, r#""older":"2""#),
        (r#""parent":{"pid":1"#, r#""parent":{"pid":2"#),
        (r#""args":["sh"],"#, ""),
        (
            r#""enrichment":"complete""#,
            r#""enrichment":"process-ended""#,
        ),
        (r#""enrichment":"complete""#, r#""enrichment":"maybe""#),
        (
            r#""truncated":[]"#,
            r#""truncated":[],"lost":{"ring_full":0,"in_flight":0,"probe_missed":0,"unreadable":0}"#,
        ),
        (r#""truncated":[]"#, ""),
        (r#""container":null,"#, ""),
        (r#""name":"sh""#, "\"name\":\"s\th\""),
    ] {
        let line = WRITE.replacen(old, new, 1);
        assert_ne!(line, WRITE, "{old}");
        assert_ne!(wrong(&format!("{line}\n")), [""; 0], "{new}");
    }
}

#[test]
fn what_is_wrong_between_lines_is_told() {
    let next = WRITE.replace("\"sequence\":1", "\"sequence\":2");
    assert_eq!(wrong(&format!("{WRITE}\n{next}\n")), [""; 0]);
    for other in [
        next.replace(r#""session":"s""#, r#""session":"t""#),
        next.replace(r#""boottime_ns":7"#, r#""boottime_ns":9000000007"#)
            + "\n"
            + &WRITE.replace("\"sequence\":1", "\"sequence\":3"),
        next.replace(r#""pid":5"#, r#""pid":6"#),
    ] {
        assert_eq!(wrong(&format!("{WRITE}\n{other}\n")).len(), 1, "{other}");
    }
}

#[test]
fn a_stream_begins_with_its_start() {
    let next = WRITE.replace("\"sequence\":1", "\"sequence\":2");
    let (events, wrong) = parse(format!("{START}\n{next}\n").as_bytes());
    assert_eq!(wrong, [""; 0]);
    assert_eq!(check::start(&events, 9), None);
    assert!(check::start(&events, 8).is_some());
    assert!(check::start(&events[1..], 9).is_some());
    assert!(check::start(&[], 9).is_some());
    assert!(check::start(&[&events[..1], &events[..]].concat(), 9).is_some());
}

#[test]
fn a_stream_ends_with_its_end() {
    let (events, wrong) = parse(format!("{WRITE}\n{LOST}\n{END}\n").as_bytes());
    assert_eq!(wrong, [""; 0]);
    assert_eq!(check::end(&events), None);
    assert!(check::end(&events[..2]).is_some(), "without it");
    assert!(check::end(&[]).is_some());
    let twice = [&events[2..], &events[..]].concat();
    assert!(check::end(&twice).is_some());
    assert!(check::end(&events[1..]).is_none());
    let without_loss = [events[0].clone(), events[2].clone()];
    assert!(check::end(&without_loss).is_some());
    for (old, new) in [
        (r#""events":3"#, r#""events":2"#),
        (r#""reason":"signal""#, r#""reason":"boredom""#),
    ] {
        let other = END.replace(old, new);
        let (events, _) = parse(format!("{WRITE}\n{LOST}\n{other}\n").as_bytes());
        assert!(check::end(&events).is_some(), "{new}");
    }
}

#[test]
fn filters_and_what_is_said_of_loss_have_their_place() {
    for (line, old, new) in [
        (
            WRITE,
            r#""truncated":[]"#,
            r#""truncated":[],"filters":{"key":["x"]}"#,
        ),
        (
            WRITE,
            r#""truncated":[]"#,
            r#""truncated":[],"since_boottime_ns":1"#,
        ),
        (LOST, r#","since_boottime_ns":6"#, ""),
        (LOST, r#","lost_by_action":{"netns-enter":1}"#, ""),
        (LOST, r#""netns-enter":1"#, r#""netns-enter":2"#),
        (
            LOST,
            r#""netns-enter":1"#,
            r#""netns-enter":1,"sysctl-write":1"#,
        ),
        (
            WRITE,
            r#""truncated":[]"#,
            r#""truncated":[],"lost_by_action":{"netns-enter":1}"#,
        ),
        (
            WRITE,
            r#""truncated":[]"#,
            r#""truncated":[],"filtered_by":[]"#,
        ),
        (
            WRITE,
            r#""truncated":[]"#,
            r#""truncated":[],"watched":["sysctl-write"]"#,
        ),
        (START, r#","filtered_by":["key"]"#, ""),
        (START, r#""filtered_by":["key"]"#, r#""filtered_by":[]"#),
        (START, r#","watched":["sysctl-write"]"#, ""),
        (LOST, r#""since_boottime_ns":6"#, r#""since_boottime_ns":8"#),
        (START, r#""netns":{"inum":9},"#, ""),
    ] {
        let other = line
            .replacen(old, new, 1)
            .replace("\"sequence\":2", "\"sequence\":1");
        assert_ne!(other, line, "{old}");
        assert_eq!(wrong(&format!("{other}\n")).len(), 1, "{new}");
    }
}

#[test]
fn a_cut_or_long_line_is_told() {
    assert_ne!(wrong(WRITE), [""; 0]);
    assert_ne!(wrong(&WRITE[..100]), [""; 0]);
    let long = WRITE.replace(
        r#""requested":"1""#,
        &format!(r#""requested":"{}""#, "x".repeat(7800)),
    );
    assert!(wrong(&format!("{long}\n"))[0].contains("bytes long"));
}
