//! Bytes → what they say. Pure and total: any bytes give a record or a reason, never a panic.

use std::iter;

use smol_str::{SmolStr, SmolStrBuilder, format_smolstr};
use sysctl_trace_ebpf::{
    record::{
        self, Acted, Actor, CUT_OF_ACTOR, CUT_REQUESTED, ENTERED_BY_EXEC, ENTERED_BY_SETNS,
        KIND_NETNS_CREATE, KIND_NETNS_DESTROY, KIND_NETNS_ENTER, KIND_SYSCTL_WRITE,
        KIND_TABLE_REGISTER, KIND_TABLE_UNREGISTER, NetnsDestroy, Span,
    },
    settings::ValueKind,
};
use zerocopy::FromBytes;

use crate::event::ValueType;

/// A record as it came, with its texts at hand.
#[derive(Clone, Copy, Debug)]
pub enum Record<'a> {
    /// A network namespace is gone.
    NetnsDestroy(&'a NetnsDestroy),
    /// A network namespace was set up, or could not be.
    NetnsCreate(Deed<'a>),
    /// A key was written.
    SysctlWrite(Deed<'a>),
    /// A task was seen in a network namespace: the first of its cgroup there.
    NetnsEnter(Deed<'a>),
    /// Keys came to be.
    TableRegister(Deed<'a>),
    /// Keys are about to end.
    TableUnregister(Deed<'a>),
}

/// A key of a table that comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableKey<'a> {
    /// Its name in its folder.
    pub name: &'a [u8],
    /// How its value is held.
    pub kind: ValueKind,
    /// Its memory; empty where that is not told.
    pub memory: &'a [u8],
}

/// How a task came to be seen in a network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnteredBy {
    /// It went in by setns(2).
    Setns,
    /// It was there and executed a program.
    Exec,
}

/// Something that a task did.
#[derive(Clone, Copy, Debug)]
pub struct Deed<'a> {
    /// The fixed part.
    pub acted: &'a Acted,
    text: &'a [u8],
}

/// What tells a process in one state from all others.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The fixed part.
    pub actor: &'a Actor,
    /// Its texts.
    pub text: &'a [u8],
    /// Bits of what is not all there.
    pub cut: u32,
}

/// Bytes that are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Fewer bytes than the kind needs.
    #[error("a record of {0} bytes is too short")]
    Short(usize),
    /// A kind that this program does not know.
    #[error("a record of an unknown kind ({0})")]
    Kind(u32),
}

/// Takes a record apart.
pub fn record(bytes: &[u8]) -> Result<Record<'_>, Error> {
    let short = || Error::Short(bytes.len());
    let (header, _) = record::Header::ref_from_prefix(bytes).map_err(|_| short())?;
    match header.kind {
        KIND_NETNS_DESTROY => {
            let (destroy, _) = NetnsDestroy::ref_from_prefix(bytes).map_err(|_| short())?;
            Ok(Record::NetnsDestroy(destroy))
        }
        kind @ (KIND_NETNS_CREATE
        | KIND_SYSCTL_WRITE
        | KIND_NETNS_ENTER
        | KIND_TABLE_REGISTER
        | KIND_TABLE_UNREGISTER) => {
            let (acted, rest) = Acted::ref_from_prefix(bytes).map_err(|_| short())?;
            let text = rest.get(..acted.deed.text_len as usize).ok_or_else(short)?;
            let deed = Deed { acted, text };
            Ok(match kind {
                KIND_NETNS_CREATE => Record::NetnsCreate(deed),
                KIND_NETNS_ENTER => Record::NetnsEnter(deed),
                KIND_TABLE_REGISTER => Record::TableRegister(deed),
                KIND_TABLE_UNREGISTER => Record::TableUnregister(deed),
                _ => Record::SysctlWrite(deed),
            })
        }
        kind => Err(Error::Kind(kind)),
    }
}

impl<'a> Deed<'a> {
    /// A piece of the text; empty where the span points outside.
    pub fn text(&self, span: Span) -> &'a [u8] {
        piece(self.text, span)
    }

    /// A piece of the actor's text; empty where the span points outside.
    pub fn actor_text(&self, span: Span) -> &'a [u8] {
        piece(self.actor_texts(), span)
    }

    /// The texts of the actor: the last of the record.
    fn actor_texts(&self) -> &'a [u8] {
        let len = self.acted.actor.text_len as usize;
        let from = self.text.len().checked_sub(len);
        from.and_then(|from| self.text.get(from..)).unwrap_or(&[])
    }

    /// The actor, its texts and what of them is cut: where all are equal, it is the same process in
    /// the same state.
    pub fn identity(&self) -> Identity<'a> {
        Identity {
            actor: &self.acted.actor,
            text: self.actor_texts(),
            cut: self.acted.header.cut & CUT_OF_ACTOR,
        }
    }

    /// How the task came to be seen; `None` in records of other kinds.
    pub const fn entered_by(&self) -> Option<EnteredBy> {
        match self.acted.deed.entered_by {
            ENTERED_BY_SETNS => Some(EnteredBy::Setns),
            ENTERED_BY_EXEC => Some(EnteredBy::Exec),
            _ => None,
        }
    }

    /// Whether something could not be told in full: one of the record's `CUT_` constants.
    pub fn is_cut(&self, flag: u32) -> bool {
        self.acted.header.cut & flag != 0
    }

    /// The requested text: up to the first NUL, without its last newline.
    pub fn requested(&self) -> SmolStr {
        let bytes = self.text(self.acted.deed.requested);
        let text = until_nul(bytes);
        text_of(text.strip_suffix(b"\n").unwrap_or(text))
    }

    /// Whether the requested text ends within what was recorded, however many bytes were given.
    pub fn requested_is_whole(&self) -> bool {
        !self.is_cut(CUT_REQUESTED) || self.text(self.acted.deed.requested).contains(&0)
    }

    /// Names of the key's path, from the top.
    pub fn path(&self) -> impl Iterator<Item = &'a [u8]> {
        names(self.text(self.acted.deed.path))
    }

    /// The keys that come or go, in the order of their table. Ends where the bytes make no sense.
    pub fn table_keys(&self) -> impl Iterator<Item = TableKey<'a>> {
        let mut rest = self.text(self.acted.deed.new);
        iter::from_fn(move || {
            let (key, after) = table_key(rest)?;
            rest = after;
            Some(key)
        })
    }
}

/// The first key of a list, and what follows it.
fn table_key(list: &[u8]) -> Option<(TableKey<'_>, &[u8])> {
    let [kind, len, rest @ ..] = list else {
        return None;
    };
    let (memory, rest) = rest.split_at_checked((*len).into())?;
    let end = rest.iter().position(|&byte| byte == 0)?;
    let name = &rest[..end];
    let key = TableKey {
        name,
        kind: value_kind((*kind).into(), &String::from_utf8_lossy(name)),
        memory,
    };
    Some((key, &rest[end + 1..]))
}

fn piece(text: &[u8], span: Span) -> &[u8] {
    let from = usize::from(span.offset);
    text.get(from..from + usize::from(span.len)).unwrap_or(&[])
}

/// Names that stand leaf first, each followed by NUL, from the top; empty ones are passed over.
pub fn names(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .rsplit(|&byte| byte == 0)
        .filter(|name| !name.is_empty())
}

/// The dotted name of a key: dots within a name are written as slashes, as sysctl(8) does.
pub fn dotted<'a>(path: impl Iterator<Item = &'a [u8]>) -> SmolStr {
    joined(path, '.', '/')
}

/// The path of a key below /proc/sys.
pub fn slashed<'a>(path: impl Iterator<Item = &'a [u8]>) -> SmolStr {
    joined(path, '/', '.')
}

fn joined<'a>(path: impl Iterator<Item = &'a [u8]>, separator: char, dot: char) -> SmolStr {
    let mut key = SmolStrBuilder::new();
    for (index, name) in path.enumerate() {
        if index > 0 {
            key.push(separator);
        }
        for char in String::from_utf8_lossy(name).chars() {
            key.push(if char == '.' { dot } else { char });
        }
    }
    key.finish()
}

/// A NUL-padded name, such as comm.
pub fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or(&[])
}

/// Text from the traced side: bytes that are not UTF-8 become U+FFFD.
pub fn text_of(bytes: &[u8]) -> SmolStr {
    SmolStr::new(String::from_utf8_lossy(bytes))
}

/// How a value is held, from its number in the record. `key`: the key's path, which tells where
/// its handler goes by the name.
pub fn value_kind(number: u32, key: &str) -> ValueKind {
    let kind = ValueKind::ALL
        .get(number as usize)
        .copied()
        .unwrap_or(ValueKind::NotDecoded);
    if kind != ValueKind::NeighTime {
        return kind;
    }
    match key.rsplit('/').next() {
        Some("retrans_time") => ValueKind::Int,
        Some("base_reachable_time") => ValueKind::Jiffies,
        Some("retrans_time_ms" | "base_reachable_time_ms") => ValueKind::MsJiffies,
        _ => ValueKind::NotDecoded,
    }
}

/// The public name of how a value is held.
pub const fn value_type(kind: ValueKind) -> ValueType {
    match kind {
        ValueKind::NotDecoded | ValueKind::NeighTime => ValueType::NotDecoded,
        ValueKind::Int => ValueType::Int,
        ValueKind::Uint => ValueType::Uint,
        ValueKind::Ulong => ValueType::Ulong,
        ValueKind::U8 => ValueType::U8,
        ValueKind::Bool => ValueType::Bool,
        ValueKind::Jiffies => ValueType::Jiffies,
        ValueKind::MsJiffies => ValueType::MsJiffies,
        ValueKind::UserhzJiffies => ValueType::UserhzJiffies,
        ValueKind::UlongMsJiffies => ValueType::UlongMsJiffies,
        ValueKind::String | ValueKind::NameOrNone => ValueType::String,
        ValueKind::PortPair => ValueType::PortPair,
        ValueKind::StaticKey => ValueType::StaticKey,
        ValueKind::Bitmap => ValueType::Bitmap,
        ValueKind::SeccompActions => ValueType::Actions,
        ValueKind::Packets => ValueType::Packets,
        ValueKind::Uuid => ValueType::Uuid,
    }
}

/// The text that the key's file shows for these bytes of the key's memory: numbers with tabs
/// between them. `hz`: ticks per second. `None` where the kind is not decoded, or the kernel has not
/// made the value yet.
pub fn value(kind: ValueKind, bytes: &[u8], hz: u64) -> Option<SmolStr> {
    let hz = hz.max(1);
    Some(match kind {
        ValueKind::NotDecoded | ValueKind::NeighTime => return None,
        ValueKind::Int => numbers(bytes, i32::from_ne_bytes),
        ValueKind::Uint | ValueKind::Packets => numbers(bytes, u32::from_ne_bytes),
        ValueKind::Ulong => numbers(bytes, u64::from_ne_bytes),
        ValueKind::U8 | ValueKind::Bool => numbers(bytes, u8::from_ne_bytes),
        ValueKind::Jiffies => times(bytes, 1, hz),
        ValueKind::MsJiffies => times(bytes, 1000, hz),
        ValueKind::UserhzJiffies => times(bytes, 100, hz),
        ValueKind::UlongMsJiffies => numbers(bytes, |raw| {
            u128::from(u64::from_ne_bytes(raw)) * 1000 / u128::from(hz)
        }),
        ValueKind::String => text_of(until_nul(bytes)),
        ValueKind::NameOrNone if bytes.is_empty() => SmolStr::new_static("NONE"),
        ValueKind::NameOrNone => text_of(until_nul(bytes)),
        ValueKind::PortPair => {
            let both = u32::from_ne_bytes(*bytes.first_chunk()?);
            format_smolstr!("{}\t{}", both & 0xffff, both >> 16)
        }
        ValueKind::StaticKey => numbers(bytes, |raw| u8::from(i32::from_ne_bytes(raw) != 0)),
        ValueKind::Bitmap => ranges(bytes),
        ValueKind::SeccompActions => {
            let bits = u32::from_ne_bytes(*bytes.first_chunk()?);
            let set = SECCOMP_ACTIONS
                .iter()
                .filter(|(bit, _)| bits & (1 << bit) != 0);
            let names: Vec<_> = set.map(|(_, name)| *name).collect();
            SmolStr::new(names.join(" "))
        }
        ValueKind::Uuid => uuid(bytes.first_chunk()?)?,
    })
}

/// Bits of the kernel's for actions that are logged, in the order in which the file names them.
const SECCOMP_ACTIONS: [(u32, &str); 8] = [
    (0, "kill_process"),
    (1, "kill_thread"),
    (2, "trap"),
    (3, "errno"),
    (7, "user_notif"),
    (4, "trace"),
    (5, "log"),
    (6, "allow"),
];

/// The bits that are set: `1,3-5`.
fn ranges(bytes: &[u8]) -> SmolStr {
    // Words of the machine, the lowest bit first, as little-endian machines have them.
    let is_set = |bit: usize| {
        bytes
            .get(bit / 8)
            .is_some_and(|byte| byte >> (bit % 8) & 1 != 0)
    };
    let mut text = String::new();
    let mut bit = 0;
    while bit < bytes.len() * 8 {
        if !is_set(bit) {
            bit += 1;
            continue;
        }
        let first = bit;
        while is_set(bit + 1) {
            bit += 1;
        }
        let comma = if text.is_empty() { "" } else { "," };
        text.push_str(comma);
        text.push_str(&decimal(first));
        if bit > first {
            text.push('-');
            text.push_str(&decimal(bit));
        }
        bit += 1;
    }
    SmolStr::new(text)
}

/// `None` where the kernel has not drawn it yet: then this byte is 0.
fn uuid(bytes: &[u8; 16]) -> Option<SmolStr> {
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16)?);
        }
    }
    (bytes[8] != 0).then(|| SmolStr::new(text))
}

fn numbers<const N: usize, T: itoa::Integer>(
    bytes: &[u8],
    number: impl Fn([u8; N]) -> T,
) -> SmolStr {
    let (numbers, _) = bytes.as_chunks::<N>();
    match numbers {
        [one] => decimal(number(*one)),
        many => {
            let mut buffer = itoa::Buffer::new();
            let mut text = String::new();
            for (index, raw) in many.iter().enumerate() {
                if index > 0 {
                    text.push('\t');
                }
                text.push_str(buffer.format(number(*raw)));
            }
            SmolStr::new(text)
        }
    }
}

/// Ticks in units of so many a second, as the kernel does it: the sign by itself, so that less than one
/// unit below zero is `-0`.
fn times(bytes: &[u8], units: u64, hz: u64) -> SmolStr {
    let (ticks, _) = bytes.as_chunks::<4>();
    let mut text = String::new();
    for (index, raw) in ticks.iter().enumerate() {
        if index > 0 {
            text.push('\t');
        }
        let ticks = i32::from_ne_bytes(*raw);
        if ticks < 0 {
            text.push('-');
        }
        text.push_str(&decimal(u64::from(ticks.unsigned_abs()) * units / hz));
    }
    SmolStr::new(text)
}

/// A number as text.
pub fn decimal(number: impl itoa::Integer) -> SmolStr {
    SmolStr::new(itoa::Buffer::new().format(number))
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
