//! Requests to Winsock Kernel.
//!
//! A request is allocated with its socket or batch, with one stack location, and used again and again; its completion
//! routine is set for all three outcomes before each use, and takes the request back (WSK-2)
//! (<https://learn.microsoft.com/windows-hardware/drivers/network/using-irps-with-winsock-kernel-functions>).

use core::ptr::NonNull;

use sys::status::{NTSTATUS, STATUS_MORE_PROCESSING_REQUIRED, STATUS_UNSUCCESSFUL};
use sys::wdm::{
    self, DEVICE_OBJECT, IO_STACK_LOCATION, IRP, PVOID, SL_INVOKE_ON_CANCEL, SL_INVOKE_ON_ERROR,
    SL_INVOKE_ON_SUCCESS,
};

/// A request that its owner passes to Winsock Kernel, one call at a time.
pub(super) struct Irp(NonNull<IRP>);

// SAFETY: a request may be used and freed on any thread.
unsafe impl Send for Irp {}
// SAFETY: it is reached by `Irp::ready` only, whose caller promises that no other thread uses it.
unsafe impl Sync for Irp {}

/// The outcome of a request.
#[derive(Clone, Copy)]
pub(super) struct Outcome {
    pub(super) status: NTSTATUS,
    pub(super) information: usize,
}

/// The completion of a request. May run inside the call that passes the request on, and on any processor. Up to
/// DISPATCH_LEVEL.
pub(super) trait Completion<T> {
    /// Completes what was asked for `subject`. The request may be used again, or freed.
    ///
    /// # Safety
    ///
    /// `subject` is what was passed to [`Irp::ready`], and this is the one call for that.
    unsafe fn complete(subject: NonNull<T>, outcome: Outcome);
}

impl Irp {
    /// Allocates a request; `None` if memory runs out. Up to DISPATCH_LEVEL.
    pub(super) fn new() -> Option<Self> {
        // SAFETY: callable up to DISPATCH_LEVEL.
        NonNull::new(unsafe { wdm::IoAllocateIrp(1, wdm::FALSE) }).map(Self)
    }

    /// Makes the request ready for one call of Winsock Kernel, which completes it by `C`.
    ///
    /// # Safety
    ///
    /// The request is not in use. `subject` and this value stay until the completion runs.
    pub(super) unsafe fn ready<T, C: Completion<T>>(&self, subject: NonNull<T>) -> *mut IRP {
        let irp = self.0.as_ptr();
        // SAFETY: the request is not in use.
        unsafe { wdm::IoReuseIrp(irp, STATUS_UNSUCCESSFUL) };
        // SAFETY: the request is this value's.
        let place = unsafe { &raw const (*irp).Tail.Overlay.CurrentStackLocation };
        // SAFETY: this member of the union is in use while the request has an owner.
        let next = unsafe { place.read() }.wrapping_sub(1);
        // SAFETY: a request that was made ready for use has its one stack location before it.
        let location: &mut IO_STACK_LOCATION = unsafe { &mut *next };
        location.CompletionRoutine = Some(routine::<T, C>);
        location.Context = subject.as_ptr().cast();
        location.Control = SL_INVOKE_ON_SUCCESS | SL_INVOKE_ON_ERROR | SL_INVOKE_ON_CANCEL;
        irp
    }
}

impl Drop for Irp {
    fn drop(&mut self) {
        // SAFETY: the request was allocated for this value, and is not in use.
        unsafe { wdm::IoFreeIrp(self.0.as_ptr()) };
    }
}

/// The completion routine of every request.
unsafe extern "efiapi" fn routine<T, C: Completion<T>>(
    _device: *mut DEVICE_OBJECT,
    irp: *mut IRP,
    context: PVOID,
) -> NTSTATUS {
    // SAFETY: the request is this driver's again.
    let block = unsafe { (*irp).IoStatus };
    let outcome = Outcome { status: block.Status, information: block.Information };
    if let Some(subject) = NonNull::new(context.cast()) {
        // SAFETY: the context is the one of `Irp::ready`, whose request is completed once.
        unsafe { C::complete(subject, outcome) };
    }
    STATUS_MORE_PROCESSING_REQUIRED
}
