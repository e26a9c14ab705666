//! The least that a tracer of writes can do in user space: attach, and read records only to throw
//! them away. `cargo xtask bench` compares with it.

use std::{os::fd::AsFd as _, process::ExitCode};

use anyhow::{Context as _, Result};
use aya::{Btf, Ebpf, maps::RingBuf, programs::FExit};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::SignalFd,
    },
};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let object = std::env::args().nth(1).context("usage: floor OBJECT")?;
    let mut end = SigSet::empty();
    end.add(Signal::SIGINT);
    end.thread_block().context("blocking SIGINT")?;
    let end = SignalFd::new(&end).context("waiting for SIGINT")?;

    let mut ebpf = Ebpf::load_file(&object).with_context(|| format!("loading {object}"))?;
    let program = ebpf.program_mut("floor").context("no program")?;
    let program: &mut FExit = program.try_into()?;
    program.load("proc_sys_write", &Btf::from_sys_fs()?)?;
    program.attach()?;
    let mut events = RingBuf::try_from(ebpf.map_mut("EVENTS").context("no map")?)?;
    eprintln!("attached");

    let mut records = 0_u64;
    loop {
        let ended = {
            let mut polled = [
                PollFd::new(end.as_fd(), PollFlags::POLLIN),
                PollFd::new(events.as_fd(), PollFlags::POLLIN),
            ];
            poll(&mut polled, PollTimeout::NONE).context("waiting")?;
            polled[0].any().unwrap_or(false)
        };
        while events.next().is_some() {
            records += 1;
        }
        if ended {
            eprintln!("{records} records");
            return Ok(());
        }
    }
}
