//! The direction flag, which drivers and the kernel leave clear for each other
//! (<https://learn.microsoft.com/cpp/c-runtime-library/direction-flag>).
//!
//! With it set, the string instructions that copy and fill memory go downwards: on Windows the kernel would write over
//! what lies before a buffer.

use core::arch::asm;

use crate::verifier::{self, Finding};

/// The processor's flag that lets string instructions go downwards.
const DIRECTION: u64 = 1 << 10;

/// Clears the direction flag where control comes from a driver; reports it, with `text`, if it was set.
#[inline]
pub(super) fn check_direction(text: impl FnOnce() -> String) {
    let flags: u64;
    // SAFETY: the instructions leave the stack and the flags as they are.
    unsafe { asm!("pushfq", "pop {}", out(reg) flags, options(preserves_flags)) };
    if flags & DIRECTION != 0 {
        // SAFETY: a clear flag is what compiled code expects.
        unsafe { asm!("cld", options(nomem, nostack, preserves_flags)) };
        report(text());
    }
}

/// Reports a direction flag that was set in `flags`, those that a driver has left.
#[inline]
pub(super) fn check(flags: u64, text: impl FnOnce() -> String) {
    if flags & DIRECTION != 0 {
        report(text());
    }
}

#[cold]
fn report(text: String) {
    verifier::report(Finding::new("DirectionFlag").text(text));
}
