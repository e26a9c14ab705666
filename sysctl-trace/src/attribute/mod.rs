//! Decoded records → events: who did it, when, in which words, in which container and for whom.

pub mod cgroup;
pub mod component;
pub mod container;
pub mod requester;
pub mod runtime;

pub mod home;
pub mod owner;
pub mod pin;
pub mod process;
pub mod redact;
pub mod resident;

pub mod assemble;
pub mod attributor;
pub mod memory;
pub mod settle;
