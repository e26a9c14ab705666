//! `sysctl-trace schema`: the JSON Schema of the events, generated from the types.

use std::io::{self, Write as _};

use anyhow::Context as _;

use crate::{cli::exit::Exit, event::Event};

/// Prints the schema.
pub fn schema() -> anyhow::Result<Exit> {
    let mut text = serde_json::to_string_pretty(&schemars::schema_for!(Event))?;
    text.push('\n');
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        Ok(()) | Err(_) => Ok(Exit::Done),
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
