//! How long something took on the guest's one processor.
//!
//! What counts is all the time in which the processor was not idle, from the first operation until
//! the tool has dealt with the last: the kernel's part, the tool's part and what lies between them,
//! in whatever order they ran.

use std::{fs, os::fd::OwnedFd, thread, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use aya::{
    programs::loaded_programs,
    sys::{Stats, enable_stats},
};
use nix::{
    sys::resource::{UsageWho, getrusage},
    sys::time::{TimeVal, TimeValLike as _},
    time::{ClockId, clock_getcpuclockid},
    unistd::Pid,
};

use super::terms::{Cost, Memory};
use crate::workload::sys;

/// A tool is done when it did next to nothing in so many windows in a row.
const WINDOW: Duration = Duration::from_millis(100);
const QUIET_WINDOWS: u32 = 2;
/// Timers of its own do not keep it from being done.
const NEXT_TO_NOTHING_NS: u64 = 1_000_000;
/// Whatever it does, it is done by then.
const PATIENCE_WINDOWS: u32 = 600;

/// The moment before the first operation.
#[derive(Debug)]
pub struct Meter {
    tool: Option<Pid>,
    before: Reading,
    /// While this is open, the kernel counts the time of eBPF programs.
    counting: Option<OwnedFd>,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    time: u64,
    idle: u64,
    actor: u64,
    tool: u64,
    wakeups: u64,
    probes: u64,
}

impl Reading {
    /// The clock last: reading the others is not measured.
    fn before(tool: Option<Pid>) -> Result<Self> {
        let idle = idle_ns()?;
        let (tool, wakeups) = of_tool(tool)?;
        Ok(Self {
            idle,
            tool,
            wakeups,
            probes: probes_ns()?,
            actor: actor_ns()?,
            time: sys::monotonic_ns()?,
        })
    }

    /// The clock first.
    fn after(tool: Option<Pid>) -> Result<Self> {
        let time = sys::monotonic_ns()?;
        let actor = actor_ns()?;
        let (tool, wakeups) = of_tool(tool)?;
        Ok(Self {
            time,
            actor,
            tool,
            wakeups,
            idle: idle_ns()?,
            probes: probes_ns()?,
        })
    }
}

fn of_tool(tool: Option<Pid>) -> Result<(u64, u64)> {
    match tool {
        Some(pid) => Ok((tool_ns(pid)?, wakeups(pid)?)),
        None => Ok((0, 0)),
    }
}

impl Meter {
    /// Waits until the tool has nothing to do, then starts. `counted`: have the kernel count the
    /// time of eBPF programs.
    ///
    /// # Errors
    /// When the kernel does not say what it should, or the tool is gone or does not come to rest.
    pub fn start(tool: Option<Pid>, counted: bool) -> Result<Self> {
        let counting = counted.then(|| enable_stats(Stats::RunTime)).transpose();
        let counting = counting.context("having eBPF programs counted")?;
        settle(tool)?;
        let before = Reading::before(tool)?;
        Ok(Self {
            tool,
            before,
            counting,
        })
    }

    /// Waits until the tool has nothing to do any more: what it all took.
    ///
    /// # Errors
    /// As for [`Meter::start`].
    pub fn stop(self, operations: u32) -> Result<Cost> {
        settle(self.tool)?;
        let (before, after) = (self.before, Reading::after(self.tool)?);
        let elapsed = after.time - before.time;
        let idle = after.idle - before.idle;
        Ok(Cost {
            operations,
            busy_ns: elapsed.checked_sub(idle).context("more idle than time")?,
            actor_ns: after.actor - before.actor,
            tool_ns: after.tool - before.tool,
            tool_wakeups: after.wakeups - before.wakeups,
            probes_ns: self.counting.map(|_| after.probes - before.probes),
        })
    }
}

/// Waits until the machine has nothing to do, as after its boot.
///
/// # Errors
/// When the kernel does not say how idle it is.
pub fn wait_for_idle() -> Result<()> {
    let mut quiet = 0;
    for _ in 0..PATIENCE_WINDOWS {
        let (time, idle) = (sys::monotonic_ns()?, idle_ns()?);
        thread::sleep(WINDOW * 5);
        let (time, idle) = (sys::monotonic_ns()? - time, idle_ns()? - idle);
        let busy = time.saturating_sub(idle);
        quiet = if busy < 5 * NEXT_TO_NOTHING_NS {
            quiet + 1
        } else {
            0
        };
        if quiet == QUIET_WINDOWS {
            return Ok(());
        }
    }
    bail!("the machine does not come to rest")
}

/// Waits until the tool has nothing to do. With no tool it waits as well, so that all windows are
/// alike.
///
/// # Errors
/// When the tool is gone or does not come to rest.
pub fn settle(tool: Option<Pid>) -> Result<()> {
    let mut quiet = 0;
    for _ in 0..PATIENCE_WINDOWS {
        let before = tool.map_or(Ok(0), tool_ns)?;
        thread::sleep(WINDOW);
        let used = tool.map_or(Ok(0), tool_ns)? - before;
        quiet = if used < NEXT_TO_NOTHING_NS {
            quiet + 1
        } else {
            0
        };
        if quiet == QUIET_WINDOWS {
            return Ok(());
        }
    }
    bail!("the tool does not come to rest")
}

/// A process's resident memory.
///
/// # Errors
/// When it is gone.
pub fn memory(pid: Pid) -> Result<Memory> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let field = |name: &str| {
        let value = status_field(&status, name)?;
        let number = value.strip_suffix("kB").context("a new unit")?;
        Ok::<u64, anyhow::Error>(number.trim().parse()?)
    };
    Ok(Memory {
        resident: field("VmRSS:")?,
        peak: field("VmHWM:")?,
        anonymous: field("RssAnon:")?,
        file: field("RssFile:")?,
        shared: field("RssShmem:")?,
    })
}

fn status_field<'a>(status: &'a str, name: &str) -> Result<&'a str> {
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    Ok(value.with_context(|| format!("no {name}"))?.trim())
}

fn wakeups(pid: Pid) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    Ok(status_field(&status, "voluntary_ctxt_switches:")?.parse()?)
}

/// The processor's idle time since boot, to the nanosecond.
fn idle_ns() -> Result<u64> {
    const PATH: &str = "/proc/timer_list";
    let text = fs::read_to_string(PATH).with_context(|| format!("reading {PATH}"))?;
    let numbers: Vec<u64> = text
        .lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            match name.trim().trim_start_matches('.') {
                "idle_sleeptime" | "iowait_sleeptime" => {
                    value.trim().split(' ').next()?.parse().ok()
                }
                _ => None,
            }
        })
        .collect();
    // Two for one processor.
    ensure!(numbers.len() == 2, "{PATH} has {} numbers", numbers.len());
    Ok(numbers.iter().sum())
}

fn tool_ns(pid: Pid) -> Result<u64> {
    let clock = clock_getcpuclockid(pid).context("finding the tool's clock")?;
    sys::nanoseconds(clock).context("reading the tool's clock; is it gone?")
}

/// Time of all eBPF programs, as far as the kernel has counted it.
fn probes_ns() -> Result<u64> {
    let mut all = 0;
    for program in loaded_programs() {
        let program = program.context("listing eBPF programs")?;
        all += u64::try_from(program.run_time().as_nanos())?;
    }
    Ok(all)
}

/// Time charged to this process and those of its children that it has waited for.
fn actor_ns() -> Result<u64> {
    let own = sys::nanoseconds(ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
    let children = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let children: TimeVal = children.user_time() + children.system_time();
    Ok(own + u64::try_from(children.num_microseconds())? * 1_000)
}
