use super::*;

fn lines(events: u64) -> (Vec<serde_json::Value>, u64) {
    let mut out = Vec::new();
    let containers = Stream::write(&mut out, events).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    (lines.collect(), containers)
}

#[test]
fn as_many_as_wanted_and_numbered_without_a_hole() {
    let (lines, containers) = lines(5000);
    assert_eq!(lines.len(), 5000);
    assert!(containers > 2 * LIVE);
    for (line, number) in lines.iter().zip(1..) {
        assert_eq!(line["event"]["sequence"], number);
    }
    assert_eq!(lines, self::lines(5000).0);
}

#[test]
fn every_action_is_there_and_the_first_says_where_it_begins() {
    let (lines, _) = lines(3000);
    assert_eq!(lines[0]["event"]["action"], "trace-start");
    assert_eq!(lines[2999]["event"]["action"], "trace-end");
    assert_eq!(lines[2999]["trace"]["end"]["events"], 3000);
    for action in [
        "netns-create",
        "sysctl-write",
        "netns-enter",
        "netns-bind",
        "netns-destroy",
    ] {
        assert!(
            lines.iter().any(|line| line["event"]["action"] == action),
            "{action}"
        );
    }
    let is_of_node = |line: &&serde_json::Value| line["netns"]["inum"] == NODE_INUM;
    assert!(lines.iter().filter(is_of_node).count() > 5);
}

#[test]
fn a_container_can_be_asked_for() {
    let (lines, _) = lines(1000);
    let container = Container(10);
    let is_it = |line: &&serde_json::Value| {
        line["netns"]["owner"]["container"]["id"] == container.id().as_str()
            && line["netns"]["owner"]["k8s"]["pod"]["name"] == container.pod().as_str()
    };
    let owned: Vec<_> = lines.iter().filter(is_it).collect();
    assert!(owned.len() > 3);
    assert!(
        owned
            .iter()
            .all(|line| line["netns"]["inum"] == container.inum())
    );
}
