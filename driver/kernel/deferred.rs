//! Deferred procedure calls, embedded in the objects that they are for.

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr::{NonNull, null_mut};

use provider::kernel::Routine;

use crate::nt;

/// A deferred procedure call that runs one routine with one argument.
#[repr(C)]
pub(crate) struct Deferred {
    dpc: UnsafeCell<MaybeUninit<nt::KDPC>>,
    routine: UnsafeCell<Option<Routine>>,
}

// SAFETY: the provider's contract has one caller at a time of `queue`; the kernel synchronises the rest.
unsafe impl Sync for Deferred {}
// SAFETY: before it is initialised the object is plain memory; afterwards it does not move.
unsafe impl Send for Deferred {}

// SAFETY: the kernel runs a queued call once and unlinks it before its routine begins, and `call` reads
// the object only before it runs the routine.
unsafe impl provider::kernel::Deferred for Deferred {
    fn new() -> Self {
        Self { dpc: UnsafeCell::new(MaybeUninit::uninit()), routine: UnsafeCell::new(None) }
    }

    unsafe fn initialise(this: NonNull<Self>, routine: Routine, context: *mut c_void) {
        // SAFETY: nobody else uses the object before it is initialised.
        let deferred = unsafe { this.as_ref() };
        // SAFETY: as above.
        unsafe { deferred.routine.get().write(Some(routine)) };
        // SAFETY: the object has its place, as the caller promises.
        unsafe { nt::KeInitializeDpc(deferred.dpc.get().cast(), Some(call), context) };
    }

    unsafe fn queue(this: NonNull<Self>) {
        // SAFETY: the kernel's object is the first member; it is initialised and not queued, as the caller
        // promises. No reference is made: it would outlive an object that its routine frees at once.
        unsafe { nt::KeInsertQueueDpc(this.as_ptr().cast(), null_mut(), null_mut()) };
    }
}

/// What the kernel runs at DISPATCH_LEVEL.
unsafe extern "C" fn call(dpc: *mut nt::KDPC, context: *mut c_void, _: *mut c_void, _: *mut c_void) {
    // SAFETY: the call is the first member of a `Deferred`, which outlives the beginning of its routine.
    let deferred = unsafe { &*dpc.cast::<Deferred>() };
    // SAFETY: the routine was stored before the call could be queued, and nobody stores it again.
    let routine = unsafe { deferred.routine.get().read() };
    if let Some(routine) = routine {
        // SAFETY: this is the one call that follows a `queue`, with what `initialise` was given.
        unsafe { routine(context) };
    }
}
