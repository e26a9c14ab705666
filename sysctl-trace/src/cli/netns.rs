//! Looks up the network namespaces that the command line names by path.

use std::{fs::File, path::Path};

use anyhow::Context as _;

use crate::{
    cli::plan::Netns,
    filter::{Sign, Values},
    kernel::netns,
};

/// The numbers of the namespaces.
pub fn resolve(named: &[Sign<Netns>]) -> anyhow::Result<Values<u32>> {
    let mut values = Values::default();
    for sign in named {
        values.add(sign.clone().try_map(|netns| match netns {
            Netns::Inum(inum) => Ok(inum),
            Netns::Path(path) => inum(&path).with_context(|| format!("--netns {}", path.display())),
        })?);
    }
    Ok(values)
}

fn inum(path: &Path) -> anyhow::Result<u32> {
    let file = File::open(path).context("cannot open it")?;
    netns::of_file(&file)
        .context("cannot look at it")?
        .context("it is not a network namespace; examples: /run/netns/NAME, /proc/PID/ns/net")
}

#[cfg(test)]
#[path = "netns_tests.rs"]
mod tests;
