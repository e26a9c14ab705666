//! 22: a value that docker is asked for and the kernel refuses.

use anyhow::{Context as _, Result, bail};

use super::{
    KEY, Kept,
    claims::{Claim, Claims},
};
use crate::scenarios::{Context, command, runtime::docker::Docker};

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    let _value = Kept::set(KEY, "2048")?;
    by_docker().context("docker run --sysctl")
}

fn by_docker() -> Result<()> {
    let docker = Docker::start()?;
    let mut claims = Claims::watching()?;
    let options = ["--name", "badly", "--sysctl", "net.core.somaxconn=many"];
    if docker.start_container(&options, &[]).is_ok() {
        bail!("the kernel took the value");
    }
    command::run("docker", &["rm", "--force", "badly"])?;
    claims.ask_later(Claim::about(
        "badly",
        &["4096 in badly", "refused"],
        &["overwritten"],
    ));
    claims.end().map(drop)
}
