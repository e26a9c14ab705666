//! The guest side of the tests: what runs inside the virtual machines that `cargo xtask` boots.

/// The file by which the demo's scenario keeps a network namespace.
pub const DEMO_PIN: &str = "/run/netns/blue";

pub mod bench;
pub mod golden;
pub mod keys_page;
pub mod protocol;

#[cfg(feature = "guest")]
pub mod cases;
#[cfg(feature = "guest")]
pub mod crio;
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
