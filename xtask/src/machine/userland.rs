//! Debian user lands with real container runtimes: one for each suite named in [`SUITES`], made by
//! mmdebstrap together with the modules of that suite's kernel, and kept in the cache as a disk.
//!
//! A guest never changes the disk. With a new kernel of the suite, or another list of packages, it
//! is made anew.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};
use sysctl_trace_tests::protocol::{self, Flavour};

use super::{
    console,
    initramfs::Initramfs,
    kernels::{self, Kernel, Wanted, unpacked},
};
use crate::{
    apt::Suite,
    command::{self, tell},
    paths,
    setup::{self, HostNeed},
};

/// The suites whose user lands the scenarios run in, each with its own kernel.
pub const SUITES: &[&str] = &["bookworm", "trixie", "forky"];

/// What is installed on top of the essential packages, with what it depends on.
const PACKAGES: &[&str] = &[
    // The first process and what it takes to be one.
    "systemd-sysv",
    "dbus",
    "dbus-user-session",
    "libpam-systemd",
    "udev",
    "kmod",
    // Tools of a node.
    "busybox-static",
    "iproute2",
    "iptables",
    "passwd",
    "procps",
    // Runtimes.
    "containerd",
    "containernetworking-plugins",
    "crun",
    "docker.io",
    "lxc",
    "podman",
    "runc",
    "systemd-container",
    // What podman takes for networks and for users that are not root.
    "aardvark-dns",
    "fuse-overlayfs",
    "netavark",
    "nftables",
    "passt",
    "slirp4netns",
    "uidmap",
];

/// What only some suites have as a package of its own.
const MORE_PACKAGES: &[(&str, &[&str])] =
    &[("trixie", &["docker-cli"]), ("forky", &["docker-cli"])];

/// Nothing in a guest reads these.
const EXCLUDED: &[&str] = &[
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
];

/// The user for runtimes without privileges, and its range of subordinate ids.
const USER_HOOK: &str = "chroot \"$1\" useradd --create-home --shell /bin/sh --uid 1000 user \
     && echo user:100000:65536 >\"$1/etc/subuid\" && echo user:100000:65536 >\"$1/etc/subgid\"";

/// Raised when the way a disk is made changes.
const RECIPE: u32 = 2;

/// The size of the disk, most of which is a hole in the image's file.
const DISK_SIZE: &str = "4G";

/// The modules that the disk takes, where they are not built in.
const DISK_MODULES: &[&str] = &["virtio_pci", "virtio_blk", "ext4"];

/// What is shown of the log of a user land that could not be made.
const LOG_LINES: usize = 20;

/// What kernel and systemd are told: what to start, and what not to spend time on.
const ARGUMENTS: &[&str] = &[
    // Docker 20.10 refuses to start containers where it finds AppArmor without its tools.
    "apparmor=0",
    "systemd.unit=guest.target",
    "systemd.condition-needs-update=no",
    "systemd.show_status=no",
    "systemd.gpt_auto=no",
    "fsck.mode=skip",
    // Nothing here needs these, and each takes seconds under emulation.
    "systemd.mask=systemd-udev-trigger.service",
    "systemd.mask=systemd-random-seed.service",
    "systemd.mask=modprobe@configfs.service",
    "systemd.mask=modprobe@efi_pstore.service",
    "systemd.mask=dev-hugepages.mount",
    "systemd.mask=sys-kernel-debug.mount",
];

/// For controllers of cgroup version 1. systemd 256 and 257 want to be asked twice; later ones
/// cannot do it any more.
const HYBRID_ARGUMENTS: &[&str] = &[
    "systemd.unified_cgroup_hierarchy=0",
    "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1",
];

/// A user land that is there.
#[derive(Clone, Debug)]
pub struct Userland {
    suite: String,
    folder: PathBuf,
}

/// The kernels that have a user land.
pub fn kernels() -> impl Iterator<Item = &'static Wanted> {
    kernels::ALL.iter().filter(|kernel| has_one(kernel))
}

/// Whether the kernel has a user land.
pub fn has_one(kernel: &Wanted) -> bool {
    SUITES.contains(&kernel.suite)
}

/// The kernel of the suite's user land.
pub fn kernel_of(suite: &str) -> Result<Wanted> {
    match kernels().find(|kernel| kernel.suite == suite) {
        Some(kernel) => Ok(*kernel),
        None => bail!(
            "there is no user land {suite}; there are {}",
            SUITES.join(", ")
        ),
    }
}

/// What the kernel of a user land is told.
pub fn kernel_arguments(flavour: Flavour) -> Vec<&'static str> {
    let more: &[&str] = match flavour {
        Flavour::Unified => &[],
        Flavour::Traced => &["systemd.wants=boot-trace.service"],
        Flavour::Hybrid => HYBRID_ARGUMENTS,
    };
    [ARGUMENTS, more].concat()
}

/// Makes sure that the user land with this kernel's modules is in the cache.
pub fn obtain(wanted: &Wanted, kernel: &Kernel) -> Result<Userland> {
    let suite = wanted.suite;
    let parent = paths::cache()?.join("userland");
    paths::make_folder(&parent)?;
    let packages = packages(suite);
    let recipe = format!("{suite}-{}", fingerprint(&packages));
    let userland = Userland {
        suite: suite.to_owned(),
        folder: parent.join(format!("{recipe}-{}", kernel.release)),
    };
    if userland.folder.is_dir() {
        return Ok(userland);
    }
    let _lock = paths::lock_cache(&format!("userland-{suite}"))?;
    if !userland.folder.is_dir() {
        make(suite, &packages, kernel, &userland.folder)
            .with_context(|| format!("the user land of Debian {suite} cannot be made"))?;
        remove_older(&parent, &recipe, &userland.folder)?;
    }
    Ok(userland)
}

impl Userland {
    /// The suite that it is made of.
    pub fn suite(&self) -> &str {
        &self.suite
    }

    /// The image of its disk.
    pub fn disk(&self) -> PathBuf {
        self.folder.join("disk.img")
    }

    /// Adds the disk's modules to the guest's first file system.
    pub fn add_to(&self, initramfs: &mut Initramfs) -> Result<()> {
        for module in self.modules()? {
            initramfs.add_program(&module[1..], &self.folder.join(&module[1..]))?;
        }
        Ok(())
    }

    /// What the guest has to know of it.
    pub fn plan(&self) -> Result<protocol::Userland> {
        Ok(protocol::Userland {
            suite: self.suite.clone(),
            modules: self.modules()?,
        })
    }

    /// The disk's modules: paths in the initramfs and below the folder.
    fn modules(&self) -> Result<Vec<String>> {
        let path = self.folder.join("modules");
        let context = || format!("reading {}", path.display());
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).with_context(context)? {
            let name = entry.with_context(context)?.file_name();
            names.push(format!("/modules/{}", name.display()));
        }
        // Their names begin with their place.
        names.sort();
        Ok(names)
    }
}

fn packages(suite: &str) -> Vec<&'static str> {
    let more = MORE_PACKAGES
        .iter()
        .filter(|(only, _)| *only == suite)
        .flat_map(|(_, packages)| *packages);
    PACKAGES.iter().chain(more).copied().collect()
}

/// Names a recipe: FNV-1a over all that goes into it.
fn fingerprint(packages: &[&str]) -> String {
    let text = format!("{RECIPE} {DISK_SIZE} {USER_HOOK} {EXCLUDED:?} {packages:?}");
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// Makes the folder, which appears complete or not at all.
fn make(suite: &str, packages: &[&str], kernel: &Kernel, folder: &Path) -> Result<()> {
    setup::host_packages(HostNeed::Userlands)?;
    ensure!(
        command::is_root(),
        "run this as root, once: packages are installed in a root of their own"
    );
    let begun = Instant::now();
    let parent = folder.parent().context("a folder without parent")?;
    let work = tempfile::Builder::new()
        .prefix("making-")
        .tempdir_in(parent)
        .context("making a folder for the user land")?;
    let (tree, result) = (work.path().join("tree"), work.path().join("result"));
    paths::make_folder(&result.join("modules"))?;
    bootstrap(suite, packages, &tree, &work.path().join("log"))?;
    tidy(&tree)?;
    add_modules(&tree, kernel, &result.join("modules"))?;
    let disk = result.join("disk.img");
    tell(&format!(
        "making the disk of the user land of Debian {suite}"
    ));
    make_disk(&tree, &disk)?;
    fs::rename(&result, folder)
        .with_context(|| format!("putting {} in place", folder.display()))?;
    tell(&format!(
        "the user land of Debian {suite} is there after {} s",
        begun.elapsed().as_secs()
    ));
    Ok(())
}

/// Installs the packages below the folder.
fn bootstrap(suite: &str, packages: &[&str], tree: &Path, log: &Path) -> Result<()> {
    tell(&format!(
        "making the user land of Debian {suite}: {} packages and what they need, some 250 MB to \
         download; this takes a minute or two",
        packages.len()
    ));
    let suite = Suite::open(suite)?;
    let mut mmdebstrap = Command::new("mmdebstrap");
    mmdebstrap
        .args(["--mode=root", "--variant=essential", "--format=directory"])
        .arg(format!("--include={}", packages.join(",")))
        .arg(format!("--aptopt={}", suite.downloads().display()))
        .arg("--aptopt=APT::Install-Recommends \"false\"")
        .arg("--dpkgopt=force-unsafe-io");
    for excluded in EXCLUDED {
        mmdebstrap.arg(format!("--dpkgopt=path-exclude={excluded}"));
    }
    mmdebstrap
        .arg(format!("--customize-hook={USER_HOOK}"))
        .arg(suite.name())
        .arg(tree)
        .arg(suite.source())
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    // On a terminal it shows its progress; else its log is worth reading only when it fails.
    if !command::on_terminal() {
        let file = fs::File::create(log).with_context(|| format!("creating {}", log.display()))?;
        mmdebstrap.stderr(file);
    }
    command::run_as("mmdebstrap", &mut mmdebstrap).inspect_err(|_| {
        let text = fs::read_to_string(log).unwrap_or_default();
        eprintln!("{}", console::tail(&text, LOG_LINES));
    })
}

/// Leaves out what was of use for installing alone, and what systemd would do at a first boot.
fn tidy(tree: &Path) -> Result<()> {
    let _ = fs::remove_file(tree.join("etc/apt/apt.conf.d/99mmdebstrap"));
    // It may be a link to what a service writes.
    let _ = fs::remove_file(tree.join("etc/resolv.conf"));
    for folder in ["var/lib/apt/lists", "var/cache/apt"] {
        let _ = fs::remove_dir_all(tree.join(folder));
    }
    for (file, text) in [
        ("etc/machine-id", "5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e\n"),
        ("etc/hostname", "guest\n"),
        ("etc/hosts", "127.0.0.1 localhost guest\n"),
        // Runtimes copy it into containers.
        ("etc/resolv.conf", "nameserver 127.0.0.1\n"),
    ] {
        let path = tree.join(file);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Puts the kernel's modules into the tree, and those that the disk takes into the folder,
/// unpacked and numbered in the order in which they are loaded.
fn add_modules(tree: &Path, kernel: &Kernel, folder: &Path) -> Result<()> {
    let source = kernel.modules()?;
    let target = tree.join("usr/lib/modules").join(&kernel.release);
    paths::make_folder(&target)?;
    let mut copy = Command::new("cp");
    copy.arg("-a");
    for part in [
        "kernel",
        "modules.builtin",
        "modules.builtin.modinfo",
        "modules.order",
    ] {
        copy.arg(source.join(part));
    }
    command::run(copy.arg(&target))?;
    let mut depmod = Command::new("chroot");
    depmod.arg(tree).args(["depmod", &kernel.release]);
    command::run(&mut depmod)?;

    let list = target.join("modules.dep");
    let list = fs::read_to_string(&list).with_context(|| format!("reading {}", list.display()))?;
    for (place, module) in load_order(&list, DISK_MODULES).into_iter().enumerate() {
        let name = module_name(module);
        let to = folder.join(format!("{place:02}-{name}.ko"));
        let bytes = unpacked(&target.join(module))?;
        fs::write(&to, bytes).with_context(|| format!("writing {}", to.display()))?;
    }
    Ok(())
}

/// The modules with all that they need, each after what it needs; those that the list, which is a
/// modules.dep, does not have are built in.
fn load_order<'a>(list: &'a str, wanted: &[&str]) -> Vec<&'a str> {
    let needs: BTreeMap<&str, (&str, &str)> = list
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(module, needs)| (module_name(module), (module, needs)))
        .collect();
    let mut order = VecDeque::new();
    for name in wanted.iter().rev() {
        let Some((module, needs)) = needs.get(name) else {
            continue;
        };
        // depmod lists everything that is needed, also by way of others, what is loaded first
        // last.
        for module in std::iter::once(*module).chain(needs.split_whitespace()) {
            order.retain(|other| *other != module);
            order.push_front(module);
        }
    }
    order.into()
}

/// `kernel/a/virtio-blk.ko.xz` is `virtio_blk`.
fn module_name(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split('.').next().unwrap_or(file)
}

fn make_disk(tree: &Path, disk: &Path) -> Result<()> {
    let mut mke2fs = Command::new(command::find("mke2fs").context("mke2fs is missing")?);
    mke2fs
        // Nothing on it has to survive a crash.
        .args(["-q", "-t", "ext4", "-O", "^has_journal", "-L", "userland"])
        .arg("-d")
        .arg(tree)
        .arg(disk)
        .arg(DISK_SIZE);
    command::output(&mut mke2fs).map(drop)
}

/// Removes what was made by the same recipe for other kernels. A running guest keeps its disk open.
fn remove_older(parent: &Path, recipe: &str, newest: &Path) -> Result<()> {
    let context = || format!("reading {}", parent.display());
    for entry in fs::read_dir(parent).with_context(context)? {
        let path = entry.with_context(context)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path != newest && name.starts_with(recipe) {
            fs::remove_dir_all(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "userland_tests.rs"]
mod tests;
