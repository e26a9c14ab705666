//! `build`: the eBPF object, and the static programs that go into the guests.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    command::tell,
    paths,
    setup::{self, HostNeed},
};

const BPF_TARGET: &str = "bpfel-unknown-none";
const STATIC_TARGET: &str = "x86_64-unknown-linux-gnu";

/// Tells the tracer's build script which object to embed.
const OBJECT_VARIABLE: &str = "SYSCTL_TRACE_EBPF_OBJECT";

/// Build the eBPF object and the static programs
#[derive(Debug, clap::Args)]
pub struct Args {}

/// What a build yields.
#[derive(Clone, Debug)]
pub struct Artefacts {
    /// The eBPF object.
    pub object: PathBuf,
    /// Every static program.
    pub programs: Vec<PathBuf>,
}

impl Artefacts {
    /// The program of that name.
    pub fn program(&self, name: &str) -> Result<&Path> {
        self.programs
            .iter()
            .find(|path| path.file_name().is_some_and(|file| file == name))
            .map(PathBuf::as_path)
            .with_context(|| format!("the build yields no program {name}"))
    }
}

/// How the static programs are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// As they are released.
    Release,
    /// Not quite as fast, but built sooner.
    Quick,
    /// As they are released, with the names of functions left in them.
    Named,
}

/// Runs the task.
pub fn run(_: &Args) -> Result<ExitCode> {
    let artefacts = build(Profile::Release)?;
    println!("{}", artefacts.object.display());
    for program in &artefacts.programs {
        println!("{}", program.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds everything; what is up to date takes no time.
pub fn build(profile: Profile) -> Result<Artefacts> {
    setup::host_packages(HostNeed::Build)?;
    let object = object()?;
    tell("building the static programs");
    let mut cargo = cargo("build", "target/static", &["-Ctarget-feature=+crt-static"])?;
    let name = match profile {
        Profile::Release | Profile::Named => "release",
        Profile::Quick => "quick",
    };
    cargo.args(["--profile", name, "--target", STATIC_TARGET]);
    cargo.args(["-p", "sysctl-trace", "-p", "sysctl-trace-tests"]);
    cargo.env(OBJECT_VARIABLE, &object);
    if profile == Profile::Named {
        cargo.env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo");
    }
    let programs = executables(&mut cargo)?;
    Ok(Artefacts { object, programs })
}

/// Builds the eBPF object.
pub fn object() -> Result<PathBuf> {
    tell("building the eBPF object");
    ebpf("sysctl-trace-ebpf")
}

/// Builds the eBPF object that the benchmark compares with.
pub fn floor() -> Result<PathBuf> {
    tell("building the eBPF object to compare with");
    ebpf("floor-ebpf")
}

fn ebpf(name: &str) -> Result<PathBuf> {
    let mut cargo = bpf_cargo("build")?;
    cargo.args(["-p", "sysctl-trace-ebpf", "--bin", name, "--release"]);
    match executables(&mut cargo)?.as_slice() {
        [object] => Ok(object.clone()),
        other => bail!("the build yields {} eBPF objects", other.len()),
    }
}

/// A cargo command for the eBPF target, which is built from the standard library's sources by
/// features of the compiler that are not stable yet.
pub fn bpf_cargo(subcommand: &str) -> Result<Command> {
    let linker = format!("-Clinker={}", setup::bpf_linker()?.display());
    let rust_src = setup::rust_src()?;
    let flags = [linker.as_str(), "-Cdebuginfo=2", "-Clink-arg=--btf"];
    let mut cargo = cargo(subcommand, "target/bpf", &flags)?;
    cargo
        .args(["--target", BPF_TARGET, "-Zbuild-std=core"])
        .env("RUSTC_BOOTSTRAP", "1");
    if let Some(library) = rust_src {
        // Where cargo takes the sources from instead of the sysroot; it has no stable name.
        cargo.env("__CARGO_TESTS_ONLY_SRC_ROOT", library);
    }
    Ok(cargo)
}

/// Each kind of build has a target folder of its own, so that none undoes another's work, and the
/// flags given here alone, whatever the caller's environment has.
fn cargo(subcommand: &str, target_dir: &str, flags: &[&str]) -> Result<Command> {
    let root = paths::workspace()?;
    let mut cargo = Command::new("cargo");
    cargo
        .arg(subcommand)
        .arg("--target-dir")
        .arg(root.join(target_dir))
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .current_dir(root);
    Ok(cargo)
}

/// Runs the build and returns the programs it names.
fn executables(cargo: &mut Command) -> Result<Vec<PathBuf>> {
    cargo
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit());
    let output = cargo.output().context("starting cargo")?;
    if !output.status.success() {
        bail!("the build failed ({})", output.status);
    }
    let mut found = Vec::new();
    for line in output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let message: serde_json::Value =
            serde_json::from_slice(line).context("what cargo printed")?;
        if let Some(path) = message["executable"].as_str() {
            found.push(PathBuf::from(path));
        }
    }
    Ok(found)
}
