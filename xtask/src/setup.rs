//! `setup`: installs what the other tasks need, and nothing that is there already.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    apt::Suite,
    command::{self, tell},
    machine::{kernels, userland},
    paths,
};

/// 0.11 and later want a newer LLVM than that of the compiler.
const BPF_LINKER: (&str, &str) = ("bpf-linker", "0.10.4");
const CARGO_DENY: (&str, &str) = ("cargo-deny", "0.20.2");

/// Several versions of `rust-src` and of the kernel lie side by side in this suite.
const RUST_SRC_SUITE: &str = "trixie-backports";
const BUSYBOX_SUITE: &str = "trixie";

/// Names a folder to take the standard library's sources from, in place of any other.
const RUST_SRC_VARIABLE: &str = "SYSCTL_TRACE_RUST_SRC";

/// Install everything the other tasks need (they do so by themselves)
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also what .ci/run needs
    #[arg(long)]
    ci: bool,
}

/// Runs the task.
pub fn run(args: &Args) -> Result<ExitCode> {
    host_packages(HostNeed::Userlands)?;
    bpf_linker()?;
    rust_src()?;
    busybox()?;
    for wanted in kernels::ALL {
        let kernel = kernels::obtain(wanted)?;
        println!("kernel {}: {}", kernel.label, kernel.release);
        if userland::has_one(wanted) {
            let userland = userland::obtain(wanted, &kernel)?;
            println!("user land {}: {}", wanted.suite, userland.disk().display());
        }
    }
    if args.ci {
        println!("cargo-deny: {}", cargo_deny()?.display());
    }
    println!("everything is there, in {}", paths::cache()?.display());
    Ok(ExitCode::SUCCESS)
}

/// What the host's own packages are needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostNeed {
    /// Compiling and linking.
    Build,
    /// That, and virtual machines.
    Machines,
    /// That, and user lands for them.
    Userlands,
}

/// A program or file of the host, the package that has it, and the reason it is needed.
struct HostPiece {
    probe: fn() -> bool,
    package: &'static str,
    reason: &'static str,
    need: HostNeed,
}

const HOST_PIECES: &[HostPiece] = &[
    HostPiece {
        probe: || command::find("cc").is_some(),
        package: "gcc",
        reason: "links programs",
        need: HostNeed::Build,
    },
    HostPiece {
        probe: || find_in(&["/usr/lib/x86_64-linux-gnu/libc.a", "/usr/lib64/libc.a"]),
        package: "libc6-dev",
        reason: "has the C library for static programs",
        need: HostNeed::Build,
    },
    HostPiece {
        probe: || find_in(&["/usr/share/keyrings/debian-archive-keyring.gpg"]),
        package: "debian-archive-keyring",
        reason: "verifies downloads from Debian",
        need: HostNeed::Build,
    },
    HostPiece {
        probe: || command::find("qemu-system-x86_64").is_some(),
        package: "qemu-system-x86",
        reason: "runs the virtual machines",
        need: HostNeed::Machines,
    },
    HostPiece {
        probe: || command::find("mmdebstrap").is_some(),
        package: "mmdebstrap",
        reason: "makes the user lands with real runtimes",
        need: HostNeed::Userlands,
    },
    HostPiece {
        probe: || command::find("mke2fs").is_some(),
        package: "e2fsprogs",
        reason: "makes the user lands' disks",
        need: HostNeed::Userlands,
    },
];

fn find_in(paths: &[&str]) -> bool {
    paths.iter().any(|path| fs::exists(path).unwrap_or(false))
}

/// Makes sure that the host has the packages, and installs what is missing when run as root.
pub fn host_packages(need: HostNeed) -> Result<()> {
    let missing: Vec<&HostPiece> = HOST_PIECES
        .iter()
        .filter(|piece| piece.need <= need)
        .filter(|piece| !(piece.probe)())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|piece| piece.package).collect();
    let names = names.join(" ");
    let install = format!("apt-get install --no-install-recommends {names}");
    for piece in &missing {
        tell(&format!(
            "{} is missing; it {}",
            piece.package, piece.reason
        ));
    }
    ensure!(
        command::find("apt-get").is_some(),
        "this host has no apt-get: install what is named above by its own means"
    );
    ensure!(
        command::is_root(),
        "run this as root, then try again: {install}"
    );
    let _lock = paths::lock_cache("packages")?;
    tell(&format!("installing Debian packages: {names}"));
    apt_get(&["update"])?;
    let mut args = vec!["install", "--yes", "--no-install-recommends"];
    args.extend(names.split(' '));
    apt_get(&args).with_context(|| format!("to see more, run: {install}"))
}

fn apt_get(args: &[&str]) -> Result<()> {
    let quiet = if command::on_terminal() {
        "--quiet=0"
    } else {
        "--quiet=1"
    };
    let mut apt = Command::new("apt-get");
    apt.arg(quiet)
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null());
    command::run(&mut apt)
}

/// The linker of the eBPF object.
pub fn bpf_linker() -> Result<PathBuf> {
    cargo_tool(BPF_LINKER, "links the eBPF object")
}

/// The check of the dependencies' licences and sources.
pub fn cargo_deny() -> Result<PathBuf> {
    cargo_tool(CARGO_DENY, "checks the dependencies' licences and sources")
}

/// Builds the tool once, into a folder of the cache named for its version.
fn cargo_tool((name, version): (&str, &str), reason: &str) -> Result<PathBuf> {
    let root = paths::cache()?
        .join("tools")
        .join(format!("{name}-{version}"));
    let program = root.join("bin").join(name);
    if program.is_file() {
        return Ok(program);
    }
    let _lock = paths::lock_cache("tools")?;
    if program.is_file() {
        return Ok(program);
    }
    tell(&format!(
        "installing {name} {version}, which {reason}; building it takes a minute or two"
    ));
    let mut cargo = Command::new("cargo");
    cargo
        .args(["install", name, "--version", version, "--locked", "--root"])
        .arg(&root);
    command::run(&mut cargo)?;
    Ok(program)
}

/// The folder with the sources of the standard library, for the compiler in use; `None` when they
/// are where cargo looks for them anyway.
pub fn rust_src() -> Result<Option<PathBuf>> {
    if let Some(folder) = env::var_os(RUST_SRC_VARIABLE) {
        let folder = fs::canonicalize(&folder)
            .with_context(|| format!("{RUST_SRC_VARIABLE} names {}", folder.display()))?;
        ensure!(
            folder.join("core/Cargo.toml").is_file(),
            "{RUST_SRC_VARIABLE} names {}, which has no core/Cargo.toml",
            folder.display()
        );
        return Ok(Some(folder));
    }
    let sysroot = command::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let library = PathBuf::from(sysroot.trim()).join("lib/rustlib/src/rust/library");
    if library.join("core/Cargo.toml").is_file() {
        return Ok(None);
    }

    let version = rustc_version()?;
    let root = paths::cache()?.join("rust-src").join(&version);
    let library = root.join(format!("usr/src/rustc-{version}/library"));
    let _lock = paths::lock_cache("rust-src")?;
    if !library.is_dir() {
        tell("installing rust-src: the eBPF target's own core library is built from it");
        debian_rust_src(&version, &root).with_context(|| {
            format!(
                "no sources for rustc {version}: run `rustup component add rust-src`, or set \
                 {RUST_SRC_VARIABLE} to their `library` folder"
            )
        })?;
    }
    if !library.is_dir() {
        bail!("the package rust-src does not have {}", library.display());
    }
    Ok(Some(library))
}

fn debian_rust_src(version: &str, root: &std::path::Path) -> Result<()> {
    let suite = Suite::open(RUST_SRC_SUITE)?;
    let package = suite.newest_where("rust-src", |candidate| {
        // 1.95.0+dfsg1-1 is for 1.95.0.
        candidate
            .strip_prefix(version)
            .is_some_and(|rest| rest.starts_with(['+', '-', '~']))
    })?;
    suite.unpack(&[package], root)
}

fn rustc_version() -> Result<String> {
    let text = command::output(Command::new("rustc").arg("-vV"))?;
    let release = text.lines().find_map(|line| line.strip_prefix("release: "));
    Ok(release
        .context("rustc does not tell its release")?
        .to_owned())
}

/// A static busybox: the guests' user land.
pub fn busybox() -> Result<PathBuf> {
    let root = paths::cache()?.join("busybox");
    let program = root.join("usr/bin/busybox");
    let _lock = paths::lock_cache("kernels")?;
    if !program.is_file() {
        tell("installing busybox-static, the guests' user land");
        let suite = Suite::open(BUSYBOX_SUITE)?;
        suite.unpack(&[suite.newest("busybox-static")?], &root)?;
    }
    ensure!(
        program.is_file(),
        "the package busybox-static does not have {}",
        program.display()
    );
    Ok(program)
}
