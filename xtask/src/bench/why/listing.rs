//! `ls` over many network namespaces, in a guest.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use sysctl_trace_tests::{
    bench::terms::Listing,
    protocol::{Action, CommandPlan, Frame, Plan, Report},
};

use crate::{
    build::Artefacts,
    command::tell,
    machine::{
        Parts, accelerator,
        guest::{BOOT_DEADLINE, Guest},
        kernels,
    },
    vm::DEFAULT_SHAPE,
};

/// How many namespaces there are, beside the node's own.
const NAMESPACES: u32 = 2000;
/// Making them takes its time under emulation, and so does ending them.
const DEADLINE: Duration = Duration::from_secs(600);

/// Boots a guest, and has them made and listed.
pub fn measure(artefacts: Artefacts) -> Result<Listing> {
    let parts = Parts::gather(artefacts)?;
    let kernel = kernels::obtain(&kernels::find(kernels::DEFAULT)?)?;
    let accelerator = accelerator::choose(&parts, &kernel)?;
    let argv = ["/bin/bench", "list", &NAMESPACES.to_string()].map(str::to_owned);
    let plan = Plan {
        kernel: kernel.label.clone(),
        userland: None,
        action: Action::Command(CommandPlan {
            argv: argv.into(),
            terminal: None,
        }),
    };
    let initramfs = parts.initramfs(&plan)?;
    tell(&format!(
        "booting kernel {} ({accelerator}) to list {NAMESPACES} network namespaces",
        kernel.release
    ));
    let mut guest = Guest::boot(&kernel, initramfs, accelerator, DEFAULT_SHAPE, None)?;
    guest.ready(BOOT_DEADLINE)?;
    let listing = answer(&mut guest)?;
    guest.finish()?;
    let each = listing.seconds * 1e3 / f64::from(listing.namespaces);
    tell(&format!(
        "ls: {} namespaces in {:.2} s, {each:.2} ms each",
        listing.namespaces, listing.seconds
    ));
    Ok(listing)
}

fn answer(guest: &mut Guest) -> Result<Listing> {
    let deadline = Instant::now() + DEADLINE;
    let mut said = Vec::new();
    loop {
        match guest.next(Some(deadline))? {
            Frame::Stdout(bytes) => said.extend_from_slice(&bytes),
            Frame::Stderr(bytes) => eprint!("{}", String::from_utf8_lossy(&bytes)),
            Frame::Report(Report::CommandEnded { status: 0 }) => {
                return serde_json::from_slice(&said).context("what the guest says");
            }
            Frame::Report(Report::CommandEnded { status }) => {
                bail!("listing in the guest failed with status {status}")
            }
            Frame::Report(_) | Frame::Stdin(_) => {}
        }
    }
}
