//! A name for the memory that a key's value is held in: equal memory, held in the same way, equal name.
//!
//! The kernel's addresses must not leave the tracer, as they help to attack the kernel. What leaves is
//! a hash with keys that are drawn anew for each run and kept to itself, so a name means something
//! within one run only and tells nothing of the address.

use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
};

use smol_str::{SmolStr, format_smolstr};
use sysctl_trace_ebpf::settings::ValueKind;

/// Names for addresses.
#[derive(Clone, Default)]
pub struct Memory(RandomState);

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

impl Memory {
    /// The name of an address; `None` for 0, where there is no memory. Two keys may show the same
    /// memory in different units, as `base_reachable_time` and `base_reachable_time_ms` do: these have
    /// different names.
    pub fn name(&self, address: u64, kind: ValueKind) -> Option<SmolStr> {
        let held = (address, kind as u32);
        (address != 0).then(|| format_smolstr!("{:016x}", self.0.hash_one(held)))
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
