//! Services of the user land, which nothing starts but a scenario.

use anyhow::{Context as _, Result};

use crate::scenarios::command;

/// Units that were started, and are stopped again, the first one last.
#[derive(Debug)]
pub struct Service(&'static [&'static str]);

impl Service {
    /// Starts the units and waits until they say that they are ready. Those that run already are stopped
    /// first: a scenario that passed its deadline has left them with another configuration.
    pub fn start(units: &'static [&'static str]) -> Result<Self> {
        let service = Self(units);
        service.stop();
        for unit in units {
            command::run("systemctl", &["start", unit]).map_err(|error| {
                let log = command::run("journalctl", &["--no-pager", "-n", "15", "-u", unit]);
                error.context(log.unwrap_or_default())
            })?;
        }
        Ok(service)
    }
}

impl Service {
    /// In one step: a socket would start its service again.
    fn stop(&self) {
        let units = self.0.iter().rev().copied();
        let arguments: Vec<&str> = std::iter::once("stop").chain(units).collect();
        command::undo("systemctl", &arguments);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The first process of a running service.
pub fn main_pid(unit: &str) -> Result<u32> {
    let arguments = ["show", "--property=MainPID", "--value", unit];
    let text = command::run("systemctl", &arguments)?;
    text.parse()
        .with_context(|| format!("{unit} has no process: {text:?}"))
}
