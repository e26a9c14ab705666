//! podman, for root and for a user without privileges.

use std::{fs, process::Command};

use anyhow::{Context as _, Result};

use super::{Folder, image::Image};
use crate::scenarios::command;

/// The name of the image.
pub const IMAGE: &str = "localhost/busybox:1";

/// The user land's user for this; it has subordinate ids.
const USER: &str = "user";
const USER_ID: &str = "1000";

/// Whose containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Root's.
    Root,
    /// Those of a user without privileges.
    User,
}

/// podman with an image.
#[derive(Debug)]
pub struct Podman {
    whose: Whose,
    // After the containers are gone.
    _session: Option<Session>,
    folder: Folder,
}

/// A session of the user, with a systemd of its own.
#[derive(Debug)]
struct Session;

impl Podman {
    /// Imports the image for root or for the user.
    pub fn start(whose: Whose) -> Result<Self> {
        let session = match whose {
            Whose::Root => None,
            Whose::User => Some(Session::start()?),
        };
        let folder = Folder::make("/var/tmp/scenario-podman")?;
        if whose == Whose::User {
            command::run("chown", &[USER, "/var/tmp/scenario-podman"])?;
        }
        let podman = Self {
            whose,
            _session: session,
            folder,
        };
        let image = Image::make()?;
        let mut import = podman.command("import");
        command::output(import.arg("--quiet").arg(image.layer()).arg(IMAGE))?;
        Ok(podman)
    }

    /// Runs a container to its end: its ID, and what it printed.
    pub fn run(&self, options: &[&str], command: &[&str]) -> Result<(String, String)> {
        let file = self.folder.path().join("id");
        let mut run = self.command("run");
        // With --rm it would remove the file as well.
        run.arg("--cidfile").arg(&file).args(options);
        let printed = command::output(run.arg(IMAGE).args(command))?;
        let id = fs::read_to_string(&file).context("the file with the container's ID")?;
        fs::remove_file(&file)?;
        let id = id.trim().to_owned();
        command::output(self.command("rm").arg(&id))?;
        Ok((id, printed))
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = match self.whose {
            Whose::Root => Command::new("podman"),
            Whose::User => as_user("podman"),
        };
        command.arg(subcommand);
        command
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let mut reset = self.command("system");
        if let Err(error) = command::output(reset.args(["reset", "--force"])) {
            eprintln!("when resetting podman: {error:#}");
        }
    }
}

impl Session {
    fn start() -> Result<Self> {
        command::run("systemctl", &["start", "systemd-logind.service"])?;
        command::run("systemctl", &["start", "user@1000.service"])?;
        Ok(Self)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        command::undo("systemctl", &["stop", "user@1000.service"]);
    }
}

/// A program run by the user, as after logging in.
fn as_user(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER_ID, "--regid", USER_ID, "--init-groups"]);
    command.args(["env", "--ignore-environment", "PATH=/usr/bin:/usr/sbin"]);
    command.arg(format!("USER={USER}"));
    command.arg(format!("LOGNAME={USER}"));
    command.arg(format!("HOME=/home/{USER}"));
    let runtime = format!("/run/user/{USER_ID}");
    command.arg(format!("XDG_RUNTIME_DIR={runtime}"));
    command.arg(format!("DBUS_SESSION_BUS_ADDRESS=unix:path={runtime}/bus"));
    command.arg(program).current_dir("/home/user");
    command
}
