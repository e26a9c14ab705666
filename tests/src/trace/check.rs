//! What every line of the stream must keep to, whatever it tells of.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Error, Result, bail, ensure};
use serde_json::Value;

use super::{Action, Event, Process, nanoseconds};

/// How far events of different processors may stand out of the order in which they happened.
const DISORDER_NS: u64 = 1_000_000_000;

/// Reads one line: the event, and what is wrong with it all the same.
pub fn line(line: &str) -> Result<(Event, Option<Error>)> {
    let value = serde_json::from_str(line).context("not JSON")?;
    let event: Event = serde_json::from_str(line).context("not an event")?;
    let wrong = contained(&value).and_then(|()| shape(&event)).err();
    Ok((event, wrong))
}

/// Of each process whose cgroup could be read it is told whether it is in a container; nothing else is
/// null.
fn contained(event: &Value) -> Result<()> {
    let fields = event.as_object().context("no object")?;
    let cgroup = event.pointer("/process/cgroup");
    ensure!(
        fields.contains_key("container") == cgroup.is_some(),
        "whether the process is in a container is not told"
    );
    let is_null = |name: &str, value: &Value| name == "container" && value.is_null();
    fields
        .iter()
        .filter(|(name, value)| !is_null(name, value))
        .try_for_each(|(name, value)| no_nulls(value).with_context(|| name.clone()))
}

/// What is not known is absent, never null.
fn no_nulls(value: &Value) -> Result<()> {
    match value {
        Value::Null => bail!("a null"),
        Value::Array(values) => values.iter().try_for_each(no_nulls),
        Value::Object(fields) => fields
            .iter()
            .try_for_each(|(name, value)| no_nulls(value).with_context(|| name.clone())),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// What holds for every event of its action.
fn shape(event: &Event) -> Result<()> {
    let sure = |right: bool, what: &str| {
        ensure!(right, "{what}");
        Ok(())
    };
    event.realtime_ns()?;
    sure(event.schema.name == "sysctl-trace", "another schema")?;
    sure(
        event.schema.version == "1.3",
        "another version of the schema",
    )?;
    sure(
        event.event.duration.is_some() == (event.event.action == Action::SysctlWrite),
        "writes alone take their time",
    )?;
    let (kind, category, type_) = match event.event.action {
        Action::NetnsCreate => ("event", "configuration", "creation"),
        Action::NetnsDestroy => ("event", "configuration", "deletion"),
        Action::SysctlWrite => ("event", "configuration", "change"),
        Action::NetnsEnter | Action::NetnsBind => ("event", "configuration", "info"),
        Action::EventsLost => ("metric", "host", "info"),
        Action::TraceStart => ("event", "host", "start"),
        Action::SysctlDrift => ("event", "configuration", "change"),
        Action::SysctlRegister => ("event", "configuration", "creation"),
        Action::SysctlUnregister => ("event", "configuration", "deletion"),
        Action::TraceEnd => ("event", "host", "end"),
    };
    sure(event.event.kind == kind, "another kind")?;
    sure(event.event.category == [category], "another category")?;
    sure(event.event.type_ == [type_], "another type")?;
    let outcome_fits = match event.event.outcome.as_str() {
        "success" => event.error.is_none(),
        "failure" => event.error.is_some(),
        "unknown" => event.error.is_none() && is_no_deed(event.event.action),
        _ => false,
    };
    sure(outcome_fits, "outcome and error do not fit together")?;
    let has = (
        event.process.is_some(),
        event.netns.is_some(),
        event.sysctl.is_some(),
    );
    let parts_fit = match event.event.action {
        Action::NetnsCreate => has.0,
        Action::NetnsDestroy => matches!(has, (false, true, false)),
        Action::SysctlWrite => has.0 && has.2,
        Action::NetnsEnter | Action::NetnsBind => matches!(has, (true, true, false)),
        Action::EventsLost => matches!(has, (false, false, false)),
        Action::TraceStart => matches!(has, (false, true, false)),
        Action::SysctlDrift => !has.0 && has.2,
        Action::SysctlRegister | Action::SysctlUnregister => has.0 && !has.2,
        Action::TraceEnd => matches!(has, (false, false, false)),
    };
    sure(parts_fit, "parts that do not belong to the action, or lack")?;
    sure(
        event.component.is_some() == event.process.is_some(),
        "a component without process, or a process without component",
    )?;
    let owner = event.netns.as_ref().and_then(|netns| netns.owner.as_ref());
    sure(
        event.event.action != Action::NetnsBind
            || owner.is_some_and(|owner| owner.container.is_some()),
        "bound to no container",
    )?;
    let lost = event.trace.lost.map(|lost| lost.total() > 0);
    let expected = (event.event.action == Action::EventsLost).then_some(true);
    sure(lost == expected, "loss counts out of place")?;
    let by_action = event.trace.lost_by_action.values().sum::<u64>();
    sure(
        by_action == event.trace.lost.map_or(0, |lost| lost.total()),
        "the loss of each action does not add up to all loss",
    )?;
    let since = event.trace.since_boottime_ns;
    sure(
        since.map(|since| since < event.event.boottime_ns) == expected,
        "the beginning of loss out of place",
    )?;
    sure(
        event.trace.filters.is_empty() || event.event.action == Action::TraceStart,
        "filters out of place",
    )?;
    let is_start = event.event.action == Action::TraceStart;
    let filters = event.trace.filters.keys().cloned().collect();
    sure(
        event.trace.filtered_by == is_start.then_some(filters),
        "the names of the filters are not those of the filters",
    )?;
    sure(
        event.trace.watched.is_empty() != is_start,
        "what is watched is out of place",
    )?;
    sure(
        event.trace.end.is_some() == (event.event.action == Action::TraceEnd),
        "an end out of place",
    )?;
    event.process.as_ref().map_or(Ok(()), process)
}

/// Whether success is no matter of such an event.
const fn is_no_deed(action: Action) -> bool {
    matches!(action, Action::EventsLost | Action::SysctlDrift)
}

fn process(process: &Process) -> Result<()> {
    nanoseconds(&process.start)?;
    for ancestor in &process.ancestors {
        nanoseconds(&ancestor.start)?;
    }
    ensure!(
        process.ancestors.len() <= 8,
        "{} ancestors",
        process.ancestors.len()
    );
    ensure!(
        process.parent.as_ref() == process.ancestors.first(),
        "the parent is not the first ancestor"
    );
    let complete = process.executable.is_some() && process.args.is_some();
    let fits = match process.enrichment.as_str() {
        "complete" => complete || process.executable_name.is_none(),
        "process-ended" | "image-replaced" | "denied" | "failed" => !complete,
        _ => false,
    };
    ensure!(
        fits,
        "enrichment {:?} of {} ({:?}) with other parts: {:?}, {:?}",
        process.enrichment,
        process.pid,
        process.name,
        process.executable,
        process.args
    );
    Ok(())
}

/// A stream begins with one line that tells so, and which namespace is the node's own. What is
/// wrong with that, in words.
pub fn start(events: &[Event], node: u64) -> Option<String> {
    let starts = events
        .iter()
        .filter(|e| e.event.action == Action::TraceStart);
    let Some(first) = events.first() else {
        return Some("no line at all".to_owned());
    };
    if first.event.action != Action::TraceStart {
        return Some("the first line is no trace-start".to_owned());
    }
    let inum = first.netns.as_ref().and_then(|netns| netns.inum);
    if inum.map(u64::from) != Some(node) {
        return Some(format!("the node's namespace is {node}, not {inum:?}"));
    }
    let count = starts.count();
    (count > 1).then(|| format!("{count} times trace-start"))
}

/// A stream ends with one line that tells so, and how much there was. What is wrong with that, in
/// words.
pub fn end(events: &[Event]) -> Option<String> {
    let is_end = |event: &&Event| event.event.action == Action::TraceEnd;
    let Some(last) = events.last().filter(is_end) else {
        return Some("the last line is no trace-end".to_owned());
    };
    let count = events.iter().filter(is_end).count();
    if count > 1 {
        return Some(format!("{count} times trace-end"));
    }
    let Some(end) = &last.trace.end else {
        return Some("trace-end says nothing of the end".to_owned());
    };
    if !["signal", "command-ended", "limit", "error"].contains(&end.reason.as_str()) {
        return Some(format!("an end for no known reason: {}", end.reason));
    }
    if end.events != last.event.sequence {
        let (events, sequence) = (end.events, last.event.sequence);
        return Some(format!(
            "{events} lines at the end, which is the {sequence}th"
        ));
    }
    let told: u64 = events
        .iter()
        .filter_map(|event| event.trace.lost)
        .map(|lost| lost.total())
        .sum();
    let lost = end.lost.total();
    (lost != told).then(|| format!("{lost} lost by the end, and {told} by the lines before"))
}

/// What does not hold between lines, in words.
pub fn order(events: &[Event]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut latest = 0;
    let mut identities: BTreeMap<&str, (u32, &str)> = BTreeMap::new();
    for (event, expected) in events.iter().zip(1..) {
        let found = event.event.sequence;
        if found != expected {
            wrong.push(format!(
                "event.sequence is {found} where {expected} is next"
            ));
            return wrong;
        }
        // A write may have been held up for long; it is told when it is over.
        let ended_ns = event.event.boottime_ns + event.event.duration.unwrap_or_default();
        // What the tracer tells of itself may stand before events that have waited in a full ring.
        let is_of_tracer = match event.event.action {
            Action::EventsLost | Action::SysctlDrift | Action::TraceStart | Action::TraceEnd => {
                true
            }
            Action::NetnsCreate
            | Action::NetnsDestroy
            | Action::NetnsEnter
            | Action::NetnsBind
            | Action::SysctlWrite
            | Action::SysctlRegister
            | Action::SysctlUnregister => false,
        };
        if !is_of_tracer {
            if ended_ns + DISORDER_NS < latest {
                wrong.push(format!("event {found} is far out of order"));
            }
            latest = latest.max(ended_ns);
        }
        let process = event.process.iter();
        let actors = process.clone().map(|p| (&p.entity_id, p.pid, &p.start));
        let ancestors = process.flat_map(|p| &p.ancestors);
        let ancestors = ancestors.map(|a| (&a.entity_id, a.pid, &a.start));
        for (identity, pid, start) in actors.chain(ancestors) {
            let known = identities.entry(identity).or_insert((pid, start));
            if *known != (pid, start) {
                wrong.push(format!("event {found}: {identity} names two processes"));
            }
        }
    }
    let sessions: BTreeSet<_> = events.iter().map(|event| &event.trace.session).collect();
    if sessions.len() > 1 {
        wrong.push(format!("{} sessions in one stream", sessions.len()));
    }
    wrong
}
