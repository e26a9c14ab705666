//! The actor of a record as a process of the event stream.
//!
//! All that identifies a process comes from the record. /proc adds its argument vector and the
//! full path of its executable, once for each process image, and only if it is still that image.

mod helper;
mod look;
mod node_file;

use std::{
    collections::HashMap,
    rc::Rc,
    sync::{Arc, LazyLock},
};

use smol_str::{SmolStr, ToSmolStr};
use sysctl_trace_ebpf::record::{self, ANCESTORS_MAX, CUT_CGROUP, Span, TASK_KERNEL_THREAD};
use zerocopy::IntoBytes;

use super::{
    cgroup::Place,
    component::{self, Forebear, Subject},
    home::{Home, Homes},
    requester::{Behalf, behalf},
    runtime::{
        State,
        arguments::{self, Invocation},
    },
};
use crate::{
    decode::{Deed, Identity, names, text_of, until_nul},
    event::{
        Ancestor, Capabilities, Component, Enrichment, Id, Namespaces, Process, Stage, Thread,
    },
    kernel::support,
    rendered::Rendered,
    time::Epoch,
    tracer::Args,
};
use look::{Looked, look};
use node_file::{FileId, NodeFiles};

/// How many processes are remembered. When there are more, all are forgotten and read anew.
const REMEMBERED_MAX: usize = 4096;

/// The processes seen so far. One process in one state is put together once.
pub struct Processes {
    /// The containers that they are in.
    pub homes: Homes,
    epoch: Epoch,
    boot: SmolStr,
    args: Args,
    known: HashMap<(u32, u32), Known>,
    images: HashMap<u32, Image>,
    node_files: NodeFiles,
}

/// What /proc said of a process image when it was first seen.
struct Image {
    start_boottime_ns: u64,
    arg_start: u64,
    looked: Looked,
}

struct Known {
    /// The actor of the record, and its texts.
    identity: Box<[u8]>,
    cut: u32,
    actor: Rc<Actor>,
}

impl Known {
    fn is_same(&self, other: &Identity<'_>) -> bool {
        let mine = self.identity.split_at_checked(size_of::<record::Actor>());
        self.cut == other.cut && mine == Some((other.actor.as_bytes(), other.text))
    }
}

/// Who did it.
#[derive(Debug)]
pub struct Actor {
    /// The process.
    pub process: Arc<Rendered<Process>>,
    /// What it is.
    pub component: Arc<Rendered<Component>>,
    /// Its cgroup.
    pub home: Option<Rc<Home>>,
    /// What it writes keys on behalf of.
    pub behalf: Behalf,
    /// Which fields of `process` are cut.
    pub cut: &'static [&'static str],
}

impl Actor {
    /// Its cgroup, where that is a container's.
    pub fn container(&self) -> Option<&Rc<Home>> {
        self.home.as_ref().filter(|home| home.is_inside())
    }

    /// Its cgroup, where that is a container's, or will be known to be one: a container's runtime is
    /// there before there is state on disk.
    pub fn new_container(&self) -> Option<&Rc<Home>> {
        self.home.as_ref().filter(|home| home.may_be_inside())
    }

    /// Whether it is a runtime on the way to the container's program.
    pub fn is_on_the_way(&self) -> bool {
        matches!(self.component.stage, Some(Stage::Child | Stage::Init))
    }
}

impl Processes {
    /// `boot`: what makes ids of processes differ between boots.
    pub fn new(epoch: Epoch, boot: SmolStr, args: Args) -> Self {
        Self {
            homes: Homes::new(State::default()),
            epoch,
            boot,
            args,
            known: HashMap::new(),
            images: HashMap::new(),
            node_files: NodeFiles::default(),
        }
    }

    /// Who is behind a record.
    pub fn of(&mut self, deed: &Deed<'_>) -> Rc<Actor> {
        let identity = deed.identity();
        let key = (identity.actor.pid, identity.actor.tid);
        if let Some(known) = self.known.get(&key)
            && known.is_same(&identity)
        {
            return known.actor.clone();
        }
        let actor_now = Rc::new(self.actor(deed));
        if self.known.len() >= REMEMBERED_MAX {
            self.known.clear();
        }
        let known = Known {
            identity: [identity.actor.as_bytes(), identity.text].concat().into(),
            cut: identity.cut,
            actor: actor_now.clone(),
        };
        self.known.insert(key, known);
        actor_now
    }

    fn actor(&mut self, deed: &Deed<'_>) -> Actor {
        let (process, cut) = self.read(deed);
        // Of a path that is cut the outer end is there, and the outermost container counts.
        let home = process.cgroup.as_ref().map(|path| self.homes.of(path));
        let facts = self.facts(deed, &process);
        let component = classify(&process, &facts, home.as_deref());
        if let Some(home) = &home
            && home.is_unsettled()
            && !(home.is_inside() && home.is_asked())
            && is_started_by_runtime(&process)
            && let Some(invocation) = invocation_of_parent(deed)
        {
            self.homes.claim(home, &invocation);
        }
        let mut behalf = behalf(&component, process.args.as_deref());
        if let Behalf::Files(inputs) = &mut behalf
            && inputs.is_relative()
        {
            let actor = &deed.acted.actor;
            inputs.start_from(look::folder_of(actor.pid, actor.start_boottime_ns));
        }
        Actor {
            process: Arc::new(Rendered::new(process)),
            behalf,
            component: Arc::new(Rendered::new(component)),
            home,
            cut,
        }
    }

    fn facts<'a>(&mut self, deed: &Deed<'a>, process: &Process) -> Facts<'a> {
        let record = &deed.acted.actor;
        let is_helper = record.flags & TASK_KERNEL_THREAD == 0
            && above(record).first().is_some_and(is_kernel_thread);
        let file = FileId {
            inode: record.executable_inode,
            dev: record.executable_dev,
        };
        // By their mount most are known to be the node's.
        let is_from_elsewhere = support::sees_node_files()
            && process.executable_mnt.is_some()
            && process.executable_mnt != support::node_mnt_ns();
        let name = process.executable_name.as_deref();
        let is_node_file = is_from_elsewhere
            && name.is_some_and(|name| {
                let path = process.executable.as_deref();
                self.node_files.has(file, name, path)
            });
        Facts {
            record,
            is_cgroup_whole: !deed.is_cut(CUT_CGROUP),
            helper_setting: is_helper.then(|| helper::setting(process)).flatten(),
            is_node_file,
        }
    }

    fn read(&mut self, deed: &Deed<'_>) -> (Process, &'static [&'static str]) {
        let actor = &deed.acted.actor;
        let looked = self.look(actor);
        // As they were at the event: the process may be gone, or have written others there.
        let recorded = look::recorded(deed.actor_text(actor.args), self.args);
        let args_cut = looked.args_cut && recorded.is_none();
        let ancestors: Vec<_> = actor.ancestors[..ANCESTORS_MAX.min(actor.ancestors_len as usize)]
            .iter()
            .map(|ancestor| Ancestor {
                pid: ancestor.pid,
                name: text_of(until_nul(&ancestor.comm)).into(),
                executable_name: executable(deed, ancestor.executable),
                executable_mnt: present(ancestor.executable_mnt_inum),
                start: self.epoch.moment(ancestor.start_boottime_ns).to_string(),
                entity_id: self.entity_id(ancestor.pid, ancestor.start_boottime_ns),
            })
            .collect();
        let process = Process {
            pid: actor.pid,
            name: text_of(until_nul(&actor.comm)).into(),
            executable_name: executable(deed, actor.executable),
            executable_mnt: present(actor.executable_mnt_inum),
            executable: looked.executable,
            args: recorded.or(looked.args),
            start: self.epoch.moment(actor.start_boottime_ns).to_string(),
            entity_id: self.entity_id(actor.pid, actor.start_boottime_ns),
            thread: Thread {
                id: actor.tid,
                capabilities: Capabilities {
                    effective: capabilities(actor.capabilities_effective),
                },
            },
            user: Id {
                id: actor.uid.to_string(),
            },
            group: Id {
                id: actor.gid.to_string(),
            },
            parent: ancestors.first().cloned(),
            ancestors,
            cgroup: cgroup(deed),
            namespaces: Namespaces {
                net: present(actor.net_inum),
                pid: present(actor.pid_inum),
                mnt: present(actor.mnt_inum),
                user: present(actor.user_inum),
                cgroup: present(actor.cgroup_inum),
            },
            enrichment: looked.enrichment,
        };
        (process, if args_cut { &["process.args"] } else { &[] })
    }

    /// Looks into /proc once for each image, as long as that tells everything: a process may act in
    /// many states, in one namespace after the other.
    fn look(&mut self, actor: &record::Actor) -> Looked {
        let image = (actor.start_boottime_ns, actor.arg_start);
        if let Some(known) = self.images.get(&actor.pid)
            && (known.start_boottime_ns, known.arg_start) == image
        {
            return known.looked.clone();
        }
        let looked = look(actor, self.args);
        if looked.enrichment == Enrichment::Complete {
            if self.images.len() >= REMEMBERED_MAX {
                self.images.clear();
            }
            let (start_boottime_ns, arg_start) = image;
            let image = Image {
                start_boottime_ns,
                arg_start,
                looked: looked.clone(),
            };
            self.images.insert(actor.pid, image);
        }
        looked
    }

    fn entity_id(&self, pid: u32, start_boottime_ns: u64) -> String {
        format!("{}-{pid}-{start_boottime_ns}", self.boot)
    }
}

/// What the record tells of a process beside what events say.
struct Facts<'a> {
    record: &'a record::Actor,
    /// Whether its cgroup's path is all there.
    is_cgroup_whole: bool,
    /// The setting that has the kernel start it.
    helper_setting: Option<String>,
    /// Whether its executable is the node's own file, though not by the node's own mount.
    is_node_file: bool,
}

/// The processes above an actor.
fn above(actor: &record::Actor) -> &[record::Ancestor] {
    &actor.ancestors[..ANCESTORS_MAX.min(actor.ancestors_len as usize)]
}

const fn is_kernel_thread(ancestor: &record::Ancestor) -> bool {
    ancestor.flags & TASK_KERNEL_THREAD != 0
}

/// What a process is.
fn classify(process: &Process, facts: &Facts<'_>, home: Option<&Home>) -> Component {
    let node = support::node_mnt_ns();
    let is_on_node = |mnt: Option<u32>| Some(mnt? == node?);
    let ancestors: Vec<_> = process
        .ancestors
        .iter()
        .zip(above(facts.record))
        .map(|(ancestor, record)| Forebear {
            is_kernel_thread: is_kernel_thread(record),
            name: &ancestor.name,
            executable_name: ancestor.executable_name.as_deref(),
            executable_on_node: is_on_node(ancestor.executable_mnt),
            is_outside: ancestor
                .executable_mnt
                .is_some_and(|mnt| Some(mnt) != process.namespaces.mnt),
        })
        .collect();
    let nowhere = Place::default();
    let container = home.and_then(Home::container);
    let kubernetes = home.and_then(Home::kubernetes);
    component::component(&Subject {
        pid: process.pid,
        name: &process.name,
        executable_name: process.executable_name.as_deref(),
        executable: process.executable.as_deref(),
        args: process.args.as_deref(),
        uid: facts.record.uid,
        is_kernel_thread: facts.record.flags & TASK_KERNEL_THREAD != 0,
        helper_setting: facts.helper_setting.as_deref(),
        is_node_file: facts.is_node_file,
        executable_on_node: is_on_node(process.executable_mnt),
        in_node_mnt: is_on_node(process.namespaces.mnt),
        place: home.map_or(&nowhere, Home::place),
        is_place_whole: facts.is_cgroup_whole,
        container: container.as_ref().map(|container| &***container),
        kubernetes: kubernetes.as_ref().map(|kubernetes| &***kubernetes),
        ancestors: &ancestors,
    })
}

/// Executables that start containers' first programs, at the beginning of their names.
const STARTERS: [&str; 8] = [
    "containerd-shim",
    "runc",
    "crun",
    "youki",
    "conmon",
    "systemd-nspawn",
    "lxc-start",
    "lxc-execute",
];

/// Whether the parent is a runtime, by an executable that is not from the mount namespace that the
/// process is in.
pub fn is_started_by_runtime(process: &Process) -> bool {
    process.parent.as_ref().is_some_and(|parent| {
        let name = parent.executable_name.as_deref().unwrap_or_default();
        let is_outside = parent.executable_mnt != process.namespaces.mnt
            || process.namespaces.mnt == support::node_mnt_ns();
        is_outside && STARTERS.iter().any(|starter| name.starts_with(starter))
    })
}

/// What the parent was asked for, by its arguments, if it still lives.
fn invocation_of_parent(deed: &Deed<'_>) -> Option<Invocation> {
    let actor = &deed.acted.actor;
    let parent = actor.ancestors[..ANCESTORS_MAX.min(actor.ancestors_len as usize)].first()?;
    arguments::invocation(&look::args_of(parent.pid, parent.start_boottime_ns)?)
}

fn present(inum: u32) -> Option<u32> {
    (inum != 0).then_some(inum)
}

fn executable(deed: &Deed<'_>, span: Span) -> Option<String> {
    (span.len > 0).then(|| text_of(deed.actor_text(span)).into())
}

/// The path from the root of the hierarchy: `/` for the root itself. Of one that is cut, the outer
/// end, if that could be read.
fn cgroup(deed: &Deed<'_>) -> Option<String> {
    let span = deed.acted.actor.cgroup;
    if span.len == 0 && deed.is_cut(CUT_CGROUP) {
        return None;
    }
    let mut path = String::new();
    for name in names(deed.actor_text(span)) {
        path.push('/');
        path.push_str(&text_of(name));
    }
    Some(if path.is_empty() {
        "/".to_owned()
    } else {
        path
    })
}

/// Names of the bits of a capability set; numbers where they have none.
static CAPABILITIES: LazyLock<Vec<SmolStr>> = LazyLock::new(|| {
    let mut names: Vec<_> = (0..u64::BITS).map(|bit| bit.to_smolstr()).collect();
    for capability in caps::all() {
        names[usize::from(capability.index())] = capability.to_smolstr();
    }
    names
});

fn capabilities(bits: u64) -> Vec<SmolStr> {
    (0..)
        .zip(CAPABILITIES.iter())
        .filter(|(bit, _)| bits >> bit & 1 == 1)
        .map(|(_, name)| name.clone())
        .collect()
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
