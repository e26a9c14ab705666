//! The identity of a network namespace.

use anyhow::Result;

use super::{log::Netns, sys};

/// The network namespace that the calling thread is in.
///
/// # Errors
/// When the kernel does not say.
pub fn current() -> Result<Netns> {
    Ok(Netns {
        inum: sys::namespace_inum("net")?,
        cookie: sys::netns_cookie()?,
        user_ns: sys::owner_inum("net")?,
    })
}
