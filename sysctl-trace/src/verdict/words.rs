//! A verdict in words. Text of the traced side is quoted as it is; whoever shows it escapes it.

use super::{
    Facts, Reason,
    birth::Copied,
    decide::{Decision, Root, component, container, name_of},
    keys::Origin,
};
use crate::{
    event::{Component, Container, Kubernetes, Owner, Requester, RequesterSource, Stage},
    ledger::{Author, Kind, Proof, Through, Write},
    rendered::Rendered,
};

/// Of an id of 64 digits this many are shown, as the runtimes' own tools do.
const SHORT_ID: usize = 12;

/// `net.core.somaxconn is 1024 in web (docker): runc init[343] wrote it, as docker run --sysctl asks.`
pub(super) fn sentence(facts: &Facts<'_>, decision: &Decision<'_>) -> String {
    let key = facts.key;
    let place = place(facts);
    let is = match facts.value() {
        // What was missed may have changed it.
        Some(value) if facts.held.value.is_none() && matches!(decision.root, Root::Undecided) => {
            format!("{key} was last seen as {value} {}", within(facts, &place))
        }
        Some(value) if facts.is_gone() => {
            format!("{key} was {value} in {place}{}", as_of(decision))
        }
        Some(value) => format!(
            "{key} is {value} {}{}",
            within(facts, &place),
            as_of(decision)
        ),
        None => format!("{key} {}", within(facts, &place)),
    };
    format!("{is}: {}.", because(facts, decision))
}

/// ` as of 2026-11-22T07:40:34Z`, where a recording breaks off, or goes on without what is asked.
fn as_of(decision: &Decision<'_>) -> String {
    let as_of = decision.proof().and_then(Proof::as_of);
    match as_of.filter(|as_of| as_of.is_open) {
        Some(as_of) => {
            let whole_seconds = as_of.timestamp.get(..19).unwrap_or(&as_of.timestamp);
            format!(" as of {whole_seconds}Z")
        }
        None => String::new(),
    }
}

fn within(facts: &Facts<'_>, place: &str) -> String {
    if let Some(shown_by) = &facts.held.shown_by {
        return format!("for the whole node, {shown_by} too");
    }
    if facts.is_node {
        match &facts.held.on_node {
            Some(guest) => format!("on the node, whose network namespace {guest} uses"),
            None => "on the node".to_owned(),
        }
    } else {
        format!("in {place}")
    }
}

fn because(facts: &Facts<'_>, decision: &Decision<'_>) -> String {
    match decision.root {
        Root::Kernel(origin) => {
            let mut text = kernel(facts, origin, decision);
            if let Some((write, requester)) = facts.refused() {
                text.push_str(&format!(
                    "; \"{}\", as {} asks, was refused ({})",
                    requester.value,
                    source(requester),
                    write.error.as_deref().unwrap_or("?")
                ));
            }
            text
        }
        Root::Write(write) => {
            let author = &*write.author;
            let mut text = format!("{}[{}]", name(author), author.pid);
            if let Some(inside) = inside(facts, author) {
                text.push_str(&format!(" {inside}"));
            } else if !facts.is_node && container(author).is_none() {
                text.push_str(" on the node");
            }
            match &write.through {
                None => text.push_str(" wrote it"),
                Some(Through { key, effect }) => {
                    text.push_str(&format!(" wrote {key}, {}", effect.words()));
                }
            }
            if facts.elsewhere(author).is_some() {
                text.push_str(" from another network namespace");
            }
            if let Some(requester) = facts.requester(write) {
                text.push_str(&format!(", as {} asks", source(requester)));
            }
            likely(decision, text)
        }
        Root::Requested(requester) => {
            format!(
                "{} asks for it, so most likely that is why",
                source(requester)
            )
        }
        Root::BeforeTracing => match decision.reason {
            Some(Reason::NoValue) => "its value is not known".to_owned(),
            _ if decision.flaw.is_some() => {
                "it was set before tracing began or unseen since, by whom can't be said".to_owned()
            }
            _ => "it was set before tracing began, by whom can't be said".to_owned(),
        },
        Root::NotWatched => match decision.reason {
            Some(Reason::NoValue) => "its value is not known".to_owned(),
            _ => "nobody watched, and the files do not tell who set it".to_owned(),
        },
        Root::ChangedUnseen => {
            "it was changed without a write that was seen, by whom can't be said".to_owned()
        }
        Root::Undecided => undecided(decision).to_owned(),
    }
}

fn kernel(facts: &Facts<'_>, origin: Origin, decision: &Decision<'_>) -> String {
    if let Some(folder) = facts.born_with() {
        let made = facts.maker();
        let mut text = format!("what it came to be with, as {made} made {folder}");
        if let Some(Copied { key, write }) = facts.copied() {
            text.push_str(&format!(": copied from {key}"));
            if let Some(Write { author, .. }) = write {
                text.push_str(&format!(", which {}[{}] had set", name(author), author.pid));
            }
        }
        return likely(decision, text);
    }
    let text = match origin {
        Origin::Constant if facts.is_node => "the kernel's own value",
        Origin::Constant => "the kernel's own value for a new namespace, whatever the node has",
        Origin::Node => "the kernel copied the node's value as it made the namespace",
        Origin::Computed | Origin::Unknown => "what the kernel gave it as it made the namespace",
    };
    likely(decision, text.to_owned())
}

/// Adds what keeps it from being certain.
fn likely(decision: &Decision<'_>, text: String) -> String {
    let but = match decision.reason {
        None => return text,
        Some(Reason::BeforeTracing) if decision.flaw.is_some() => {
            "most likely, as it was not seen being made"
        }
        Some(Reason::BeforeTracing) => "most likely, as it was set before tracing began",
        Some(Reason::NotWatched) => "most likely, as nobody watched",
        Some(Reason::EventsLost) => "most likely, as events were lost since",
        Some(Reason::Unusable) => "most likely, as an event since is not whole",
        Some(Reason::Filtered) => "most likely, as filters may have left out other writes",
        Some(Reason::NoStart) => "most likely, as the recording has no beginning",
        Some(Reason::Forgotten) => "most likely, as the recorder had no room for all",
        Some(Reason::ComponentInferred) => "its name is not proven",
        Some(Reason::OtherThanAsked) => "most likely, as the kernel holds other than was asked",
        Some(Reason::NotDecoded) => "most likely, as the kernel's memory can't be read",
        Some(Reason::KernelSource) => "most likely, as its first value was not seen",
        Some(
            Reason::OtherThanRequested
            | Reason::ValueDiffers
            | Reason::NoValue
            | Reason::OtherNamespace
            | Reason::OwnOrShared,
        ) => "most likely",
    };
    format!("{text} ({but})")
}

fn undecided(decision: &Decision<'_>) -> &'static str {
    match decision.reason {
        Some(Reason::OtherNamespace) => {
            "it belongs to a namespace of another kind, which is not traced"
        }
        Some(Reason::OwnOrShared) => {
            "whether it is the namespace's own, or one for the whole node, is not known"
        }
        Some(Reason::Filtered) => "filters kept writes out of the recording",
        Some(Reason::Unusable) => "an event since is not whole, so it can't be said who set it",
        Some(Reason::NoStart) => "the recording does not reach back far enough",
        Some(Reason::Forgotten) => "the recorder had no room for all that happened",
        Some(_) | None => "events were lost, so it can't be said who set it",
    }
}

/// One word for a table.
pub(super) fn word(decision: &Decision<'_>) -> String {
    match decision.root {
        Root::Kernel(Origin::Node) => "node".to_owned(),
        Root::Kernel(_) => "kernel".to_owned(),
        Root::Write(write) => match component(&write.author) {
            Some(component) => component.name.to_string(),
            None => write.author.name.clone(),
        },
        Root::Requested(requester) => match requester.source {
            RequesterSource::PodSecurityContext => "pod-spec",
            RequesterSource::DockerOption => "docker-option",
            RequesterSource::OciSpec => "oci-spec",
            RequesterSource::EngineDefault => "engine-default",
            RequesterSource::CniConfiguration => "cni-config",
            RequesterSource::SysctlFile => "sysctl.d",
        }
        .to_owned(),
        Root::BeforeTracing | Root::NotWatched | Root::ChangedUnseen | Root::Undecided => {
            "unknown".to_owned()
        }
    }
}

/// What would settle it.
pub(super) fn would_settle(facts: &Facts<'_>, decision: &Decision<'_>) -> Option<String> {
    let text = match decision.reason? {
        Reason::BeforeTracing | Reason::NotWatched | Reason::OtherThanRequested => {
            let anew = if facts.is_node {
                "boot again"
            } else if facts.owner().is_some_and(|owner| owner.container.is_some()) {
                "start the container again"
            } else {
                "make the namespace again"
            };
            return Some(format!(
                "keep `sysctl-trace watch --socket` running, {anew}, and ask once more"
            ));
        }
        Reason::EventsLost => match decision.flaw.as_ref().map(|flaw| &flaw.kind) {
            Some(Kind::Lost(lost)) if lost.ring_full > 0 => "trace again with a larger --buffer",
            Some(Kind::Missing(_) | Kind::NotUnderstood(_)) => {
                "give the recording as it was written"
            }
            Some(
                Kind::Lost(_)
                | Kind::NoTracer
                | Kind::BirthsUnwatched
                | Kind::Unusable(_)
                | Kind::Contradiction
                | Kind::Filtered
                | Kind::NoStart
                | Kind::Forgotten,
            )
            | None => "trace again, from before the value is set",
        },
        Reason::Unusable => "trace again, from before the value is set",
        Reason::Filtered => "record without filters, or with --key alone",
        Reason::NoStart => "give the recording from its first line on",
        Reason::Forgotten => "ask sooner, or record to a file: `sysctl-trace watch --json -o FILE`",
        Reason::ComponentInferred => "look at the process and its parents in the event",
        Reason::OtherThanAsked => "look at the order of the writes in the evidence",
        Reason::NotDecoded | Reason::NoValue => "read the key while the namespace is there",
        Reason::KernelSource => "compare with the same key in a namespace that is new",
        Reason::ValueDiffers => {
            "look for what changes keys without writing them: netlink, a module, another key"
        }
        Reason::OtherNamespace => "nothing in this tool",
        Reason::OwnOrShared => "ask for the same key of the node, too: `sysctl-trace why node KEY`",
    };
    Some(text.to_owned())
}

/// What an author is called: by what it is, or by the name of the process where that is all there is.
pub(super) fn name(author: &Author) -> String {
    match component(author) {
        Some(component) if !is_any_program(component) => component_name(component),
        Some(_) | None => author.name.clone(),
    }
}

/// Whether a component is no more than a program of the node or of a container.
fn is_any_program(component: &Component) -> bool {
    ["program", "container-process"].contains(&&*component.name)
}

/// `runc init`
pub(super) fn component_name(component: &Component) -> String {
    let stage = match component.stage {
        None => return component.name.to_string(),
        Some(Stage::Parent) => "parent",
        Some(Stage::Child) => "child",
        Some(Stage::Init) => "init",
    };
    format!("{} {stage}", component.name)
}

/// `docker run --sysctl`
fn source(requester: &Requester) -> String {
    match requester.source {
        RequesterSource::PodSecurityContext => "the pod's securityContext".to_owned(),
        RequesterSource::DockerOption => "`docker run --sysctl`".to_owned(),
        RequesterSource::OciSpec => "the container's OCI specification".to_owned(),
        RequesterSource::EngineDefault => "the engine's default".to_owned(),
        RequesterSource::CniConfiguration => "the network's CNI configuration".to_owned(),
        RequesterSource::SysctlFile => match location(requester) {
            Some(location) => location,
            None => "a file in sysctl.d".to_owned(),
        },
    }
}

/// `asks for 1024 in /etc/sysctl.d/99-x.conf:3`
pub(super) fn asks_for(requester: &Requester) -> String {
    match location(requester) {
        Some(location) => format!("asks for {} in {location}", requester.value),
        None => format!("asks for {}", requester.value),
    }
}

/// `the pod's securityContext asks for 1024 in /run/...`
pub(super) fn asks(requester: &Requester) -> String {
    match requester.source {
        RequesterSource::SysctlFile if location(requester).is_some() => {
            format!("{} asks for {}", source(requester), requester.value)
        }
        RequesterSource::PodSecurityContext
        | RequesterSource::DockerOption
        | RequesterSource::OciSpec
        | RequesterSource::EngineDefault
        | RequesterSource::CniConfiguration
        | RequesterSource::SysctlFile => {
            format!("{} {}", source(requester), asks_for(requester))
        }
    }
}

fn location(requester: &Requester) -> Option<String> {
    let file = requester.file.as_ref()?;
    Some(match requester.line {
        Some(line) => format!("{file}:{line}"),
        None => file.clone(),
    })
}

/// `pod default/web`, `web (docker)`, `netns 4026532281 (/run/netns/blue)`
pub(super) fn place(facts: &Facts<'_>) -> String {
    if facts.is_node {
        return "the node".to_owned();
    }
    if let Some(owner) = facts.owner()
        && let Some(name) = owner_name(owner)
    {
        return name;
    }
    match facts.inum() {
        Some(inum) => format!("netns {inum}"),
        None => "a namespace".to_owned(),
    }
}

fn owner_name(owner: &Owner) -> Option<String> {
    if let Some(pod) = owner.k8s.as_ref().and_then(pod_name) {
        return Some(format!("pod {pod}"));
    }
    if let Some(container) = &owner.container {
        let name = container
            .name
            .as_deref()
            .unwrap_or_else(|| short(container));
        return Some(match &container.runtime {
            Some(runtime) => format!("{name} ({runtime})"),
            None => name.to_owned(),
        });
    }
    owner.pin.clone()
}

/// The beginning of an id of hexadecimal digits; any other as it is.
fn short(container: &Container) -> &str {
    let id = container.id.as_str();
    let is_hex = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex { &id[..SHORT_ID] } else { id }
}

/// `in container web`, `in container tune (bb8b1046a3c5) of pod shop/web`: where an author is, unless
/// that is what the namespace is called by.
pub(super) fn inside(facts: &Facts<'_>, author: &Author) -> Option<String> {
    let container = container(author)?;
    let owner = facts.owner();
    let own = owner.and_then(|owner| owner.container.as_ref());
    let pod = author.k8s.as_deref().map(Rendered::value);
    let name_in_pod = pod.and_then(|k8s| k8s.container.as_ref());
    if own.is_some_and(|own| own.id == container.id) && name_in_pod.is_none() {
        return None;
    }
    let name = match name_in_pod {
        Some(named) => &named.name,
        None => name_of(container),
    };
    let pod = pod.and_then(pod_name);
    let is_own_pod = pod.is_some() && pod == owner.and_then(|owner| pod_name(owner.k8s.as_ref()?));
    Some(match pod {
        _ if is_own_pod => format!("in container {name}"),
        Some(pod) if name == container.id => {
            format!("in container {} of pod {pod}", short(container))
        }
        Some(pod) => format!("in container {name} ({}) of pod {pod}", short(container)),
        None => format!("in container {name}"),
    })
}

/// `shop/web`
fn pod_name(k8s: &Kubernetes) -> Option<String> {
    let (namespace, name) = (k8s.namespace.as_ref()?, k8s.pod.name.as_ref()?);
    Some(format!("{}/{name}", namespace.name))
}

impl Facts<'_> {
    /// The network namespace that an author was in, where it is not that of the key: a descriptor was
    /// opened in the one, and used in the other.
    pub(super) fn elsewhere(&self, author: &Author) -> Option<u32> {
        author
            .netns
            .filter(|netns| self.inum().is_some_and(|own| own != *netns))
    }

    /// Whether the namespace has ended.
    fn is_gone(&self) -> bool {
        self.namespace()
            .is_some_and(|known| known.destroyed.is_some())
    }
}
