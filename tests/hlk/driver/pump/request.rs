//! Requests to Winsock Kernel that a thread waits for.

use alloc::boxed::Box;
use core::cell::Cell;
use core::ptr::NonNull;

use sys::status::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_MORE_PROCESSING_REQUIRED, STATUS_UNSUCCESSFUL,
};
use sys::wdm::{
    self, DEVICE_OBJECT, IO_STACK_LOCATION, IRP, PVOID, SL_INVOKE_ON_CANCEL, SL_INVOKE_ON_ERROR,
    SL_INVOKE_ON_SUCCESS,
};

use crate::heap::try_box;
use crate::kernel::{Event, Reset};

/// Milliseconds between two looks at a request that does not end.
const SLICE: u32 = 60_000;

/// A request, one call at a time, of one thread.
pub(super) struct Request {
    irp: NonNull<IRP>,
    done: Event,
    /// It was passed on, and not waited for yet.
    out: Cell<bool>,
}

impl Request {
    /// A request in its place.
    ///
    /// # Errors
    /// `STATUS_INSUFFICIENT_RESOURCES`.
    pub(super) fn new() -> Result<Box<Self>, NTSTATUS> {
        // SAFETY: callable up to DISPATCH_LEVEL.
        let irp = NonNull::new(unsafe { wdm::IoAllocateIrp(1, wdm::FALSE) });
        let irp = irp.ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        let this =
            try_box(Self { irp, done: Event::unplaced(), out: Cell::new(false) }).inspect_err(|_| {
                // SAFETY: the request was just allocated.
                unsafe { wdm::IoFreeIrp(irp.as_ptr()) };
            })?;
        this.done.place(Reset::ByWait);
        Ok(this)
    }

    /// Passes the request on by `call`, after the one before is waited for. What the call returns does not matter: the
    /// request is completed by its routine
    /// (<https://learn.microsoft.com/windows-hardware/drivers/network/using-irps-with-winsock-kernel-functions>).
    pub(super) fn start(&self, call: impl FnOnce(*mut IRP) -> NTSTATUS) {
        let _before = self.wait_if_out();
        let irp = self.irp.as_ptr();
        // SAFETY: the request is not in use.
        unsafe { wdm::IoReuseIrp(irp, STATUS_UNSUCCESSFUL) };
        // SAFETY: the request is this value's.
        let place = unsafe { &raw const (*irp).Tail.Overlay.CurrentStackLocation };
        // SAFETY: this member of the union is in use while the request has an owner.
        let next = unsafe { place.read() }.wrapping_sub(1);
        // SAFETY: a request that was made ready for use has its one stack location before it.
        let location: &mut IO_STACK_LOCATION = unsafe { &mut *next };
        location.CompletionRoutine = Some(completed);
        location.Context = (&raw const self.done).cast_mut().cast();
        location.Control = SL_INVOKE_ON_SUCCESS | SL_INVOKE_ON_ERROR | SL_INVOKE_ON_CANCEL;
        self.out.set(true);
        let _completed_by_its_routine = call(irp);
    }

    /// Waits until the request is completed, if it is out; its information. IRQL = PASSIVE_LEVEL.
    ///
    /// # Errors
    /// The status of the request.
    pub(super) fn wait(&self) -> Result<usize, NTSTATUS> {
        if self.out.take() {
            // The completion signals what is in this value, which must not go away before.
            while !self.done.wait(SLICE) {}
        }
        // SAFETY: the request is this value's again.
        let block = unsafe { (*self.irp.as_ptr()).IoStatus };
        if block.Status >= 0 { Ok(block.Information) } else { Err(block.Status) }
    }

    /// Waits until the request is completed, if it is out; a request that was not passed on has nothing to say.
    ///
    /// # Errors
    /// The status of the request.
    pub(super) fn wait_if_out(&self) -> Result<(), NTSTATUS> {
        if self.out.get() { self.wait().map(drop) } else { Ok(()) }
    }

    /// Passes the request on and waits for it.
    ///
    /// # Errors
    /// The status of the request.
    pub(super) fn make(&self, call: impl FnOnce(*mut IRP) -> NTSTATUS) -> Result<usize, NTSTATUS> {
        self.start(call);
        self.wait()
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let _outcome = self.wait_if_out();
        // SAFETY: the request was allocated for this value, and is not in use.
        unsafe { wdm::IoFreeIrp(self.irp.as_ptr()) };
    }
}

/// The completion routine of every request.
unsafe extern "efiapi" fn completed(_device: *mut DEVICE_OBJECT, _irp: *mut IRP, context: PVOID) -> NTSTATUS {
    // SAFETY: the context is the event of a request that its owner waits for.
    let done = unsafe { &*context.cast::<Event>() };
    done.set();
    STATUS_MORE_PROCESSING_REQUIRED
}
