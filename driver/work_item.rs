//! Work that has to be done at PASSIVE_LEVEL and cannot be done where it arises.

#![expect(unsafe_code, reason = "NDIS is called, and calls back with an address")]

use core::ffi::c_void;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering};
use core::time::Duration;

use lifecycle::Work;
use lock_api::RawMutex as _;
use provider::Kernel;
use provider::kernel::Event as _;
use sys::irql::PassiveLevel;
use sys::ndis::{self, NDIS_HANDLE};

use crate::kernel::{Event, Lock, SpinLock, Windows};

/// The time after which a wait for the end of work is traced.
const TRACE_AFTER: Duration = Duration::from_secs(5);

/// One kind of work for one adapter, or for the driver: a function that brings something up to date. However
/// often it is requested, it runs once at a time, and once more if it is requested while it runs.
pub(crate) struct WorkItem<T> {
    item: NDIS_HANDLE,
    run: fn(&T, PassiveLevel),
    subject: AtomicPtr<T>,
    state: Lock<Work>,
    /// Signalled while it is idle.
    idle: Event,
}

// SAFETY: the handle may be used on any thread; the rest is made for it.
unsafe impl<T: Sync> Send for WorkItem<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for WorkItem<T> {}

impl<T> WorkItem<T> {
    /// Work for the adapter or driver with this handle; `None` if memory runs out.
    pub(crate) fn new(owner: NDIS_HANDLE, run: fn(&T, PassiveLevel), _: PassiveLevel) -> Option<Self> {
        // SAFETY: the handle is an adapter's or the driver's.
        let item = unsafe { ndis::NdisAllocateIoWorkItem(owner) };
        if item.is_null() {
            return None;
        }
        let (state, idle) = (Lock::const_new(SpinLock::INIT, Work::Idle), Event::new());
        Some(Self { item, run, subject: AtomicPtr::new(null_mut()), state, idle })
    }

    /// Makes the work ready, in the place where it stays, which is in `subject` if that may go.
    pub(crate) fn initialise(&self, subject: NonNull<T>) {
        self.idle.initialise();
        self.idle.signal();
        self.subject.store(subject.as_ptr(), Ordering::Release);
    }

    /// Sees to it that the function runs after now. Up to DISPATCH_LEVEL.
    pub(crate) fn request(&self) {
        let mut state = self.state.lock();
        if !state.request() {
            return;
        }
        self.idle.clear();
        drop(state);
        let context = (&raw const *self).cast_mut().cast();
        // SAFETY: the item is not queued. The work stays where it is until it is idle.
        unsafe { ndis::NdisQueueIoWorkItem(self.item, Some(routine::<T>), context) };
    }

    /// Waits until all that was requested is done. Nothing is requested any more.
    pub(crate) fn finish(&self, level: PassiveLevel) {
        if !self.idle.wait_for(TRACE_AFTER, level) {
            <Windows as Kernel>::trace(format_args!("work item {:p}: still runs", self.item));
            self.idle.wait(level);
        }
        // The signal was given under the lock, which has to be free before the work may go.
        drop(self.state.lock());
    }

    /// Does what was requested.
    fn perform(&self, level: PassiveLevel) {
        let Some(subject) = NonNull::new(self.subject.load(Ordering::Acquire)) else { return };
        loop {
            self.state.lock().begin();
            // SAFETY: what the work is for waits for it in `finish` before it goes.
            (self.run)(unsafe { subject.as_ref() }, level);
            let mut state = self.state.lock();
            if state.end() {
                self.idle.signal();
                return;
            }
        }
    }
}

impl<T> Drop for WorkItem<T> {
    fn drop(&mut self) {
        // SAFETY: the item was allocated for this work, and is not queued: it is idle.
        unsafe { ndis::NdisFreeIoWorkItem(self.item) };
    }
}

/// The routine that NDIS runs at PASSIVE_LEVEL.
unsafe extern "efiapi" fn routine<T>(context: *mut c_void, _item: NDIS_HANDLE) {
    // SAFETY: NDIS runs work items at PASSIVE_LEVEL.
    let level = unsafe { PassiveLevel::assume() };
    // SAFETY: the context is the work that queued the item, which stays until it is idle.
    unsafe { &*context.cast::<WorkItem<T>>() }.perform(level);
}
