//! Simulated time, in units of 100 nanoseconds as everywhere in NT.
//!
//! It runs with the host's monotonic clock, and this is the only place that reads it; on a machine with a
//! [`Schedule`](super::Schedule) it stands still until no thread can run.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::time::Instant;

use crate::per_machine::PerMachine;
use crate::sched::Settings;

/// Length of a clock tick, in units of 100 ns: 1/64 of a second, Windows' usual one.
pub const TICK: u64 = 156_250;

/// Units of 100 ns in a second.
pub const PER_SECOND: u64 = 10_000_000;

/// System time at boot: 2024-01-01 00:00 UTC, counted from 1601.
const BOOT_SYSTEM_TIME: u64 = 133_485_408_000_000_000;

/// By how much a clock that stands still is ahead whenever a driver reads it, in nanoseconds: so one that
/// spins until some time comes to an end.
const READING: u64 = 1000;

/// The clock of one machine.
enum Clock {
    /// It started then, and runs with the host's.
    Host(Instant),
    /// Nanoseconds since boot; it is set.
    Steered(AtomicU64),
}

static CLOCK: PerMachine<Clock> = PerMachine::new();

/// Starts the clock of a machine that boots.
pub(super) fn start() {
    CLOCK.get();
}

/// Sets a clock that stands still to `time` since boot, unless it is later already.
pub(super) fn advance_to(time: Duration) {
    CLOCK.get().advance_to(time);
}

impl Default for Clock {
    fn default() -> Self {
        let stands_still = Settings::current().schedule.is_some();
        if stands_still { Self::Steered(AtomicU64::new(0)) } else { Self::Host(Instant::now()) }
    }
}

impl Clock {
    fn elapsed(&self) -> Duration {
        match self {
            Self::Host(boot) => boot.elapsed(),
            Self::Steered(nanoseconds) => Duration::from_nanos(nanoseconds.load(Ordering::Relaxed)),
        }
    }

    fn advance_to(&self, time: Duration) {
        if let Self::Steered(nanoseconds) = self {
            let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            nanoseconds.fetch_max(time, Ordering::Relaxed);
        }
    }
}

/// Called when a driver reads the time, before it does.
pub fn is_read() {
    if let Clock::Steered(nanoseconds) = CLOCK.get() {
        nanoseconds.fetch_add(READING, Ordering::Relaxed);
    }
}

/// Time since boot, in units of 100 ns.
pub fn now() -> u64 {
    units(elapsed())
}

/// A duration in units of 100 ns; the highest number of them where it is longer.
pub fn units(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos() / 100).unwrap_or(u64::MAX)
}

/// Time since boot.
pub fn elapsed() -> Duration {
    CLOCK.get().elapsed()
}

/// System time: units of 100 ns since the start of 1601.
pub fn system_time() -> u64 {
    BOOT_SYSTEM_TIME + now()
}

/// The duration of that many units of 100 ns.
pub fn duration(units: u64) -> Duration {
    Duration::new(units / PER_SECOND, u32::try_from(units % PER_SECOND * 100).unwrap_or(0))
}
