//! The members of an event, in the order in which this tool writes them.
//!
//! What is the same in many lines is a [`Part`]: one that holds others spares looking at each.

use super::cursor::{Cursor, Part};
use crate::event::{Action, NetnsId};

pub(super) const KINDS: &[&[u8]] = &[b"event", b"metric"];
pub(super) const CATEGORIES: &[&[u8]] = &[b"configuration", b"host"];
pub(super) const TYPES: &[&[u8]] = &[
    b"change",
    b"creation",
    b"deletion",
    b"info",
    b"start",
    b"end",
];
pub(super) const OUTCOMES: &[&[u8]] = &[b"success", b"failure", b"unknown"];
pub(super) const ENRICHMENTS: &[&[u8]] = &[
    b"complete",
    b"process-ended",
    b"image-replaced",
    b"denied",
    b"failed",
];
pub(super) const STAGES: &[&[u8]] = &[b"parent", b"child", b"init"];
pub(super) const SURENESSES: &[&[u8]] = &[b"observed", b"inferred"];
pub(super) const CONFIDENCES: &[&[u8]] = &[b"state-verified", b"path-only", b"inferred"];
pub(super) const BINDINGS: &[&[u8]] = &[
    b"creator",
    b"runtime",
    b"exec",
    b"resident",
    b"specification",
];
pub(super) const VALUE_TYPES: &[&[u8]] = &[
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
pub(super) const SOURCES: &[&[u8]] = &[
    b"pod-security-context",
    b"docker-option",
    b"oci-spec",
    b"engine-default",
    b"cni-configuration",
    b"sysctl-file",
];

/// What a line says in front of the number of the event.
pub(super) struct Head {
    pub(super) action: Action,
    pub(super) is_failure: bool,
}

/// What a line shows of a key, as far as it may lack it.
pub(super) struct Shown<'a> {
    pub(super) key: &'a [u8],
    pub(super) path: &'a [u8],
    pub(super) is_decoded: bool,
    pub(super) has_old: bool,
    pub(super) has_new: bool,
}

/// A host that was checked.
pub(super) struct Host<'a> {
    pub(super) name: &'a [u8],
    pub(super) boot: &'a [u8],
}

impl<'a> Cursor<'a, '_> {
    /// From behind the moment to the number of the event.
    pub(super) fn head(&mut self) -> Option<Head> {
        let own = self.part(Part::Head, Self::names)?;
        let own = own.strip_suffix(b"\",\"sequence\":")?;
        let (rest, outcome) = split_at_last_quote(own)?;
        let (_, action) = split_at_last_quote(rest.strip_suffix(b"\",\"outcome\":")?)?;
        let mut actions = Action::ALL.into_iter();
        Some(Head {
            action: actions.find(|known| known.name().as_bytes() == action)?,
            is_failure: outcome == b"failure",
        })
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

    pub(super) fn host(&mut self) -> Option<Host<'a>> {
        let own = self.part(Part::Host, |own| {
            own.skip(b"{\"name\":\"")?;
            own.plain()?;
            own.skip(b",\"boot\":{\"id\":\"")?;
            own.plain()?;
            own.skip(b"}}")
        })?;
        let own = own.strip_prefix(b"{\"name\":\"")?.strip_suffix(b"\"}}")?;
        let (rest, boot) = split_at_last_quote(own)?;
        let name = rest.strip_suffix(b"\",\"boot\":{\"id\":")?;
        Some(Host { name, boot })
    }

    pub(super) fn process(&mut self) -> Option<()> {
        self.skip(b"{\"pid\":")?;
        self.number_u32()?;
        self.part(Part::Program, Self::program)?;
        self.text()?;
        self.skip(b",\"entity_id\":\"")?;
        self.text()?;
        self.skip(b",\"thread\":{\"id\":")?;
        self.number_u32()?;
        self.part(Part::Standing, Self::standing)?;
        self.part(Part::Surroundings, Self::surroundings)
            .map(|_| ())
    }

    fn program(&mut self) -> Option<()> {
        self.skip(b",\"name\":\"")?;
        self.text()?;
        self.optional(b",\"executable_name\":\"")?;
        self.optional(b",\"executable\":\"")?;
        if self.has(b",\"args\":") {
            self.texts()?;
        }
        self.skip(b",\"start\":\"")
    }

    fn standing(&mut self) -> Option<()> {
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
        self.part(Part::Ancestors, |own| {
            own.skip(b"[")?;
            own.each(b"]", Self::ancestor)
        })
        .map(|_| ())
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

    fn surroundings(&mut self) -> Option<()> {
        self.optional(b",\"cgroup\":\"")?;
        self.skip(b",\"namespaces\":{")?;
        let mut is_first = true;
        for name in ["net", "pid", "mnt", "user", "cgroup"] {
            if self.field(&mut is_first, name) {
                self.number_u32()?;
            }
        }
        self.skip(b"},\"enrichment\":\"")?;
        self.one_of(ENRICHMENTS)?;
        self.skip(b"}")
    }

    pub(super) fn component(&mut self) -> Option<()> {
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

    pub(super) fn container(&mut self) -> Option<()> {
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

    pub(super) fn kubernetes(&mut self) -> Option<()> {
        self.skip(b"{\"pod\":{")?;
        let mut is_first = true;
        for name in ["name", "uid"] {
            if self.field(&mut is_first, name) {
                self.skip(b"\"")?;
                self.text()?;
            }
        }
        if self.field(&mut is_first, "label") {
            self.skip(b"{")?;
            self.each(b"}", |own| {
                own.skip(b"\"")?;
                own.text()?;
                own.skip(b":\"")?;
                own.text().map(|_| ())
            })?;
        }
        self.skip(b"}")?;
        if self.has(b",\"namespace\":") {
            self.named()?;
        }
        if self.has(b",\"container\":") {
            self.named()?;
        }
        self.skip(b"}")
    }

    fn named(&mut self) -> Option<()> {
        self.skip(b"{\"name\":\"")?;
        self.text()?;
        self.skip(b"}")
    }

    pub(super) fn netns(&mut self) -> Option<NetnsId> {
        // Without its number it may be any.
        self.skip(b"{\"inum\":")?;
        let inum = self.number_u32()?;
        let cookie = match self.has(b",\"cookie\":\"") {
            true => str::from_utf8(self.plain()?).ok()?.parse().ok()?,
            false => 0,
        };
        if self.has(b",\"user_ns\":") {
            self.number_u32()?;
        }
        if self.has(b",\"owner\":") {
            self.part(Part::Owner, Self::owner)?;
        }
        self.skip(b"}")?;
        Some(NetnsId { inum, cookie })
    }

    fn owner(&mut self) -> Option<()> {
        self.skip(b"{")?;
        let mut is_first = true;
        for name in ["creator", "pin"] {
            if self.field(&mut is_first, name) {
                self.skip(b"\"")?;
                self.text()?;
            }
        }
        if self.field(&mut is_first, "bound_by") {
            self.skip(b"\"")?;
            self.one_of(BINDINGS)?;
        }
        if self.field(&mut is_first, "container") {
            self.part(Part::Container, Self::container)?;
        }
        if self.field(&mut is_first, "k8s") {
            self.part(Part::Kubernetes, Self::kubernetes)?;
        }
        self.skip(b"}")
    }

    pub(super) fn sysctl(&mut self) -> Option<Shown<'a>> {
        self.skip(b"{\"key\":\"")?;
        let key = self.plain()?;
        self.skip(b",\"path\":\"")?;
        let path = self.plain()?;
        self.skip(b",\"type\":\"")?;
        let is_decoded = self.one_of(VALUE_TYPES)? != b"not-decoded";
        self.optional(b",\"requested\":\"")?;
        let has_old = self.optional(b",\"old\":\"")?;
        let has_new = self.optional(b",\"new\":\"")?;
        self.optional(b",\"init_netns\":\"")?;
        if self.has(b",\"position\":") {
            self.number()?;
        }
        if self.has(b",\"size\":") {
            self.number()?;
        }
        if self.has(b",\"written\":") {
            self.number()?;
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
            path,
            is_decoded,
            has_old,
            has_new,
        })
    }
}

/// What stands on both sides of the last quote.
fn split_at_last_quote(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let quote = memchr::memrchr(b'"', bytes)?;
    Some((&bytes[..quote], &bytes[quote + 1..]))
}
