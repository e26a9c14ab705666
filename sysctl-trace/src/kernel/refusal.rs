//! Why the probes are not in place, in words that name the thing and the fix.

use std::{io, path::PathBuf};

use aya::{
    programs::{ProgramError, ProgramType},
    sys::is_program_supported,
};
use caps::Capability;
use rustix::io::Errno;

use super::{
    btf, offsets,
    probes::{Mode, Probe},
    support,
};

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
    #[error("{} on {}: {}", probe.name, probe.function, explain(source))]
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
pub fn refuses_programs() -> bool {
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
