//! Load and attach the probes; detach by dropping.

use std::{collections::BTreeSet, fs, os::fd::AsFd as _, path::PathBuf};

use aya::{
    Btf, BtfError, Ebpf, EbpfLoader, Endianness, Pod,
    maps::{HashMap, MapData},
    programs::{FEntry, FExit, KProbe, ProgramError, RawTracePoint},
};
use rustix::process::{Resource, Rlimit, setrlimit};
use sysctl_trace_ebpf::settings::{Handler, SETTINGS_SYMBOL, Settings, Symbols as SymbolSettings};
use zerocopy::IntoBytes;

use super::{
    btf, handlers,
    loss::PerProgram,
    misses, offsets,
    probes::{self, At, By, FUNCTIONS, Mode, Probe},
    refusal::{Error, refuses_programs},
    support::{self, missing},
    symbols::Symbols,
};
use crate::event::Action;

/// Where the kernel describes its own types.
pub const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// The probes, as they were built.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("SYSCTL_TRACE_EBPF_OBJECT"));

/// What the kernel was booted with.
const COMMAND_LINE: &str = "/proc/cmdline";

/// Symbols other than handlers whose addresses the probes need.
const SYMBOLS: [&str; 7] = [
    NET_CTL_HEADER_LOOKUP,
    VMEMMAP_BASE,
    PAGE_OFFSET_BASE,
    INIT_UTS_NS,
    INIT_IPC_NS,
    HSTATES,
    DEFAULT_HSTATE_IDX,
];
const NET_CTL_HEADER_LOOKUP: &str = "net_ctl_header_lookup";
const VMEMMAP_BASE: &str = "vmemmap_base";
const PAGE_OFFSET_BASE: &str = "page_offset_base";
const INIT_UTS_NS: &str = "init_uts_ns";
const INIT_IPC_NS: &str = "init_ipc_ns";
const HSTATES: &str = "hstates";
const DEFAULT_HSTATE_IDX: &str = "default_hstate_idx";

/// What the probes need to know of this kernel; found once, used for each try.
pub struct Facts {
    /// BTF of the kernel's own that has no more than the functions to attach to.
    functions: Option<Vec<u8>>,
    settings: Settings,
    handlers: Vec<(u64, Handler)>,
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
        let types = btf::Btf::parse(&bytes, &offsets::TYPES, &FUNCTIONS)
            .map_err(|source| Error::BadBtf { path, source })?;
        let offsets = offsets::offsets(&types)?;
        let iter = offsets::iter_kinds(&types)?;
        let wanted = SYMBOLS.into_iter().chain(handlers::symbols());
        let symbols = Symbols::read(wanted).map_err(Error::Kallsyms)?;
        let required = |name| symbols.get(name).ok_or(Error::Symbol(name));
        let optional = |name| symbols.get(name).unwrap_or(0);
        let command_line = fs::read_to_string(COMMAND_LINE).unwrap_or_default();
        let settings = Settings {
            offsets,
            iter,
            anonymous_mnt_inum: offsets::anonymous_mnt_inum(&types),
            symbols: SymbolSettings {
                net_ctl_header_lookup: required(NET_CTL_HEADER_LOOKUP)?,
                vmemmap_base: optional(VMEMMAP_BASE),
                page_offset_base: optional(PAGE_OFFSET_BASE),
                init_uts_ns: optional(INIT_UTS_NS),
                init_ipc_ns: optional(INIT_IPC_NS),
                hstates: optional(HSTATES),
                default_hstate_idx: optional(DEFAULT_HSTATE_IDX),
            },
        };
        Ok(Self {
            functions: btf.is_none().then(|| types.functions_only()),
            settings,
            handlers: handlers::found(&symbols, &types, &command_line),
        })
    }

    /// Addresses of handlers with what the probes' map is to say of each.
    pub fn handlers(&self) -> &[(u64, Handler)] {
        &self.handlers
    }

    /// BTF to find the functions in that programs are loaded for.
    pub fn btf(&self) -> Result<Btf, BtfError> {
        match &self.functions {
            Some(functions) => Btf::parse(functions, Endianness::Little),
            // Ids of functions are those of the running kernel, whatever file the offsets come from.
            None => Btf::from_sys_fs(),
        }
    }
}

/// Attached probes. Dropping it detaches them and frees all that belongs to them.
pub struct Attached {
    /// Programs and maps.
    pub ebpf: Ebpf,
    /// How they hang.
    pub mode: Mode,
    probes: Vec<Probe>,
}

impl Attached {
    /// The actions that are watched for, each once.
    pub fn watched(&self) -> Vec<Action> {
        let actions: BTreeSet<Action> = self
            .probes
            .iter()
            .map(|probe| probes::action(probe.program))
            .collect();
        actions.into_iter().collect()
    }

    /// How often the kernel passed over each program, because it was running on that CPU already.
    /// 0 where the kernel does not tell (before 5.12; kprobes before 6.7).
    pub fn passed_over(&self) -> PerProgram<u64> {
        let mut counts = PerProgram::default();
        for probe in &self.probes {
            let program = self.ebpf.program(probe.name);
            let fd = program.and_then(|program| program.fd().ok());
            let count = fd.and_then(|fd| misses::of(fd.as_fd()));
            // Both ends of one thing may have the same place.
            counts[probe.program as usize] += count.unwrap_or(0);
        }
        counts
    }
}

/// Tries the modes in their order and keeps the first that works. `opened`: the object for the first
/// try, of which no probe is attached yet.
pub fn attach(
    facts: &Facts,
    modes: &[Mode],
    opened: Ebpf,
    buffer_bytes: u32,
) -> Result<Attached, Error> {
    let mut errors = Vec::new();
    let mut opened = Some(opened);
    for &mode in modes {
        let ebpf = match opened.take() {
            Some(ebpf) => Ok(ebpf),
            None => open(facts, buffer_bytes),
        };
        match ebpf.and_then(|ebpf| attach_as(facts, mode, ebpf)) {
            Ok(attached) => return Ok(attached),
            Err(error) => errors.push((mode, error)),
        }
    }
    match <[_; 1]>::try_from(errors) {
        Ok([(_, error)]) => Err(error),
        Err(errors) => Err(Error::NoMode(errors)),
    }
}

fn attach_as(facts: &Facts, mode: Mode, ebpf: Ebpf) -> Result<Attached, Error> {
    let (ebpf, results) = attach_each(facts, mode, ebpf)?;
    let mut probes = Vec::new();
    for (probe, result) in results {
        match (result, mode.without(&probe)) {
            (Ok(()), _) => probes.push(probe),
            (Err(_), Some(_)) => {}
            (Err(error), None) => return Err(error),
        }
    }
    Ok(Attached { ebpf, mode, probes })
}

/// A probe, and whether it was loaded and attached.
pub type Tried = (Probe, Result<(), Error>);

/// Loads and attaches every probe, whatever becomes of the others.
pub fn attach_each(facts: &Facts, mode: Mode, mut ebpf: Ebpf) -> Result<(Ebpf, Vec<Tried>), Error> {
    let btf = functions(facts, mode)?;
    let all = mode.probes().iter().chain(mode.beside());
    let results = all.map(|&probe| {
        let result = hang(&mut ebpf, &probe, btf.as_ref());
        (
            probe,
            result.map_err(|source| Error::Probe { probe, source }),
        )
    });
    let results = results.collect();
    Ok((ebpf, results))
}

/// Where the functions of trampolines are found.
fn functions(facts: &Facts, mode: Mode) -> Result<Option<Btf>, BtfError> {
    match mode {
        Mode::Kprobe => Ok(None),
        Mode::Typed | Mode::Trampoline => facts.btf().map(Some),
    }
}

/// Makes the maps, with their content. No program is loaded yet.
pub fn open(facts: &Facts, buffer_bytes: u32) -> Result<Ebpf, Error> {
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

    let mut ebpf = EbpfLoader::new()
        .btf(None)
        .override_global(SETTINGS_SYMBOL, facts.settings.as_bytes(), true)
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
    Ok(ebpf)
}

#[derive(Clone, Copy)]
#[repr(transparent)]
struct HandlerPod(Handler);

// SAFETY: plain integers.
unsafe impl Pod for HandlerPod {}

fn fill_handlers(ebpf: &mut Ebpf, facts: &Facts) -> Result<(), Error> {
    const NAME: &str = "HANDLERS";
    let error = |source| Error::Map { name: NAME, source };
    let Some(map) = ebpf.map_mut(NAME) else {
        return Err(Error::NoObject);
    };
    let mut map = HashMap::<&mut MapData, u64, HandlerPod>::try_from(map).map_err(error)?;
    for &(address, handler) in facts.handlers() {
        map.insert(address, HandlerPod(handler), 0).map_err(error)?;
    }
    Ok(())
}

/// Loads and attaches one program. `btf`: where the functions of trampolines are found.
fn hang(ebpf: &mut Ebpf, probe: &Probe, btf: Option<&Btf>) -> Result<(), ProgramError> {
    let program = ebpf
        .program_mut(probe.name)
        .ok_or(ProgramError::NotLoaded)?;
    match (probe.by, probe.at) {
        (By::Kprobe, _) => {
            let program: &mut KProbe = program.try_into()?;
            program.load()?;
            program.attach(probe.function, 0)?;
        }
        (By::RawTracepoint, _) | (_, At::Tracepoint) => {
            let program: &mut RawTracePoint = program.try_into()?;
            program.load()?;
            program.attach(probe.function)?;
        }
        (By::Trampoline, At::Entry) => {
            let program: &mut FEntry = program.try_into()?;
            program.load(probe.function, btf.ok_or(ProgramError::NotLoaded)?)?;
            program.attach()?;
        }
        (By::Trampoline, At::Return) => {
            let program: &mut FExit = program.try_into()?;
            program.load(probe.function, btf.ok_or(ProgramError::NotLoaded)?)?;
            program.attach()?;
        }
    }
    Ok(())
}
