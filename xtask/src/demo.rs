//! `demo`: a session with the tracer, on a scenario made for it.

use std::{
    env,
    ffi::OsString,
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, Result};

use crate::{
    build::{self, Profile},
    command::tell,
    machine::{Parts, kernels},
    vm,
};

/// Trace a scenario that makes namespaces and writes keys, and ask who set a value
///
/// Natively where this host lets the tracer work, in a virtual machine elsewhere.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Use a virtual machine in any case
    #[arg(long)]
    vm: bool,
}

/// Runs the task.
pub fn run(args: &Args) -> Result<ExitCode> {
    let artefacts = build::build(Profile::Quick)?;
    let tracer = artefacts.program("sysctl-trace")?;
    let demo = artefacts.program("demo")?;
    if !args.vm && host_lets_trace(tracer)? {
        tell("this host lets the tracer work: the demo runs on it");
        let status = Command::new(demo)
            .env("PATH", path_of(&[tracer, demo])?)
            .status()
            .context("starting the demo")?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        return Ok(code.map_or(ExitCode::FAILURE, ExitCode::from));
    }
    let kernel = kernels::DEFAULT;
    if !args.vm {
        tell("this host does not let the tracer work (`sysctl-trace doctor` says why)");
    }
    tell(&format!(
        "the demo runs in a virtual machine, with kernel {kernel}"
    ));
    let parts = Parts::gather(artefacts)?;
    let shape = vm::DEFAULT_SHAPE;
    vm::run_in_guest(
        &parts,
        &vm::Args {
            kernel: kernel.to_owned(),
            userland: None,
            hybrid: false,
            memory: shape.memory_mib,
            cpus: shape.processors,
            icount: false,
            deadline: Some(300),
            command: vec!["demo".to_owned()],
        },
    )
}

/// PATH with the folders of these programs before it.
fn path_of(programs: &[&Path]) -> Result<OsString> {
    let own = programs.iter().filter_map(|program| program.parent());
    let path = env::var_os("PATH").unwrap_or_default();
    let rest = env::split_paths(&path).collect::<Vec<_>>();
    Ok(env::join_paths(own.map(Path::to_owned).chain(rest))?)
}

fn host_lets_trace(tracer: &Path) -> Result<bool> {
    let status = Command::new(tracer)
        .arg("doctor")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("starting `sysctl-trace doctor`")?;
    Ok(status.success())
}
