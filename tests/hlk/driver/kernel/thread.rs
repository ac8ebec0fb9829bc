//! A second thread.

#![expect(unsafe_code, reason = "the kernel is called")]

use core::ffi::c_void;
use core::ptr::null_mut;

use sys::status::{NTSTATUS, STATUS_SUCCESS};
use wdk_sys::{
    HANDLE, OBJECT_ATTRIBUTES, ULONG,
    ntddk::{
        KeWaitForSingleObject, ObReferenceObjectByHandle, ObfDereferenceObject, PsCreateSystemThread, ZwClose,
    },
};

/// From wdm.h: everything that can be done with a thread, and a handle that user mode can't reach.
const THREAD_ALL_ACCESS: u32 = 0x001F_FFFF;
const OBJ_KERNEL_HANDLE: u32 = 0x200;

/// Runs `other` in a thread of its own beside `own` in the caller's, and returns when both are over. IRQL =
/// PASSIVE_LEVEL.
///
/// # Errors
/// The status with which the thread could not be started; then neither has run.
pub(crate) fn beside<F: FnOnce() + Send, R>(other: F, own: impl FnOnce() -> R) -> Result<R, NTSTATUS> {
    let mut other = Some(other);
    let mut attributes = OBJECT_ATTRIBUTES {
        Length: ULONG::try_from(size_of::<OBJECT_ATTRIBUTES>()).unwrap_or(0),
        Attributes: OBJ_KERNEL_HANDLE,
        ..OBJECT_ATTRIBUTES::default()
    };
    let mut handle: HANDLE = null_mut();
    // SAFETY: the context lives on this stack, which is not left before the thread has ended.
    let status = unsafe {
        PsCreateSystemThread(
            &raw mut handle,
            THREAD_ALL_ACCESS,
            &raw mut attributes,
            null_mut(),
            null_mut(),
            Some(run::<F>),
            (&raw mut other).cast(),
        )
    };
    if status != STATUS_SUCCESS {
        return Err(status);
    }
    let result = own();
    // SAFETY: the handle is that of the thread that was just started.
    unsafe { wait_for_end(handle) };
    Ok(result)
}

/// # Safety
/// `handle` is that of a thread, and the caller's to close.
unsafe fn wait_for_end(handle: HANDLE) {
    let mut thread: *mut c_void = null_mut();
    // A kernel handle of this very call can always be referenced.
    // SAFETY: as the caller promises.
    let referenced = unsafe {
        ObReferenceObjectByHandle(handle, THREAD_ALL_ACCESS, null_mut(), 0, &raw mut thread, null_mut())
    };
    if referenced == STATUS_SUCCESS {
        // SAFETY: a thread is a dispatcher object, and it is referenced.
        let _ = unsafe { KeWaitForSingleObject(thread, wdk_sys::_KWAIT_REASON::Executive, 0, 0, null_mut()) };
        // SAFETY: it was referenced above.
        unsafe { ObfDereferenceObject(thread) };
    }
    // SAFETY: as the caller promises.
    let _ = unsafe { ZwClose(handle) };
}

unsafe extern "C" fn run<F: FnOnce()>(context: *mut c_void) {
    // SAFETY: `beside` passes its closure, which no other code touches until this thread has ended.
    let other = unsafe { &mut *context.cast::<Option<F>>() };
    if let Some(other) = other.take() {
        other();
    }
}
