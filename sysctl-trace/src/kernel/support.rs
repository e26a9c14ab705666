//! Facts about this kernel and this process, found by asking and trying. Facts only: what follows
//! from them is decided elsewhere.

use std::{fs, io, os::unix::fs::MetadataExt as _, path::PathBuf, sync::LazyLock};

use caps::{CapSet, Capability};

use super::{
    load::{self, Facts, attach_each},
    probes::{At, Mode, Without},
    refusal::Error,
};

/// Needed to load and attach the probes and to see kernel addresses. CAP_SYS_ADMIN stands for the
/// first two.
pub const REQUIRED: [Capability; 3] = [
    Capability::CAP_BPF,
    Capability::CAP_PERFMON,
    Capability::CAP_SYSLOG,
];
/// Needed to look at processes of others in /proc.
pub const USEFUL: [Capability; 2] = [Capability::CAP_SYS_PTRACE, Capability::CAP_DAC_READ_SEARCH];

/// Inode number of the initial pid namespace (PROC_PID_INIT_INO), the same in every kernel.
const INITIAL_PID_NAMESPACE: u64 = 0xEFFF_FFFC;
/// A ring buffer for trying.
const TRIAL_BYTES: u32 = 64 * 1024;

/// What was found.
#[derive(Debug)]
pub struct Support {
    /// `uname -r`.
    pub release: String,
    /// `uname -m`.
    pub machine: String,
    /// Of [`REQUIRED`], those that are not in effect.
    pub missing_required: Vec<Capability>,
    /// Of [`USEFUL`], those that are not in effect.
    pub missing_useful: Vec<Capability>,
    /// The tracer counts processes as the kernel does.
    pub initial_pid_namespace: bool,
    /// The kernel's lockdown, such as `none`; `None` where the kernel has no such thing.
    pub lockdown: Option<String>,
    /// Where the offsets come from.
    pub btf: PathBuf,
    /// Outcome of gathering what the probes need: how many handlers of keys are known here.
    pub facts: Result<usize, Error>,
    /// What became of each way to attach; empty where the facts are lacking.
    pub modes: Vec<Trial>,
}

/// One way to attach, tried.
#[derive(Debug)]
pub struct Trial {
    /// The way.
    pub mode: Mode,
    /// Each probe, or why not even the maps could be made.
    pub outcome: Result<Vec<Hook>, Error>,
}

/// One probe, tried.
#[derive(Debug)]
pub struct Hook {
    /// The kernel function or tracepoint.
    pub function: &'static str,
    /// Where of it.
    pub at: At,
    /// What is lost without it; absent where nothing can be traced without it.
    pub without: Option<Without>,
    /// Whether it was loaded and attached.
    pub outcome: Result<(), Error>,
}

impl Hook {
    /// Whether tracing can do without what happened to it.
    pub fn is_bearable(&self) -> bool {
        self.without.is_some() || self.outcome.is_ok()
    }
}

impl Trial {
    /// Whether every probe was loaded and attached that tracing needs.
    pub fn works(&self) -> bool {
        self.outcome
            .as_ref()
            .is_ok_and(|hooks| hooks.iter().all(Hook::is_bearable))
    }
}

impl Support {
    /// Asks and tries. Every probe is really loaded and attached, and detached again.
    pub fn find(btf: Option<&PathBuf>, modes: &[Mode]) -> Self {
        let name = rustix::system::uname();
        let facts = Facts::gather(btf);
        let trials = facts.as_ref().map_or_else(
            |_| Vec::new(),
            |facts| modes.iter().map(|&mode| trial(facts, mode)).collect(),
        );
        Self {
            release: name.release().to_string_lossy().into_owned(),
            machine: name.machine().to_string_lossy().into_owned(),
            missing_required: missing(&REQUIRED),
            missing_useful: missing(&USEFUL),
            initial_pid_namespace: fs::metadata("/proc/self/ns/pid")
                .is_ok_and(|namespace| namespace.ino() == INITIAL_PID_NAMESPACE),
            lockdown: lockdown(),
            btf: btf
                .cloned()
                .unwrap_or_else(|| PathBuf::from(load::KERNEL_BTF)),
            facts: facts.map(|facts| facts.handlers().len()),
            modes: trials,
        }
    }
}

fn trial(facts: &Facts, mode: Mode) -> Trial {
    let outcome = load::open(facts, TRIAL_BYTES)
        .and_then(|ebpf| attach_each(facts, mode, ebpf))
        .map(|(_, results)| {
            results
                .into_iter()
                .map(|(probe, outcome)| Hook {
                    function: probe.function,
                    at: probe.at,
                    without: mode.without(&probe),
                    outcome,
                })
                .collect()
        });
    Trial { mode, outcome }
}

/// Inode number of the mount namespace of the node: that of its first process, when it was first
/// asked for. `None` where that can't be seen.
pub fn node_mnt_ns() -> Option<u32> {
    static NODE: LazyLock<Option<u32>> = LazyLock::new(|| {
        let namespace = fs::metadata("/proc/1/ns/mnt").ok()?;
        u32::try_from(namespace.ino()).ok()
    });
    *NODE
}

/// Whether this process is in the node's mount namespace, so that paths lead to the node's files.
pub fn sees_node_files() -> bool {
    static OWN: LazyLock<bool> = LazyLock::new(|| {
        let own = fs::metadata("/proc/self/ns/mnt").ok();
        own.is_some_and(|own| u32::try_from(own.ino()).ok() == node_mnt_ns())
    });
    *OWN
}

/// Which of these are not in effect.
pub fn missing(wanted: &[Capability]) -> Vec<Capability> {
    let has = |capability| caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false);
    let admin = has(Capability::CAP_SYS_ADMIN);
    wanted
        .iter()
        .copied()
        .filter(|&capability| match capability {
            Capability::CAP_BPF | Capability::CAP_PERFMON => !admin && !has(capability),
            other => !has(other),
        })
        .collect()
}

/// `CAP_BPF, CAP_PERFMON`.
pub fn names(capabilities: &[Capability]) -> String {
    let names: Vec<_> = capabilities.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// The word in brackets of `none [integrity] confidentiality`.
fn lockdown() -> Option<String> {
    let text: io::Result<_> = fs::read_to_string("/sys/kernel/security/lockdown");
    let text = text.ok()?;
    let (_, rest) = text.split_once('[')?;
    Some(rest.split_once(']')?.0.to_owned())
}
