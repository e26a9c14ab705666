//! Says where the object with the probes is: `cargo xtask build` builds it and tells by
//! SYSCTL_TRACE_EBPF_OBJECT. Without it, an empty file takes its place, so that plain `cargo
//! build`, `test` and `clippy` work; the program then says that it has no probes.

use std::{env, fs, path::PathBuf};

const OBJECT: &str = "SYSCTL_TRACE_EBPF_OBJECT";

fn main() {
    println!("cargo::rerun-if-env-changed={OBJECT}");
    let object = env::var_os(OBJECT).map_or_else(empty, PathBuf::from);
    println!("cargo::rerun-if-changed={}", object.display());
    println!("cargo::rustc-env={OBJECT}={}", object.display());
}

fn empty() -> PathBuf {
    let out = env::var_os("OUT_DIR").expect("cargo gives build scripts OUT_DIR");
    let path = PathBuf::from(out).join("no-probes");
    fs::write(&path, []).expect("OUT_DIR can be written to");
    path
}
