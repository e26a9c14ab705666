//! 13 to 22: who set a value, asked in every way of the tool. The letters are those of the journey: `a`
//! is a pod without sysctls, `p` the node's own value. Each has a page of answers, which a golden
//! file beside this one holds.

mod answers;
pub mod bare;
mod book;
mod claims;
pub mod crio;
pub mod docker;
pub mod kubelet;
pub mod ls;
pub mod node;
pub mod pods;
pub mod refused;
pub mod services;
mod stable;

use anyhow::{Result, ensure};

use super::command;

/// The key that is asked about.
const KEY: &str = "net.core.somaxconn";

/// What the node's own value is, one after the other.
const ROUNDS: [&str; 2] = ["2048", "1024"];

/// A value of the node that is put back.
struct Kept {
    key: &'static str,
    before: String,
}

impl Kept {
    /// Sets it by sysctl(8).
    fn set(key: &'static str, value: &str) -> Result<Self> {
        let before = command::run("sysctl", &["--values", key])?;
        write(key, value)?;
        Ok(Self { key, before })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let setting = format!("{}={}", self.key, self.before);
        command::undo("sysctl", &["-q", "-w", &setting]);
    }
}

/// Sets a value of the node by sysctl(8).
fn write(key: &str, value: &str) -> Result<()> {
    command::run_held("sysctl", &["-w", &format!("{key}={value}")])
}

/// Tells everything that went wrong in parts that do not depend on each other.
fn all<const N: usize>(parts: [Result<()>; N]) -> Result<()> {
    let errors = parts.into_iter().filter_map(Result::err);
    let wrong: Vec<String> = errors.map(|error| format!("{error:#}")).collect();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
