//! Handing a request on to the device below, as the inline functions of `wdm.h` do it for drivers.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr;

use sys::status::{NTSTATUS, STATUS_MORE_PROCESSING_REQUIRED};
use sys::wdm::{
    DEVICE_OBJECT, EVENT_TYPE, IO_STACK_LOCATION, IRP, KEVENT, KWAIT_REASON, KernelMode, SL_INVOKE_ON_CANCEL,
    SL_INVOKE_ON_ERROR, SL_INVOKE_ON_SUCCESS,
};

use super::dispatch::send_as_driver;
use super::irp::current_location;
use crate::ke::KeWaitForSingleObject;
use crate::ke::object_exports::{KeInitializeEvent, KeSetEvent};

/// Hands a request on with the caller's own stack location: IoSkipCurrentIrpStackLocation and IoCallDriver.
///
/// # Safety
/// The request is the caller's, which does not touch it again; `below` is a live device.
pub(crate) unsafe fn skip(below: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the caller's contract.
    let packet = unsafe { &mut *irp };
    packet.CurrentLocation += 1;
    // SAFETY: while the packet has an owner, this member of the union is in use.
    let current = unsafe { &mut packet.Tail.Overlay.CurrentStackLocation };
    *current = current.wrapping_add(1);
    // SAFETY: the caller's contract.
    unsafe { send_as_driver(below, irp) }
}

/// Hands a request on and waits until the devices below have completed it; the caller has it again. Returns its status.
///
/// # Safety
/// The request is the caller's; `below` is a live device.
pub(crate) unsafe fn forward_and_wait(below: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: all-zero is a valid value: integers and null pointers.
    let mut event: KEVENT = unsafe { MaybeUninit::zeroed().assume_init() };
    let event: *mut KEVENT = &raw mut event;
    // SAFETY: the event is this function's own.
    unsafe { KeInitializeEvent(event, EVENT_TYPE::NotificationEvent, 0) };
    // SAFETY: the caller's contract.
    let current: *mut IO_STACK_LOCATION = unsafe { current_location(irp) };
    let next = current.wrapping_sub(1);
    // SAFETY: the device below says that it needs one location less, so there is one.
    unsafe { ptr::copy_nonoverlapping(current, next, 1) };
    // SAFETY: as above.
    let next: &mut IO_STACK_LOCATION = unsafe { &mut *next };
    next.Control = SL_INVOKE_ON_CANCEL | SL_INVOKE_ON_ERROR | SL_INVOKE_ON_SUCCESS;
    next.CompletionRoutine = Some(done);
    next.Context = event.cast();
    // SAFETY: the caller's contract.
    unsafe { send_as_driver(below, irp) };
    // SAFETY: the event is initialised, and lives until the routine has signalled it.
    unsafe { KeWaitForSingleObject(event.cast(), KWAIT_REASON::Executive, KernelMode, 0, ptr::null()) };
    // SAFETY: the routine has taken the request back.
    unsafe { (*irp).IoStatus.Status }
}

unsafe extern "efiapi" fn done(_device: *mut DEVICE_OBJECT, _irp: *mut IRP, event: *mut c_void) -> NTSTATUS {
    // SAFETY: the event is that of the waiting function.
    unsafe { KeSetEvent(event.cast(), 0, 0) };
    STATUS_MORE_PROCESSING_REQUIRED
}
