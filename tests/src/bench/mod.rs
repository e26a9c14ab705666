//! What tracing costs, measured in a guest whose clock counts instructions.
//!
//! [`session`] attaches a tool, has things done below ancestors and cgroups such as a container's
//! ([`place`]), and asks the processes that do them ([`actor`]) what they took ([`meter`]).
//! [`terms`] is what the host asks and gets.

pub mod terms;

#[cfg(feature = "guest")]
pub mod actor;
#[cfg(feature = "guest")]
pub mod listing;
#[cfg(feature = "guest")]
pub mod meter;
#[cfg(feature = "guest")]
pub mod place;
#[cfg(feature = "guest")]
pub mod profile;
#[cfg(feature = "guest")]
pub mod session;
#[cfg(feature = "guest")]
pub mod tool;
