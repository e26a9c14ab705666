//! A container image made of busybox, for every runtime: nothing is pulled from a registry.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::Folder;
use crate::scenarios::command;

/// The image's name in archives.
pub const NAME: &str = "localhost/busybox:1";

/// What is linked to busybox in the image.
const APPLETS: &[&str] = &[
    "cat", "chmod", "echo", "env", "grep", "id", "ip", "kill", "ln", "ls", "mkdir", "mount",
    "printf", "ps", "readlink", "rm", "rmdir", "sh", "sleep", "sysctl", "test", "touch", "true",
    "umount", "unshare",
];

const FOLDERS: &[&str] = &[
    "bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "usr", "var",
];

/// Tells the files of several runtimes apart.
static SERIAL: AtomicU32 = AtomicU32::new(0);

/// Makes the root of a container at the path.
pub fn root(path: &Path) -> Result<()> {
    for folder in FOLDERS {
        fs::create_dir_all(path.join(folder))?;
    }
    fs::copy("/bin/busybox", path.join("bin/busybox")).context("copying busybox")?;
    for applet in APPLETS {
        symlink("busybox", path.join("bin").join(applet))?;
    }
    fs::write(path.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")?;
    fs::write(path.join("etc/group"), "root:x:0:\n")?;
    // systemd-nspawn looks for it.
    fs::write(path.join("etc/os-release"), "ID=busybox\n")?;
    fs::set_permissions(path.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    Ok(())
}

/// The image in files.
#[derive(Debug)]
pub struct Image {
    folder: Folder,
}

impl Image {
    /// Makes the files.
    pub fn make() -> Result<Self> {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let folder = Folder::make(format!("/var/tmp/scenario-image-{serial}"))?;
        // Runtimes without privileges read it too.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let image = Self { folder };
        let root_folder = image.path("root");
        root(&root_folder)?;
        tar(&root_folder, &image.layer())?;
        image.make_archive()?;
        Ok(image)
    }

    /// The root's files, as `docker import` and `podman import` take them.
    pub fn layer(&self) -> PathBuf {
        self.path("layer.tar")
    }

    /// An archive in OCI's layout, as `ctr images import` takes it.
    pub fn archive(&self) -> PathBuf {
        self.path("image.tar")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The format: <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>.
    fn make_archive(&self) -> Result<()> {
        let layout = self.path("layout");
        let blobs = layout.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        let blob = |bytes: &[u8], kind: &str| -> Result<Value> {
            let file = blobs.join("new");
            fs::write(&file, bytes)?;
            let digest = sha256(&file)?;
            fs::rename(&file, blobs.join(&digest))?;
            let digest = format!("sha256:{digest}");
            Ok(json!({ "mediaType": kind, "digest": digest, "size": bytes.len() }))
        };
        let layer = blob(
            &fs::read(self.layer())?,
            "application/vnd.oci.image.layer.v1.tar",
        )?;
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": { "Cmd": ["/bin/sleep", "100000"], "Env": ["PATH=/bin"] },
            "rootfs": { "type": "layers", "diff_ids": [layer["digest"]] },
        });
        let config = blob(
            config.to_string().as_bytes(),
            "application/vnd.oci.image.config.v1+json",
        )?;
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": kind,
            "config": config,
            "layers": [layer],
        });
        let mut manifest = blob(manifest.to_string().as_bytes(), kind)?;
        manifest["annotations"] = json!({
            "io.containerd.image.name": NAME,
            "org.opencontainers.image.ref.name": NAME,
        });
        let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
        fs::write(layout.join("index.json"), index.to_string())?;
        let version = json!({ "imageLayoutVersion": "1.0.0" });
        fs::write(layout.join("oci-layout"), version.to_string())?;
        tar(&layout, &self.archive())
    }
}

fn tar(folder: &Path, archive: &Path) -> Result<()> {
    let arguments = [
        Path::new("-cf"),
        archive,
        Path::new("-C"),
        folder,
        Path::new("."),
    ];
    command::run("tar", &arguments).map(drop)
}

fn sha256(file: &Path) -> Result<String> {
    let text = command::run("sha256sum", &[file])?;
    let digest = text.split(' ').next().context("sha256sum says nothing")?;
    Ok(digest.to_owned())
}
