//! Whether a line is a whole event, from its first byte to its last, without keeping what it says.
//!
//! What [`line::parse`](super::line::parse) says of a line is the rule, and it takes its time. The
//! check knows the order of fields that this tool writes, without blanks. A line that passes it would
//! be parsed, and lacks nothing that it needs to count; of one that does not it says nothing, and that line
//! is parsed. Much of a line stands in the line before: what was checked there and stands here byte by byte need not be checked again.

use crate::{
    event::{Action, Event, NetnsId},
    ledger::Place,
};

/// Parts that are checked once as long as they stay the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Head,
    Host,
    Capabilities,
    Ancestor,
    Ancestors,
    Component,
    Container,
    Kubernetes,
    Owner,
}

/// One for each [`Part`].
const PARTS: usize = Part::Owner as usize + 1;

const KINDS: &[&[u8]] = &[b"event", b"metric"];
const CATEGORIES: &[&[u8]] = &[b"configuration", b"host"];
const TYPES: &[&[u8]] = &[
    b"change",
    b"creation",
    b"deletion",
    b"info",
    b"start",
    b"end",
];
const OUTCOMES: &[&[u8]] = &[b"success", b"failure", b"unknown"];
const ENRICHMENTS: &[&[u8]] = &[
    b"complete",
    b"process-ended",
    b"image-replaced",
    b"denied",
    b"failed",
];
const STAGES: &[&[u8]] = &[b"parent", b"child", b"init"];
const SURENESSES: &[&[u8]] = &[b"observed", b"inferred"];
const CONFIDENCES: &[&[u8]] = &[b"state-verified", b"path-only", b"inferred"];
const BINDINGS: &[&[u8]] = &[
    b"creator",
    b"runtime",
    b"exec",
    b"resident",
    b"specification",
];
const VALUE_TYPES: &[&[u8]] = &[
    b"int",
    b"uint",
    b"ulong",
    b"u8",
    b"bool",
    b"jiffies",
    b"ms-jiffies",
    b"userhz-jiffies",
    b"ulong-ms-jiffies",
    b"string",
    b"port-pair",
    b"static-key",
    b"bitmap",
    b"actions",
    b"packets",
    b"uuid",
    b"not-decoded",
];
const SOURCES: &[&[u8]] = &[
    b"pod-security-context",
    b"docker-option",
    b"oci-spec",
    b"engine-default",
    b"cni-configuration",
    b"sysctl-file",
];

/// The least of what a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checked<'a> {
    pub(super) timestamp: &'a str,
    pub(super) action: Action,
    pub(super) sequence: u64,
    /// When it was over.
    pub(super) ended_ns: u64,
    pub(super) host: &'a str,
    pub(super) boot: &'a str,
    pub(super) session: &'a str,
    pub(super) place: Place,
}

/// What a line shows of a key, as far as it may lack it.
struct Shown<'a> {
    key: &'a [u8],
    is_decoded: bool,
    has_old: bool,
    has_new: bool,
}

/// Checks lines, with what was checked before.
#[derive(Debug, Default)]
pub(super) struct Checker {
    known: [Vec<u8>; PARTS],
    /// The action that the known head has.
    action: Option<Action>,
}

/// A line, from where it is not checked yet.
struct Cursor<'a, 'c> {
    rest: &'a [u8],
    known: &'c mut [Vec<u8>; PARTS],
}

impl<'a> Checked<'a> {
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
            place: Place::of(event),
        }
    }

    /// Whether it tells what became of a key that is meant. `may_have_key`: the line may have the name
    /// of such a key. Keys that begin or end are named by their folder and apart.
    pub(super) const fn is_of_key(&self, may_have_key: bool) -> bool {
        match self.action {
            Action::SysctlWrite | Action::SysctlDrift => may_have_key,
            Action::SysctlRegister | Action::SysctlUnregister => true,
            Action::NetnsCreate
            | Action::NetnsDestroy
            | Action::NetnsEnter
            | Action::NetnsBind
            | Action::EventsLost
            | Action::TraceStart
            | Action::TraceEnd => false,
        }
    }
}

impl Shown<'_> {
    /// Whether a write lacks nothing here. One to a key that a namespace may have should name it.
    fn counts_as_write(&self, place: Place) -> bool {
        let is_known = self.has_old && self.has_new;
        let has_place = place != Place::Node || !self.key.starts_with(b"net.");
        !self.key.is_empty() && (is_known || !self.is_decoded) && has_place
    }
}

impl Checker {
    /// Checks a line; nothing where it has to be parsed.
    pub(super) fn check<'a>(&mut self, line: &'a [u8]) -> Option<Checked<'a>> {
        let Self { known, action } = self;
        let mut cursor = Cursor { rest: line, known };
        cursor.skip(b"{\"@timestamp\":\"")?;
        let timestamp = cursor.moment()?;
        let (action, is_failure) = cursor.head(action)?;
        let sequence = cursor.number(u64::MAX)?;
        cursor.skip(b",\"boottime_ns\":")?;
        let boottime_ns = cursor.number(u64::MAX)?;
        let duration = match cursor.has(b",\"duration\":") {
            true => Some(cursor.number(u64::MAX)?),
            false => None,
        };
        cursor.skip(b"},\"host\":")?;
        let host = cursor.part(Part::Host, Cursor::host)?;
        let (host, boot) = host_and_boot(host)?;
        let has_error = cursor.has(b",\"error\":{\"code\":\"");
        if has_error {
            cursor.text()?;
            cursor.skip(b"}")?;
        }
        let has_process = cursor.has(b",\"process\":");
        if has_process {
            cursor.process()?;
        }
        if cursor.has(b",\"component\":") {
            cursor.part(Part::Component, Cursor::component)?;
        }
        if cursor.has(b",\"container\":") {
            cursor.part(Part::Container, Cursor::container)?;
        }
        if cursor.has(b",\"k8s\":") {
            cursor.part(Part::Kubernetes, Cursor::kubernetes)?;
        }
        let place = match cursor.has(b",\"netns\":{") {
            true => Place::Netns(cursor.netns()?),
            false => Place::Node,
        };
        let sysctl = match cursor.has(b",\"sysctl\":{\"key\":\"") {
            true => Some(cursor.sysctl()?),
            false => None,
        };
        cursor.skip(b",\"trace\":{\"session\":\"")?;
        let session = plain(cursor.text()?)?;
        cursor.skip(b",\"truncated\":[]}}")?;
        let counts = match action {
            Action::SysctlWrite => {
                let is_shown = |sysctl: &Shown<'_>| sysctl.counts_as_write(place);
                has_process
                    && duration.is_some()
                    && is_failure == has_error
                    && sysctl.as_ref().is_some_and(is_shown)
            }
            Action::SysctlDrift => {
                place != Place::Node && sysctl.is_some_and(|sysctl| sysctl.has_new)
            }
            Action::NetnsCreate => is_failure || place != Place::Node,
            Action::NetnsDestroy => place != Place::Node,
            Action::NetnsEnter
            | Action::NetnsBind
            | Action::SysctlRegister
            | Action::SysctlUnregister
            | Action::EventsLost
            | Action::TraceStart
            | Action::TraceEnd => true,
        };
        (counts && cursor.rest.is_empty()).then_some(Checked {
            timestamp,
            action,
            sequence,
            ended_ns: boottime_ns.saturating_add(duration.unwrap_or(0)),
            host,
            boot,
            session,
            place,
        })
    }
}

impl<'a> Cursor<'a, '_> {
    fn has(&mut self, bytes: &[u8]) -> bool {
        match self.rest.strip_prefix(bytes) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip(&mut self, bytes: &[u8]) -> Option<()> {
        self.has(bytes).then_some(())
    }

    /// One of these texts, with the quote behind it.
    fn one_of(&mut self, texts: &[&[u8]]) -> Option<()> {
        texts.iter().find(|text| {
            let rest = self.rest.strip_prefix(**text);
            rest.is_some_and(|rest| rest.first() == Some(&b'"'))
        })?;
        self.text().map(|_| ())
    }

    /// A text behind its quote, with the one at its end; as it is written. Gives up where a character
    /// is written as a number.
    fn text(&mut self) -> Option<&'a [u8]> {
        let bytes = self.rest;
        let mut at = 0;
        let mut is_ascii = true;
        loop {
            at += ordinary(&bytes[at..]);
            match *bytes.get(at)? {
                b'"' => break,
                b'\\' => {
                    let escaped = bytes.get(at + 1)?;
                    if !b"\"\\/bfnrt".contains(escaped) {
                        return None;
                    }
                    at += 2;
                }
                0x80.. => {
                    is_ascii = false;
                    at += 1;
                }
                ..0x20 => return None,
                _ => at += 1,
            }
        }
        let (text, rest) = bytes.split_at(at);
        self.rest = &rest[1..];
        (is_ascii || str::from_utf8(text).is_ok()).then_some(text)
    }

    /// A list of texts.
    fn texts(&mut self) -> Option<()> {
        self.skip(b"[")?;
        if self.has(b"]") {
            return Some(());
        }
        loop {
            self.skip(b"\"")?;
            self.text()?;
            if self.has(b"]") {
                return Some(());
            }
            self.skip(b",")?;
        }
    }

    /// A list, or an object, of others; its first bracket is behind.
    fn each(&mut self, end: &[u8], one: fn(&mut Self) -> Option<()>) -> Option<()> {
        if self.has(end) {
            return Some(());
        }
        loop {
            one(self)?;
            if self.has(end) {
                return Some(());
            }
            self.skip(b",")?;
        }
    }

    fn number(&mut self, max: u64) -> Option<u64> {
        let mut number: u64 = 0;
        let mut len = 0;
        for byte in self.rest {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
            len += 1;
        }
        let (digits, rest) = self.rest.split_at(len);
        self.rest = rest;
        let is_padded = len > 1 && digits[0] == b'0';
        (len > 0 && !is_padded && number <= max).then_some(number)
    }

    fn number_u32(&mut self) -> Option<u32> {
        self.number(u32::MAX.into())?.try_into().ok()
    }

    /// A part that was checked before, or is now. Its last byte is the one that ends it, so it can't go
    /// on behind the part that is known.
    fn part(&mut self, part: Part, check: fn(&mut Self) -> Option<()>) -> Option<&'a [u8]> {
        let before = self.rest;
        let known = &self.known[part as usize];
        if !known.is_empty() && before.starts_with(known) {
            let (own, rest) = before.split_at(known.len());
            self.rest = rest;
            return Some(own);
        }
        check(self)?;
        let own = &before[..before.len() - self.rest.len()];
        let known = &mut self.known[part as usize];
        known.clear();
        known.extend_from_slice(own);
        Some(own)
    }

    /// A moment with nine digits, and the quote behind it. Gives up on the last days of a month that
    /// not each has.
    fn moment(&mut self) -> Option<&'a str> {
        const FORM: &[u8] = b"0000-00-00T00:00:00.000000000Z\"";
        let (text, rest) = self.rest.split_at_checked(FORM.len())?;
        let is_like = |(form, byte): (&u8, &u8)| match form {
            b'0' => byte.is_ascii_digit(),
            form => form == byte,
        };
        if !FORM.iter().zip(text).all(is_like) {
            return None;
        }
        let two = |at: usize| (text[at] - b'0') * 10 + (text[at + 1] - b'0');
        let (century, month, day) = (two(0), two(5), two(8));
        let is_day = (1..=12).contains(&month)
            && day >= 1
            && (day <= 28 || day <= 30 && month != 2)
            && (1..=98).contains(&century);
        let is_time = two(11) <= 23 && two(14) <= 59 && two(17) <= 59;
        if !is_day || !is_time {
            return None;
        }
        self.rest = rest;
        str::from_utf8(&text[..FORM.len() - 1]).ok()
    }

    /// From behind the moment to the number of the event; and whether it failed.
    fn head(&mut self, known: &mut Option<Action>) -> Option<(Action, bool)> {
        let own = self.part(Part::Head, Self::names)?;
        let is_failure = own.ends_with(b"\"failure\",\"sequence\":");
        if let Some(action) = *known
            && own.len() == self.known[Part::Head as usize].len()
            && names_action(own, action)
        {
            return Some((action, is_failure));
        }
        let is_named = |action: &Action| names_action(own, *action);
        *known = Action::ALL.into_iter().find(is_named);
        known.map(|action| (action, is_failure))
    }

    fn names(&mut self) -> Option<()> {
        self.skip(b",\"schema\":{\"name\":\"sysctl-trace\",\"version\":\"1.")?;
        self.text()?;
        self.skip(b"},\"event\":{\"kind\":\"")?;
        self.one_of(KINDS)?;
        self.skip(b",\"category\":[\"")?;
        self.one_of(CATEGORIES)?;
        self.skip(b"],\"type\":[\"")?;
        self.one_of(TYPES)?;
        self.skip(b"],\"action\":\"")?;
        self.one_of(&Action::ALL.map(|action| action.name().as_bytes()))?;
        self.skip(b",\"outcome\":\"")?;
        self.one_of(OUTCOMES)?;
        self.skip(b",\"sequence\":")
    }

    fn host(&mut self) -> Option<()> {
        self.skip(b"{\"name\":\"")?;
        self.text()?;
        self.skip(b",\"boot\":{\"id\":\"")?;
        self.text()?;
        self.skip(b"}}")
    }

    fn process(&mut self) -> Option<()> {
        self.skip(b"{\"pid\":")?;
        self.number_u32()?;
        self.skip(b",\"name\":\"")?;
        self.text()?;
        self.optional(b",\"executable_name\":\"")?;
        self.optional(b",\"executable\":\"")?;
        if self.has(b",\"args\":") {
            self.texts()?;
        }
        self.skip(b",\"start\":\"")?;
        self.text()?;
        self.skip(b",\"entity_id\":\"")?;
        self.text()?;
        self.skip(b",\"thread\":{\"id\":")?;
        self.number_u32()?;
        self.skip(b",\"capabilities\":{\"effective\":")?;
        self.part(Part::Capabilities, Self::texts)?;
        self.skip(b"}},\"user\":{\"id\":\"")?;
        self.text()?;
        self.skip(b"},\"group\":{\"id\":\"")?;
        self.text()?;
        self.skip(b"}")?;
        if self.has(b",\"parent\":") {
            self.part(Part::Ancestor, Self::ancestor)?;
        }
        self.skip(b",\"ancestors\":")?;
        self.part(Part::Ancestors, Self::ancestors)?;
        self.optional(b",\"cgroup\":\"")?;
        self.skip(b",\"namespaces\":{")?;
        let mut comma: &[u8] = b"";
        for name in [
            &b"\"net\":"[..],
            b"\"pid\":",
            b"\"mnt\":",
            b"\"user\":",
            b"\"cgroup\":",
        ] {
            if self.field(&mut comma, name) {
                self.number_u32()?;
            }
        }
        self.skip(b"},\"enrichment\":\"")?;
        self.one_of(ENRICHMENTS)?;
        self.skip(b"}")
    }

    fn ancestors(&mut self) -> Option<()> {
        self.skip(b"[")?;
        self.each(b"]", Self::ancestor)
    }

    fn ancestor(&mut self) -> Option<()> {
        self.skip(b"{\"pid\":")?;
        self.number_u32()?;
        self.skip(b",\"name\":\"")?;
        self.text()?;
        self.optional(b",\"executable_name\":\"")?;
        self.skip(b",\"start\":\"")?;
        self.text()?;
        self.skip(b",\"entity_id\":\"")?;
        self.text()?;
        self.skip(b"}")
    }

    fn component(&mut self) -> Option<()> {
        self.skip(b"{\"name\":\"")?;
        self.text()?;
        if self.has(b",\"stage\":\"") {
            self.one_of(STAGES)?;
        }
        self.skip(b",\"confidence\":\"")?;
        self.one_of(SURENESSES)?;
        self.skip(b",\"evidence\":")?;
        self.texts()?;
        self.skip(b"}")
    }

    fn container(&mut self) -> Option<()> {
        self.skip(b"{\"id\":\"")?;
        self.text()?;
        self.optional(b",\"runtime\":\"")?;
        self.optional(b",\"name\":\"")?;
        if self.has(b",\"image\":") {
            self.named()?;
        }
        self.skip(b",\"confidence\":\"")?;
        self.one_of(CONFIDENCES)?;
        if self.has(b",\"nested\":[") {
            self.each(b"]", |own| {
                own.skip(b"{\"id\":\"")?;
                own.text()?;
                own.optional(b",\"runtime\":\"")?;
                own.skip(b"}")
            })?;
        }
        self.skip(b"}")
    }

    fn kubernetes(&mut self) -> Option<()> {
        self.skip(b"{\"pod\":{")?;
        let mut comma: &[u8] = b"";
        for name in [&b"\"name\":\""[..], b"\"uid\":\""] {
            if self.field(&mut comma, name) {
                self.text()?;
            }
        }
        if self.field(&mut comma, b"\"label\":{") {
            self.each(b"}", |own| {
                own.skip(b"\"")?;
                own.text()?;
                own.skip(b":\"")?;
                own.text().map(|_| ())
            })?;
        }
        self.skip(b"}")?;
        for name in [&b",\"namespace\":"[..], b",\"container\":"] {
            if self.has(name) {
                self.named()?;
            }
        }
        self.skip(b"}")
    }

    fn named(&mut self) -> Option<()> {
        self.skip(b"{\"name\":\"")?;
        self.text()?;
        self.skip(b"}")
    }

    fn netns(&mut self) -> Option<NetnsId> {
        let mut comma: &[u8] = b"";
        // Without its number it may be any.
        let inum = match self.field(&mut comma, b"\"inum\":") {
            true => self.number_u32()?,
            false => return None,
        };
        let cookie = match self.field(&mut comma, b"\"cookie\":\"") {
            true => plain(self.text()?)?.parse().ok()?,
            false => 0,
        };
        if self.field(&mut comma, b"\"user_ns\":") {
            self.number_u32()?;
        }
        if self.field(&mut comma, b"\"owner\":") {
            self.part(Part::Owner, Self::owner)?;
        }
        self.skip(b"}")?;
        Some(NetnsId { inum, cookie })
    }

    fn owner(&mut self) -> Option<()> {
        self.skip(b"{")?;
        let mut comma: &[u8] = b"";
        for name in [&b"\"creator\":\""[..], b"\"pin\":\""] {
            if self.field(&mut comma, name) {
                self.text()?;
            }
        }
        if self.field(&mut comma, b"\"bound_by\":\"") {
            self.one_of(BINDINGS)?;
        }
        if self.field(&mut comma, b"\"container\":") {
            self.part(Part::Container, Self::container)?;
        }
        if self.field(&mut comma, b"\"k8s\":") {
            self.part(Part::Kubernetes, Self::kubernetes)?;
        }
        self.skip(b"}")
    }

    fn sysctl(&mut self) -> Option<Shown<'a>> {
        let key = self.text()?;
        self.skip(b",\"path\":\"")?;
        self.text()?;
        self.skip(b",\"type\":\"")?;
        let is_decoded = !self.rest.starts_with(b"not-decoded\"");
        self.one_of(VALUE_TYPES)?;
        self.optional(b",\"requested\":\"")?;
        let has_old = self.optional(b",\"old\":\"")?;
        let has_new = self.optional(b",\"new\":\"")?;
        self.optional(b",\"init_netns\":\"")?;
        for name in [&b",\"position\":"[..], b",\"size\":", b",\"written\":"] {
            if self.has(name) {
                self.number(u64::MAX)?;
            }
        }
        if self.has(b",\"requester\":{\"source\":\"") {
            self.one_of(SOURCES)?;
            self.skip(b",\"value\":\"")?;
            self.text()?;
            self.optional(b",\"file\":\"")?;
            if self.has(b",\"line\":") {
                self.number_u32()?;
            }
            self.skip(b"}")?;
        }
        self.optional(b",\"handler\":\"")?;
        self.optional(b",\"memory\":\"")?;
        self.skip(b"}")?;
        Some(Shown {
            key,
            is_decoded,
            has_old,
            has_new,
        })
    }

    /// A text that need not be there; whether it is.
    fn optional(&mut self, name: &[u8]) -> Option<bool> {
        match self.has(name) {
            true => self.text().map(|_| true),
            false => Some(false),
        }
    }

    /// Whether this field is next, behind a comma where it is not the first.
    fn field(&mut self, comma: &mut &[u8], name: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(*comma);
        match rest.and_then(|rest| rest.strip_prefix(name)) {
            Some(rest) => {
                self.rest = rest;
                *comma = b",";
                true
            }
            None => false,
        }
    }
}

/// How many bytes, of those at the beginning, stand for themselves in a text; it may be fewer.
fn ordinary(bytes: &[u8]) -> usize {
    const fn each(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    /// Marks bytes that are less than `limit`; above the first one there may be more marks.
    const fn below(word: u64, limit: u8) -> u64 {
        word.wrapping_sub(each(limit)) & !word & each(0x80)
    }
    let (words, _) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let special = below(word, 0x20)
            | below(word ^ each(b'"'), 1)
            | below(word ^ each(b'\\'), 1)
            | word & each(0x80);
        if special != 0 {
            return at + (special.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at
}

/// A text without anything escaped.
fn plain(text: &[u8]) -> Option<&str> {
    if text.contains(&b'\\') {
        return None;
    }
    str::from_utf8(text).ok()
}

/// The name and the boot of a host that was checked.
fn host_and_boot(host: &[u8]) -> Option<(&str, &str)> {
    let host = plain(host)?;
    let host = host.strip_prefix("{\"name\":\"")?.strip_suffix("\"}}")?;
    let (name, boot) = host.split_once('"')?;
    Some((name, boot.strip_prefix(",\"boot\":{\"id\":\"")?))
}

/// Whether a head that was checked has this action.
fn names_action(head: &[u8], action: Action) -> bool {
    const NAME: &[u8] = b"\"],\"action\":\"";
    let at = memchr::memmem::find(head, NAME).map(|at| at + NAME.len());
    let named = at.and_then(|at| head[at..].strip_prefix(action.name().as_bytes()));
    named.is_some_and(|rest| rest.first() == Some(&b'"'))
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
