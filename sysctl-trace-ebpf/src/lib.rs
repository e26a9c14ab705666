//! The contract between the probes and user space.
//!
//! This library target holds what both sides must agree on; the probes are in the binary target,
//! which is built for `bpfel-unknown-none`.

#![no_std]

pub mod record;
pub mod settings;
