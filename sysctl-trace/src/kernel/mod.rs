//! The kernel's side of the door: what it is made of, the probes in it, and what they say.

pub mod btf;
pub mod clock;
pub mod handlers;
pub mod keys;
pub mod load;
pub mod loss;
mod misses;
pub mod netns;
pub mod offsets;
pub mod probes;
pub mod refusal;
pub mod ring;
pub mod support;
pub mod symbols;
