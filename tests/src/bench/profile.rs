//! Where the processor's time goes: samples of everything that runs, user space and kernel.

use std::{
    collections::HashMap,
    fs,
    num::NonZeroUsize,
    os::fd::{FromRawFd as _, OwnedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering, fence},
};

use anyhow::{Context as _, Result};
use nix::{
    errno::Errno,
    sys::mman::{MapFlags, ProtFlags, mmap, munmap},
};

use super::terms::{Sample, TOOL};

/// Between two samples.
const PERIOD_NS: u64 = 20_000;
const PAGE: usize = 4096;
/// Of data: room for 170,000 samples.
const PAGES: usize = 1024;

/// <linux/perf_event.h>, as far as it is used here.
#[repr(C)]
#[derive(Debug, Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    period: u64,
    sample: u64,
    read: u64,
    flags: u64,
    rest: [u64; 10],
}

const SOFTWARE: u32 = 1;
const CPU_CLOCK: u64 = 0;
const SAMPLE_ADDRESS: u64 = 1;
const SAMPLE_TASK: u64 = 1 << 1;
const RECORD_SAMPLE: u32 = 9;
/// Offsets in the first page of the mapping: where the kernel's writing has come to, and ours.
const DATA_HEAD: usize = 1024;
/// Bytes of one sample with its header.
const SAMPLE_BYTES: usize = 8 + 8 + 8;

/// The kernel's half of the address space.
const KERNEL: u64 = 1 << 63;

/// A profile being taken.
#[derive(Debug)]
pub struct Profile {
    _event: OwnedFd,
    mapping: NonNull<u8>,
}

const LENGTH: NonZeroUsize = NonZeroUsize::new(PAGE * (1 + PAGES)).expect("it is not empty");

impl Profile {
    /// Starts sampling the processor.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn start() -> Result<Self> {
        let attributes = Attributes {
            kind: SOFTWARE,
            size: u32::try_from(size_of::<Attributes>())?,
            config: CPU_CLOCK,
            period: PERIOD_NS,
            sample: SAMPLE_ADDRESS | SAMPLE_TASK,
            ..Attributes::default()
        };
        let (every_process, first_processor, no_group, no_flags) = (-1, 0, -1, 0);
        // SAFETY: the attributes are as long as they say and outlive the call.
        let event = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &raw const attributes,
                every_process,
                first_processor,
                no_group,
                no_flags,
            )
        };
        let event = Errno::result(event).context("perf_event_open")?;
        // SAFETY: the kernel has just made the descriptor and nobody else knows it.
        let event = unsafe { OwnedFd::from_raw_fd(i32::try_from(event)?) };
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: the kernel chooses the place, so that nothing else is there.
        let mapping = unsafe { mmap(None, LENGTH, protection, MapFlags::MAP_SHARED, &event, 0) };
        Ok(Self {
            _event: event,
            mapping: mapping.context("mapping the samples")?.cast(),
        })
    }

    /// Ends: how many samples fell where. `program` is the file of process `pid`.
    ///
    /// # Errors
    /// When the kernel does not say what lies where.
    pub fn end(self, pid: u32) -> Result<Vec<Sample>> {
        // First: what comes now is not to be in them.
        let samples = self.samples();
        let base = base(pid)?;
        let symbols = Symbols::read()?;
        let mut counts = HashMap::<(String, u64), u64>::new();
        for (address, process) in samples {
            let place = if address & KERNEL != 0 {
                (symbols.name(address), 0)
            } else if process == pid {
                (TOOL.to_owned(), address.wrapping_sub(base))
            } else {
                ("another process".to_owned(), 0)
            };
            *counts.entry(place).or_default() += 1;
        }
        let samples = counts.into_iter();
        Ok(samples
            .map(|((place, offset), count)| Sample {
                place,
                offset,
                count,
            })
            .collect())
    }

    fn samples(&self) -> Vec<(u64, u32)> {
        // SAFETY: the first page of the mapping has the number there, aligned.
        let head = unsafe { self.mapping.add(DATA_HEAD).cast::<AtomicU64>().as_ref() };
        let head = head.load(Ordering::Acquire);
        fence(Ordering::Acquire);
        let end = usize::try_from(head).map_or(0, |head| head.min(PAGE * PAGES));
        let mut samples = Vec::new();
        let mut at = 0;
        while at + SAMPLE_BYTES <= end {
            let mut record = [0_u8; SAMPLE_BYTES];
            // SAFETY: the kernel has written up to `end`, which lies within the mapping, and
            // writes no further once it is full, since nobody tells it that it was read.
            unsafe {
                let from = self.mapping.add(PAGE + at).as_ptr();
                std::ptr::copy_nonoverlapping(from, record.as_mut_ptr(), SAMPLE_BYTES);
            }
            let number = |from: usize, length: usize| {
                let mut bytes = [0; 8];
                bytes[..length].copy_from_slice(&record[from..from + length]);
                u64::from_ne_bytes(bytes)
            };
            if number(0, 4) == u64::from(RECORD_SAMPLE) {
                samples.push((number(8, 8), number(16, 4) as u32));
            }
            match number(6, 2) as usize {
                0 => break,
                size => at += size,
            }
        }
        samples
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and no borrow of it outlives the value.
        let unmapped = unsafe { munmap(self.mapping.cast(), LENGTH.get()) };
        debug_assert!(unmapped.is_ok());
    }
}

/// Where a process's program begins in its memory.
fn base(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/maps");
    let maps = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let program = fs::read_link(format!("/proc/{pid}/exe")).context("finding the program")?;
    let program = program.display().to_string();
    // START-END PERMISSIONS OFFSET DEVICE INODE PATH, the lowest first.
    let line = maps.lines().find(|line| line.ends_with(&program));
    let start = line.and_then(|line| line.split('-').next());
    let start = start.context("the program is not in its memory")?;
    Ok(u64::from_str_radix(start, 16)?)
}

/// The kernel's functions, eBPF programs included, by address.
struct Symbols(Vec<(u64, String)>);

impl Symbols {
    fn read() -> Result<Self> {
        let text = fs::read_to_string("/proc/kallsyms").context("reading /proc/kallsyms")?;
        let mut symbols: Vec<(u64, String)> = text
            .lines()
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                let address = u64::from_str_radix(words.next()?, 16).ok()?;
                let name = words.nth(1)?;
                Some((address, name.to_owned()))
            })
            .collect();
        symbols.sort_by_key(|(address, _)| *address);
        Ok(Self(symbols))
    }

    fn name(&self, address: u64) -> String {
        let next = self.0.partition_point(|(start, _)| *start <= address);
        let symbol = next.checked_sub(1).and_then(|index| self.0.get(index));
        symbol.map_or_else(|| "kernel".to_owned(), |(_, name)| name.clone())
    }
}
