//! Load and attach the probes; detach by dropping.

use std::{
    fs, io,
    os::fd::{AsFd as _, AsRawFd as _, RawFd},
    path::PathBuf,
};

use aya::{
    Btf, Ebpf, EbpfLoader, Endianness,
    maps::{HashMap, MapData},
    programs::{FEntry, FExit, KProbe, ProgramError, ProgramType},
    sys::is_program_supported,
};
use rustix::{
    io::Errno,
    process::{Resource, Rlimit, setrlimit},
};
use sysctl_trace_ebpf::settings::{SETTINGS_SYMBOL, Settings, Symbols as SymbolSettings};
use zerocopy::IntoBytes;

use caps::Capability;

use super::{
    btf,
    handlers::HANDLERS,
    offsets,
    support::{self, missing},
    symbols::Symbols,
};

/// Where the kernel describes its own types.
pub const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// The probes, as they were built.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("SYSCTL_TRACE_EBPF_OBJECT"));

/// Symbols other than handlers whose addresses the probes need.
const NET_CTL_HEADER_LOOKUP: &str = "net_ctl_header_lookup";
const VMEMMAP_BASE: &str = "vmemmap_base";
const PAGE_OFFSET_BASE: &str = "page_offset_base";

/// How the probes hang in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// BTF trampolines that follow typed pointers by plain loads.
    Typed,
    /// BTF trampolines that read by helper (5.10: no typed current task).
    Trampoline,
    /// kprobes and kretprobes.
    Kprobe,
}

impl Mode {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Typed => "fentry/fexit",
            Self::Trampoline => "fentry/fexit, reading by helper",
            Self::Kprobe => "kprobe/kretprobe",
        }
    }
}

/// One program of the object and what it hangs on.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// Its name in the object.
    pub program: &'static str,
    /// The kernel function.
    pub function: &'static str,
    /// Entry or return.
    pub at: At,
}

impl Probe {
    /// Whether this one tells that a write has returned.
    pub fn is_return_of_write(&self) -> bool {
        self.function == "proc_sys_write" && self.at == At::Return
    }
}

/// Which end of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Before the first instruction.
    Entry,
    /// After the last.
    Return,
}

/// BTF trampolines, in the order in which they are attached. Returns come before the entries that
/// they belong to, so that no entry waits for a return that nobody sees.
pub const TRAMPOLINES: [Probe; 4] = [
    Probe {
        program: "netns_create_fexit",
        function: "copy_net_ns",
        at: At::Return,
    },
    Probe {
        program: "netns_destroy_fentry",
        function: "sysctl_core_net_exit",
        at: At::Entry,
    },
    Probe {
        program: "sysctl_write_fexit",
        function: "proc_sys_write",
        at: At::Return,
    },
    Probe {
        program: "sysctl_write_fentry",
        function: "proc_sys_write",
        at: At::Entry,
    },
];

/// The same as kprobes.
pub const KPROBES: [Probe; 4] = [
    Probe {
        program: "netns_create_kretprobe",
        function: "copy_net_ns",
        at: At::Return,
    },
    Probe {
        program: "netns_destroy_kprobe",
        function: "sysctl_core_net_exit",
        at: At::Entry,
    },
    Probe {
        program: "sysctl_write_kretprobe",
        function: "proc_sys_write",
        at: At::Return,
    },
    Probe {
        program: "sysctl_write_kprobe",
        function: "proc_sys_write",
        at: At::Entry,
    },
];

/// Why the probes are not in place.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program was built without its kernel side.
    #[error("this build has no probes in it; build it with `cargo xtask build`")]
    NoObject,
    /// No BTF to take offsets from.
    #[error("{path}: {source}; without it give the kernel's BTF with --btf FILE")]
    Btf {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// BTF that can't be used.
    #[error("{path}: {source}")]
    BadBtf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: btf::Error,
    },
    /// A field is missing.
    #[error(transparent)]
    Missing(#[from] offsets::Missing),
    /// kallsyms could not be read.
    #[error("/proc/kallsyms: {0}")]
    Kallsyms(io::Error),
    /// kallsyms hides addresses, or lacks a symbol.
    #[error(
        "/proc/kallsyms shows no address for {0}: CAP_SYSLOG is missing, or kernel.kptr_restrict is 2"
    )]
    Symbol(&'static str),
    /// The kernel did not take the object.
    #[error("the kernel refused the probes' maps: {0}")]
    Object(#[from] aya::EbpfError),
    /// aya could not read the kernel's BTF.
    #[error("BTF of the kernel: {0}")]
    KernelBtf(#[from] aya::BtfError),
    /// The kernel did not take a map's content.
    #[error("map {name}: {source}")]
    Map {
        /// The map.
        name: &'static str,
        /// What went wrong.
        source: aya::maps::MapError,
    },
    /// The kernel did not take a probe.
    #[error("{} on {}: {}", probe.program, probe.function, explain(source))]
    Probe {
        /// The probe.
        probe: Probe,
        /// What went wrong.
        source: ProgramError,
    },
    /// The process may not load programs.
    #[error("{} missing; run as root, for example with sudo", support::names(.0))]
    Capabilities(Vec<Capability>),
    /// The process may, by its capabilities, but no program of its gets in.
    #[error("Operation not permitted: {REFUSAL}")]
    Refused,
    /// None of the ways to attach works.
    #[error("no way to attach works here:{}", list(.0))]
    NoMode(Vec<(Mode, Error)>),
}

fn list(errors: &[(Mode, Error)]) -> String {
    errors
        .iter()
        .map(|(mode, error)| format!("\n  {}: {error}", mode.name()))
        .collect()
}

/// The error and what is below it; of the verifier's log of many pages the line that counts.
fn explain(error: &ProgramError) -> String {
    const STATISTICS: [&str; 4] = ["processed", "verification", "stack depth", "insns_"];
    match error {
        ProgramError::LoadError { io_error, .. } if is_refusal(io_error) => {
            format!("{io_error}: {REFUSAL}")
        }
        ProgramError::LoadError {
            io_error,
            verifier_log,
        } => {
            let log = verifier_log.to_string();
            let last = log.lines().rev().find(|line| {
                !line.is_empty() && !STATISTICS.iter().any(|start| line.starts_with(start))
            });
            match last {
                Some(line) => format!("{io_error} ({line})"),
                None => io_error.to_string(),
            }
        }
        other => {
            let mut text = other.to_string();
            let mut source = std::error::Error::source(other);
            while let Some(error) = source {
                let more = error.to_string();
                if !text.contains(&more) {
                    text = format!("{text}: {more}");
                }
                source = error.source();
            }
            text
        }
    }
}

/// What EPERM means for a process that has the capabilities.
const REFUSAL: &str = "the kernel refuses tracing programs to this process although it has the \
                       capabilities, as the seccomp filter of a container or sandbox does";

/// Whether the kernel refuses every program, tried with an empty one.
fn refuses_programs() -> bool {
    match is_program_supported(ProgramType::KProbe) {
        Err(ProgramError::SyscallError(error)) => is_refusal(&error.io_error),
        Ok(_) | Err(_) => false,
    }
}

fn is_refusal(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::PERM.raw_os_error())
}

impl Error {
    /// Whether the kernel refused a program by EPERM.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused => true,
            Self::Probe {
                source: ProgramError::LoadError { io_error, .. },
                ..
            } => is_refusal(io_error),
            Self::NoMode(errors) => errors.iter().any(|(_, error)| error.is_refusal()),
            _ => false,
        }
    }
}

/// What the probes need to know of this kernel; found once, used for each try.
pub struct Facts {
    /// BTF of the kernel's own that has no more than the functions to attach to.
    functions: Option<Vec<u8>>,
    settings: Settings,
    symbols: Symbols,
}

impl Facts {
    /// Asks BTF and kallsyms. `btf`: a file to use in place of the kernel's own.
    pub fn gather(btf: Option<&PathBuf>) -> Result<Self, Error> {
        let lacking = missing(&support::REQUIRED);
        if !lacking.is_empty() {
            return Err(Error::Capabilities(lacking));
        }
        let path = btf.cloned().unwrap_or_else(|| PathBuf::from(KERNEL_BTF));
        let bytes = fs::read(&path).map_err(|source| Error::Btf {
            path: path.clone(),
            source,
        })?;
        let functions = TRAMPOLINES.map(|probe| probe.function);
        let types = btf::Btf::parse(&bytes, &offsets::TYPES, &functions)
            .map_err(|source| Error::BadBtf { path, source })?;
        let offsets = offsets::offsets(&types)?;
        let iter = offsets::iter_kinds(&types)?;
        let wanted = [NET_CTL_HEADER_LOOKUP, VMEMMAP_BASE, PAGE_OFFSET_BASE].into_iter();
        let symbols = Symbols::read(wanted.chain(HANDLERS.iter().map(|(name, _)| *name)))
            .map_err(Error::Kallsyms)?;
        let required = |name| symbols.get(name).ok_or(Error::Symbol(name));
        let settings = Settings {
            typed_loads: 0,
            offsets,
            iter,
            symbols: SymbolSettings {
                net_ctl_header_lookup: required(NET_CTL_HEADER_LOOKUP)?,
                vmemmap_base: symbols.get(VMEMMAP_BASE).unwrap_or(0),
                page_offset_base: symbols.get(PAGE_OFFSET_BASE).unwrap_or(0),
            },
        };
        Ok(Self {
            functions: btf.is_none().then(|| types.functions_only()),
            settings,
            symbols,
        })
    }

    /// Addresses of handlers, for the probes' map.
    pub fn handlers(&self) -> impl Iterator<Item = (u64, u32)> {
        HANDLERS
            .iter()
            .filter_map(|&(name, kind)| Some((self.symbols.get(name)?, kind as u32)))
    }
}

/// Attached probes. Dropping it detaches them and frees all that belongs to them.
pub struct Attached {
    /// Programs and maps.
    pub ebpf: Ebpf,
    /// How they hang.
    pub mode: Mode,
}

impl Attached {
    /// How often the kernel passed over each probe, because it was running on that CPU already.
    /// `None` where the kernel does not tell (before 5.12).
    pub fn passed_over(&self) -> impl Iterator<Item = (Probe, Option<u64>)> {
        let probes = match self.mode {
            Mode::Typed | Mode::Trampoline => TRAMPOLINES,
            Mode::Kprobe => KPROBES,
        };
        probes.into_iter().map(|probe| {
            let program = self.ebpf.program(probe.program);
            let fd = program.and_then(|program| program.fd().ok());
            (probe, fd.and_then(|fd| misses(fd.as_fd().as_raw_fd())))
        })
    }
}

/// From a program's entry in /proc/self/fdinfo, which needs no privileges.
fn misses(fd: RawFd) -> Option<u64> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    let value = info
        .lines()
        .find_map(|line| line.strip_prefix("recursion_misses:"))?;
    value.trim().parse().ok()
}

/// Tries the modes in their order and keeps the first that works.
pub fn attach(facts: &Facts, modes: &[Mode], buffer_bytes: u32) -> Result<Attached, Error> {
    let mut errors = Vec::new();
    for &mode in modes {
        match attach_as(facts, mode, buffer_bytes) {
            Ok(attached) => return Ok(attached),
            Err(error) => errors.push((mode, error)),
        }
    }
    match <[_; 1]>::try_from(errors) {
        Ok([(_, error)]) => Err(error),
        Err(errors) => Err(Error::NoMode(errors)),
    }
}

fn attach_as(facts: &Facts, mode: Mode, buffer_bytes: u32) -> Result<Attached, Error> {
    let (ebpf, results) = attach_each(facts, mode, buffer_bytes)?;
    results.into_iter().try_for_each(|(_, result)| result)?;
    Ok(Attached { ebpf, mode })
}

/// A probe, and whether it was loaded and attached.
pub type Tried = (Probe, Result<(), Error>);

/// Loads the object, then loads and attaches every probe, whatever becomes of the others.
pub fn attach_each(
    facts: &Facts,
    mode: Mode,
    buffer_bytes: u32,
) -> Result<(Ebpf, Vec<Tried>), Error> {
    if OBJECT.is_empty() {
        return Err(Error::NoObject);
    }
    // Before 5.11 maps are charged against this limit. Where it can't be raised, the kernel says
    // so when the maps are made.
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    let _ = setrlimit(Resource::Memlock, unlimited);

    let settings = Settings {
        typed_loads: u32::from(mode == Mode::Typed),
        ..facts.settings
    };
    let mut ebpf = EbpfLoader::new()
        .btf(None)
        .override_global(SETTINGS_SYMBOL, settings.as_bytes(), true)
        .map_max_entries("EVENTS", buffer_bytes)
        .load(OBJECT)
        .map_err(|error| {
            if refuses_programs() {
                Error::Refused
            } else {
                error.into()
            }
        })?;
    fill_handlers(&mut ebpf, facts)?;
    let results = match mode {
        Mode::Typed | Mode::Trampoline => {
            let btf = match &facts.functions {
                Some(functions) => Btf::parse(functions, Endianness::Little)?,
                // Ids of functions are those of the running kernel, whatever file the offsets
                // come from.
                None => Btf::from_sys_fs()?,
            };
            try_all(&TRAMPOLINES, |probe| {
                attach_trampoline(&mut ebpf, probe, &btf)
            })
        }
        Mode::Kprobe => try_all(&KPROBES, |probe| attach_kprobe(&mut ebpf, probe)),
    };
    Ok((ebpf, results))
}

fn try_all(
    probes: &[Probe],
    mut attach: impl FnMut(&Probe) -> Result<(), ProgramError>,
) -> Vec<Tried> {
    probes
        .iter()
        .map(|&probe| {
            (
                probe,
                attach(&probe).map_err(|source| Error::Probe { probe, source }),
            )
        })
        .collect()
}

fn fill_handlers(ebpf: &mut Ebpf, facts: &Facts) -> Result<(), Error> {
    const NAME: &str = "HANDLERS";
    let error = |source| Error::Map { name: NAME, source };
    let Some(map) = ebpf.map_mut(NAME) else {
        return Err(Error::NoObject);
    };
    let mut map = HashMap::<&mut MapData, u64, u32>::try_from(map).map_err(error)?;
    for (address, kind) in facts.handlers() {
        map.insert(address, kind, 0).map_err(error)?;
    }
    Ok(())
}

fn attach_trampoline(ebpf: &mut Ebpf, probe: &Probe, btf: &Btf) -> Result<(), ProgramError> {
    let program = ebpf
        .program_mut(probe.program)
        .ok_or(ProgramError::NotLoaded)?;
    match probe.at {
        At::Entry => {
            let program: &mut FEntry = program.try_into()?;
            program.load(probe.function, btf)?;
            program.attach()?;
        }
        At::Return => {
            let program: &mut FExit = program.try_into()?;
            program.load(probe.function, btf)?;
            program.attach()?;
        }
    }
    Ok(())
}

fn attach_kprobe(ebpf: &mut Ebpf, probe: &Probe) -> Result<(), ProgramError> {
    let program = ebpf
        .program_mut(probe.program)
        .ok_or(ProgramError::NotLoaded)?;
    let program: &mut KProbe = program.try_into()?;
    program.load()?;
    program.attach(probe.function, 0)?;
    Ok(())
}
