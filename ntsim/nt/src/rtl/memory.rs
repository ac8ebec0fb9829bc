//! Copying, filling and comparing memory.
//!
//! An access to what is no memory faults here as it does inside of the kernel: a handler of the driver's may take it.

use core::ffi::c_void;

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exception::{self, Guarded, guarded};
use ntsim_core::exports;
use ntsim_core::number::{Low, ToU64};
use ntsim_core::verifier::{self, Finding};
use sys::wdm::signature;

use super::string::terminated;

exports! {
    raising "ntoskrnl.exe", signature;

    /// Copies between ranges that must not overlap.
    #[irql(PASSIVE..=HIGH)]
    fn memcpy(to: *mut c_void, from: *const c_void, length: usize) -> *mut c_void {
        let distance = to.addr().abs_diff(from.addr());
        if distance != 0 && distance < length {
            overlap(to, from, length);
        }
        // SAFETY: the driver vouches for both ranges; `memmove` allows the overlap just reported.
        unsafe { run(libc::memmove as *const (), to.addr(), from.addr(), length) };
        to
    }

    /// Copies between ranges that may overlap.
    #[irql(PASSIVE..=HIGH)]
    fn memmove(to: *mut c_void, from: *const c_void, length: usize) -> *mut c_void {
        // SAFETY: the driver vouches for both ranges.
        unsafe { run(libc::memmove as *const (), to.addr(), from.addr(), length) };
        to
    }

    /// Fills with one byte.
    #[irql(PASSIVE..=HIGH)]
    fn memset(to: *mut c_void, byte: i32, length: usize) -> *mut c_void {
        // SAFETY: the driver vouches for the range.
        unsafe { run(libc::memset as *const (), to.addr(), usize::from(byte as u8), length) };
        to
    }

    /// Compares; below, at or above zero as the first differing byte is.
    #[irql(PASSIVE..=HIGH)]
    fn memcmp(a: *const c_void, b: *const c_void, length: usize) -> i32 {
        // SAFETY: the driver vouches for both ranges.
        unsafe { compare(libc::memcmp as *const (), a.addr(), b.addr(), length) }
    }

    /// Length of a NUL-terminated text.
    #[irql(PASSIVE..=HIGH)]
    fn strlen(text: *const i8) -> usize {
        // SAFETY: the driver vouches for the terminator.
        unsafe { run(libc::strlen as *const (), text.addr(), 0, 0) }
    }

    /// Length of a NUL-terminated text.
    #[irql(PASSIVE..=HIGH)]
    fn wcslen(text: *const u16) -> usize {
        // SAFETY: the driver vouches for the terminator.
        unsafe { run(units as *const (), text.addr(), 0, 0) }
    }

    /// Compares NUL-terminated texts; below, at or above zero as the first differing byte is.
    #[irql(PASSIVE..=HIGH)]
    fn strcmp(a: *const i8, b: *const i8) -> i32 {
        // SAFETY: the driver vouches for the terminators.
        unsafe { compare(libc::strcmp as *const (), a.addr(), b.addr(), 0) }
    }

    /// The number of bytes at the start of both ranges that are equal.
    #[irql(PASSIVE..=HIGH)]
    fn RtlCompareMemory(a: *const c_void, b: *const c_void, length: usize) -> usize {
        // SAFETY: the driver vouches for both ranges.
        unsafe { run(equal as *const (), a.addr(), b.addr(), length) }
    }
}

/// Calls a routine of the host over memory of a driver's; an access that faults is raised in the driver.
///
/// # Safety
/// The contract of the routine, but for addresses at which nothing is. It loses nothing when it is left.
unsafe fn run(routine: *const (), a: usize, b: usize, c: usize) -> usize {
    // SAFETY: the caller's contract.
    let routine = unsafe { Guarded::new(routine) };
    // SAFETY: the caller's contract.
    unsafe { guarded(routine, a, b, c) }.unwrap_or_else(|access| {
        exception::raise(exception::ACCESS_VIOLATION, Some(access));
        0
    })
}

/// Calls a routine whose result is an `int`.
///
/// # Safety
/// As for [`run`].
unsafe fn compare(routine: *const (), a: usize, b: usize, c: usize) -> i32 {
    // SAFETY: the caller's contract.
    unsafe { run(routine, a, b, c) }.to_u64().low_u32().cast_signed()
}

/// # Safety
/// The text is terminated.
unsafe extern "C" fn units(text: *const u16) -> usize {
    // SAFETY: the caller's contract.
    unsafe { terminated(text, |unit| unit == 0) }
}

/// # Safety
/// Both ranges are there.
unsafe extern "C" fn equal(a: *const u8, b: *const u8, length: usize) -> usize {
    // SAFETY: the caller's contract.
    let byte = |of: *const u8, at: usize| unsafe { of.wrapping_add(at).read() };
    (0..length).take_while(|&at| byte(a, at) == byte(b, at)).count()
}

/// Bug check 0xC4, code 0xF0: the ranges of a `memcpy` overlap.
#[cold]
fn overlap(to: *mut c_void, from: *const c_void, length: usize) {
    let parameters = [0xF0, Va::of(to).bits(), Va::of(from).bits(), length.to_u64()];
    verifier::report(
        Finding::new("OverlappedCopy")
            .bugcheck(Bugcheck { code: 0xC4, parameters })
            .text(format!("memcpy of {length:#x} bytes from {from:p} to {to:p}: the ranges overlap")),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_between_overlapping_ranges_is_found_and_still_right() {
        let machine = crate::testing::builder().boot();
        let mut bytes = *b"abcdef";
        let at = bytes.as_mut_ptr();
        // SAFETY: both ranges are within the array.
        unsafe { memcpy(at.wrapping_add(2).cast(), at.cast(), 4) };
        assert_eq!(&bytes, b"ababcd");
        assert_eq!(machine.shutdown().findings[0].rule, "OverlappedCopy");
    }

    #[test]
    fn texts_end_at_their_terminator() {
        let machine = crate::testing::builder().boot();
        let wide = [u16::from(b'n'), u16::from(b'd'), 0, 9];
        // SAFETY: all texts are terminated.
        unsafe {
            assert_eq!((strlen(c"ndk".as_ptr()), wcslen(wide.as_ptr())), (3, 2));
            assert!(strcmp(c"ndis".as_ptr(), c"ndk".as_ptr()) < 0);
        }
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn comparing_counts_the_equal_start() {
        let machine = crate::testing::builder().boot();
        let (a, b) = (b"network".as_ptr().cast(), b"netbook".as_ptr().cast());
        // SAFETY: both texts have seven bytes.
        assert_eq!(unsafe { RtlCompareMemory(a, b, 7) }, 3);
        // SAFETY: as above.
        assert!(unsafe { memcmp(a, b, 7) } > 0);
        assert!(machine.shutdown().is_clean());
    }
}
