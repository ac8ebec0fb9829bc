//! Locks for what has to stay at PASSIVE_LEVEL while it excludes others.

#![expect(unsafe_code, reason = "the kernel is called")]

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::null_mut;

use sys::irql::PassiveLevel;
use sys::wdm::{self, EVENT_TYPE, KEVENT, TRUE};

use crate::nt;

/// A lock that owns its data and leaves its holder at PASSIVE_LEVEL, so that the holder may call what needs this
/// level. A second acquisition by the holder waits for ever.
///
/// An event that lets one waiter through, within a critical region, as a thread that is suspended must not keep
/// the others waiting.
pub(crate) struct Mutex<T> {
    free: UnsafeCell<MaybeUninit<KEVENT>>,
    data: UnsafeCell<T>,
}

// SAFETY: the event lets one thread at a time to the data.
unsafe impl<T: Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// A mutex that is not usable before it is [initialised](Self::initialise).
    pub(crate) const fn new(data: T) -> Self {
        Self { free: UnsafeCell::new(MaybeUninit::uninit()), data: UnsafeCell::new(data) }
    }

    /// Makes the mutex usable, in the place where it stays.
    ///
    /// # Safety
    ///
    /// The mutex does not move any more, and no thread uses it yet.
    pub(crate) unsafe fn initialise(&self) {
        // SAFETY: the memory is an event's, in the place where it stays, as the caller promises.
        unsafe { wdm::KeInitializeEvent(self.free.get().cast(), EVENT_TYPE::SynchronizationEvent, TRUE) };
    }

    /// Runs `f` with the data. The mutex is initialised.
    pub(crate) fn with<R>(&self, _: PassiveLevel, f: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: the level is PASSIVE_LEVEL.
        unsafe { wdm::KeEnterCriticalRegion() };
        // SAFETY: the event is initialised. Without a limit such a wait has no other outcome than success.
        let _free = unsafe {
            nt::KeWaitForSingleObject(
                self.free.get().cast(),
                nt::Executive,
                nt::KERNEL_MODE,
                nt::FALSE,
                null_mut(),
            )
        };
        // SAFETY: the event has let this thread through, and the next one only once it is set again.
        let result = f(unsafe { &mut *self.data.get() });
        // SAFETY: the event is initialised.
        unsafe { wdm::KeSetEvent(self.free.get().cast(), 0, wdm::FALSE) };
        // SAFETY: the region was entered above.
        unsafe { wdm::KeLeaveCriticalRegion() };
        result
    }
}
