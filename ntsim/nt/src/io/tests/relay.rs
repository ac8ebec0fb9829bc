//! A request of the fake driver's own, sent and waited for.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr;

use sys::status::*;
use sys::wdm::*;

use crate::io::dispatch::IofCallDriver;
use crate::io::irp::{IoAllocateIrp, IoFreeIrp};
use crate::ke::KeWaitForSingleObject;
use crate::ke::object_exports::{KeInitializeEvent, KeSetEvent};

/// Sends a request to `device` and waits until it is completed; what sending it returned.
pub(super) fn relay(device: *mut DEVICE_OBJECT) -> NTSTATUS {
    unsafe {
        let mut event: KEVENT = MaybeUninit::zeroed().assume_init();
        KeInitializeEvent(&mut event, EVENT_TYPE::NotificationEvent, 0);
        let object: *mut c_void = (&raw mut event).cast();
        let irp = IoAllocateIrp(1, 0);
        let next = (*irp).Tail.Overlay.CurrentStackLocation.wrapping_sub(1);
        (*next).MajorFunction = IRP_MJ_CREATE;
        (*next).CompletionRoutine = Some(signal_and_take_back);
        (*next).Context = object;
        (*next).Control = SL_INVOKE_ON_SUCCESS | SL_INVOKE_ON_ERROR;
        let status = IofCallDriver(device, irp);
        KeWaitForSingleObject(object, KWAIT_REASON::Executive, KernelMode, 0, ptr::null());
        assert_eq!(status == STATUS_PENDING, (*irp).PendingReturned != 0);
        IoFreeIrp(irp);
        status
    }
}

unsafe extern "efiapi" fn signal_and_take_back(
    _: *mut DEVICE_OBJECT,
    _: *mut IRP,
    event: *mut c_void,
) -> NTSTATUS {
    unsafe { KeSetEvent(event.cast(), 0, 0) };
    STATUS_MORE_PROCESSING_REQUIRED
}
