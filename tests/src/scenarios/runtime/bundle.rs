//! OCI bundles, for runc and crun without anything above them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{Folder, image};
use crate::scenarios::command;

/// A container that runs in the background, and is removed on drop.
#[derive(Debug)]
pub struct Running {
    runtime: &'static str,
    /// Its ID.
    pub id: &'static str,
    _bundle: Bundle,
}

/// A bundle whose container has a network namespace of its own.
#[derive(Debug)]
pub struct Bundle {
    folder: Folder,
}

impl Bundle {
    /// Makes a bundle whose container runs the command with these sysctls.
    pub fn make(command: &[&str], sysctls: &[(&str, &str)]) -> Result<Self> {
        Self::make_at("/var/tmp/scenario-bundle", command, sysctls)
    }

    fn make_at(path: &str, command: &[&str], sysctls: &[(&str, &str)]) -> Result<Self> {
        let folder = Folder::make(path)?;
        let root = folder.path().join("rootfs");
        fs::create_dir_all(&root)?;
        image::root(&root)?;
        let bundle = Self { folder };
        bundle.configure(command, sysctls)?;
        Ok(bundle)
    }

    /// Writes the configuration anew.
    pub fn configure(&self, command: &[&str], sysctls: &[(&str, &str)]) -> Result<()> {
        let path = self.path().join("config.json");
        fs::write(path, config(command, sysctls).to_string())?;
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a container of it to its end with `runc` or `crun`; what it printed.
    pub fn run(&self, runtime: &str, id: &str) -> Result<String> {
        let mut run = Command::new(runtime);
        run.arg("run").arg("--bundle").arg(self.path()).arg(id);
        command::output(&mut run)
    }
}

impl Running {
    /// Starts a container with these sysctls, which does nothing, with `runc` or `crun`.
    pub fn start(
        runtime: &'static str,
        id: &'static str,
        sysctls: &[(&str, &str)],
    ) -> Result<Self> {
        let path = format!("/var/tmp/scenario-{id}");
        let bundle = Bundle::make_at(&path, &["/bin/sleep", "100000"], sysctls)?;
        // It keeps what is its standard output.
        let status = Command::new(runtime)
            .args(["run", "--detach", "--bundle", &path, id])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .with_context(|| format!("starting {runtime}"))?;
        ensure!(status.success(), "{runtime} run: {status}");
        Ok(Self {
            runtime,
            id,
            _bundle: bundle,
        })
    }

    /// Its first process.
    pub fn pid(&self) -> Result<u32> {
        let state = command::run(self.runtime, &["state", self.id])?;
        let state: Value = serde_json::from_str(&state).context("the state of a container")?;
        let pid = state["pid"]
            .as_u64()
            .context("a container without process")?;
        Ok(u32::try_from(pid)?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        command::undo(self.runtime, &["delete", "--force", self.id]);
    }
}

/// The format: <https://github.com/opencontainers/runtime-spec/blob/main/config.md>.
fn config(command: &[&str], sysctls: &[(&str, &str)]) -> Value {
    let capabilities = ["CAP_KILL", "CAP_NET_ADMIN", "CAP_SYS_ADMIN"];
    let sysctls: serde_json::Map<String, Value> = sysctls
        .iter()
        .map(|(key, value)| ((*key).to_owned(), Value::from(*value)))
        .collect();
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": { "uid": 0, "gid": 0 },
            "args": command,
            "env": ["PATH=/bin"],
            "cwd": "/",
            "capabilities": {
                "bounding": capabilities,
                "effective": capabilities,
                "permitted": capabilities,
            },
        },
        "root": { "path": PathBuf::from("rootfs"), "readonly": false },
        "hostname": "bundle",
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"] },
            { "destination": "/dev", "type": "tmpfs", "source": "tmpfs" },
        ],
        "linux": {
            "sysctl": sysctls,
            "namespaces": [
                { "type": "pid" },
                { "type": "network" },
                { "type": "ipc" },
                { "type": "uts" },
                { "type": "mount" },
            ],
        },
    })
}
