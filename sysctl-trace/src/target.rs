//! What a user calls a namespace: by its container, pod, process, number or file. Pure.
//!
//! The same words are understood for what a node holds and for what a trace tells.

use std::fmt;

use crate::{attribute::pin, event::Owner};

/// Numbers from here on are those of namespaces; pids end far below. The kernel gives them from
/// 0xF0000000 on, and to the first ones a few below: the node's own is 0xEFFFFFF9 in some.
const INUM_MIN: u32 = 0xEFFF_FF00;
/// The shortest beginning of a container's id that stands for it. An id in full may be shorter.
const ID_MIN: usize = 3;
/// How many near matches are named.
const NEAR_MAX: usize = 5;
/// How many letters may differ in a name of three times as many.
const NEAR_SHARE: usize = 3;
/// How many namespaces are named where several match.
const LISTED_MAX: usize = 10;
/// How much of an id is shown.
const ID_SHOWN: usize = 12;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `node`: the node's own namespace.
    Node,
    /// A namespace's number: `4026532281` or `net:[4026532281]`.
    Inum(u32),
    /// A pid, or else what [`Target::Name`] can be: ids may be digits only.
    Pid(u32, String),
    /// With a leading slash: a file that keeps a namespace, or `/proc/PID/ns/net`.
    Path(String),
    /// `NAMESPACE/NAME`.
    Pod {
        /// The pod's namespace in Kubernetes.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A container's id, the beginning of one, or its name; a pod's name or UID; the name of a
    /// file that keeps a namespace.
    Name(String),
}

/// A namespace that may be meant.
#[derive(Clone, Debug, Default)]
pub struct Candidate<'a> {
    /// Its number.
    pub inum: u32,
    /// It is the node's own.
    pub is_node: bool,
    /// The files that keep it.
    pub pins: &'a [String],
    /// The processes in it; empty where they are not known.
    pub pids: &'a [u32],
    /// Whose it is, to the front, and who else lives in it.
    pub owners: Vec<&'a Owner>,
}

/// How well a namespace fits, the best to the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// By something that only one can have: a number, a pid, a path, an id in full.
    Identity,
    /// By a name.
    Name,
    /// By the beginning of an id.
    Prefix,
}

/// Text that cannot stand for a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a container's id or name, a pod as NAMESPACE/NAME, a pid, a namespace's number, a path \
     such as /run/netns/NAME, or 'node'"
)]
pub struct Unclear;

/// Why no namespace was chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing fits.
    #[error("nothing is called '{text}'{}", or_near(near))]
    None {
        /// What was asked for.
        text: String,
        /// What is called nearly so.
        near: Vec<String>,
    },
    /// Several namespaces fit equally well.
    #[error("'{text}' can mean {count} namespaces; name one of them: {}", listed(labels, *count))]
    Several {
        /// What was asked for.
        text: String,
        /// How many fit.
        count: usize,
        /// The first of them, as [`Candidate::label`] has them.
        labels: Vec<String>,
    },
}

impl Target {
    /// Reads what was asked for.
    pub fn parse(text: &str) -> Result<Self, Unclear> {
        if text == "node" {
            return Ok(Self::Node);
        }
        if let Some(rest) = text.strip_prefix("net:[") {
            let number = rest.strip_suffix(']').ok_or(Unclear)?;
            return number.parse().map(Self::Inum).map_err(|_| Unclear);
        }
        if text.starts_with('/') {
            return Ok(Self::Path(text.to_owned()));
        }
        match text.split_once('/') {
            Some((namespace, name)) => {
                if namespace.is_empty() || name.is_empty() || name.contains('/') {
                    return Err(Unclear);
                }
                let (namespace, name) = (namespace.to_owned(), name.to_owned());
                Ok(Self::Pod { namespace, name })
            }
            None if text.is_empty() => Err(Unclear),
            None => Ok(Self::word(text)),
        }
    }

    fn word(text: &str) -> Self {
        let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if is_digits && number >= INUM_MIN => Self::Inum(number),
            Ok(number) if is_digits => Self::Pid(number, text.to_owned()),
            Ok(_) | Err(_) => Self::Name(text.to_owned()),
        }
    }

    /// How well a namespace fits; `None` where it is not meant.
    pub fn fit(&self, candidate: &Candidate<'_>) -> Option<Fit> {
        let identity = |fits: bool| fits.then_some(Fit::Identity);
        match self {
            Self::Node => identity(candidate.is_node),
            Self::Inum(inum) => identity(candidate.inum == *inum),
            Self::Pid(pid, text) => {
                identity(candidate.pids.contains(pid)).or_else(|| by_word(text, candidate))
            }
            Self::Path(path) => identity(by_path(path, candidate)),
            Self::Pod { namespace, name } => {
                let is_it = |owner: &&Owner| is_pod(owner, namespace, name);
                identity(candidate.owners.iter().any(is_it))
            }
            Self::Name(text) => by_word(text, candidate),
        }
    }

    /// Whether a namespace fits at all.
    pub fn matches(&self, candidate: &Candidate<'_>) -> bool {
        self.fit(candidate).is_some()
    }

    /// The place of the one that fits best.
    pub fn find<'c>(
        &self,
        candidates: impl IntoIterator<Item = Candidate<'c>>,
    ) -> Result<usize, Error> {
        let candidates: Vec<_> = candidates.into_iter().collect();
        let fits: Vec<_> = candidates.iter().map(|one| self.fit(one)).collect();
        let best = fits.iter().flatten().min();
        let is_best = |at: &usize| best.is_some() && fits[*at].as_ref() == best;
        let found: Vec<usize> = (0..candidates.len()).filter(is_best).collect();
        let text = self.to_string();
        match found.as_slice() {
            [] => Err(Error::None {
                near: near(&text, &candidates),
                text,
            }),
            [one] => Ok(*one),
            several => Err(Error::Several {
                text,
                count: several.len(),
                labels: several
                    .iter()
                    .take(LISTED_MAX)
                    .map(|&at| candidates[at].label())
                    .collect(),
            }),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node => out.write_str("node"),
            Self::Inum(inum) => write!(out, "{inum}"),
            Self::Pid(_, text) | Self::Name(text) | Self::Path(text) => out.write_str(text),
            Self::Pod { namespace, name } => write!(out, "{namespace}/{name}"),
        }
    }
}

impl Candidate<'_> {
    /// A namespace in a few words, with its number, which names it and no other:
    /// `4026532281 (container web)`.
    pub fn label(&self) -> String {
        let owner = self.owners.first();
        let container = owner.and_then(|owner| owner.container.as_ref());
        let what = if self.is_node {
            "the node's own".to_owned()
        } else if let Some(pod) = owner.and_then(|owner| pod_name(owner)) {
            format!("pod {pod}")
        } else if let Some(container) = container {
            let name = container.name.as_deref();
            format!("container {}", name.unwrap_or_else(|| short(&container.id)))
        } else if let Some(pin) = self.pins.first() {
            pin.clone()
        } else if let Some(pid) = self.pids.first() {
            format!("pid {pid}")
        } else {
            return self.inum.to_string();
        };
        format!("{} ({what})", self.inum)
    }
}

/// What is called nearly so, the nearest to the front, each once. These are texts of the traced
/// side.
pub fn near(text: &str, candidates: &[Candidate<'_>]) -> Vec<String> {
    let wanted = text.to_lowercase();
    let mut found: Vec<(usize, String)> = candidates
        .iter()
        .flat_map(names)
        .filter_map(|name| Some((distance(&wanted, &name)?, name)))
        .collect();
    found.sort_unstable();
    found.dedup();
    let nearest = found.into_iter().take(NEAR_MAX);
    nearest.map(|(_, name)| name).collect()
}

/// How many letters of a name differ from what was asked for; `None` where it is not near.
fn distance(wanted: &str, name: &str) -> Option<usize> {
    let name = name.to_lowercase();
    // A letter or two are part of anything.
    let is_part = |part: &str, whole: &str| part.chars().count() >= ID_MIN && whole.contains(part);
    let differing = strsim::osa_distance(wanted, &name);
    let allowed = (wanted.chars().count() / NEAR_SHARE).max(1);
    let is_alike = differing <= allowed && differing < name.chars().count();
    (is_alike || is_part(wanted, &name) || is_part(&name, wanted)).then_some(differing)
}

/// All that a namespace can be called by, but for numbers.
fn names(candidate: &Candidate<'_>) -> Vec<String> {
    let mut names: Vec<String> = candidate.pins.to_vec();
    names.extend(
        candidate
            .pins
            .iter()
            .filter_map(|pin| file_name(pin))
            .map(String::from),
    );
    for owner in &candidate.owners {
        names.extend(pod_name(owner));
        let pod = owner.k8s.as_ref().map(|k8s| &k8s.pod);
        names.extend(pod.and_then(|pod| pod.name.clone()));
        if let Some(container) = &owner.container {
            names.extend(container.name.clone());
            names.push(short(&container.id).to_owned());
        }
    }
    names
}

fn by_word(text: &str, candidate: &Candidate<'_>) -> Option<Fit> {
    let pin = |pin: &String| (file_name(pin) == Some(text)).then_some(Fit::Name);
    let owners = candidate.owners.iter();
    owners
        .filter_map(|owner| by_owner(text, owner))
        .chain(candidate.pins.iter().filter_map(pin))
        .min()
}

fn by_owner(text: &str, owner: &Owner) -> Option<Fit> {
    let container = owner.container.as_ref();
    let id = container.map_or("", |container| &container.id);
    if id == text {
        return Some(Fit::Identity);
    }
    let name = container.and_then(|container| container.name.as_deref());
    let pod = owner.k8s.as_ref().map(|k8s| &k8s.pod);
    let pod_name = pod.and_then(|pod| pod.name.as_deref());
    let pod_uid = pod.and_then(|pod| pod.uid.as_deref());
    if [name, pod_name, pod_uid].contains(&Some(text)) {
        return Some(Fit::Name);
    }
    (text.len() >= ID_MIN && id.starts_with(text)).then_some(Fit::Prefix)
}

fn by_path(path: &str, candidate: &Candidate<'_>) -> bool {
    if candidate
        .pins
        .iter()
        .any(|pin| pin::below_run(pin) == pin::below_run(path))
    {
        return true;
    }
    pid_of(path).is_some_and(|pid| candidate.pids.contains(&pid))
}

/// The process in `/proc/PID/ns/net`.
fn pid_of(path: &str) -> Option<u32> {
    let pid = path.strip_prefix("/proc/")?.strip_suffix("/ns/net")?;
    pid.parse().ok()
}

fn is_pod(owner: &Owner, namespace: &str, name: &str) -> bool {
    owner.k8s.as_ref().is_some_and(|k8s| {
        let found = k8s.namespace.as_ref().map(|named| named.name.as_str());
        found == Some(namespace) && k8s.pod.name.as_deref() == Some(name)
    })
}

fn pod_name(owner: &Owner) -> Option<String> {
    let k8s = owner.k8s.as_ref()?;
    let (namespace, name) = (k8s.namespace.as_ref()?, k8s.pod.name.as_ref()?);
    Some(format!("{}/{name}", namespace.name))
}

fn short(id: &str) -> &str {
    id.get(..ID_SHOWN).unwrap_or(id)
}

fn file_name(path: &str) -> Option<&str> {
    path.rsplit('/').next().filter(|name| !name.is_empty())
}

fn or_near(near: &[String]) -> String {
    match near {
        [] => String::new(),
        near => format!("; near to it: {}", near.join(", ")),
    }
}

fn listed(labels: &[String], count: usize) -> String {
    let more = count.saturating_sub(labels.len());
    match more {
        0 => labels.join(", "),
        more => format!("{} and {more} more", labels.join(", ")),
    }
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
