//! Events.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::null_mut;

use crate::nt;

/// An event that stays signalled.
pub(crate) struct Event(UnsafeCell<MaybeUninit<nt::KEVENT>>);

// SAFETY: the kernel synchronises the use of an event.
unsafe impl Sync for Event {}
// SAFETY: before it is initialised the event is plain memory; afterwards it does not move.
unsafe impl Send for Event {}

impl Event {
    /// Lets the next waiter wait again. Up to DISPATCH_LEVEL.
    pub(crate) fn clear(&self) {
        // SAFETY: the event is initialised.
        unsafe { nt::KeClearEvent(self.0.get().cast()) };
    }
}

impl provider::kernel::Event for Event {
    fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    fn initialise(&self) {
        // SAFETY: the memory is an event's, in the place where it stays, and nobody waits yet.
        unsafe { nt::KeInitializeEvent(self.0.get().cast(), nt::NotificationEvent, nt::FALSE) };
    }

    fn signal(&self) {
        // SAFETY: the event is initialised, and the caller at or below DISPATCH_LEVEL.
        unsafe { nt::KeSetEvent(self.0.get().cast(), 0, nt::FALSE) };
    }

    fn wait(&self) {
        // SAFETY: the event is initialised, and the caller at PASSIVE_LEVEL. Such a wait has no other
        // outcome than success: it has no timeout and is not alertable.
        let _success = unsafe {
            nt::KeWaitForSingleObject(
                self.0.get().cast(),
                nt::Executive,
                nt::KERNEL_MODE,
                nt::FALSE,
                null_mut(),
            )
        };
    }
}
