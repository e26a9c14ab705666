//! The guest side of the tests: what runs inside the virtual machines that `cargo xtask` boots.

pub mod bench;
pub mod protocol;

#[cfg(feature = "guest")]
pub mod cases;
#[cfg(feature = "guest")]
pub mod exactness;
#[cfg(feature = "guest")]
pub mod guest;
#[cfg(feature = "guest")]
pub mod scenarios;
#[cfg(feature = "guest")]
pub mod trace;
#[cfg(feature = "guest")]
pub mod workload;
