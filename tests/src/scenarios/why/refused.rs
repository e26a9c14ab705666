//! 22: a value that docker is asked for and the kernel refuses, and a pod that podman makes of a file for
//! Kubernetes, asked by the pod's name.

use std::fs;

use anyhow::{Context as _, Result, bail};

use super::{
    KEY, Kept, all,
    claims::{Claim, Claims},
};
use crate::scenarios::{
    Context, command,
    runtime::{
        Folder, Setting,
        docker::Docker,
        podman::{IMAGE, Podman, Whose},
    },
};

/// What podman makes a pod's infra container of, without an image that is not here.
const SETTINGS: &str = "[engine]\ninfra_image = \"localhost/busybox:1\"\n\
                        infra_command = \"/bin/sleep 100000\"\n";

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    let _value = Kept::set(KEY, "2048")?;
    all([
        by_docker().context("docker run --sysctl"),
        by_podman().context("podman kube play"),
    ])
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

/// A pod that is removed on drop.
struct Played(Folder);

impl Played {
    fn play() -> Result<Self> {
        let folder = Folder::make("/var/tmp/scenario-kube")?;
        let file = folder.path().join("pod.yaml");
        let pod = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": "cart" },
            "spec": {
                "securityContext": { "sysctls": [{ "name": KEY, "value": "1024" }] },
                "containers": [{
                    "name": "app",
                    "image": IMAGE,
                    "imagePullPolicy": "Never",
                    "command": ["/bin/sleep", "100000"],
                }],
            },
        });
        fs::write(&file, pod.to_string())?;
        let played = Self(folder);
        let file = file.to_string_lossy();
        command::run("podman", &["kube", "play", "--network", "none", &file])?;
        Ok(played)
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        let file = self.0.path().join("pod.yaml");
        command::undo(
            "podman",
            &["kube", "down", "--force", &file.to_string_lossy()],
        );
    }
}

fn by_podman() -> Result<()> {
    let _settings = Setting::write("/etc/containers/containers.conf", SETTINGS)?;
    let _podman = Podman::start(Whose::Root)?;
    let mut claims = Claims::watching()?;
    let _played = Played::play()?;
    claims.ask(Claim::about(
        "cart",
        &[
            "is 1024 in",
            "cart",
            "crun init[<pid>] wrote it, as",
            "observed:",
        ],
        &["specification eliminated"],
    ))?;
    claims.end().map(drop)
}
