//! Security descriptors of devices, the only objects that have some here.

use core::ffi::c_void;

use ntsim_core::exports;
use sys::status::{
    NTSTATUS, STATUS_INVALID_HANDLE, STATUS_INVALID_SECURITY_DESCR, STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};
use sys::wdm::{HANDLE, signature};

use super::device::set_security;
use crate::ob;
use crate::se::memory;

/// `DACL_SECURITY_INFORMATION`.
const DACL: u32 = 4;

exports! {
    "ntoskrnl.exe", signature;

    /// Sets the access list of the device behind a handle. Other objects have no descriptors here, and devices no
    /// other parts that matter.
    #[irql(PASSIVE..=PASSIVE)]
    fn ZwSetSecurityObject(handle: HANDLE, parts: u32, descriptor: *mut c_void) -> NTSTATUS {
        let Some(object) = ob::by_handle(handle.addr()) else { return STATUS_INVALID_HANDLE };
        let Some(given) = memory::descriptor("ZwSetSecurityObject", descriptor) else {
            return STATUS_INVALID_SECURITY_DESCR;
        };
        if parts != DACL {
            return STATUS_NOT_SUPPORTED;
        }
        let changed = set_security(object.cast(), |security| security.set_list(given));
        if changed { STATUS_SUCCESS } else { STATUS_NOT_SUPPORTED }
    }
}
