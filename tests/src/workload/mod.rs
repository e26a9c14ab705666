//! A workload that makes network namespaces and writes keys in every way there is, and logs what it
//! did itself.
//!
//! Nothing here knows the tracer: the log says what the workload asked the kernel for, what the
//! kernel answered, and what the files below /proc/sys showed before and after. The comparison with
//! the trace is in [`crate::exactness`].
//!
//! In the order of use: [`log`] is the contract with the comparison; [`actor`], [`netns`] and
//! [`keys`] gather the facts; [`buffer`], [`uring`], [`sys`] and [`file`] perform one write;
//! [`process`] makes processes; the scenarios are built from these, and [`exactness`] runs them.

pub mod log;

pub mod actor;
pub mod keys;
pub mod netns;

pub mod buffer;
pub mod file;
pub mod sys;
pub mod uring;

pub mod process;

mod bulk;
mod create;
pub mod enter;
mod identity;
mod inherit;
pub mod nested;
mod race;
pub mod stall;
mod text;

pub mod exactness;
pub mod loops;
