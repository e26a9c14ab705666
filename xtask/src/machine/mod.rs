//! Virtual machines: a kernel, an initramfs, QEMU, and what became of the boot.

pub mod accelerator;
pub mod console;
pub mod guest;
pub mod initramfs;
pub mod kernels;
pub mod qemu;
pub mod userland;

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use sysctl_trace_tests::protocol::Plan;

use crate::{
    build::Artefacts,
    paths,
    setup::{self, HostNeed},
};
use initramfs::Initramfs;

/// Everything that guests are made of except for the kernel.
#[derive(Clone, Debug)]
pub struct Parts {
    artefacts: Artefacts,
    busybox: PathBuf,
}

impl Parts {
    /// Sets up the host and gathers the parts.
    pub fn gather(artefacts: Artefacts) -> Result<Self> {
        setup::host_packages(HostNeed::Machines)?;
        Ok(Self {
            artefacts,
            busybox: setup::busybox()?,
        })
    }

    /// The usual contents of a guest. More can be added before it is booted.
    pub fn initramfs(&self, plan: &Plan) -> Result<Initramfs> {
        let mut initramfs = Initramfs::new();
        initramfs.add_bytes("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n");
        initramfs.add_bytes("etc/group", b"root:x:0:\n");
        initramfs.add_program("init", self.artefacts.program("guest")?)?;
        initramfs.add_program("bin/busybox", &self.busybox)?;
        for program in &self.artefacts.programs {
            if let Some(name) = program.file_name().filter(|name| *name != "guest") {
                initramfs.add_program(&format!("bin/{}", name.display()), program)?;
            }
        }
        let keys = paths::workspace()?.join("docs/keys.md");
        let page = fs::read(&keys).with_context(|| format!("reading {}", keys.display()))?;
        // A case compares it with what it finds.
        initramfs.add_bytes("keys.md", &page);
        initramfs.add_bytes("plan.json", &serde_json::to_vec(plan)?);
        Ok(initramfs)
    }
}
