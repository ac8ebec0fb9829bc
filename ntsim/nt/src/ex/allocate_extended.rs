//! Pool with extended parameters.

use core::ffi::c_void;
use core::ptr;

use ntsim_core::exports;
use ntsim_core::number::ToUsize;
use sys::wdm::{POOL_EXTENDED_PARAMETER, POOL_FLAGS, signature};

use super::allocate::{ExAllocatePool2, ExFreePoolWithTag};

/// The bit of an extended parameter that may be ignored; its type is in the lower eight.
const OPTIONAL: u64 = 1 << 8;

/// `PoolExtendedParameterPriority`, `…NumaNode`: what means nothing here.
const IGNORED: [u64; 2] = [1, 3];

exports! {
    "ntoskrnl.exe", signature;

    /// As ExAllocatePool2; null where an extended parameter is one that there is not, and that may not be ignored.
    #[irql(PASSIVE..=HIGH)]
    fn ExAllocatePool3(
        flags: POOL_FLAGS,
        size: usize,
        tag: u32,
        parameters: *const POOL_EXTENDED_PARAMETER,
        count: u32,
    ) -> *mut c_void {
        for number in 0..count.to_usize() {
            // SAFETY: the driver passes so many parameters.
            let kind = unsafe { (*parameters.wrapping_add(number)).TypeAndOptions };
            if !IGNORED.contains(&(kind & 0xFF)) && kind & OPTIONAL == 0 {
                return ptr::null_mut();
            }
        }
        // SAFETY: the call has no preconditions but those of this one.
        unsafe { ExAllocatePool2(flags, size, tag) }
    }

    /// Frees a block of the given tag.
    #[irql(PASSIVE..=HIGH)]
    fn ExFreePool2(
        address: *mut c_void,
        tag: u32,
        _parameters: *const POOL_EXTENDED_PARAMETER,
        _count: u32,
    ) {
        // SAFETY: the driver's promise is that of this function.
        unsafe { ExFreePoolWithTag(address, tag) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: u32 = u32::from_le_bytes(*b"Pool");

    #[test]
    fn extended_parameter_that_is_not_known_fails_unless_it_is_optional() {
        let machine = crate::testing::builder().boot();
        let with = |kind: u64| unsafe {
            let parameter = POOL_EXTENDED_PARAMETER { TypeAndOptions: kind, Value: 0 };
            ExAllocatePool3(0x40, 16, TAG, &parameter, 1)
        };
        assert!(with(7).is_null());
        for kind in [1, 7 | OPTIONAL] {
            let block = with(kind);
            assert!(!block.is_null());
            unsafe { ExFreePool2(block, TAG, ptr::null(), 0) };
        }
        let block = with(1);
        unsafe { ExFreePool2(block, TAG + 1, ptr::null(), 0) };
        assert_eq!(machine.shutdown().findings[0].bugcheck.map(|b| b.code), Some(0xC2));
    }
}
