//! Simulated time, in units of 100 nanoseconds as everywhere in NT.
//!
//! It runs with the host's monotonic clock; this is the only place that reads it.

use core::time::Duration;
use std::time::Instant;

use crate::machine;

/// Length of a clock tick, in units of 100 ns: 1/64 of a second, Windows' usual one.
pub(crate) const TICK: u64 = 156_250;

/// Units of 100 ns in a second.
pub(crate) const PER_SECOND: u64 = 10_000_000;

/// System time at boot: 2024-01-01 00:00 UTC, counted from 1601.
const BOOT_SYSTEM_TIME: u64 = 133_485_408_000_000_000;

/// The clock of one machine.
pub(crate) struct Clock {
    boot: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn new() -> Self {
        Self { boot: Instant::now() }
    }
}

/// Time since boot, in units of 100 ns.
pub fn now() -> u64 {
    u64::try_from(elapsed().as_nanos() / 100).unwrap_or(u64::MAX)
}

/// Time since boot.
pub fn elapsed() -> Duration {
    machine::current().clock.boot.elapsed()
}

/// System time: units of 100 ns since the start of 1601.
pub fn system_time() -> u64 {
    BOOT_SYSTEM_TIME + now()
}

/// The duration of that many units of 100 ns.
pub fn duration(units: u64) -> Duration {
    Duration::new(units / PER_SECOND, u32::try_from(units % PER_SECOND * 100).unwrap_or(0))
}
