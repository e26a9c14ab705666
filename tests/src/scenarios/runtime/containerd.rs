//! containerd, with its CRI service, and `ctr`.

use std::process::Command;

use anyhow::Result;

use super::{
    Setting,
    image::{self, Image},
    service::Service,
};
use crate::scenarios::command;

/// What differs from containerd's own defaults. Every containerd from 1.6 on reads this version of
/// the format.
fn settings(systemd_cgroup: bool) -> String {
    let image = image::NAME;
    format!(
        r#"version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{image}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = {systemd_cgroup}
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
"#
    )
}

/// A container in the background, which is removed on drop.
#[derive(Debug)]
pub struct Container {
    namespace: &'static str,
    id: &'static str,
}

/// A running containerd.
#[derive(Debug)]
pub struct Containerd {
    _service: Service,
    _setting: Setting,
    image: Image,
}

impl Containerd {
    /// Starts containerd. Its CRI service lets runc make cgroups, or asks systemd for them.
    pub fn start(systemd_cgroup: bool) -> Result<Self> {
        let setting = Setting::write("/etc/containerd/config.toml", &settings(systemd_cgroup))?;
        Ok(Self {
            _service: Service::start(&["containerd.service"])?,
            _setting: setting,
            image: Image::make()?,
        })
    }

    /// Imports the image into a namespace of containerd; it is called [`image::NAME`] there.
    pub fn import(&self, namespace: &str) -> Result<()> {
        let mut import = ctr(namespace);
        import.args(["images", "import", "--digests"]);
        command::output(import.arg(self.image.archive())).map(drop)
    }

    /// Runs a container of the image to its end; what it printed.
    pub fn run(
        &self,
        namespace: &str,
        id: &str,
        options: &[&str],
        command: &[&str],
    ) -> Result<String> {
        let mut run = ctr(namespace);
        run.args(["run", "--rm"]).args(options);
        command::output(run.args([image::NAME, id]).args(command))
    }

    /// Starts a container of the image in the background.
    pub fn start_container(&self, namespace: &'static str, id: &'static str) -> Result<Container> {
        let mut run = ctr(namespace);
        run.args(["run", "--detach", "--null-io", image::NAME, id]);
        command::output(run.args(["sleep", "100000"]))?;
        Ok(Container { namespace, id })
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let Self { namespace, id } = self;
        command::undo("ctr", &["-n", namespace, "tasks", "rm", "--force", id]);
        command::undo("ctr", &["-n", namespace, "containers", "rm", id]);
    }
}

fn ctr(namespace: &str) -> Command {
    let mut ctr = Command::new("ctr");
    ctr.args(["--namespace", namespace]);
    ctr
}
