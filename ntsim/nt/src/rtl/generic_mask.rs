//! Generic rights.

use ntsim_core::exports;
use sys::wdm::{GENERIC_MAPPING, signature};

use crate::se;

exports! {
    "ntoskrnl.exe", signature;

    /// Replaces generic rights by what they stand for.
    #[irql(PASSIVE..=APC)]
    fn RtlMapGenericMask(mask: *mut u32, mapping: *const GENERIC_MAPPING) {
        // SAFETY: the driver passes what the generic rights of its objects stand for.
        let mapping = unsafe { &*mapping };
        // SAFETY: the driver passes rights that it may change.
        let mask = unsafe { &mut *mask };
        *mask = se::map(*mask, mapping);
    }
}
