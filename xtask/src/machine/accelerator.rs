//! Whether the host's KVM works. That /dev/kvm exists says little: it is believed only after a
//! guest has booted with it.

use std::{
    fs::{self, File},
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use sysctl_trace_tests::protocol::{Action, Plan};

use super::{
    Parts,
    guest::Guest,
    kernels::Kernel,
    qemu::{Accelerator, Shape},
};
use crate::{command::tell, paths};

/// With KVM a guest is up in about a second.
const PROBE_DEADLINE: Duration = Duration::from_secs(15);

const PROBE_SHAPE: Shape = Shape {
    processors: 1,
    memory_mib: 1024,
};

/// What a probe found. It holds until the host is booted again.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Finding {
    boot_id: String,
    kvm: bool,
}

/// The fastest accelerator that works here.
pub fn choose(parts: &Parts, kernel: &Kernel) -> Result<Accelerator> {
    if File::options()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .is_err()
    {
        return Ok(Accelerator::Tcg);
    }
    let note = paths::cache()?.join("accelerator.json");
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .context("reading the host's boot id")?
        .trim()
        .to_owned();
    let known = paths::read_json::<Finding>(&note).filter(|finding| finding.boot_id == boot_id);
    let finding = match known {
        Some(finding) => finding,
        None => {
            tell("trying whether KVM works here");
            let kvm = match probe(parts, kernel) {
                Ok(()) => true,
                Err(error) => {
                    let reason = error.to_string();
                    let reason = reason.lines().next().unwrap_or_default();
                    tell(&format!(
                        "KVM does not work ({reason}); guests are emulated"
                    ));
                    false
                }
            };
            let finding = Finding { boot_id, kvm };
            paths::write_json(&note, &finding)?;
            finding
        }
    };
    Ok(if finding.kvm {
        Accelerator::Kvm
    } else {
        Accelerator::Tcg
    })
}

fn probe(parts: &Parts, kernel: &Kernel) -> Result<()> {
    let plan = Plan {
        kernel: kernel.label.clone(),
        userland: None,
        action: Action::PowerOff,
    };
    let initramfs = parts.initramfs(&plan)?;
    let mut guest = Guest::boot(kernel, initramfs, Accelerator::Kvm, PROBE_SHAPE, None)?;
    guest.ready(PROBE_DEADLINE)?;
    guest.finish()
}
