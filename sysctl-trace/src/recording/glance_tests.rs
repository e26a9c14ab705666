use super::*;
use crate::output::{json::Json, samples};

fn text(event: &Event) -> String {
    let mut line = Vec::new();
    Json::default().push_event(&mut line, event).unwrap();
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

fn heads(event: &Event) -> Heads {
    let mut heads = Heads::default();
    heads.learn(text(event).as_bytes(), event);
    heads
}

#[test]
fn a_glance_says_what_parsing_says() {
    let mut events = samples::all();
    for (event, sequence) in events.iter_mut().zip(1..) {
        event.event.sequence = sequence;
    }
    let mut heads = Heads::default();
    for event in &events {
        let line = text(event);
        heads.learn(line.as_bytes(), event);
        let glance = heads.glance(line.as_bytes());
        match event.event.action {
            // These say more at their end, and are wanted in any case.
            Action::EventsLost | Action::TraceStart | Action::TraceEnd => {}
            Action::NetnsCreate
            | Action::NetnsDestroy
            | Action::NetnsEnter
            | Action::NetnsBind
            | Action::SysctlWrite
            | Action::SysctlRegister
            | Action::SysctlUnregister
            | Action::SysctlDrift => assert_eq!(glance, Some(Glance::of(event)), "{line}"),
        }
    }
}

#[test]
fn of_a_line_with_cut_fields() {
    let mut event = samples::write("1024", "4096", "1024");
    event.trace.truncated = vec!["process.args".into(), "k8s.pod.label".into()];
    let line = text(&event);
    let heads = heads(&event);
    assert_eq!(heads.glance(line.as_bytes()), Some(Glance::of(&event)));
}

#[test]
fn of_lines_of_others_nothing_is_said() {
    let event = samples::write("1024", "4096", "1024");
    let heads = heads(&event);
    let line = text(&event);
    let changed = |from: &str, to: &str| {
        let other = line.replacen(from, to, 1);
        assert_ne!(other, line);
        assert_eq!(heads.glance(other.as_bytes()), None, "{other}");
    };
    assert!(heads.glance(line.as_bytes()).is_some());
    changed("{\"@", "{ \"@");
    changed("\"1.", "\"2.");
    changed("sysctl-write", "sysctl-other");
    changed("\"success\"", "\"triumph\"");
    changed("\"boottime_ns\":", "\"boottime_ns\": ");
    changed("2026-11-22T", "2026-11-22 ");
    changed("\"name\":\"node1\"", "\"name\":\"node\\\"1\"");
    changed("\"truncated\":[]}}", "\"truncated\":[]},\"added\":[]}");
    changed("[]}}", "[],\"added\":{\"x\":[]}}");
    changed("\"truncated\":[]", "\"truncated\":[1,[]]");
    changed("\"trace\":", "\"x\":");
}

#[test]
fn only_a_shallow_number_is_learned() {
    let event = samples::write("1024", "4096", "1024");
    let mut heads = Heads::default();
    let line = text(&event);
    let deep = line.replacen(
        "\"event\":{",
        "\"event\":{\"more\":{\"a\":1,\"sequence\":0},",
        1,
    );
    heads.learn(deep.as_bytes(), &event);
    assert_eq!(heads.glance(deep.as_bytes()), None);
    let other = line.replacen("\"sequence\":0", "\"sequence\":9", 1);
    heads.learn(other.as_bytes(), &event);
    assert_eq!(heads.glance(line.as_bytes()), None);
}

#[test]
fn beginnings_are_bounded() {
    let event = samples::write("1024", "4096", "1024");
    let line = text(&event);
    let mut heads = Heads::default();
    for version in 0..100 {
        let line = line.replacen("\"1.2\"", &format!("\"1.{version}\""), 1);
        heads.learn(line.as_bytes(), &event);
    }
    assert_eq!(heads.0.len(), HEADS_MAX);
}
