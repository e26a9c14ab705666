//! The OCI runtimes, whose processes turn into the container's program step by step.
//!
//! On their way they are in the container's cgroup and have names that any program of the
//! container can take. What such a program can't have is an executable from the node's file
//! system, or a parent with one. runc's later steps run a clone of the executable, and crun runs one
//! from its beginning: the mount of a clone belongs to no namespace, so for these the
//! parent counts.

use super::{Forebear, Subject, rules};
use crate::event::{Stage, Sureness};

/// An OCI runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Runc,
    Crun,
    Youki,
}

/// What a process of an OCI runtime is, and what says so.
pub(super) struct Step {
    pub engine: Engine,
    pub stage: Stage,
    pub sureness: Sureness,
    pub evidence: Vec<String>,
}

impl Engine {
    const ALL: [Self; 3] = [Self::Runc, Self::Crun, Self::Youki];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Runc => "runc",
            Self::Crun => "crun",
            Self::Youki => "youki",
        }
    }

    fn of_executable(executable: &str) -> Option<Self> {
        let executable = executable.strip_prefix("docker-").unwrap_or(executable);
        Self::ALL
            .into_iter()
            .find(|engine| executable == engine.name())
    }

    /// By the executable, or by what tells whose clone it is: its name in memory, or comm.
    fn of_process(executable: &str, comm: &str) -> Option<Self> {
        let by_clone = || {
            let name = executable.strip_prefix("memfd:").unwrap_or_default();
            let in_memory = Self::ALL.into_iter().find(|engine| {
                name.strip_prefix(engine.name())
                    .is_some_and(|rest| rest.starts_with("_cloned"))
            });
            in_memory.or_else(|| Self::of_comm(comm))
        };
        Self::of_executable(executable).or_else(|| is_clone(executable).then(by_clone).flatten())
    }

    /// By comm: the runtime's name, and its step in brackets.
    fn of_comm(comm: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|engine| {
            comm.strip_prefix(engine.name())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(":["))
        })
    }
}

/// Whether an executable of this name can be a clone that lives in memory or without a name.
fn is_clone(executable: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    executable == "exe"
        || (executable.starts_with("memfd:") && executable.contains("_cloned"))
        || executable.strip_prefix('#').is_some_and(is_number)
}

/// The step of an OCI runtime that a process is at; absent for all other processes, and for those
/// that only say so.
pub(super) fn step(subject: &Subject<'_>) -> Option<Step> {
    let executable = subject.executable_name?;
    let parent = subject.ancestors.first();
    let of_parent = || Engine::of_process(parent?.executable_name?, parent?.name);
    let is_named = Engine::of_executable(executable).is_some();
    let engine = Engine::of_process(executable, subject.name)
        .or_else(|| is_clone(executable).then(of_parent).flatten())?;
    let family = Family {
        parent: parent.filter(|_| of_parent() == Some(engine)),
        grandparent: subject.ancestors.get(1),
    };
    let stage = stage(engine, subject, family.parent.is_some());
    let sureness = sureness(subject, stage, &family, is_named)?;
    let mut evidence = vec![subject.executable_evidence(executable)];
    match stage {
        Stage::Parent => {}
        Stage::Child | Stage::Init => {
            if Engine::of_comm(subject.name).is_some() && subject.name != engine.name() {
                evidence.push(format!("comm is {}", subject.name));
            }
            evidence.extend(family.evidence(engine));
        }
    }
    Some(Step {
        engine,
        stage,
        sureness,
        evidence,
    })
}

fn stage(engine: Engine, subject: &Subject<'_>, is_child: bool) -> Stage {
    let is_init = || {
        subject
            .args
            .is_some_and(|args| args.get(1).is_some_and(|arg| arg == "init"))
    };
    match engine {
        Engine::Crun if is_child => Stage::Init,
        Engine::Crun => Stage::Parent,
        Engine::Runc | Engine::Youki if subject.name.ends_with(":[2:INIT]") => Stage::Init,
        Engine::Runc | Engine::Youki
            if is_child || subject.name.contains(":[") || (engine == Engine::Runc && is_init()) =>
        {
            Stage::Child
        }
        Engine::Runc | Engine::Youki => Stage::Parent,
    }
}

/// The processes above one of an OCI runtime.
struct Family<'a> {
    /// The parent, where it is of the same runtime.
    parent: Option<&'a Forebear<'a>>,
    grandparent: Option<&'a Forebear<'a>>,
}

impl Family<'_> {
    fn is_parent_on_node(&self) -> bool {
        self.parent
            .is_some_and(|parent| parent.executable_on_node == Some(true))
    }

    /// Whether a manager stands above the parent. It has its runtime end before the container's
    /// program begins, so that this can't have the runtime for a parent.
    fn is_managed(&self) -> bool {
        self.grandparent.is_some_and(is_manager)
    }

    fn evidence(&self, engine: Engine) -> Option<String> {
        let parent = self.parent?;
        let origin = match parent.executable_on_node {
            Some(true) => ", from the node's file system",
            Some(false) => ", not from the node's file system",
            None => "",
        };
        Some(format!("parent is {}{origin}", engine.name()))
    }
}

fn is_manager(ancestor: &Forebear<'_>) -> bool {
    ancestor.executable_on_node == Some(true)
        && ancestor.executable_name.is_some_and(rules::is_manager)
}

/// How sure it is that a process with these names is what they say; absent where it is not.
fn sureness(
    subject: &Subject<'_>,
    stage: Stage,
    family: &Family<'_>,
    is_named: bool,
) -> Option<Sureness> {
    let on_node = subject.executable_on_node;
    if on_node == Some(true) {
        // comm alone says nothing.
        let is_child = stage != Stage::Parent && family.is_parent_on_node();
        return (is_named || is_child).then(|| subject.sureness());
    }
    // Users have files of the node's file system too, with any names.
    let is_root = subject.uid == 0;
    let is_contained = subject.contained().is_some();
    let may_be_contained = is_contained || !subject.place.candidates.is_empty();
    match stage {
        Stage::Parent if is_contained => None,
        Stage::Parent if may_be_contained && subject.in_node_mnt == Some(false) => None,
        // A service with a mount namespace of its own runs it from there.
        Stage::Parent if on_node == Some(false) => {
            (!may_be_contained).then_some(Sureness::Inferred)
        }
        // A clone, by a manager of the node.
        Stage::Parent => {
            let is_managed = subject.ancestors.first().is_some_and(is_manager);
            Some(if is_root && is_managed && !may_be_contained {
                Sureness::Observed
            } else {
                Sureness::Inferred
            })
        }
        Stage::Child | Stage::Init => {
            let parent = family.parent?;
            match (on_node, parent.executable_on_node) {
                (None, Some(true)) if is_root && family.is_managed() => Some(Sureness::Observed),
                (None, Some(true)) => Some(Sureness::Inferred),
                (Some(false), Some(true)) => family.is_managed().then_some(Sureness::Inferred),
                // The kernel tells of nobody.
                (None, None) if subject.ancestors.iter().all(is_unknown) => {
                    Some(Sureness::Inferred)
                }
                // Clones all along, of a process of the node. The name of a clone in memory is the
                // container's to choose, that of a cloned mount takes privileges.
                (None, None) => {
                    // A user's manager is in a mount namespace of its own, which is not the
                    // container's.
                    let is_of_node = family.grandparent.is_some_and(|above| {
                        let name = above.executable_name.unwrap_or_default();
                        above.executable_on_node == Some(true)
                            || (above.is_outside && rules::is_manager(name))
                    });
                    (is_of_node && (is_named || !may_be_contained)).then_some(Sureness::Inferred)
                }
                (None | Some(false), Some(false)) | (Some(false), None) => None,
                (Some(true), _) => Some(subject.sureness()),
            }
        }
    }
}

fn is_unknown(ancestor: &Forebear<'_>) -> bool {
    ancestor.executable_on_node.is_none()
}
