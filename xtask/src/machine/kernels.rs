//! The kernels that guests boot: Debian's cloud kernels, the newest of each suite.
//!
//! Package names move with every security update, so they are resolved from the suite's index,
//! and what was resolved last serves where there is no network.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::{
    apt::{Package, Suite},
    command::tell,
    paths, setup,
};

use super::initramfs::Initramfs;

const META_PACKAGE: &str = "linux-image-cloud-amd64";

/// Where packages have modules, older ones first.
const MODULE_FOLDERS: [&str; 2] = ["lib/modules", "usr/lib/modules"];

/// A kernel to boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What it is called here, and how its release begins.
    pub label: &'static str,
    /// The Debian suite that has it.
    pub suite: &'static str,
}

/// Every kernel the tests run on, the oldest first.
pub const ALL: &[Wanted] = &[
    Wanted {
        label: "5.10",
        suite: "bullseye",
    },
    Wanted {
        label: "6.1",
        suite: "bookworm",
    },
    Wanted {
        label: "6.12",
        suite: "trixie",
    },
    Wanted {
        label: "7.2",
        suite: "forky",
    },
    Wanted {
        label: "7.3",
        suite: "trixie-backports",
    },
];

/// The kernel for everything that takes just one.
pub const DEFAULT: &str = "6.12";

/// A kernel that is there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kernel {
    /// What it is called here.
    pub label: String,
    /// Its release, as `uname -r` has it.
    pub release: String,
    /// The bootable image.
    pub image: PathBuf,
    /// The packages it comes from.
    pub packages: Vec<Package>,
}

/// Modules that cases of the bare guest load: paths below the folder of modules, without endings.
const GUEST_MODULES: [&str; 12] = [
    "kernel/drivers/md/md-mod",
    "kernel/drivers/net/dummy",
    "kernel/net/802/stp",
    "kernel/net/bridge/br_netfilter",
    "kernel/net/bridge/bridge",
    "kernel/net/ipv4/ip_tunnel",
    "kernel/net/ipv4/netfilter/nf_defrag_ipv4",
    "kernel/net/ipv6/netfilter/nf_defrag_ipv6",
    "kernel/net/llc/llc",
    "kernel/net/mpls/mpls_router",
    "kernel/net/netfilter/nf_conntrack",
    LIBCRC32C,
];

/// Not a module of its own since 6.15.
const LIBCRC32C: &str = "kernel/lib/libcrc32c";

impl Kernel {
    /// Adds the modules that cases load: /modules/NAME.ko, unpacked.
    pub fn add_modules(&self, initramfs: &mut Initramfs) -> Result<()> {
        let folder = self.modules()?;
        for module in GUEST_MODULES {
            let name = module.rsplit('/').next().unwrap_or(module);
            let plain = folder.join(format!("{module}.ko"));
            let packed = folder.join(format!("{module}.ko.xz"));
            if module == LIBCRC32C && !plain.is_file() && !packed.is_file() {
                continue;
            }
            let bytes = unpacked(if plain.is_file() { &plain } else { &packed })?;
            initramfs.add_bytes(&format!("modules/{name}.ko"), &bytes);
        }
        Ok(())
    }

    /// The folder with its modules, in the unpacked packages.
    pub fn modules(&self) -> Result<PathBuf> {
        self.image
            .ancestors()
            .flat_map(|root| MODULE_FOLDERS.map(|folder| root.join(folder).join(&self.release)))
            .find(|folder| folder.join("kernel").is_dir())
            .with_context(|| format!("kernel {} has no modules", self.release))
    }
}

/// The content of a module's file, unpacked where it is packed.
pub fn unpacked(module: &Path) -> Result<Vec<u8>> {
    match module.extension().and_then(OsStr::to_str) {
        Some("ko") => fs::read(module).with_context(|| format!("reading {}", module.display())),
        Some("xz") => {
            let mut unpack = Command::new(setup::busybox()?);
            let output = unpack.arg("xzcat").arg(module).output();
            let output = output.with_context(|| format!("unpacking {}", module.display()))?;
            if !output.status.success() {
                let complaint = String::from_utf8_lossy(&output.stderr);
                bail!("unpacking {}: {}", module.display(), complaint.trim());
            }
            Ok(output.stdout)
        }
        Some(_) | None => bail!("{} is packed in an unknown way", module.display()),
    }
}

/// The kernel of that label.
pub fn find(label: &str) -> Result<Wanted> {
    match ALL.iter().find(|kernel| kernel.label == label) {
        Some(kernel) => Ok(*kernel),
        None => {
            let labels: Vec<&str> = ALL.iter().map(|kernel| kernel.label).collect();
            bail!(
                "there is no kernel {label}; there are {}",
                labels.join(", ")
            )
        }
    }
}

/// Resolves the kernel and makes sure that it is in the cache.
pub fn obtain(wanted: &Wanted) -> Result<Kernel> {
    let folder = paths::cache()?.join("kernels");
    let note = folder.join(format!("{}.json", wanted.label));
    let _lock = paths::lock_cache("kernels")?;
    match newest(wanted, &folder) {
        Ok(kernel) => {
            paths::write_json(&note, &kernel)?;
            Ok(kernel)
        }
        Err(error) => match paths::read_json::<Kernel>(&note).filter(|k| k.image.is_file()) {
            Some(kernel) => {
                tell(&format!(
                    "going on with kernel {} from the cache: {error:#}",
                    kernel.release
                ));
                Ok(kernel)
            }
            None => Err(error).with_context(|| format!("kernel {} cannot be had", wanted.label)),
        },
    }
}

fn newest(wanted: &Wanted, folder: &Path) -> Result<Kernel> {
    let suite = Suite::open(wanted.suite)?;
    let meta = suite.newest(META_PACKAGE)?;
    let root = folder.join(format!("{}_{}", wanted.suite, meta.version));
    let packages = suite.exact_closure(meta)?;
    if !root.is_dir() {
        tell(&format!(
            "installing kernel {}, for guests to boot",
            wanted.label
        ));
        suite.unpack(&packages, &root)?;
    }
    let (release, image) = find_image(&root)?;
    Ok(Kernel {
        label: wanted.label.to_owned(),
        release,
        image,
        packages,
    })
}

/// The release and the image in the unpacked packages: older ones have boot/vmlinuz-RELEASE, newer
/// ones usr/lib/modules/RELEASE/vmlinuz.
fn find_image(root: &Path) -> Result<(String, PathBuf)> {
    for modules in MODULE_FOLDERS {
        let Ok(entries) = fs::read_dir(root.join(modules)) else {
            continue;
        };
        for entry in entries {
            let entry = entry.context("reading the kernel's folder")?;
            let release = entry.file_name().display().to_string();
            let candidates = [
                entry.path().join("vmlinuz"),
                root.join(format!("boot/vmlinuz-{release}")),
            ];
            if let Some(image) = candidates.into_iter().find(|path| path.is_file()) {
                return Ok((release, image));
            }
        }
    }
    bail!("{} has no kernel image", root.display())
}
