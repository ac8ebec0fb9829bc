//! Events.

#![expect(unsafe_code, reason = "the kernel is called")]

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::null_mut;
use core::time::Duration;

use sys::irql::PassiveLevel;
use sys::status::STATUS_SUCCESS;

use crate::nt;

/// An event that stays signalled.
pub(crate) struct Event(UnsafeCell<MaybeUninit<nt::KEVENT>>);

// SAFETY: the kernel synchronises the use of an event.
unsafe impl Sync for Event {}
// SAFETY: before it is initialised the event is plain memory; afterwards it does not move.
unsafe impl Send for Event {}

impl Event {
    /// Waits, up to a limit in units of 100 ns if it is not null; whether the event is signalled.
    fn wait_until(&self, limit: *mut nt::LARGE_INTEGER, _: PassiveLevel) -> bool {
        // SAFETY: the event is initialised, the level PASSIVE_LEVEL, and the limit null or a local.
        let status = unsafe {
            nt::KeWaitForSingleObject(self.0.get().cast(), nt::Executive, nt::KERNEL_MODE, nt::FALSE, limit)
        };
        status == STATUS_SUCCESS
    }

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
        // SAFETY: the memory is an event's, in the place where it stays, and no thread waits yet.
        unsafe { nt::KeInitializeEvent(self.0.get().cast(), nt::NotificationEvent, nt::FALSE) };
    }

    fn signal(&self) {
        // SAFETY: the event is initialised, and the caller at or below DISPATCH_LEVEL.
        unsafe { nt::KeSetEvent(self.0.get().cast(), 0, nt::FALSE) };
    }

    fn wait(&self, level: PassiveLevel) {
        // Without a limit such a wait has no other outcome: it is not alertable.
        let _signalled = self.wait_until(null_mut(), level);
    }

    fn wait_for(&self, limit: Duration, level: PassiveLevel) -> bool {
        let units = i64::try_from(limit.as_nanos() / 100).unwrap_or(i64::MAX);
        // Negative: from now on.
        let mut limit = nt::LARGE_INTEGER { QuadPart: units.saturating_neg() };
        self.wait_until(&raw mut limit, level)
    }
}
