//! `sysctl-trace doctor`: what this kernel and these privileges allow.

use crate::cli::{args, exit::Exit};

/// Looks, and tells.
pub fn doctor(_args: &args::Doctor) -> anyhow::Result<Exit> {
    anyhow::bail!("doctor is not there yet")
}
