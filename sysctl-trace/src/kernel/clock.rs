//! Clocks: from nanoseconds since boot to time of day, and the length of the kernel's tick.

use rustix::time::{ClockId, clock_getres, clock_gettime};

const NANOS: i128 = 1_000_000_000;

/// What must be added to CLOCK_BOOTTIME to get CLOCK_REALTIME, in nanoseconds. It moves when the
/// time of day is set, so it is taken anew from time to time.
pub fn realtime_minus_boottime_ns() -> i128 {
    // The two are read one after the other; of a few tries, the one with the shortest gap counts.
    (0..3)
        .map(|_| {
            let before = now(ClockId::Boottime);
            let real = now(ClockId::Realtime);
            let after = now(ClockId::Boottime);
            (after - before, real - (before + after) / 2)
        })
        .min_by_key(|&(gap, _)| gap)
        .map_or(0, |(_, offset)| offset)
}

/// Ticks per second (CONFIG_HZ), from the resolution of the coarse clock, which is one tick.
pub fn ticks_per_second() -> u64 {
    let tick = clock_getres(ClockId::MonotonicCoarse);
    let nanos = i128::from(tick.tv_sec) * NANOS + i128::from(tick.tv_nsec);
    ((NANOS + nanos / 2) / nanos.max(1)) as u64
}

fn now(clock: ClockId) -> i128 {
    let time = clock_gettime(clock);
    i128::from(time.tv_sec) * NANOS + i128::from(time.tv_nsec)
}

/// CLOCK_BOOTTIME in nanoseconds.
pub fn boottime_ns() -> u64 {
    now(ClockId::Boottime) as u64
}
