//! Exports of `hal.dll`. Since Windows 10 2004 it only forwards to `ntoskrnl.exe`.

use super::{LARGE_INTEGER, ULONG};

imports! {
    "hal.dll", "hal";

    /// A counter that only grows, and its ticks per second. Any level.
    fn KeQueryPerformanceCounter(PerformanceFrequency: *mut LARGE_INTEGER) -> LARGE_INTEGER;
    /// Spins for some microseconds. Any level.
    fn KeStallExecutionProcessor(MicroSeconds: ULONG);
}
