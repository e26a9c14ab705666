//! Containers that are small machines: systemd-nspawn and LXC.

use std::{fs, process::Command};

use anyhow::Result;

use super::{Folder, image};
use crate::scenarios::command;

/// A root for systemd-nspawn.
#[derive(Debug)]
pub struct Nspawn {
    folder: Folder,
}

impl Nspawn {
    /// Makes the root.
    pub fn make() -> Result<Self> {
        let folder = Folder::make("/var/lib/machines/scenario")?;
        image::root(folder.path())?;
        Ok(Self { folder })
    }

    /// Runs a command in a machine of that name with a network of its own; what it printed. The
    /// machine is registered, and in a scope of its own.
    pub fn run(&self, name: &str, command: &[&str]) -> Result<String> {
        let mut nspawn = Command::new("systemd-nspawn");
        nspawn.args(["--quiet", "--private-network", "--pipe"]);
        nspawn.arg(format!("--machine={name}"));
        nspawn.arg("--directory").arg(self.folder.path());
        command::output(nspawn.arg("--").args(command))
    }
}

/// A configured LXC container.
#[derive(Debug)]
pub struct Lxc {
    name: &'static str,
    _folder: Folder,
}

impl Lxc {
    /// Makes a container of that name with these sysctls.
    pub fn make(name: &'static str, sysctls: &[(&str, &str)]) -> Result<Self> {
        let folder = Folder::make(format!("/var/lib/lxc/{name}"))?;
        let root = folder.path().join("rootfs");
        fs::create_dir_all(&root)?;
        image::root(&root)?;
        let mut config = format!(
            "lxc.rootfs.path = dir:{}\n\
             lxc.uts.name = {name}\n\
             lxc.net.0.type = empty\n\
             lxc.mount.auto = proc:mixed sys:mixed\n\
             lxc.apparmor.profile = unconfined\n",
            root.display()
        );
        for (key, value) in sysctls {
            config.push_str(&format!("lxc.sysctl.{key} = {value}\n"));
        }
        fs::write(folder.path().join("config"), config)?;
        Ok(Self {
            name,
            _folder: folder,
        })
    }

    /// Starts it with this as its first process, as the unit of Debian does.
    pub fn start(&self, command: &[&str]) -> Result<()> {
        let mut start = Command::new("systemd-run");
        start.args(["--quiet", "--collect", "--service-type=forking"]);
        start.arg(format!("--unit=lxc-{}", self.name));
        start.args(["--property=Delegate=yes", "--property=KillMode=mixed"]);
        start.args(["lxc-start", "--daemon", "--name", self.name, "--"]);
        command::output(start.args(command)).map(drop)
    }

    /// Its first process, as seen from the node.
    pub fn pid(&self) -> Result<u32> {
        let text = command::run("lxc-info", &["-n", self.name, "--pid", "--no-humanize"])?;
        Ok(text.trim().parse()?)
    }
}

impl Drop for Lxc {
    fn drop(&mut self) {
        command::undo("lxc-stop", &["--kill", "--name", self.name]);
    }
}
