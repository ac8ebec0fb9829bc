//! The clock of the samples: the processor's own, as the system's has a resolution of 100 ns.

#![expect(unsafe_code, reason = "the counter is read by an instruction")]

use crate::kernel;

/// Cycles of the time-stamp counter; what comes before is over when it is read.
#[cfg(target_arch = "x86_64")]
pub(super) fn cycles() -> u64 {
    use core::arch::x86_64::{_mm_lfence, _rdtsc};

    // SAFETY: every processor of this architecture has the instruction.
    unsafe { _mm_lfence() };
    // SAFETY: as above.
    unsafe { _rdtsc() }
}

/// Ticks of the virtual counter, which is coarser than a cycle; what comes before is over when it is read.
#[cfg(target_arch = "aarch64")]
pub(super) fn cycles() -> u64 {
    let ticks;
    // SAFETY: every processor of this architecture has the counter, and nothing but the register that is named changes.
    unsafe {
        core::arch::asm!("isb", "mrs {}, cntvct_el0", out(reg) ticks, options(nostack, preserves_flags))
    };
    ticks
}

/// The time, in ticks, for which both clocks are compared to tell the one's rate from the other's.
const SPAN: u64 = 1000;

/// One moment on both clocks.
pub(super) struct Moment {
    cycles: u64,
    ticks: u64,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { cycles: cycles(), ticks: kernel::ticks() }
    }

    /// Cycles in a second, from what has passed since; waits for at most a millisecond.
    pub(super) fn cycles_per_second(&self) -> u64 {
        let frequency = kernel::frequency();
        let least = self.ticks.saturating_add(frequency / SPAN);
        while kernel::ticks() < least {
            core::hint::spin_loop();
        }
        let now = Self::now();
        let cycles = u128::from(now.cycles.saturating_sub(self.cycles)).saturating_mul(frequency.into());
        let ticks = u128::from(now.ticks.saturating_sub(self.ticks).max(1));
        u64::try_from(cycles.checked_div(ticks).unwrap_or(0)).unwrap_or(u64::MAX)
    }
}
