//! A look at the first and last bytes of a line: which event it is and where it stands in its stream,
//! without parsing what lies between. It knows the order of fields that this tool writes, without
//! blanks; of other lines it says nothing, and they are parsed.
//!
//! What comes before the number of an event is the same for all events of one kind. A beginning is
//! trusted once a line with it was parsed.

use memchr::{memchr, memmem, memrchr};

use crate::event::{Action, Event};

/// How many beginnings are known at a time: an action and an outcome each.
const HEADS_MAX: usize = 32;
/// What `@timestamp` looks like; a digit for each 0.
const TIMESTAMP: &[u8] = b"0000-00-00T00:00:00.000000000Z";

const BEGIN: &[u8] = b"{\"@timestamp\":\"";
const SEQUENCE: &[u8] = b",\"sequence\":";
const BOOTTIME: &[u8] = b",\"boottime_ns\":";
const DURATION: &[u8] = b",\"duration\":";
const HOST: &[u8] = b"},\"host\":{\"name\":\"";
const BOOT: &[u8] = b",\"boot\":{\"id\":\"";
const AFTER_HOST: &[u8] = b"}},";
const TRACE: &[u8] = b",\"trace\":{\"session\":";
const TRUNCATED: &[u8] = b",\"truncated\":";

/// What a line says at its beginning and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glance<'a> {
    pub(super) timestamp: &'a str,
    pub(super) action: Action,
    pub(super) sequence: u64,
    /// When it was over.
    pub(super) ended_ns: u64,
    pub(super) host: &'a str,
    pub(super) boot: &'a str,
    pub(super) session: &'a str,
}

/// Beginnings of lines that are known to be those of events.
#[derive(Debug, Default)]
pub(super) struct Heads(Vec<(Box<[u8]>, Action)>);

impl Heads {
    /// Looks at a line; nothing where that is not enough. Blanks around it are off.
    pub(super) fn glance<'a>(&self, line: &'a [u8]) -> Option<Glance<'a>> {
        let (timestamp, rest) = timestamp(line)?;
        let mut known = self.0.iter();
        let (head, action) = known.find(|(head, _)| rest.starts_with(head))?;
        let (sequence, rest) = number(&rest[head.len()..])?;
        let (boottime_ns, rest) = number(rest.strip_prefix(BOOTTIME)?)?;
        let (duration, rest) = match rest.strip_prefix(DURATION) {
            Some(rest) => number(rest)?,
            None => (0, rest),
        };
        let (host, rest) = text(rest.strip_prefix(HOST)?)?;
        let (boot, rest) = text(rest.strip_prefix(BOOT)?)?;
        let session = session(rest.strip_prefix(AFTER_HOST)?)?;
        Some(Glance {
            timestamp,
            action: *action,
            sequence,
            ended_ns: boottime_ns.saturating_add(duration),
            host,
            boot,
            session,
        })
    }

    /// Learns the beginning of a line that was parsed.
    pub(super) fn learn(&mut self, line: &[u8], event: &Event) {
        let Some((_, rest)) = timestamp(line) else {
            return;
        };
        let Some(at) = memmem::find(rest, SEQUENCE) else {
            return;
        };
        let (head, tail) = rest.split_at(at + SEQUENCE.len());
        // The number is that of `event`, which is the second object in the line's own.
        let is_shallow = head.iter().filter(|byte| **byte == b'{').count() == 2;
        let is_plain = !head.contains(&b'\\');
        let is_number = number(tail).is_some_and(|(number, _)| number == event.event.sequence);
        let is_known = self.0.iter().any(|(known, _)| **known == *head);
        if is_shallow && is_plain && is_number && !is_known {
            if self.0.len() >= HEADS_MAX {
                self.0.remove(0);
            }
            self.0.push((head.into(), event.event.action));
        }
    }
}

impl<'a> Glance<'a> {
    /// The same of an event that was parsed.
    pub(super) fn of(event: &'a Event) -> Self {
        Self {
            timestamp: &event.timestamp,
            action: event.event.action,
            sequence: event.event.sequence,
            ended_ns: event.event.ended_ns(),
            host: &event.host.name,
            boot: &event.host.boot.id,
            session: &event.trace.session,
        }
    }

    /// Whether it tells what became of a key.
    pub(super) const fn is_of_key(&self) -> bool {
        match self.action {
            Action::SysctlWrite | Action::SysctlDrift => true,
            Action::NetnsCreate
            | Action::NetnsDestroy
            | Action::NetnsEnter
            | Action::NetnsBind
            | Action::SysctlRegister
            | Action::SysctlUnregister
            | Action::EventsLost
            | Action::TraceStart
            | Action::TraceEnd => false,
        }
    }
}

/// The time of day, and what follows behind its quote.
fn timestamp(line: &[u8]) -> Option<(&str, &[u8])> {
    let (timestamp, rest) = text(line.strip_prefix(BEGIN)?)?;
    let is_like = |(form, byte): (&u8, u8)| match form {
        b'0' => byte.is_ascii_digit(),
        form => *form == byte,
    };
    let is_one =
        timestamp.len() == TIMESTAMP.len() && TIMESTAMP.iter().zip(timestamp.bytes()).all(is_like);
    is_one.then_some((timestamp, rest))
}

/// A text up to its quote, and what follows. One with escapes is none.
fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = memchr(b'"', bytes)?;
    let text = &bytes[..end];
    if text.contains(&b'\\') {
        return None;
    }
    Some((str::from_utf8(text).ok()?, &bytes[end + 1..]))
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let len = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (digits, rest) = bytes.split_at(len);
    let number = str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, rest))
}

/// The name of the tracer's run, where the line ends as most do: with nothing behind the list of
/// what was cut.
fn session(line: &[u8]) -> Option<&str> {
    let rest = line.strip_suffix(b"]}}")?;
    let (rest, cut) = rest.split_at(memrchr(b'[', rest)?);
    if !cut[1..].iter().all(|byte| is_name(*byte)) {
        return None;
    }
    let rest = rest.strip_suffix(TRUNCATED)?.strip_suffix(b"\"")?;
    let (rest, session) = rest.split_at(memrchr(b'"', rest)?);
    let session = &session[1..];
    // The quote that it begins with is not an escaped one: what is before it says so.
    if !rest.ends_with(TRACE) || session.contains(&b'\\') {
        return None;
    }
    str::from_utf8(session).ok()
}

/// What lists of names of fields are made of.
const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'"' | b',' | b'.' | b'_')
}

#[cfg(test)]
#[path = "glance_tests.rs"]
mod tests;
