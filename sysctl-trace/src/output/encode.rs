//! The JSON of an event, written by hand.
//!
//! Most of a line is the same as in the line before: names of fields, and the parts that
//! [`Rendered`] keeps. Pasting them together takes a tenth of the instructions of a serializer,
//! and this is where a trace spends its time in user space. Two things keep it true to the types:
//! every struct is taken apart without `..`, so that a new field doesn't compile until it is
//! written here, and a test compares with what serde writes.

use std::sync::Arc;

use crate::{
    event::{
        Action, Category, Class, Error, Event, Kind, Lost, Netns, Outcome, Schema, Sysctl, Told,
        Trace, Type,
    },
    output::names::{category_name, kind_name, outcome_name, type_name, value_type_name},
    rendered::Rendered,
};

/// Writes the JSON of events. What is likely to be the same in the next event is kept.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    /// From `schema` up to the number of the event.
    head: Kept<Names>,
    netns: Kept<Netns>,
    /// `trace`, where nothing was cut and nothing lost.
    tail: Kept<Arc<Rendered<String>>>,
}

/// A value and its JSON.
#[derive(Debug)]
struct Kept<T> {
    of: Option<T>,
    json: Vec<u8>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            of: None,
            json: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Names {
    schema: Schema,
    kind: Kind,
    category: Category,
    type_: Type,
    action: Action,
    outcome: Outcome,
}

impl Encoder {
    /// Appends the JSON of an event.
    pub(super) fn push_event(
        &mut self,
        out: &mut Vec<u8>,
        event: &Event,
    ) -> Result<(), serde_json::Error> {
        let Event {
            timestamp,
            schema,
            event:
                Class {
                    kind,
                    category: [category],
                    type_: [type_],
                    action,
                    outcome,
                    sequence,
                    boottime_ns,
                    duration,
                },
            host,
            error,
            process,
            component,
            container,
            k8s,
            netns,
            sysctl,
            table,
            trace,
        } = event;
        let names = Names {
            schema: schema.clone(),
            kind: *kind,
            category: *category,
            type_: *type_,
            action: *action,
            outcome: *outcome,
        };
        let mut json = Json(out);
        json.raw("{\"@timestamp\":\"");
        json.text(timestamp);
        self.push_head(json.0, names);
        json.number(*sequence);
        json.raw(",\"boottime_ns\":");
        json.number(*boottime_ns);
        if let Some(duration) = duration {
            json.raw(",\"duration\":");
            json.number(*duration);
        }
        json.raw("},\"host\":");
        json.raw(host.json()?);
        if let Some(Error { code }) = error {
            json.raw(",\"error\":{\"code\":\"");
            json.text(code);
            json.raw("\"}");
        }
        if let Some(process) = process {
            json.raw(",\"process\":");
            json.raw(process.json()?);
        }
        if let Some(component) = component {
            json.raw(",\"component\":");
            json.raw(component.json()?);
        }
        match container {
            Told::NotTold => {}
            Told::Nothing => json.raw(",\"container\":null"),
            Told::Is(container) => {
                json.raw(",\"container\":");
                json.raw(container.json()?);
            }
        }
        if let Some(k8s) = k8s {
            json.raw(",\"k8s\":");
            json.raw(k8s.json()?);
        }
        if let Some(netns) = netns {
            self.push_netns(json.0, netns)?;
        }
        if let Some(sysctl) = sysctl {
            json.sysctl(sysctl)?;
        }
        if let Some(table) = table {
            json.raw(",\"table\":");
            serde_json::to_writer(&mut *json.0, table)?;
        }
        self.push_trace(json.0, trace)
    }

    fn push_head(&mut self, out: &mut Vec<u8>, names: Names) {
        let Self { head, .. } = self;
        if head.of.as_ref() != Some(&names) {
            head.json.clear();
            Json(&mut head.json).head(&names);
            head.of = Some(names);
        }
        out.extend_from_slice(&head.json);
    }

    fn push_netns(&mut self, out: &mut Vec<u8>, netns: &Netns) -> Result<(), serde_json::Error> {
        let Self { netns: kept, .. } = self;
        if !kept.of.as_ref().is_some_and(|of| is_same(of, netns)) {
            kept.of = None;
            kept.json.clear();
            Json(&mut kept.json).netns(netns)?;
            kept.of = Some(netns.clone());
        }
        out.extend_from_slice(&kept.json);
        Ok(())
    }

    fn push_trace(&mut self, out: &mut Vec<u8>, trace: &Trace) -> Result<(), serde_json::Error> {
        let Self { tail, .. } = self;
        if !is_plain(trace) {
            return Json(out).trace(trace);
        }
        let session = &trace.session;
        if !tail.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, session)) {
            tail.of = None;
            tail.json.clear();
            Json(&mut tail.json).trace(trace)?;
            tail.of = Some(session.clone());
        }
        out.extend_from_slice(&tail.json);
        Ok(())
    }
}

/// Whether there is nothing in it but the name of the run.
fn is_plain(trace: &Trace) -> bool {
    let Trace {
        session: _,
        truncated,
        lost,
        since_boottime_ns,
        filters,
        filtered_by,
        lost_by_action,
        watched,
        keys,
        end,
    } = trace;
    truncated.is_empty()
        && lost.is_none()
        && since_boottime_ns.is_none()
        && filters.is_empty()
        && filtered_by.is_none()
        && lost_by_action.is_empty()
        && watched.is_empty()
        && keys.is_none()
        && end.is_none()
}

/// Whether two namespaces are told in the same words.
fn is_same(one: &Netns, other: &Netns) -> bool {
    let Netns {
        inum,
        cookie,
        user_ns,
        owner,
    } = one;
    let same_owner = match (owner, &other.owner) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    same_owner && (inum, cookie, user_ns) == (&other.inum, &other.cookie, &other.user_ns)
}

struct Json<'a>(&'a mut Vec<u8>);

impl Json<'_> {
    fn head(&mut self, names: &Names) {
        let Names {
            schema: Schema { name, version },
            kind,
            category,
            type_,
            action,
            outcome,
        } = names;
        self.raw("\",\"schema\":{\"name\":\"");
        self.text(name);
        self.raw("\",\"version\":\"");
        self.text(version);
        self.raw("\"},\"event\":{\"kind\":\"");
        self.raw(kind_name(*kind));
        self.raw("\",\"category\":[\"");
        self.raw(category_name(*category));
        self.raw("\"],\"type\":[\"");
        self.raw(type_name(*type_));
        self.raw("\"],\"action\":\"");
        self.raw(action.name());
        self.raw("\",\"outcome\":\"");
        self.raw(outcome_name(*outcome));
        self.raw("\",\"sequence\":");
    }

    fn netns(&mut self, netns: &Netns) -> Result<(), serde_json::Error> {
        let Netns {
            inum,
            cookie,
            user_ns,
            owner,
        } = netns;
        // The first field there is has no comma before it.
        let mut comma = "";
        self.raw(",\"netns\":{");
        if let Some(inum) = inum {
            self.raw("\"inum\":");
            self.number(u64::from(*inum));
            comma = ",";
        }
        if let Some(cookie) = cookie {
            self.raw(comma);
            self.raw("\"cookie\":\"");
            self.text(cookie);
            self.raw("\"");
            comma = ",";
        }
        if let Some(user_ns) = user_ns {
            self.raw(comma);
            self.raw("\"user_ns\":");
            self.number(u64::from(*user_ns));
            comma = ",";
        }
        if let Some(owner) = owner {
            self.raw(comma);
            self.raw("\"owner\":");
            self.raw(owner.json()?);
        }
        self.raw("}");
        Ok(())
    }

    fn sysctl(&mut self, sysctl: &Sysctl) -> Result<(), serde_json::Error> {
        let Sysctl {
            key,
            path,
            type_,
            requested,
            old,
            new,
            init_netns,
            position,
            size,
            written,
            requester,
            handler,
            memory,
        } = sysctl;
        self.raw(",\"sysctl\":{\"key\":\"");
        self.text(key);
        self.raw("\",\"path\":\"");
        self.text(path);
        self.raw("\",\"type\":\"");
        self.raw(value_type_name(*type_));
        self.raw("\"");
        if let Some(requested) = requested {
            self.raw(",\"requested\":\"");
            self.text(requested);
            self.raw("\"");
        }
        if let Some(old) = old {
            self.raw(",\"old\":\"");
            self.text(old);
            self.raw("\"");
        }
        if let Some(new) = new {
            self.raw(",\"new\":\"");
            self.text(new);
            self.raw("\"");
        }
        if let Some(init_netns) = init_netns {
            self.raw(",\"init_netns\":\"");
            self.text(init_netns);
            self.raw("\"");
        }
        if let Some(position) = position {
            self.raw(",\"position\":");
            self.number(*position);
        }
        if let Some(size) = size {
            self.raw(",\"size\":");
            self.number(*size);
        }
        if let Some(written) = written {
            self.raw(",\"written\":");
            self.number(*written);
        }
        if let Some(requester) = requester {
            self.raw(",\"requester\":");
            serde_json::to_writer(&mut *self.0, requester)?;
        }
        if let Some(handler) = handler {
            self.raw(",\"handler\":\"");
            self.text(handler);
            self.raw("\"");
        }
        if let Some(memory) = memory {
            self.raw(",\"memory\":\"");
            self.text(memory);
            self.raw("\"");
        }
        self.raw("}");
        Ok(())
    }

    /// The last field, and the end of the line's object.
    fn trace(&mut self, trace: &Trace) -> Result<(), serde_json::Error> {
        let Trace {
            session,
            truncated,
            lost,
            since_boottime_ns,
            filters,
            filtered_by,
            lost_by_action,
            watched,
            keys,
            end,
        } = trace;
        self.raw(",\"trace\":{\"session\":");
        self.raw(session.json()?);
        self.raw(",\"truncated\":[");
        let mut comma = "";
        for name in truncated {
            self.raw(comma);
            self.raw("\"");
            self.text(name);
            self.raw("\"");
            comma = ",";
        }
        self.raw("]");
        if let Some(lost) = lost {
            let Lost {
                ring_full,
                in_flight,
                probe_missed,
                unreadable,
            } = *lost;
            self.raw(",\"lost\":{\"ring_full\":");
            self.number(ring_full);
            self.raw(",\"in_flight\":");
            self.number(in_flight);
            self.raw(",\"probe_missed\":");
            self.number(probe_missed);
            self.raw(",\"unreadable\":");
            self.number(unreadable);
            self.raw("}");
        }
        if let Some(since) = since_boottime_ns {
            self.raw(",\"since_boottime_ns\":");
            self.number(*since);
        }
        if !filters.is_empty() {
            self.raw(",\"filters\":");
            serde_json::to_writer(&mut *self.0, filters)?;
        }
        if let Some(filtered_by) = filtered_by {
            self.raw(",\"filtered_by\":");
            serde_json::to_writer(&mut *self.0, filtered_by)?;
        }
        if !lost_by_action.is_empty() {
            self.raw(",\"lost_by_action\":");
            serde_json::to_writer(&mut *self.0, lost_by_action)?;
        }
        if !watched.is_empty() {
            self.raw(",\"watched\":");
            serde_json::to_writer(&mut *self.0, watched)?;
        }
        if let Some(keys) = keys {
            self.raw(",\"keys\":");
            serde_json::to_writer(&mut *self.0, keys)?;
        }
        if let Some(end) = end {
            self.raw(",\"end\":");
            serde_json::to_writer(&mut *self.0, end)?;
        }
        self.raw("}}");
        Ok(())
    }

    #[inline(always)]
    fn raw(&mut self, json: &str) {
        self.0.extend_from_slice(json.as_bytes());
    }

    /// What stands between the quotes.
    #[inline]
    fn text(&mut self, text: &str) {
        if needs_escape(text.as_bytes()) {
            self.escaped(text);
        } else {
            self.raw(text);
        }
    }

    #[cold]
    fn escaped(&mut self, text: &str) {
        for char in text.chars() {
            match char {
                '"' => self.raw("\\\""),
                '\\' => self.raw("\\\\"),
                '\n' => self.raw("\\n"),
                '\r' => self.raw("\\r"),
                '\t' => self.raw("\\t"),
                '\u{8}' => self.raw("\\b"),
                '\u{c}' => self.raw("\\f"),
                '\0'..='\x1f' => self.raw(&format!("\\u{:04x}", u32::from(char))),
                char => self.raw(char.encode_utf8(&mut [0; 4])),
            }
        }
    }

    #[inline]
    fn number(&mut self, number: u64) {
        match u8::try_from(number) {
            Ok(digit @ 0..=9) => self.0.push(b'0' + digit),
            Ok(_) | Err(_) => self.raw(itoa::Buffer::new().format(number)),
        }
    }
}

/// Whether JSON wants any of these bytes escaped: controls, quotes and backslashes. Looks at
/// eight at a time, at the last of them perhaps twice.
#[inline]
fn needs_escape(bytes: &[u8]) -> bool {
    if let Some(last) = bytes.last_chunk::<8>() {
        let (words, _) = bytes.as_chunks::<8>();
        let last = word_needs_escape(u64::from_ne_bytes(*last));
        return words.iter().fold(last, |found, word| {
            found | word_needs_escape(u64::from_ne_bytes(*word))
        });
    }
    bytes
        .iter()
        .any(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\')
}

#[inline]
const fn word_needs_escape(word: u64) -> bool {
    const fn each(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    /// Whether a byte is less than `limit`, which is at most 128.
    const fn below(word: u64, limit: u8) -> u64 {
        word.wrapping_sub(each(limit)) & !word & each(0x80)
    }
    let quote = below(word ^ each(b'"'), 1);
    let backslash = below(word ^ each(b'\\'), 1);
    below(word, 0x20) | quote | backslash != 0
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
