//! The tracer's JSON stream as these tests understand it.
//!
//! The types are the tests' own and refuse every field they do not know, so that a change of the
//! stream cannot pass unnoticed by changing both sides at once.

mod check;

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt as _, path::Path, str};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde::Deserialize;

/// The longest line that log pipelines let pass unharmed, its newline included.
pub const MAX_LINE: usize = 8192;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the names are those of the stream, which its schema documents"
)]
pub struct Event {
    #[serde(rename = "@timestamp")]
    pub timestamp: String,
    pub schema: Schema,
    pub event: Class,
    pub host: Host,
    pub error: Option<Error>,
    pub process: Option<Process>,
    pub component: Option<Component>,
    pub container: Option<Container>,
    pub k8s: Option<Kubernetes>,
    pub netns: Option<Netns>,
    pub sysctl: Option<Sysctl>,
    pub table: Option<Table>,
    pub trace: Trace,
}

/// `schema`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Schema {
    pub name: String,
    pub version: String,
}

/// `event`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Class {
    pub kind: String,
    pub category: Vec<String>,
    #[serde(rename = "type")]
    pub type_: Vec<String>,
    pub action: Action,
    pub outcome: String,
    pub sequence: u64,
    pub boottime_ns: u64,
    pub duration: Option<u64>,
}

/// `event.action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "as above")]
pub enum Action {
    NetnsCreate,
    NetnsDestroy,
    SysctlWrite,
    NetnsEnter,
    NetnsBind,
    EventsLost,
    TraceStart,
    SysctlDrift,
    SysctlRegister,
    SysctlUnregister,
    TraceEnd,
}

/// `host`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Host {
    pub name: String,
    pub boot: Boot,
}

/// `host.boot`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Boot {
    pub id: String,
}

/// `error`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Error {
    pub code: String,
}

/// `process`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Process {
    pub pid: u32,
    pub name: String,
    pub executable_name: Option<String>,
    pub executable: Option<String>,
    pub args: Option<Vec<String>>,
    pub start: String,
    pub entity_id: String,
    pub thread: Thread,
    pub user: Id,
    pub group: Id,
    pub parent: Option<Ancestor>,
    pub ancestors: Vec<Ancestor>,
    pub cgroup: Option<String>,
    pub namespaces: Namespaces,
    pub enrichment: String,
}

/// `component`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Component {
    pub name: String,
    pub stage: Option<String>,
    pub confidence: String,
    pub evidence: Vec<String>,
}

/// `container`, and `netns.owner.container`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Container {
    pub id: String,
    pub runtime: Option<String>,
    pub name: Option<String>,
    pub image: Option<Named>,
    pub confidence: String,
    #[serde(default)]
    pub nested: Vec<Nested>,
}

/// `container.nested`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Nested {
    pub id: String,
    pub runtime: Option<String>,
}

/// Whatever has just a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Named {
    pub name: String,
}

/// `k8s`, and `netns.owner.k8s`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Kubernetes {
    pub pod: Pod,
    pub namespace: Option<Named>,
    pub container: Option<Named>,
}

/// `k8s.pod`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Pod {
    pub name: Option<String>,
    pub uid: Option<String>,
    #[serde(default)]
    pub label: BTreeMap<String, String>,
}

/// `netns.owner`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Owner {
    pub creator: Option<String>,
    pub pin: Option<String>,
    pub bound_by: Option<String>,
    pub container: Option<Container>,
    pub k8s: Option<Kubernetes>,
}

/// `process.thread`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Thread {
    pub id: u32,
    pub capabilities: Capabilities,
}

/// `process.thread.capabilities`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Capabilities {
    pub effective: Vec<String>,
}

/// `process.user` and `process.group`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Id {
    pub id: String,
}

/// `process.parent` and each of `process.ancestors`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Ancestor {
    pub pid: u32,
    pub name: String,
    pub executable_name: Option<String>,
    pub start: String,
    pub entity_id: String,
}

/// `process.namespaces`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Namespaces {
    pub net: Option<u32>,
    pub pid: Option<u32>,
    pub mnt: Option<u32>,
    pub user: Option<u32>,
    pub cgroup: Option<u32>,
}

/// `netns`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Netns {
    pub inum: Option<u32>,
    pub cookie: Option<String>,
    pub user_ns: Option<u32>,
    pub owner: Option<Owner>,
}

/// `sysctl`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Sysctl {
    pub key: String,
    pub path: String,
    #[serde(rename = "type")]
    pub type_: String,
    pub requested: Option<String>,
    pub old: Option<String>,
    pub new: Option<String>,
    pub init_netns: Option<String>,
    pub position: Option<u64>,
    pub size: Option<u64>,
    pub written: Option<u64>,
    pub requester: Option<Requester>,
    pub handler: Option<String>,
    pub memory: Option<String>,
}

/// `table`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Table {
    pub path: String,
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    #[serde(default)]
    pub unread: Vec<String>,
}

/// `sysctl.requester`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Requester {
    pub source: String,
    pub value: String,
    pub file: Option<String>,
    pub line: Option<u32>,
}

/// `trace`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Trace {
    pub session: String,
    pub truncated: Vec<String>,
    pub lost: Option<Lost>,
    pub since_boottime_ns: Option<u64>,
    #[serde(default)]
    pub filters: BTreeMap<String, Vec<String>>,
    pub filtered_by: Option<Vec<String>>,
    #[serde(default)]
    pub lost_by_action: BTreeMap<Action, u64>,
    #[serde(default)]
    pub watched: Vec<Action>,
    pub keys: Option<NodeKeys>,
    pub end: Option<End>,
}

/// `trace.keys`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct NodeKeys {
    pub shared: Vec<String>,
    pub aliases: Vec<Vec<String>>,
}

/// `trace.end`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct End {
    pub reason: String,
    pub events: u64,
    pub lost: Lost,
}

/// `trace.lost`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as above")]
pub struct Lost {
    pub ring_full: u64,
    pub in_flight: u64,
    pub probe_missed: u64,
    pub unreadable: u64,
}

impl Lost {
    /// All causes together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.ring_full + self.in_flight + self.probe_missed + self.unreadable
    }
}

impl Event {
    /// `@timestamp` in nanoseconds since 1970.
    ///
    /// # Errors
    /// When it is no time.
    pub fn realtime_ns(&self) -> Result<i128> {
        nanoseconds(&self.timestamp)
    }
}

/// An RFC 3339 time in nanoseconds since 1970.
///
/// # Errors
/// When it is no time, or not in UTC with nine digits.
pub fn nanoseconds(time: &str) -> Result<i128> {
    let shape: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    anyhow::ensure!(
        shape == "0000-00-00T00:00:00.000000000Z",
        "{time:?} is not UTC with nine digits"
    );
    Ok(time
        .parse::<Timestamp>()
        .with_context(|| format!("{time:?} is no time"))?
        .as_nanosecond())
}

/// Reads and checks a whole stream: the events between its start and its end, and what is wrong with
/// it, in words.
///
/// # Errors
/// When the file cannot be read.
pub fn read(path: &Path) -> Result<(Vec<Event>, Vec<String>)> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let (mut events, mut wrong) = parse(&bytes);
    let node = fs::metadata("/proc/1/ns/net").context("the node's namespace")?;
    wrong.extend(check::start(&events, node.ino()));
    wrong.extend(check::end(&events));
    events.retain(|event| !matches!(event.event.action, Action::TraceStart | Action::TraceEnd));
    Ok((events, wrong))
}

/// All lines of a stream.
#[must_use]
pub fn parse(bytes: &[u8]) -> (Vec<Event>, Vec<String>) {
    let mut events = Vec::new();
    let mut wrong = Vec::new();
    if bytes.last().is_some_and(|last| *last != b'\n') {
        wrong.push("the last line has no end".to_owned());
    }
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let mut complain = |what: String| wrong.push(format!("line {}: {what}", index + 1));
        if line.len() > MAX_LINE {
            complain(format!("{} bytes long", line.len()));
        }
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if line.iter().any(|byte| *byte < b' ') {
            complain("a control character".to_owned());
        }
        match str::from_utf8(line)
            .context("not UTF-8")
            .and_then(check::line)
        {
            Ok((event, wrong)) => {
                events.push(event);
                if let Some(error) = wrong {
                    complain(format!("{error:#}"));
                }
            }
            Err(error) => complain(format!("{error:#}")),
        }
    }
    wrong.extend(check::order(&events));
    (events, wrong)
}

#[cfg(test)]
#[path = "trace_tests.rs"]
mod tests;
