//! A name for the memory that a key's value is held in: equal memory, equal name.
//!
//! The kernel's addresses must not leave the tracer, as they help to attack the kernel. What leaves is
//! a hash with keys that are drawn anew for each run and kept to itself, so a name means something
//! within one run only and tells nothing of the address.

use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
};

use smol_str::{SmolStr, format_smolstr};

/// Names for addresses.
#[derive(Clone, Default)]
pub struct Memory(RandomState);

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

impl Memory {
    /// The name of an address; `None` for 0, where there is no memory.
    pub fn name(&self, address: u64) -> Option<SmolStr> {
        (address != 0).then(|| format_smolstr!("{:016x}", self.0.hash_one(address)))
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
