//! dockerd, above the user land's containerd.

use std::{fs, process::Command};

use anyhow::{Context as _, Result};

use super::{Folder, Setting, image::Image, service::Service};
use crate::scenarios::{command, netns};

/// The name of the image.
pub const IMAGE: &str = "busybox:1";

const SETTINGS: &str = r#"{ "iptables": false, "ip6tables": false, "userland-proxy": false }"#;

/// A running dockerd with an image.
#[derive(Debug)]
pub struct Docker {
    // Before what they rest on.
    _service: Service,
    _setting: Setting,
    folder: Folder,
}

/// A container that is removed on drop.
#[derive(Debug)]
pub struct Container {
    /// Its ID.
    pub id: String,
}

impl Docker {
    /// Starts dockerd and imports the image.
    pub fn start() -> Result<Self> {
        let setting = Setting::write("/etc/docker/daemon.json", SETTINGS)?;
        let service = Service::start(&["containerd.service", "docker.socket", "docker.service"])?;
        let docker = Self {
            _service: service,
            _setting: setting,
            folder: Folder::make("/run/scenario-docker")?,
        };
        let image = Image::make()?;
        let mut import = Command::new("docker");
        import.args(["import", "--change", r#"CMD ["/bin/sleep", "100000"]"#]);
        command::output(import.arg(image.layer()).arg(IMAGE))?;
        Ok(docker)
    }

    /// Runs a container to its end: its ID, and what it printed.
    pub fn run(&self, options: &[&str], command: &[&str]) -> Result<(String, String)> {
        let file = self.folder.path().join("id");
        let mut run = Command::new("docker");
        run.args(["run", "--rm", "--cidfile"]).arg(&file);
        run.args(options).arg(IMAGE).args(command);
        let printed = command::output(&mut run)?;
        let id = fs::read_to_string(&file).context("the file with the container's ID")?;
        fs::remove_file(&file)?;
        Ok((id, printed))
    }

    /// Starts a container in the background.
    pub fn start_container(&self, options: &[&str], command: &[&str]) -> Result<Container> {
        let mut run = Command::new("docker");
        run.args(["run", "--detach"]).args(options);
        let id = command::output(run.arg(IMAGE).args(command))?;
        Ok(Container { id })
    }
}

impl Container {
    /// Runs a command in it; what it printed.
    pub fn exec(&self, command: &[&str]) -> Result<String> {
        command::output(
            Command::new("docker")
                .args(["exec", &self.id])
                .args(command),
        )
    }

    /// Stops and starts it.
    pub fn restart(&self) -> Result<()> {
        command::run("docker", &["restart", "--time", "0", &self.id]).map(drop)
    }

    /// What `docker inspect` says of it.
    pub fn inspect(&self, format: &str) -> Result<String> {
        command::run("docker", &["inspect", "--format", format, &self.id])
    }

    /// Its network namespace.
    pub fn netns(&self) -> Result<u32> {
        let pid = self.inspect("{{.State.Pid}}")?;
        netns::of_process(pid.parse().context("a container without process")?)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        command::undo("docker", &["rm", "--force", &self.id]);
    }
}
