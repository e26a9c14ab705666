//! 13 to 17: who set a value, asked in every way of the tool. The letters are those of the journey: `a`
//! is a pod without sysctls, `p` the node's own value. Each has a page of answers, which a golden
//! file beside this one holds.

mod answers;
pub mod bare;
mod book;
pub mod docker;
pub mod ls;
pub mod node;
pub mod pods;
mod stable;

use anyhow::Result;

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
