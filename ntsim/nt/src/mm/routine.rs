//! Finding the kernel's functions by name.

use core::ffi::c_void;
use core::ptr;

use ntsim_core::exports;
use ntsim_core::loader;
use sys::wdm::{UNICODE_STRING, signature};

use crate::counted::from_counted;

exports! {
    "ntoskrnl.exe", signature;

    /// The address of a function of the kernel; null if it has none of that name.
    #[irql(PASSIVE..=PASSIVE)]
    fn MmGetSystemRoutineAddress(name: *mut UNICODE_STRING) -> *mut c_void {
        // SAFETY: the caller passes a counted string.
        let name = unsafe { from_counted(name) };
        loader::routine("ntoskrnl.exe", &name).unwrap_or(ptr::null()).cast_mut().cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntsim_core::number::narrow;

    fn address(name: &str) -> *mut c_void {
        let mut text: Vec<u16> = name.encode_utf16().collect();
        let size = narrow(size_of_val(&*text));
        let mut name = UNICODE_STRING { Length: size, MaximumLength: size, Buffer: text.as_mut_ptr() };
        unsafe { MmGetSystemRoutineAddress(&mut name) }
    }

    #[test]
    fn functions_of_the_kernel_and_the_hal_are_found_and_others_are_not() {
        let machine = crate::testing::builder().boot();
        assert_eq!(
            address("MmGetSystemRoutineAddress").cast_const().cast(),
            MmGetSystemRoutineAddress as *const ()
        );
        assert!(!address("KeQueryPerformanceCounter").is_null());
        assert!(address("KeFly").is_null());
        assert!(machine.shutdown().is_clean());
    }
}
