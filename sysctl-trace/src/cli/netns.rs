//! Looks up the network namespaces that the command line names by path.

use std::{fs::File, os::unix::fs::MetadataExt as _, path::Path};

use anyhow::{Context as _, ensure};
use rustix::ioctl;

use crate::{
    cli::plan::Netns,
    filter::{Sign, Values},
};

/// The numbers of the namespaces.
pub fn resolve(named: &[Sign<Netns>]) -> anyhow::Result<Values<u32>> {
    let mut values = Values::default();
    for sign in named {
        values.add(sign.clone().try_map(|netns| match netns {
            Netns::Inum(inum) => Ok(inum),
            Netns::Path(path) => inum(&path).with_context(|| format!("--netns {}", path.display())),
        })?);
    }
    Ok(values)
}

fn inum(path: &Path) -> anyhow::Result<u32> {
    let file = File::open(path).context("cannot open it")?;
    ensure!(
        is_netns(&file),
        "it is not a network namespace; examples: /run/netns/NAME, /proc/PID/ns/net"
    );
    let inode = file.metadata().context("cannot look at it")?.ino();
    u32::try_from(inode).context("its number is too large")
}

fn is_netns(file: &File) -> bool {
    const NSFS_MAGIC: u64 = 0x6e73_6673;
    const CLONE_NEWNET: i32 = 0x4000_0000;
    let on_nsfs = rustix::fs::fstatfs(file)
        .is_ok_and(|filesystem| u64::try_from(filesystem.f_type) == Ok(NSFS_MAGIC));
    // SAFETY: the file is of nsfs, where this number is NS_GET_NSTYPE, which touches no memory.
    on_nsfs && unsafe { ioctl::ioctl(file, NamespaceType) } == Ok(CLONE_NEWNET)
}

/// NS_GET_NSTYPE: the kind of a namespace as its CLONE_NEW* flag.
struct NamespaceType;

// SAFETY: the ioctl takes no argument, and its result is the return value.
unsafe impl ioctl::Ioctl for NamespaceType {
    type Output = i32;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> ioctl::Opcode {
        ioctl::opcode::none(0xb7, 3)
    }

    fn as_ptr(&mut self) -> *mut std::ffi::c_void {
        std::ptr::null_mut()
    }

    unsafe fn output_from_ptr(
        result: ioctl::IoctlOutput,
        _: *mut std::ffi::c_void,
    ) -> rustix::io::Result<i32> {
        Ok(result)
    }
}

#[cfg(test)]
#[path = "netns_tests.rs"]
mod tests;
