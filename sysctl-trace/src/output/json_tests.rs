//! The lines are read back through types of the test's own, which refuse what they don't know.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::{event, output::samples};

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(rename = "@timestamp")]
    timestamp: String,
    schema: Schema,
    event: Class,
    host: Host,
    error: Option<Error>,
    process: Option<Process>,
    component: Option<Component>,
    container: Option<Container>,
    k8s: Option<Kubernetes>,
    netns: Option<Netns>,
    sysctl: Option<Sysctl>,
    table: Option<event::Table>,
    trace: Trace,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Schema {
    name: String,
    version: String,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Class {
    kind: String,
    category: Vec<String>,
    r#type: Vec<String>,
    action: String,
    outcome: String,
    sequence: u64,
    boottime_ns: u64,
    duration: Option<u64>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Host {
    name: String,
    boot: Boot,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Boot {
    id: String,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Error {
    code: String,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Process {
    pid: u32,
    name: String,
    executable_name: Option<String>,
    executable: Option<String>,
    args: Option<Vec<String>>,
    start: String,
    entity_id: String,
    thread: Thread,
    user: Id,
    group: Id,
    parent: Option<Ancestor>,
    ancestors: Vec<Ancestor>,
    cgroup: Option<String>,
    namespaces: Namespaces,
    enrichment: String,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Thread {
    id: u32,
    capabilities: Capabilities,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Capabilities {
    effective: Vec<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Id {
    id: String,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Ancestor {
    pid: u32,
    name: String,
    executable_name: Option<String>,
    start: String,
    entity_id: String,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Namespaces {
    net: Option<u32>,
    pid: Option<u32>,
    mnt: Option<u32>,
    user: Option<u32>,
    cgroup: Option<u32>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Netns {
    inum: Option<u32>,
    cookie: Option<String>,
    user_ns: Option<u32>,
    owner: Option<Owner>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Component {
    name: String,
    stage: Option<String>,
    confidence: String,
    evidence: Vec<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Container {
    id: String,
    runtime: Option<String>,
    name: Option<String>,
    image: Option<Named>,
    confidence: String,
    #[serde(default)]
    nested: Vec<Nested>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Nested {
    id: String,
    runtime: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Kubernetes {
    pod: Pod,
    namespace: Option<Named>,
    container: Option<Named>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Pod {
    name: Option<String>,
    uid: Option<String>,
    #[serde(default)]
    label: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Owner {
    creator: Option<String>,
    pin: Option<String>,
    bound_by: Option<String>,
    container: Option<Container>,
    k8s: Option<Kubernetes>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Sysctl {
    key: String,
    path: String,
    r#type: String,
    requested: Option<String>,
    old: Option<String>,
    new: Option<String>,
    init_netns: Option<String>,
    position: Option<u64>,
    size: Option<u64>,
    written: Option<u64>,
    requester: Option<Requester>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Requester {
    source: String,
    value: String,
    file: Option<String>,
    line: Option<u32>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Trace {
    session: String,
    truncated: Vec<String>,
    lost: Option<Lost>,
    since_boottime_ns: Option<u64>,
    #[serde(default)]
    filters: BTreeMap<String, Vec<String>>,
    filtered_by: Option<Vec<String>>,
    #[serde(default)]
    watched: Vec<String>,
    #[serde(default)]
    lost_by_action: BTreeMap<String, u64>,
    end: Option<End>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct End {
    reason: String,
    events: u64,
    lost: Lost,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Lost {
    ring_full: u64,
    in_flight: u64,
    probe_missed: u64,
    unreadable: u64,
}

fn lines(events: &[Event]) -> Vec<Line> {
    let mut out = Vec::new();
    for event in events {
        Json::default().push_event(&mut out, event).unwrap();
    }
    let text = String::from_utf8(out).unwrap();
    assert!(text.ends_with('\n'));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_line_says_what_the_event_says() {
    let [line] = &lines(&[samples::write("1024", "4096", "1024")])[..] else {
        panic!("one line for one event");
    };
    assert_eq!(line.timestamp, "2026-11-22T07:40:34.939150120Z");
    assert_eq!(line.schema.name, "sysctl-trace");
    assert_eq!(line.schema.version, event::SCHEMA_VERSION);
    assert_eq!(line.event.kind, "event");
    assert_eq!(line.event.category, ["configuration"]);
    assert_eq!(line.event.r#type, ["change"]);
    assert_eq!(line.event.action, "sysctl-write");
    assert_eq!(line.event.outcome, "success");
    let process = line.process.as_ref().unwrap();
    assert_eq!((process.pid, process.name.as_str()), (296, "runc:[2:INIT]"));
    assert_eq!(process.enrichment, "complete");
    assert_eq!(process.ancestors.len(), 2);
    assert_eq!(process.user.id, "0");
    let sysctl = line.sysctl.as_ref().unwrap();
    assert_eq!(sysctl.key, "net.core.somaxconn");
    assert_eq!(sysctl.path, "net/core/somaxconn");
    assert_eq!(sysctl.r#type, "int");
    assert_eq!(sysctl.requested.as_deref(), Some("1024"));
    assert_eq!(sysctl.old.as_deref(), Some("4096"));
    assert_eq!(sysctl.new.as_deref(), Some("1024"));
    let netns = line.netns.as_ref().unwrap();
    assert_eq!(netns.inum, Some(4026532281));
    assert_eq!(netns.cookie.as_deref(), Some("41"));
}

#[test]
fn every_kind_of_event_can_be_read_back() {
    let lines = lines(&[&[samples::started()], &samples::all()[..]].concat());
    let actions: Vec<&str> = lines
        .iter()
        .map(|line| line.event.action.as_str())
        .collect();
    assert_eq!(
        actions,
        [
            "trace-start",
            "netns-create",
            "sysctl-write",
            "sysctl-write",
            "sysctl-write",
            "netns-create",
            "netns-enter",
            "netns-bind",
            "sysctl-drift",
            "netns-destroy",
            "events-lost"
        ]
    );
    assert_eq!(lines[0].event.r#type, ["start"]);
    assert_eq!(lines[3].error.as_ref().unwrap().code, "EINVAL");
    assert_eq!(lines[3].event.outcome, "failure");
    assert_eq!(lines[4].sysctl.as_ref().unwrap().r#type, "not-decoded");
    assert_eq!(lines[8].event.outcome, "unknown");
    assert!(lines[8].process.is_none());
    assert_eq!(lines[10].trace.lost.as_ref().unwrap().ring_full, 10);
    assert_eq!(lines[10].trace.since_boottime_ns, Some(23_456_789));
}

#[test]
fn a_start_tells_its_filters_and_a_write_its_requester() {
    let mut start = samples::started();
    let filters: BTreeMap<String, Vec<String>> = [
        ("key".into(), vec!["net.*".into(), "!a\"b".into()]),
        ("tree".into(), vec!["true".into()]),
    ]
    .into();
    start.trace.filters = filters.clone();
    let mut write = samples::write("1024", "4096", "1024");
    write.sysctl.as_mut().unwrap().requester = Some(std::sync::Arc::new(event::Requester {
        source: event::RequesterSource::SysctlFile,
        value: "1024".into(),
        file: Some("/etc/sysctl.d/90-web.conf".into()),
        line: Some(3),
    }));
    let lines = lines(&[start, write]);
    assert_eq!(lines[0].trace.filters, filters);
    let sysctl = lines[1].sysctl.as_ref().unwrap();
    assert_eq!(
        sysctl.requester,
        Some(Requester {
            source: "sysctl-file".into(),
            value: "1024".into(),
            file: Some("/etc/sysctl.d/90-web.conf".into()),
            line: Some(3),
        })
    );
}

#[test]
fn absent_is_absent_and_only_no_container_is_null() {
    let mut out = Vec::new();
    for event in samples::all() {
        Json::default().push_event(&mut out, &event).unwrap();
    }
    let text = String::from_utf8(out).unwrap();
    let text = text.replace(",\"container\":null", "");
    assert!(!text.contains("null"));
}

#[test]
fn a_shared_process_reads_the_same_in_each_line() {
    let mut first = samples::write("1", "2", "1");
    let mut second = samples::write("3", "1", "3");
    second.process = first.process.clone();
    first.event.sequence = 1;
    second.event.sequence = 2;
    let lines = lines(&[first, second]);
    assert_eq!(lines[0].process, lines[1].process);
    assert_eq!((lines[0].event.sequence, lines[1].event.sequence), (1, 2));
}

#[test]
fn hostile_text_is_valid_json_and_harmless_on_a_terminal() {
    let hostile = "a\"\\\n\x1b[31m\x7f\u{9b}31m\u{202e}\u{10ffff}ü日";
    let mut event = samples::write(hostile, "1", "1");
    let mut process = samples::process(1, hostile);
    process.args = Some(vec![hostile.into()]);
    event.process = Some(std::sync::Arc::new(crate::rendered::Rendered::new(process)));
    let mut out = b"before\x7f\n".to_vec();
    let start = out.len();
    Json::default().push_event(&mut out, &event).unwrap();
    let plain: Line = serde_json::from_slice(&out[start..]).unwrap();
    escape_for_terminal(&mut out, start);
    let escaped: Line = serde_json::from_slice(&out[start..]).unwrap();
    assert_eq!(plain, escaped);
    assert_eq!(plain.sysctl.unwrap().requested.as_deref(), Some(hostile));
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("before\x7f\n"));
    let line = text["before\x7f\n".len()..].trim_end_matches('\n');
    assert!(!line.chars().any(char::is_control));
    assert!(!line.contains('\u{202e}'));
    assert!(line.contains("ü日"));
}

#[test]
fn the_lines_in_the_documentation_are_true_to_the_types() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/events.md");
    let page = std::fs::read_to_string(page).unwrap();
    let lines: Vec<Line> = page
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for action in event::Action::ALL {
        let line = lines
            .iter()
            .find(|line| line.event.action == action.name())
            .unwrap_or_else(|| panic!("no line shows {}", action.name()));
        assert_eq!(line.schema.version, event::SCHEMA_VERSION);
    }
}

#[test]
fn a_line_says_who_and_for_whom() {
    let [line] = &lines(&[samples::bound()])[..] else {
        panic!("one line for one event");
    };
    assert_eq!(line.event.action, "netns-bind");
    let component = line.component.as_ref().unwrap();
    assert_eq!(component.name, "runc");
    assert_eq!(component.stage.as_deref(), Some("init"));
    assert_eq!(component.confidence, "observed");
    let container = line.container.as_ref().unwrap();
    assert_eq!(container.name.as_deref(), Some("web"));
    assert_eq!(container.confidence, "state-verified");
    let pod = &line.k8s.as_ref().unwrap().pod;
    assert_eq!(pod.name.as_deref(), Some("shop-1"));
    assert_eq!(pod.label["app"], "shop");
    let owner = line.netns.as_ref().unwrap().owner.as_ref().unwrap();
    assert_eq!(owner.creator.as_deref(), Some("containerd"));
    assert_eq!(owner.bound_by.as_deref(), Some("runtime"));
    let sandbox = owner.container.as_ref().unwrap();
    assert!(sandbox.id.starts_with("ffee"));
}
