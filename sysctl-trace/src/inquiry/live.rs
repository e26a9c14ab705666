//! Questions to a node: what a recorder saw, where one runs, and what is there now.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use smol_str::SmolStr;

use super::{
    Case, Inquiry,
    choose::{Known, choose},
};
use crate::{
    attribute::{
        requester::{Reader, of_container, sysctl_files},
        runtime::State,
    },
    event::{NetnsId, Owner},
    ledger::{Excerpt, Place, Sharing},
    node::{
        self, Namespace, Node,
        enter::{self, Handle},
        fresh::{self, Fresh},
        key::Keys,
        values::{self, Read, Value, Values},
    },
    recorder::{
        client,
        protocol::{Candidates, Request, Response},
    },
    rendered::Rendered,
    target::{self, Target},
    verdict::{Asked, Held},
};

/// How long a recorder may take without a word: it answers when its events have settled.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a value is read again that differs from what a recorder saw.
const ATTEMPTS: usize = 3;

/// Why there are no facts.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The node does not have the namespace, or can't be looked at.
    #[error(transparent)]
    Node(#[from] node::Error),
    /// The namespace can't be entered.
    #[error(transparent)]
    Enter(#[from] enter::Error),
    /// The recorder can't be asked.
    #[error(transparent)]
    Recorder(#[from] client::Error),
    /// Neither the node nor the recorder knows the target.
    #[error("{0}")]
    Target(#[from] target::Error),
    /// There is no such key.
    #[error("{0} has no key '{1}', or hides it")]
    NoKey(String, SmolStr),
}

/// A recorder, and the namespaces it knows.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    candidates: Candidates,
}

impl Recorder {
    /// The one that listens at a path.
    pub fn at(path: &Path) -> Result<Self, client::Error> {
        let response = client::ask(path, &Request::Candidates, PATIENCE)?;
        let candidates = match response {
            Response::Candidates(candidates) => candidates,
            // Not what was asked.
            Response::Excerpt(_) | Response::Refused(_) => Candidates::default(),
        };
        Ok(Self {
            path: path.to_owned(),
            candidates,
        })
    }

    /// What it saw of these places, and of the node's own.
    pub fn excerpt(&self, mut places: Vec<Place>) -> Result<Excerpt, client::Error> {
        let node = self.candidates.node.map(Place::Netns);
        for place in node.into_iter().chain([Place::Node]) {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        match client::ask(&self.path, &Request::Excerpt(places), PATIENCE)? {
            Response::Excerpt(excerpt) => Ok(*excerpt),
            Response::Candidates(_) | Response::Refused(_) => Ok(Excerpt::default()),
        }
    }

    fn choose(&self, target: &Target) -> Result<(NetnsId, usize), target::Error> {
        let known: Vec<Known<'_>> = self
            .candidates
            .namespaces
            .iter()
            .map(|one| Known {
                id: one.id,
                is_node: Some(one.id) == self.candidates.node,
                owner: one.owner.as_deref().map(Rendered::value),
                pids: &[],
                created_ns: one.created.map(|at| at.boottime_ns),
                is_gone: one.destroyed.is_some(),
            })
            .collect();
        choose(target, &known)
    }
}

/// The facts about keys in a namespace of this node.
pub fn ask(target: &Target, keys: &Keys, recorder: Option<&Recorder>) -> Result<Inquiry, Error> {
    match (Node::look_for(target), recorder) {
        (Ok((namespace, _)), _) => {
            let mut inquiry = present(&namespace, keys, recorder)?;
            if namespace.is_node {
                inquiry.say_on_node(target);
            }
            inquiry.call_shown_by(target);
            Ok(inquiry)
        }
        (Err(absent), Some(recorder)) if is_absent(&absent) => match recorder.choose(target) {
            Ok((id, others)) => past(id, others, keys, recorder),
            Err(target::Error::None { .. }) => Err(absent.into()),
            Err(several) => Err(several.into()),
        },
        (Err(error), _) => Err(error.into()),
    }
}

fn is_absent(error: &node::Error) -> bool {
    match error {
        node::Error::Target { source, .. } => matches!(source, target::Error::None { .. }),
        node::Error::Path { .. } | node::Error::NotNetns(_) | node::Error::Proc(_) => false,
    }
}

/// A namespace that is there.
fn present(
    namespace: &Namespace,
    keys: &Keys,
    recorder: Option<&Recorder>,
) -> Result<Inquiry, Error> {
    let mut inquiry = Inquiry::default();
    for _ in 0..ATTEMPTS {
        inquiry = look(namespace, keys, recorder)?;
        if !inquiry.is_overtaken() {
            break;
        }
    }
    Ok(inquiry)
}

fn look(namespace: &Namespace, keys: &Keys, recorder: Option<&Recorder>) -> Result<Inquiry, Error> {
    let read = values::read_one(&namespace.handle(), keys)?;
    let of_node = values::read_node(keys);
    let places = vec![Place::Netns(read.id)];
    let excerpt = recorder
        .map(|recorder| recorder.excerpt(places))
        .transpose()?;
    let mut notes = Vec::new();
    let fresh = match is_seen_being_made(excerpt.as_ref(), read.id) {
        true => Fresh {
            node: node_values(keys)?,
            ..Fresh::default()
        },
        false => fresh::read(keys).unwrap_or_else(|error| {
            notes.push(format!("what a new namespace gets is not known: {error}"));
            Fresh::default()
        }),
    };
    let view = View {
        namespace,
        id: read.id,
        fresh: &fresh,
    };
    let own = cases(&read.values, |key, value| view.of_netns(key, value));
    let global = cases(&of_node, View::of_node);
    let mut cases: Vec<Case> = own.chain(global).flatten().collect();
    if let Some(excerpt) = &excerpt {
        let hidden = hidden(&read.values, &view, keys, excerpt)?;
        cases.extend(hidden);
        cases = where_they_live(cases, excerpt);
    }
    if cases.is_empty() {
        let label = namespace.candidate().label();
        let missing = keys.named().next().map(|key| key.dotted.clone());
        return Err(Error::NoKey(label, missing.unwrap_or_default()));
    }
    Ok(Inquiry {
        excerpt,
        cases,
        notes,
    })
}

/// Keys that the namespace hides as they are one for the whole node: they have the node's value.
fn hidden(
    values: &Values,
    view: &View<'_>,
    keys: &Keys,
    excerpt: &Excerpt,
) -> Result<Vec<Case>, enter::Error> {
    let is_shared = |key: &&SmolStr| {
        let node = super::node_netns(excerpt);
        excerpt.window.sharing(key, node) == Sharing::Shared
    };
    let hidden = values.values.iter().filter_map(|(key, value)| match value {
        Value::Hidden => Some(&key.dotted),
        Value::Text(_) | Value::Unreadable(_) | Value::TooLong => None,
    });
    let hidden: Vec<&SmolStr> = hidden.filter(is_shared).collect();
    if hidden.is_empty() || view.namespace.is_node {
        return Ok(Vec::new());
    }
    let of_node = node_values(keys)?;
    let case = |key: &SmolStr| {
        let value = of_node.get(key)?.text()?;
        Some(view.of_netns(key, Some(value.into())))
    };
    Ok(hidden.into_iter().filter_map(case).collect())
}

/// The cases, each of the place that its key is of.
fn where_they_live(cases: Vec<Case>, excerpt: &Excerpt) -> Vec<Case> {
    let at_home = |case: Case| {
        let mut case = case.where_it_lives(excerpt);
        if case.held.shown_by.is_some() {
            case.held.asked = asked_of_files(&case.key);
        }
        case
    };
    cases.into_iter().map(at_home).collect()
}

fn node_values(keys: &Keys) -> Result<Values, enter::Error> {
    let Read { values, .. } = values::read_one(&Handle::node()?, keys)?;
    Ok(values)
}

fn is_seen_being_made(excerpt: Option<&Excerpt>, id: NetnsId) -> bool {
    let namespaces = excerpt.map_or(&[][..], |excerpt| &excerpt.namespaces);
    let own = namespaces
        .iter()
        .find(|namespace| namespace.place == Place::Netns(id));
    own.is_some_and(|namespace| namespace.created.is_some())
}

fn cases(
    values: &Values,
    case: impl Fn(&SmolStr, Option<SmolStr>) -> Case,
) -> impl Iterator<Item = Option<Case>> {
    values.values.iter().map(move |(key, value)| match value {
        Value::Text(text) => Some(case(&key.dotted, Some(text.clone()))),
        Value::Hidden => None,
        Value::Unreadable(_) | Value::TooLong => Some(case(&key.dotted, None)),
    })
}

/// A namespace as it is now.
struct View<'a> {
    namespace: &'a Namespace,
    id: NetnsId,
    fresh: &'a Fresh,
}

impl View<'_> {
    /// A key of the namespace.
    fn of_netns(&self, key: &SmolStr, value: Option<SmolStr>) -> Case {
        let Namespace { is_node, owner, .. } = self.namespace;
        let text = |values: &Values| values.get(key).and_then(Value::text).map(SmolStr::new);
        Case {
            key: key.clone(),
            place: Some(Place::Netns(self.id)),
            is_node: *is_node,
            held: Held {
                value,
                node: text(&self.fresh.node),
                default: text(&self.fresh.values),
                asked: self.asked(key),
                inum: Some(self.id.inum),
                cookie: Some(self.id.cookie).filter(|cookie| *cookie != 0),
                owner: (*owner != Owner::default()).then(|| Arc::new(Rendered::new(owner.clone()))),
                on_node: None,
                shown_by: None,
            },
        }
    }

    /// A key of the whole node.
    fn of_node(key: &SmolStr, value: Option<SmolStr>) -> Case {
        Case {
            key: key.clone(),
            place: Some(Place::Node),
            is_node: true,
            held: Held {
                value,
                asked: asked_of_files(key),
                ..Held::default()
            },
        }
    }

    /// What the container's specification asks for, or the node's files.
    fn asked(&self, key: &str) -> Asked {
        if self.namespace.is_node {
            return asked_of_files(key);
        }
        match &self.namespace.known {
            Some(known) => of_container(known, key)
                .map_or(Asked::Nothing, |requester| Asked::For(Arc::new(requester))),
            None => Asked::Unknown,
        }
    }
}

/// What sysctl.d asks for.
fn asked_of_files(key: &str) -> Asked {
    sysctl_files(&State::default(), Reader::Systemd, key)
        .pop()
        .map_or(Asked::Nothing, |requester| Asked::For(Arc::new(requester)))
}

/// A namespace that only the recorder knows.
fn past(id: NetnsId, others: usize, keys: &Keys, recorder: &Recorder) -> Result<Inquiry, Error> {
    let place = Place::Netns(id);
    let excerpt = recorder.excerpt(vec![place])?;
    let mut inquiry = Inquiry {
        cases: super::recorded::cases(&excerpt, place, keys),
        excerpt: Some(excerpt),
        notes: Vec::new(),
    };
    inquiry.notes.extend(super::recorded::earlier(others));
    Ok(inquiry)
}

/// A namespace's answers, and how many processes are in it.
#[derive(Debug)]
pub struct Listed {
    /// The facts; its cases are those of this namespace.
    pub inquiry: Inquiry,
    /// The namespace.
    pub namespace: Namespace,
    /// Why it could not be entered; absent where it was.
    pub failed: Option<enter::Error>,
}

/// All namespaces of the node.
#[derive(Debug)]
pub struct Listing {
    /// In the order of [`Node::namespaces`]. Those that ended meanwhile are left out.
    pub namespaces: Vec<Listed>,
    /// What could not be looked at.
    pub skipped: node::Skipped,
}

/// The facts about keys in all namespaces of this node. `progress` is told, by several threads, how
/// many namespaces are done, and of how many.
pub fn list(
    keys: &Keys,
    recorder: Option<&Recorder>,
    progress: impl Fn(usize, usize) + Sync,
) -> Result<Listing, Error> {
    let node = Node::look()?;
    let handles: Vec<Handle> = node.namespaces.iter().map(Namespace::handle).collect();
    // A namespace made to be read is not one of those that are listed.
    let fresh = fresh::read(keys).unwrap_or_default();
    let reads = values::read(&handles, keys, progress);
    let places = reads.iter().flatten().map(|read| Place::Netns(read.id));
    let excerpt = recorder
        .map(|recorder| recorder.excerpt(places.collect()))
        .transpose()?;
    let listed = |(namespace, read): (Namespace, Result<Read, enter::Error>)| {
        let mut one = Listed {
            inquiry: Inquiry::default(),
            namespace,
            failed: None,
        };
        match read {
            Ok(read) => {
                let view = View {
                    namespace: &one.namespace,
                    id: read.id,
                    fresh: &fresh,
                };
                let own = cases(&read.values, |key, value| view.of_netns(key, value));
                let own: Vec<Case> = own.flatten().collect();
                one.inquiry.excerpt = excerpt.as_ref().map(|all| only(all, read.id));
                one.inquiry.cases = match &one.inquiry.excerpt {
                    Some(excerpt) => where_they_live(own, excerpt),
                    None => own,
                };
            }
            Err(error) if error.is_gone() => return None,
            Err(error) => one.failed = Some(error),
        }
        Some(one)
    };
    Ok(Listing {
        namespaces: node
            .namespaces
            .into_iter()
            .zip(reads)
            .filter_map(listed)
            .collect(),
        skipped: node.skipped,
    })
}

/// What an excerpt has of one namespace, and of the whole node.
fn only(excerpt: &Excerpt, id: NetnsId) -> Excerpt {
    let own = super::namespace(excerpt, Place::Netns(id));
    let node = super::namespace(excerpt, Place::Node);
    let node_netns = super::node_netns(excerpt).filter(|_| excerpt.node != Some(id));
    Excerpt {
        window: excerpt.window.clone(),
        node: excerpt.node,
        namespaces: own
            .into_iter()
            .chain(node)
            .chain(node_netns)
            .cloned()
            .collect(),
        forgotten: excerpt.forgotten,
    }
}
