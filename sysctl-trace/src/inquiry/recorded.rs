//! Questions to a recording.

use super::{
    Case, Inquiry,
    choose::{Known, choose},
};
use crate::{
    event::{Event, Kubernetes, NetnsId, Owner, Sysctl},
    ledger::{
        Excerpt, Ledger, Namespace, Place,
        reach::{effect, is_reachable, template},
    },
    node::key::Keys,
    recording::{self, Account, Question, Source, Tally, glob_needle, needle},
    rendered::Rendered,
    target::{self, Candidate, Target},
    verdict::{Held, helper},
};

/// Why there are no facts.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The recording can't be read.
    #[error(transparent)]
    Recording(#[from] recording::Error),
    /// It does not have the target.
    #[error("{0}, in {1}")]
    Target(target::Error, Source),
    /// It does not say which namespace is the node's own.
    #[error("{0} does not say which network namespace is the node's own: its beginning is missing")]
    NoNode(Source),
}

/// The facts about keys in a namespace, from a recording. `boot` is the beginning of a boot's id; it
/// is needed where there are several.
pub fn ask(
    source: &Source,
    target: &Target,
    keys: &Keys,
    boot: Option<&str>,
) -> Result<Inquiry, Error> {
    let names = |event: &Event| named(target, event);
    let text = target.to_string();
    let are_meant = |sysctl: &Sysctl| {
        let reaches = |key: &str| {
            effect(&sysctl.key, key).is_some() || template(key).is_some_and(|it| it == sysctl.key)
        };
        keys.matches(&sysctl.key)
            || helper::is_setting(&sysctl.key)
            || keys.named().any(|key| reaches(&key.dotted))
            || (keys.has_patterns() && is_reachable(&sysctl.key))
    };
    // A line that tells of a write through another key does not have the name of this one.
    let only = keys
        .only()
        .filter(|key| !key.starts_with('*') && !is_reachable(key));
    let account = source.open()?.ask(&Question {
        target: (*target != Target::Node).then_some(recording::Target {
            names: &names,
            needle: needle(&text),
        }),
        keys: recording::Keys {
            are_meant: &are_meant,
            needle: only.and_then(glob_needle),
            besides: Some(helper::NEEDLE),
        },
        boot,
    })?;
    let mut inquiry = match target {
        Target::Node => of_node(source, &account, keys)?,
        Target::Inum(_)
        | Target::Pid(..)
        | Target::Path(_)
        | Target::Pod { .. }
        | Target::Name(_) => of_netns(source, &account, target, keys)?,
    };
    inquiry.notes.extend(unread(&account.tally));
    Ok(inquiry)
}

/// The facts about keys in one place of a ledger.
pub fn in_ledger(ledger: &Ledger, place: Place, keys: &Keys) -> Inquiry {
    let node = ledger.node().map(Place::Netns);
    let places = [place, Place::Node]
        .into_iter()
        .chain(node.filter(|node| *node != place));
    let excerpt = ledger.excerpt(&places.collect::<Vec<_>>());
    Inquiry {
        cases: cases(&excerpt, place, keys),
        excerpt: Some(excerpt),
        notes: Vec::new(),
    }
}

/// The namespace that an event is about, if the event says that it is the one that is meant.
fn named(target: &Target, event: &Event) -> Option<Place> {
    let netns = event.netns.as_ref()?;
    let owner = netns.owner.as_deref().map(Rendered::value);
    let pins: Vec<String> = owner
        .and_then(|owner| owner.pin.clone())
        .into_iter()
        .collect();
    let process = event.process.as_ref();
    let inside = process.filter(|process| process.namespaces.net == netns.inum);
    let pids: Vec<u32> = inside.iter().map(|process| process.pid).collect();
    // The node's own is nobody's, but containers may be in it; a pod's is its sandbox's, but the
    // pod's other containers live in it. Others only visit.
    let is_at_home = match owner {
        None => inside.is_some(),
        Some(owner) => is_same_pod(owner, event),
    };
    let guest = is_at_home.then(|| Owner {
        container: event.container.known().map(|own| own.value().clone()),
        k8s: event.k8s.as_deref().map(|own| own.value().clone()),
        ..Owner::default()
    });
    let candidate = Candidate {
        inum: netns.inum?,
        is_node: false,
        pins: &pins,
        pids: &pids,
        owners: owner.into_iter().chain(&guest).collect(),
    };
    target.matches(&candidate).then(|| Place::Netns(netns.id()))
}

/// Whether the process is in the pod that the namespace belongs to.
fn is_same_pod(owner: &Owner, event: &Event) -> bool {
    let uid = |k8s: &Kubernetes| k8s.pod.uid.clone();
    let own = owner.k8s.as_ref().and_then(uid);
    let inside = event.k8s.as_deref().map(Rendered::value).and_then(uid);
    own.is_some() && own == inside
}

fn of_node(source: &Source, account: &Account, keys: &Keys) -> Result<Inquiry, Error> {
    let node = account.ledger.node();
    if node.is_none() && keys.named().any(|key| key.is_of_netns()) {
        return Err(Error::NoNode(source.clone()));
    }
    let own = node.map(Place::Netns);
    let places: Vec<Place> = own.into_iter().chain([Place::Node]).collect();
    let excerpt = account.ledger.excerpt(&places);
    let cases = places
        .iter()
        .flat_map(|place| cases(&excerpt, *place, keys));
    Ok(Inquiry {
        cases: cases.collect(),
        excerpt: Some(excerpt),
        notes: Vec::new(),
    })
}

fn of_netns(
    source: &Source,
    account: &Account,
    target: &Target,
    keys: &Keys,
) -> Result<Inquiry, Error> {
    let (id, others) = meant(account, target).map_err(|e| Error::Target(e, source.clone()))?;
    let mut inquiry = in_ledger(&account.ledger, Place::Netns(id), keys);
    inquiry.notes.extend(earlier(others));
    if Some(id) == account.ledger.node() {
        inquiry.say_on_node(target);
    }
    inquiry.call_shown_by(target);
    Ok(inquiry)
}

/// The namespace that is meant, and how many others of that name are gone.
fn meant(account: &Account, target: &Target) -> Result<(NetnsId, usize), target::Error> {
    let Account { ledger, places, .. } = account;
    // Which processes were in a namespace is not kept; that one was is why it is meant.
    let pid = match target {
        Target::Pid(pid, _) => Some(*pid),
        Target::Node | Target::Inum(_) | Target::Path(_) | Target::Pod { .. } | Target::Name(_) => {
            None
        }
    };
    let pids: Vec<u32> = pid.into_iter().collect();
    let is_meant = |namespace: &&Namespace| places.is_empty() || places.contains(&namespace.place);
    let known: Vec<Known<'_>> = ledger
        .namespaces()
        .filter(is_meant)
        .filter_map(|namespace| of_ledger(ledger, namespace))
        .map(|known| Known {
            pids: if places.is_empty() { &[] } else { &pids },
            ..known
        })
        .collect();
    match (choose(target, &known), known.as_slice()) {
        // An event said so: of a container in the same pod, or one with the node's network.
        (Err(target::Error::None { .. }), [one]) if !places.is_empty() => Ok((one.id, 0)),
        (chosen, _) => chosen,
    }
}

fn of_ledger<'a>(ledger: &Ledger, namespace: &'a Namespace) -> Option<Known<'a>> {
    let Place::Netns(id) = namespace.place else {
        return None;
    };
    Some(Known {
        id,
        is_node: Some(id) == ledger.node(),
        owner: namespace.owner.as_deref().map(Rendered::value),
        pids: &[],
        created_ns: namespace.created.as_ref().map(|made| made.at.boottime_ns),
        is_gone: namespace.destroyed.is_some(),
    })
}

/// The keys that are meant in a place: those named, and those of which something was seen.
pub(super) fn cases(excerpt: &Excerpt, place: Place, keys: &Keys) -> Vec<Case> {
    let is_node = match place {
        Place::Node => true,
        Place::Netns(id) => Some(id) == excerpt.node,
    };
    let of_netns = matches!(place, Place::Netns(_));
    let named = keys.named().filter(|key| key.is_of_netns() == of_netns);
    let mut meant: Vec<_> = named.map(|key| key.dotted.clone()).collect();
    if let Some(namespace) = super::namespace(excerpt, place) {
        let seen = namespace.keys.keys();
        meant.extend(seen.filter(|key| keys.matches(key)).cloned());
    }
    meant.sort_unstable();
    meant.dedup();
    let case = |key| {
        let case = Case {
            key,
            place: Some(place),
            is_node,
            held: Held::default(),
        };
        case.where_it_lives(excerpt)
    };
    meant.into_iter().map(case).collect()
}

/// A word on namespaces of the same name that are gone.
pub(super) fn earlier(others: usize) -> Option<String> {
    let are = match others {
        0 => return None,
        1 => "an earlier namespace of that name is",
        _ => "earlier namespaces of that name are",
    };
    Some(format!(
        "{are} gone ({others}); ask by its number to learn of it"
    ))
}

/// Words on what could not be read.
fn unread(tally: &Tally) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some((line, problem)) = &tally.first_not_understood {
        let count = tally.not_understood;
        notes.push(format!(
            "lines that are not understood: {count}, the first is line {line}: {problem}"
        ));
    }
    if tally.is_cut {
        notes.push("the last line is cut, and counts as not there".to_owned());
    }
    notes
}
