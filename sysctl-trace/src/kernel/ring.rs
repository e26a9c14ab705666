//! The ring buffer's end in user space, and the kernel's counts of what did not get into it.

use std::{io, time::Duration};

use aya::{
    Ebpf, Pod,
    maps::{MapData, MapError, PerCpuArray, RingBuf},
};
use sysctl_trace_ebpf::settings::{Losses, Program};
use tokio::{
    io::{Interest, unix::AsyncFd},
    time::{Instant, sleep_until},
};

use super::loss::PerProgram;

/// How long records are let gather after the first, so that one wake-up serves many. The kernel
/// wakes a reader only when it has read everything, so during this time nobody is woken.
const GATHER: Duration = Duration::from_millis(10);

/// How many records are handed over at once: enough to spread the cost of a write to a file, few
/// enough that a full ring buffer does not fill this process' memory, too.
const BATCH: usize = 256;

/// Records from the probes, in the order in which the kernel wrote them.
pub struct Ring {
    buffer: AsyncFd<RingBuf<MapData>>,
    losses: PerCpuArray<MapData, LossesPod>,
    /// When the records that are gathering are to be read.
    due: Option<Instant>,
}

#[derive(Clone, Copy)]
#[repr(transparent)]
struct LossesPod(Losses);

// SAFETY: plain integers.
unsafe impl Pod for LossesPod {}

/// Why the maps could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object lacks a map.
    #[error("the probes have no map {0}")]
    NoMap(&'static str),
    /// aya could not use a map.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The event loop could not take the ring buffer.
    #[error("waiting for events: {0}")]
    Io(#[from] io::Error),
}

impl Ring {
    /// Takes the maps out of the loaded object. Must be called within an event loop.
    pub fn open(ebpf: &mut Ebpf) -> Result<Self, Error> {
        let events = ebpf.take_map("EVENTS").ok_or(Error::NoMap("EVENTS"))?;
        let losses = ebpf.take_map("LOSSES").ok_or(Error::NoMap("LOSSES"))?;
        // SAFETY: the ring buffer owns its descriptor and keeps it for as long as it lives.
        let buffer = unsafe {
            AsyncFd::register_with_interest(RingBuf::try_from(events)?, Interest::READABLE)
        };
        Ok(Self {
            buffer: buffer.map_err(io::Error::from)?,
            losses: PerCpuArray::try_from(losses)?,
            due: None,
        })
    }

    /// Waits until there are records. Safe to cancel.
    pub async fn readable(&mut self) -> Result<(), Error> {
        let due = match self.due {
            Some(due) => due,
            None => {
                self.buffer.readable_mut().await?.clear_ready();
                *self.due.insert(Instant::now() + GATHER)
            }
        };
        sleep_until(due).await;
        self.due = None;
        Ok(())
    }

    /// Hands records that are there to `take`, at most a batch of them; whether there may be more.
    pub fn take(&mut self, mut take: impl FnMut(&[u8])) -> bool {
        let buffer = self.buffer.get_mut();
        for _ in 0..BATCH {
            match buffer.next() {
                Some(record) => take(&record),
                None => return false,
            }
        }
        // Nobody wakes a reader that has not read everything.
        self.due = Some(Instant::now());
        true
    }

    /// What the programs have counted since they were loaded, on all CPUs.
    pub fn counted(&self) -> Result<PerProgram<Losses>, Error> {
        let mut sums = PerProgram::default();
        for program in Program::ALL {
            let sum: &mut Losses = &mut sums[program as usize];
            for LossesPod(counted) in self.losses.get(&(program as u32), 0)?.iter() {
                sum.ring_full += counted.ring_full;
                sum.in_flight += counted.in_flight;
                sum.return_missed += counted.return_missed;
                sum.unreadable += counted.unreadable;
                sum.handled += counted.handled;
            }
        }
        Ok(sums)
    }
}
