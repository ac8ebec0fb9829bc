//! The generic mapping of files.

use core::ptr;

use ntsim_core::exports;
use sys::wdm::{GENERIC_MAPPING, signature};

use crate::se::FILES;

exports! {
    "ntoskrnl.exe", signature;

    /// Returns the generic mapping of files. Writing to it faults.
    #[irql(PASSIVE..=PASSIVE)]
    fn IoGetFileObjectGenericMapping() -> *mut GENERIC_MAPPING {
        ptr::from_ref(&FILES).cast_mut()
    }
}
