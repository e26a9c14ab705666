//! The one cell that tells what became of a value: `4096 → 1024`, `4096 ✗ EINVAL "abc"`.

use std::fmt::Write as _;

use crate::{
    event::{Action, Event, Lost, Outcome, Sysctl, ValueType},
    output::{
        text::{Charset, push, push_quoted},
        who,
    },
};

/// How much a row should catch the eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Nothing came of it.
    Quiet,
    /// Something happened.
    Plain,
    /// A value is another one now.
    Changed,
    /// A namespace is new.
    Created,
    /// Refused, or lost.
    Bad,
}

/// The tone of an event.
pub(super) fn tone(event: &Event) -> Tone {
    match event.event.action {
        Action::EventsLost | Action::SysctlDrift => Tone::Bad,
        Action::NetnsDestroy
        | Action::NetnsEnter
        | Action::NetnsBind
        | Action::SysctlRegister
        | Action::SysctlUnregister
        | Action::TraceStart
        | Action::TraceEnd => Tone::Quiet,
        Action::NetnsCreate | Action::SysctlWrite if event.event.outcome == Outcome::Failure => {
            Tone::Bad
        }
        Action::NetnsCreate => Tone::Created,
        Action::SysctlWrite => match &event.sysctl {
            Some(Sysctl {
                old: Some(old),
                new: Some(new),
                ..
            }) => {
                if old == new {
                    Tone::Quiet
                } else {
                    Tone::Changed
                }
            }
            Some(_) | None => Tone::Plain,
        },
    }
}

/// Appends the story of an event; nothing for events about no value.
pub(super) fn push_story(out: &mut String, event: &Event, charset: Charset) {
    let error = match event.event.outcome {
        Outcome::Failure => Some(
            event
                .error
                .as_ref()
                .map_or("unknown error", |error| error.code.as_str()),
        ),
        Outcome::Success | Outcome::Unknown => None,
    };
    match event.event.action {
        Action::NetnsCreate => push_creation(out, event.sysctl.as_ref(), error, charset),
        Action::NetnsDestroy | Action::NetnsEnter | Action::TraceStart | Action::TraceEnd => {}
        Action::SysctlRegister | Action::SysctlUnregister => push_table(out, event, charset),
        Action::NetnsBind => push_binding(out, event, charset),
        Action::SysctlWrite | Action::SysctlDrift => {
            if let Some(sysctl) = &event.sysctl {
                push_write(out, sysctl, error, charset);
            }
            if event.event.action == Action::SysctlDrift {
                out.push_str(" (no write seen)");
            }
        }
        Action::EventsLost => {
            if let Some(lost) = &event.trace.lost {
                push_lost(out, lost);
            }
        }
    }
}

/// `37 keys in net/ipv4/conf/eth0`
fn push_table(out: &mut String, event: &Event, set: Charset) {
    let Some(table) = &event.table else { return };
    let keys = table.values.len() + table.unread.len();
    // Writing to a String can't fail.
    let _ = write!(out, "{keys} key{} in ", if keys == 1 { "" } else { "s" });
    push(out, &table.path, set);
}

/// `made by containerd for default/web`
fn push_binding(out: &mut String, event: &Event, set: Charset) {
    let owner = event.netns.as_ref().and_then(|netns| netns.owner.as_ref());
    let Some(owner) = owner else { return };
    if let Some(creator) = &owner.creator {
        out.push_str("made by ");
        push(out, creator, set);
        out.push(' ');
    }
    out.push_str("for ");
    match &owner.container {
        Some(container) => who::push_name(out, container, owner.k8s.as_ref(), set),
        None => out.push('?'),
    }
}

fn push_creation(out: &mut String, sysctl: Option<&Sysctl>, error: Option<&str>, set: Charset) {
    if let Some(error) = error {
        push_error(out, error, set);
        return;
    }
    let Some(sysctl) = sysctl else { return };
    match &sysctl.new {
        Some(new) => push(out, new, set),
        None => out.push('?'),
    }
    if let Some(node) = &sysctl.init_netns {
        out.push_str(" (node ");
        push(out, node, set);
        out.push(')');
    }
}

fn push_write(out: &mut String, sysctl: &Sysctl, error: Option<&str>, set: Charset) {
    let arrow = match set {
        Charset::Ascii => " -> ",
        Charset::Unicode => " → ",
    };
    let decoded = sysctl.type_ != ValueType::NotDecoded;
    if decoded {
        let old = sysctl.old.as_deref().unwrap_or("?");
        let new = sysctl.new.as_deref().unwrap_or("?");
        push_value(out, old, sysctl.type_, set);
        // A refused write may have changed a value all the same: the kernel's memory is the truth.
        if error.is_none() || old != new {
            out.push_str(arrow);
            push_value(out, new, sysctl.type_, set);
        }
    }
    match (error, &sysctl.requested) {
        (Some(error), requested) => {
            if decoded {
                out.push(' ');
            }
            push_error(out, error, set);
            if let Some(requested) = requested {
                out.push(' ');
                push_quoted(out, requested, set);
            }
        }
        (None, Some(requested)) if !decoded => {
            push_quoted(out, requested, set);
            out.push_str(" (not decoded)");
        }
        (None, None) if !decoded => out.push_str("(not decoded)"),
        (None, Some(requested)) if !same(requested, sysctl.new.as_deref()) => {
            out.push_str(" (asked ");
            push_quoted(out, requested, set);
            out.push(')');
        }
        (None, Some(_) | None) => {}
    }
    // Writing to a String can't fail.
    if let Some(position) = sysctl.position.filter(|position| *position > 0) {
        let _ = write!(out, " (at byte {position})");
    }
    if let (Some(size), Some(written)) = (sysctl.size, sysctl.written)
        && written < size
    {
        let _ = write!(out, " (took {written} of {size} bytes)");
    }
}

/// The kernel puts tabs between numbers.
fn push_value(out: &mut String, value: &str, type_: ValueType, set: Charset) {
    if type_ == ValueType::String {
        push(out, value, set);
        return;
    }
    for (at, number) in value.split('\t').enumerate() {
        if at > 0 {
            out.push(' ');
        }
        push(out, number, set);
    }
}

fn push_error(out: &mut String, error: &str, set: Charset) {
    out.push_str(match set {
        Charset::Ascii => "! ",
        Charset::Unicode => "✗ ",
    });
    push(out, error, set);
}

/// Whether the kernel holds just what was asked: blanks between numbers don't count.
fn same(requested: &str, new: Option<&str>) -> bool {
    new.is_some_and(|new| requested.split_whitespace().eq(new.split_whitespace()))
}

/// Appends the loss: `12 lost: 10 ring full, 2 probe missed`, or `0 lost`.
pub(super) fn push_lost(out: &mut String, lost: &Lost) {
    let Lost {
        ring_full,
        in_flight,
        probe_missed,
        unreadable,
    } = *lost;
    // Writing to a String can't fail.
    let _ = write!(out, "{} lost", lost.total());
    let causes = [
        (ring_full, "ring full"),
        (in_flight, "too many in flight"),
        (probe_missed, "probe missed"),
        (unreadable, "unreadable"),
    ];
    let mut separator = ": ";
    for (count, cause) in causes {
        if count > 0 {
            let _ = write!(out, "{separator}{count} {cause}");
            separator = ", ";
        }
    }
}

#[cfg(test)]
#[path = "story_tests.rs"]
mod tests;
