//! Each suspect in the order in which a person asks, and what is to be said of it.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Facts, Reason,
    birth::Copied,
    decide::{Decision, Root, component},
    keys::Origin,
    specification,
    words::{asks_for, name},
};
use crate::{
    attribute::requester::Unasked,
    event::{Owner, Requester, RequesterSource},
    ledger::{Author, Entry, History, Write, is_same},
};

/// Who may have set a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Suspect {
    /// What the user asked for: a pod's securityContext, `docker run --sysctl`, an OCI bundle.
    Specification,
    /// kubelet, and distributions that have it within.
    Kubelet,
    /// dockerd.
    Dockerd,
    /// containerd and its shim and clients.
    Containerd,
    /// Another container engine: podman, CRI-O, systemd-nspawn, LXC.
    Engine,
    /// The OCI runtime: runc, crun, youki.
    Runtime,
    /// A CNI plugin or network agent.
    Cni,
    /// Any other process, in the container or on the node.
    Process,
    /// The kernel.
    Kernel,
}

/// What is to be said of a suspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// The value is from here.
    SetIt,
    /// It did what another asked for.
    PassedItOn,
    /// It was not this one.
    Eliminated,
    /// It may or may not have been.
    CannotSay,
}

/// A suspect, and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// Which.
    pub suspect: Suspect,
    /// What is to be said.
    pub finding: Found,
    /// Why.
    pub why: String,
}

/// All of them, but for engines that have no part in it.
const ORDER: [Suspect; 9] = [
    Suspect::Specification,
    Suspect::Kubelet,
    Suspect::Dockerd,
    Suspect::Containerd,
    Suspect::Engine,
    Suspect::Runtime,
    Suspect::Cni,
    Suspect::Process,
    Suspect::Kernel,
];

impl Suspect {
    /// The suspect that a component is.
    fn of(component: &str) -> Self {
        match component {
            "kubelet" | "k3s" | "rke2" => Self::Kubelet,
            "dockerd" | "docker-proxy" | "rootlesskit" => Self::Dockerd,
            "containerd" | "containerd-shim" | "ctr" | "nerdctl" | "buildkitd" => Self::Containerd,
            "podman" | "conmon" | "cri-o" | "pinns" | "buildah" | "systemd-nspawn" | "lxc"
            | "lxd" | "incus" => Self::Engine,
            "runc" | "crun" | "youki" => Self::Runtime,
            "netavark" | "calico-node" | "flanneld" | "cilium-agent" => Self::Cni,
            "kernel" => Self::Kernel,
            name if name.starts_with("cni:") => Self::Cni,
            _ => Self::Process,
        }
    }

    /// The engine that manages containers of this runtime, by the name that events give it.
    fn engine(runtime: Option<&str>) -> Option<Self> {
        match runtime? {
            "docker" => Some(Self::Dockerd),
            "containerd" => Some(Self::Containerd),
            "runc" | "crun" | "youki" => None,
            _ => Some(Self::Engine),
        }
    }
}

/// The findings behind a decision.
pub(super) fn list(facts: &Facts<'_>, decision: &Decision<'_>) -> Vec<Finding> {
    let chain = chain(facts, decision);
    let engine = Suspect::engine(runtime(facts)) == Some(Suspect::Engine);
    ORDER
        .into_iter()
        .filter_map(|suspect| {
            let in_chain = chain.iter().find(|finding| finding.suspect == suspect);
            if suspect == Suspect::Engine && !engine && in_chain.is_none() {
                return None;
            }
            Some(match in_chain {
                Some(finding) => finding.clone(),
                None => other(suspect, facts, decision),
            })
        })
        .collect()
}

/// What manages the container or the pod that the namespace belongs to. A pod without a container of
/// its own is told by what made the namespace.
fn runtime<'a>(facts: &'a Facts<'_>) -> Option<&'a str> {
    let Owner {
        container, creator, ..
    } = facts.owner()?;
    if let Some(container) = container {
        return container.runtime.as_deref();
    }
    match creator.as_deref()? {
        "pinns" | "cri-o" => Some("cri-o"),
        creator @ ("containerd" | "podman") => Some(creator),
        _ => None,
    }
}

/// From where the value was asked for to what wrote it.
fn chain(facts: &Facts<'_>, decision: &Decision<'_>) -> Vec<Finding> {
    match decision.root {
        Root::Write(write) => written(facts, write),
        Root::Requested(requester) => {
            let mut chain = requested(facts, requester);
            chain.extend(unseen_writer(requester));
            chain
        }
        Root::Kernel(origin) => {
            let copied = facts.copied().and_then(|copied| {
                let Copied { key, write } = copied;
                Some(Finding {
                    suspect: suspect_of(&write?.author),
                    finding: Found::PassedItOn,
                    why: format!("had set {key}, which new devices begin with"),
                })
            });
            let kernel = Finding {
                suspect: Suspect::Kernel,
                finding: Found::SetIt,
                why: kernel(facts, origin),
            };
            copied.into_iter().chain([kernel]).collect()
        }
        Root::BeforeTracing | Root::NotWatched | Root::ChangedUnseen | Root::Undecided => {
            Vec::new()
        }
    }
}

/// What writes such a value, where nobody saw who wrote.
fn unseen_writer(requester: &Requester) -> Option<Finding> {
    let (suspect, why) = match requester.source {
        RequesterSource::CniConfiguration => return None,
        RequesterSource::SysctlFile => (
            Suspect::Process,
            "systemd-sysctl sets what the files have, as the node boots",
        ),
        RequesterSource::PodSecurityContext
        | RequesterSource::DockerOption
        | RequesterSource::OciSpec
        | RequesterSource::EngineDefault => (
            Suspect::Runtime,
            "sets what the specification has, before the container's program starts",
        ),
    };
    Some(Finding {
        suspect,
        finding: Found::PassedItOn,
        why: why.to_owned(),
    })
}

fn kernel(facts: &Facts<'_>, origin: Origin) -> String {
    let born = facts
        .born_with()
        .map(|folder| format!("as {folder} came to be"));
    let when = match &born {
        Some(born) => born,
        None if facts.is_node => "as it booted",
        None => "as the namespace was made",
    };
    match facts.history().and_then(|history| history.initial.as_ref()) {
        Some(initial) => format!("gave it {} {when}", initial.value),
        None => match facts.value() {
            Some(_) if born.is_some() => format!("gave it a value {when}"),
            Some(value) if facts.is_node => format!("gives {value} {when}"),
            Some(value) if origin == Origin::Constant => format!("gives a new namespace {value}"),
            Some(_) if origin == Origin::Node => format!("copied the node's value {when}"),
            Some(_) | None => format!("gave it a value {when}"),
        },
    }
}

fn written(facts: &Facts<'_>, write: &Write) -> Vec<Finding> {
    let component = component(&write.author);
    let suspect = component.map_or(Suspect::Process, |component| Suspect::of(&component.name));
    let name = name(&write.author);
    let asked = facts.requester(write);
    let mut chain = asked.map_or_else(Vec::new, |requester| requested(facts, requester));
    let wrote = format!("{name}[{}] wrote it", write.author.pid);
    match chain.iter_mut().find(|finding| finding.suspect == suspect) {
        Some(own) if component.is_some_and(|component| component.name == "pinns") => {
            own.why = format!("CRI-O gave it to pinns, and {wrote}");
        }
        // A CNI plugin by its configuration.
        Some(own) => own.why = format!("{wrote}: {}", own.why),
        None => chain.push(Finding {
            suspect,
            finding: if chain.is_empty() {
                Found::SetIt
            } else {
                Found::PassedItOn
            },
            why: wrote,
        }),
    }
    if asked.is_none() && write.unasked == Unasked::Specification {
        // It applies what others ask for, and nothing of its own.
        for finding in &mut chain {
            finding.finding = Found::PassedItOn;
            finding.why.push_str("; for whom is not known");
        }
    }
    chain
}

/// Who may have handed a value down to the one that wrote it, where what the specification asks for is
/// not known.
fn may_have_passed_on(suspect: Suspect, facts: &Facts<'_>, write: &Write) -> bool {
    if facts.requester(write).is_some() || write.unasked != Unasked::Specification {
        return false;
    }
    match (Suspect::engine(runtime(facts)), suspect) {
        (Some(Suspect::Dockerd), Suspect::Dockerd | Suspect::Containerd) => true,
        (Some(Suspect::Dockerd), _) => false,
        (Some(_), Suspect::Kubelet) => true,
        (Some(engine), suspect) => engine == suspect,
        (None, _) => false,
    }
}

/// Where a value is asked for, and who hands it down from there to the one that writes.
fn requested(facts: &Facts<'_>, requester: &Requester) -> Vec<Finding> {
    let set = |suspect| Finding {
        suspect,
        finding: Found::SetIt,
        why: asks_for(requester),
    };
    let passed = |suspect, why: &str| Finding {
        suspect,
        finding: Found::PassedItOn,
        why: why.to_owned(),
    };
    let engine = Suspect::engine(runtime(facts));
    let below_docker = passed(Suspect::Containerd, "runs the container for dockerd");
    match requester.source {
        RequesterSource::PodSecurityContext => vec![
            set(Suspect::Specification),
            passed(Suspect::Kubelet, "asks for the pod's sandbox through CRI"),
            passed(
                engine.unwrap_or(Suspect::Containerd),
                "put it into the sandbox's OCI specification",
            ),
        ],
        RequesterSource::DockerOption => vec![
            set(Suspect::Specification),
            passed(
                Suspect::Dockerd,
                "put it into the container's OCI specification",
            ),
            below_docker,
        ],
        RequesterSource::OciSpec => {
            let mut chain = vec![set(Suspect::Specification)];
            match engine {
                Some(Suspect::Dockerd) => {
                    chain.push(passed(Suspect::Dockerd, "runs the container"));
                    chain.push(below_docker);
                }
                Some(engine) => chain.push(passed(engine, "runs the container")),
                None => {}
            }
            chain
        }
        RequesterSource::EngineDefault => match engine {
            Some(Suspect::Dockerd) => vec![set(Suspect::Dockerd), below_docker],
            Some(engine) => vec![set(engine)],
            None => vec![set(Suspect::Specification)],
        },
        RequesterSource::CniConfiguration => vec![set(Suspect::Cni)],
        RequesterSource::SysctlFile => vec![set(Suspect::Specification)],
    }
}

/// One that the value did not come by, as far as that can be said.
fn other(suspect: Suspect, facts: &Facts<'_>, decision: &Decision<'_>) -> Finding {
    let (finding, why) = match decision.root {
        Root::Write(write) => beside_write(suspect, facts, write),
        Root::Kernel(_) if decision.reason_is_of_files() => by_files(suspect, facts),
        Root::Kernel(_) => (Found::Eliminated, untouched(suspect, facts)),
        Root::Requested(_)
        | Root::BeforeTracing
        | Root::NotWatched
        | Root::ChangedUnseen
        | Root::Undecided => by_files(suspect, facts),
    };
    // What may be missing may have been by anyone.
    let is_certain = decision.flaw.is_none()
        || finding != Found::Eliminated
        // Files tell the same, whatever was missed.
        || decision.reason_is_of_files();
    Finding {
        suspect,
        finding: if is_certain {
            finding
        } else {
            Found::CannotSay
        },
        why: if is_certain {
            why
        } else {
            format!("{why}, as far as was seen")
        },
    }
}

/// Not the one behind a write that was seen.
fn beside_write(suspect: Suspect, facts: &Facts<'_>, write: &Write) -> (Found, String) {
    if suspect == Suspect::Kernel {
        let before = write.old();
        let why = match (facts.history().and_then(|h| h.initial.as_ref()), before) {
            (Some(initial), _) => format!("gave it {}, which was overwritten", initial.value),
            (None, Some(old)) => format!("the value was {old} before the write"),
            (None, None) => "the value was written".to_owned(),
        };
        return (Found::Eliminated, why);
    }
    if suspect == Suspect::Specification {
        return specification::beside_write(facts, write);
    }
    if may_have_passed_on(suspect, facts, write) {
        let why = "may have passed it on: what was asked for is not known";
        return (Found::CannotSay, why.to_owned());
    }
    (Found::Eliminated, untouched(suspect, facts))
}

/// What the suspect did to the value, none of which counts now.
fn untouched(suspect: Suspect, facts: &Facts<'_>) -> String {
    if suspect == Suspect::Specification {
        return specification::untouched(facts);
    }
    let mut own = facts.history().into_iter().flat_map(History::writes);
    let is_own = |write: &&Write| suspect_of(&write.author) == suspect;
    let Some(last) = own.rfind(is_own) else {
        return match creator(facts) {
            Some(creator) if creator == suspect => match facts.born_with() {
                Some(folder) => format!("made {folder}, but wrote nothing here"),
                None => "made the namespace, but wrote nothing here".to_owned(),
            },
            Some(_) | None => "wrote nothing here".to_owned(),
        };
    };
    let requested = last.requested.as_deref().unwrap_or("?");
    if let Some(error) = &last.error {
        format!("wrote \"{requested}\", which was refused ({error})")
    } else if last.is_change() {
        format!("wrote \"{requested}\", which was overwritten")
    } else {
        format!("wrote \"{requested}\", which changed nothing")
    }
}

/// What made the namespace.
fn creator(facts: &Facts<'_>) -> Option<Suspect> {
    let created = facts.namespace()?.created.as_ref()?;
    Some(suspect_of(created.author.as_deref()?))
}

/// The suspect that an author is.
fn suspect_of(author: &Author) -> Suspect {
    component(author).map_or(Suspect::Process, |component| Suspect::of(&component.name))
}

/// Where nothing was seen, only files and defaults tell.
fn by_files(suspect: Suspect, facts: &Facts<'_>) -> (Found, String) {
    let unseen = "what it did was not seen".to_owned();
    match suspect {
        Suspect::Specification => specification::by_files(facts),
        Suspect::Kernel => by_first_value(facts).unwrap_or((Found::CannotSay, unseen)),
        Suspect::Kubelet
        | Suspect::Dockerd
        | Suspect::Containerd
        | Suspect::Engine
        | Suspect::Runtime
        | Suspect::Cni
        | Suspect::Process => match facts.history().map(|h| writes_of(h, suspect)) {
            Some(Some(write)) => (
                Found::CannotSay,
                format!("wrote \"{}\"", write.requested.as_deref().unwrap_or("?")),
            ),
            Some(None) | None => (Found::CannotSay, unseen),
        },
    }
}

/// The kernel is eliminated where it gave, or gives, another value than is there.
fn by_first_value(facts: &Facts<'_>) -> Option<(Found, String)> {
    let value = facts.value()?;
    let initial = facts.history().and_then(|history| history.initial.as_ref());
    let (first, why) = match (initial, &facts.held.default) {
        (Some(initial), _) => (
            &initial.value,
            match facts.born_with() {
                Some(folder) => format!("gave it {} as {folder} came to be", initial.value),
                None => format!("gave it {} as the namespace was made", initial.value),
            },
        ),
        (None, Some(default)) if facts.is_node => (default, format!("its own value is {default}")),
        (None, Some(default)) => (default, format!("gives a new namespace {default}")),
        (None, None) => return None,
    };
    (!is_same(first, value)).then_some((Found::Eliminated, why))
}

fn writes_of(history: &History, suspect: Suspect) -> Option<&Write> {
    let mut writes = history
        .entries
        .iter()
        .rev()
        .filter_map(|entry| match entry {
            Entry::Write(write) => Some(write),
            Entry::Drift(_) => None,
        });
    writes.find(|write| suspect_of(&write.author) == suspect)
}

impl Decision<'_> {
    /// Whether nothing but files and defaults stands behind it.
    fn reason_is_of_files(&self) -> bool {
        matches!(
            self.reason,
            Some(Reason::NotWatched | Reason::BeforeTracing)
        )
    }
}
