//! Requests to Winsock Kernel.
//!
//! A request is allocated with its socket or batch, with one stack location, and used again and again; its completion
//! routine is set for all three outcomes before each use, and takes the request back (WSK-2)
//! (<https://learn.microsoft.com/windows-hardware/drivers/network/using-irps-with-winsock-kernel-functions>).
//!
//! A routine may let a halt go on, and with it the unloading of the driver, before its last instruction. So each is set
//! with the adapter's device, which the system references until the routine has returned, and with it the driver's image
//! (<https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-iosetcompletionroutineex>). The halt, which waits
//! for the sockets, keeps the device until the routine is called.
//!
//! Work items are safe in the same way: the system references the object that they are allocated for
//! (<https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-ioallocateworkitem>). DPCs, and with them timers,
//! end before `KeFlushQueuedDpcs` returns, which the unloading calls last. Events of sockets end before the close of their
//! socket does (<https://learn.microsoft.com/windows-hardware/drivers/ddi/wsk/nc-wsk-pfn_wsk_close_socket>).

use core::marker::PhantomData;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use sys::status::{NTSTATUS, STATUS_CANCELLED, STATUS_MORE_PROCESSING_REQUIRED, STATUS_UNSUCCESSFUL};
use sys::wdm::{self, DEVICE_OBJECT, IRP, PIO_COMPLETION_ROUTINE, PVOID};
use wdk::nt_success;

/// The device of the adapter whose sockets the requests are for.
#[derive(Clone, Copy)]
pub(crate) struct Device(NonNull<DEVICE_OBJECT>);

// SAFETY: the device is the system's, which any thread may name.
unsafe impl Send for Device {}
// SAFETY: as above.
unsafe impl Sync for Device {}

impl Device {
    /// The device that NDIS made for an adapter.
    ///
    /// # Safety
    ///
    /// The adapter's halt waits until no request with this device is out.
    pub(crate) const unsafe fn new(functional: NonNull<DEVICE_OBJECT>) -> Self {
        Self(functional)
    }
}

/// A request that its owner passes to Winsock Kernel, one call at a time.
pub(super) struct Irp {
    packet: NonNull<IRP>,
    device: Device,
}

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
    pub(super) fn new(device: Device) -> Option<Self> {
        // SAFETY: callable up to DISPATCH_LEVEL.
        let packet = NonNull::new(unsafe { wdm::IoAllocateIrp(1, wdm::FALSE) })?;
        Some(Self { packet, device })
    }

    /// Makes the request ready for one call of Winsock Kernel; `None` if memory runs out. What is returned is completed
    /// by `C` once, whether it is passed on or not. Up to DISPATCH_LEVEL.
    ///
    /// # Safety
    ///
    /// The request is not in use. `subject` and this value stay until the completion runs.
    pub(super) unsafe fn ready<T, C: Completion<T>>(&self, subject: NonNull<T>) -> Option<Ready> {
        let irp = self.packet.as_ptr();
        // SAFETY: the request is not in use.
        unsafe { wdm::IoReuseIrp(irp, STATUS_UNSUCCESSFUL) };
        // SAFETY: the request was initialised just now, and `Ready` completes it.
        let is_set = unsafe { self.set_routine(routine::<T, C>, subject.as_ptr().cast()) };
        // Not made before that is known: one that is dropped completes its request.
        is_set.then(|| Ready(self.packet))
    }

    /// Sets the completion routine for all outcomes; false if memory runs out.
    ///
    /// # Safety
    ///
    /// The request is not in use, and has no completion routine. It is completed.
    unsafe fn set_routine(&self, routine: PIO_COMPLETION_ROUTINE, context: PVOID) -> bool {
        // SAFETY: the device is the adapter's; the request is this value's, and has its one stack location before it.
        let status = unsafe {
            wdm::IoSetCompletionRoutineEx(
                self.device.0.as_ptr(),
                self.packet.as_ptr(),
                Some(routine),
                context,
                wdm::TRUE,
                wdm::TRUE,
                wdm::TRUE,
            )
        };
        nt_success(status)
    }
}

impl Drop for Irp {
    fn drop(&mut self) {
        // SAFETY: the request was allocated for this value, and is not in use.
        unsafe { wdm::IoFreeIrp(self.packet.as_ptr()) };
    }
}

/// The completion routine of every request.
unsafe extern "efiapi" fn routine<T, C: Completion<T>>(
    _device: *mut DEVICE_OBJECT,
    irp: *mut IRP,
    context: PVOID,
) -> NTSTATUS {
    // SAFETY: the context is the one of `Irp::ready`, whose request is completed once.
    unsafe { completed::<T, C>(irp, context.cast()) }
}

/// Completes what was asked for a subject, unless that is null.
///
/// # Safety
///
/// The request has come back, for the one time that it was passed on for `subject`.
unsafe fn completed<T, C: Completion<T>>(irp: *mut IRP, subject: *mut T) -> NTSTATUS {
    // SAFETY: the request is this driver's again.
    let block = unsafe { (*irp).IoStatus };
    let outcome = Outcome { status: block.Status, information: block.Information };
    if let Some(subject) = NonNull::new(subject) {
        // SAFETY: as the caller promises.
        unsafe { C::complete(subject, outcome) };
    }
    STATUS_MORE_PROCESSING_REQUIRED
}

/// A request with its completion routine, which has memory of the system's until it is called.
#[must_use]
pub(super) struct Ready(NonNull<IRP>);

impl Ready {
    /// The request, for a call of Winsock Kernel that may come to nothing.
    pub(super) const fn as_ptr(&self) -> *mut IRP {
        self.0.as_ptr()
    }

    /// The request, which Winsock Kernel completes from here on.
    pub(super) fn pass(self) -> *mut IRP {
        core::mem::ManuallyDrop::new(self).0.as_ptr()
    }

    /// Completes the request in place of Winsock Kernel. Up to DISPATCH_LEVEL.
    pub(super) fn fail(self, status: NTSTATUS) {
        // SAFETY: the request has not been passed on, and is not any more.
        unsafe { complete(core::mem::ManuallyDrop::new(self).0, status) };
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { complete(self.0, STATUS_CANCELLED) };
    }
}

/// Completes a request of this driver's that was not passed on.
///
/// # Safety
///
/// The request is ready, and has its one stack location before it.
unsafe fn complete(irp: NonNull<IRP>, status: NTSTATUS) {
    // SAFETY: the request is this driver's.
    let packet = unsafe { &mut *irp.as_ptr() };
    packet.IoStatus.Status = status;
    // As IoSetNextIrpStackLocation, which is inline.
    packet.CurrentLocation = packet.CurrentLocation.wrapping_sub(1);
    // SAFETY: this member of the union is in use while the request has an owner.
    let current = unsafe { &mut packet.Tail.Overlay.CurrentStackLocation };
    *current = current.wrapping_sub(1);
    // SAFETY: the request has the location, as if it had been passed on.
    unsafe { wdm::IofCompleteRequest(irp.as_ptr(), 0) };
}

/// A request that is passed on once, and needs no memory for that: its completion routine is set before.
pub(super) struct ReadyIrp<T, C> {
    irp: Irp,
    is_ready: AtomicBool,
    /// Set when the request is passed on.
    subject: AtomicPtr<T>,
    completion: PhantomData<fn() -> C>,
}

impl<T, C> ReadyIrp<T, C> {
    /// Gives the memory of a completion routine back that is not to be called, as the request is not passed on. As often
    /// as one likes, by one thread at a time, after which it is passed on no more. Up to DISPATCH_LEVEL.
    pub(super) fn cancel(&self) {
        if self.is_ready.swap(false, Ordering::Relaxed) && self.subject.load(Ordering::Acquire).is_null() {
            // SAFETY: the request is ready, and was not passed on.
            unsafe { complete(self.irp.packet, STATUS_CANCELLED) };
        }
    }
}

impl<T, C: Completion<T>> ReadyIrp<T, C> {
    /// Allocates a request, which is to be made ready; `None` if memory runs out. Up to DISPATCH_LEVEL.
    pub(super) fn new(device: Device) -> Option<Self> {
        Some(Self {
            irp: Irp::new(device)?,
            is_ready: AtomicBool::new(false),
            subject: AtomicPtr::new(null_mut()),
            completion: PhantomData,
        })
    }

    /// Makes the request ready; false if memory runs out. Up to DISPATCH_LEVEL.
    ///
    /// # Safety
    ///
    /// This is the first call for this value, which stays in its place.
    pub(super) unsafe fn make_ready(&self) -> bool {
        let context = (&raw const *self).cast_mut().cast();
        // SAFETY: the request is new. It is completed after it was passed on, or when it is dropped.
        let is_ready = unsafe { self.irp.set_routine(Self::routine, context) };
        self.is_ready.store(is_ready, Ordering::Relaxed);
        is_ready
    }

    /// Returns the request, for the one call of Winsock Kernel that completes it by `C`.
    ///
    /// # Safety
    ///
    /// The request was made ready, and this is the one call for it. `subject` and this value stay until the completion
    /// runs.
    pub(super) unsafe fn pass(&self, subject: NonNull<T>) -> *mut IRP {
        self.subject.store(subject.as_ptr(), Ordering::Release);
        self.irp.packet.as_ptr()
    }

    /// The completion routine.
    unsafe extern "efiapi" fn routine(_: *mut DEVICE_OBJECT, irp: *mut IRP, context: PVOID) -> NTSTATUS {
        // SAFETY: the context is this value, which stays until its request is completed.
        let subject = unsafe { &*context.cast::<Self>() }.subject.load(Ordering::Acquire);
        // SAFETY: the request is completed, once; a subject is that of `pass`.
        unsafe { completed::<T, C>(irp, subject) }
    }
}

impl<T, C> Drop for ReadyIrp<T, C> {
    fn drop(&mut self) {
        self.cancel();
    }
}
