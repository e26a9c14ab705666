//! `sysctl-trace schema`: the JSON Schema of events and answers, generated from the types.

use schemars::schema_for;

use super::{
    args::{self, Schema},
    exit::Exit,
    print,
};
use crate::{answer::Answer, event::Event};

/// Prints a schema.
pub fn schema(args: &Schema) -> anyhow::Result<Exit> {
    let schema = match args.what {
        args::What::Events => schema_for!(Event),
        args::What::Answers => schema_for!(Answer),
    };
    print::text(&(serde_json::to_string_pretty(&schema)? + "\n"))?;
    Ok(Exit::Done)
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
