//! Decoded records → events: who did it, when, and in which words.

pub mod assemble;
pub mod process;
pub mod redact;
