//! Services of the user land, which nothing starts but a scenario.

use anyhow::{Context as _, Result, ensure};

use crate::scenarios::command;

/// Every unit that a scenario may start, in the order in which they start. A scenario that is killed
/// leaves them running, with a configuration that is not the next one's.
pub const UNITS: [&str; 5] = [
    "containerd.service",
    "docker.socket",
    "docker.service",
    "systemd-udevd.service",
    "systemd-networkd.service",
];

/// Units that were started, and are stopped again, the first one last.
#[derive(Debug)]
pub struct Service(&'static [&'static str]);

impl Service {
    /// Starts the units and waits until they say that they are ready.
    pub fn start(units: &'static [&'static str]) -> Result<Self> {
        let service = Self(units);
        for unit in units {
            ensure!(UNITS.contains(unit), "{unit} is not in `UNITS`");
            command::run("systemctl", &["start", unit]).map_err(|error| {
                let log = command::run("journalctl", &["--no-pager", "-n", "15", "-u", unit]);
                error.context(log.unwrap_or_default())
            })?;
        }
        Ok(service)
    }
}

impl Drop for Service {
    /// In one step: a socket would start its service again.
    fn drop(&mut self) {
        let units = self.0.iter().rev().copied();
        let arguments: Vec<&str> = std::iter::once("stop").chain(units).collect();
        command::undo("systemctl", &arguments);
    }
}

/// The first process of a running service.
pub fn main_pid(unit: &str) -> Result<u32> {
    let arguments = ["show", "--property=MainPID", "--value", unit];
    let text = command::run("systemctl", &arguments)?;
    text.parse()
        .with_context(|| format!("{unit} has no process: {text:?}"))
}
