//! The control words of the floating-point units, which a routine keeps
//! (<https://learn.microsoft.com/cpp/build/x64-calling-convention>, FPCSR and MXCSR).
//!
//! With other ones, the simulator's own arithmetic would round otherwise, or fault.

use core::arch::asm;

/// Bits of MXCSR that say what happened; the others control.
const STATUS: u32 = 0x3F;

/// The control words of a thread.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct Control {
    mxcsr: u32,
    x87: u16,
}

impl Control {
    /// Reads those of the calling thread.
    pub(super) fn read() -> Self {
        let (mut mxcsr, mut x87) = (0_u32, 0_u16);
        // SAFETY: the instruction stores four bytes, into a variable of four.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack, preserves_flags)) };
        // SAFETY: the instruction stores two bytes, into a variable of two.
        unsafe { asm!("fnstcw [{}]", in(reg) &raw mut x87, options(nostack, preserves_flags)) };
        Self { mxcsr: mxcsr & !STATUS, x87 }
    }

    /// Gives the calling thread these. Exceptions that are pending are forgotten.
    pub(super) fn write(self) {
        // SAFETY: the value is one that was read, of which the processor admits every bit.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const self.mxcsr, options(nostack, preserves_flags)) };
        // SAFETY: as above; nothing that compiled code expects of the x87 unit changes by this.
        unsafe {
            asm!("fnclex", "fldcw [{}]", in(reg) &raw const self.x87, options(nostack, preserves_flags));
        }
    }
}
