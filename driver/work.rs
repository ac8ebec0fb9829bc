//! Work that has to be done at PASSIVE_LEVEL and cannot be done where it arises.

use core::ffi::c_void;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering};

use lock_api::RawMutex as _;
use provider::kernel::Event as _;
use sys::ndis::{self, NDIS_HANDLE};

use crate::adapter::Adapter;
use crate::kernel::{Event, Lock, SpinLock};

/// One kind of work for one adapter: a function that brings something up to date. However often it is
/// requested, it runs once at a time, and once more if it is requested while it runs.
pub(crate) struct Work {
    item: NDIS_HANDLE,
    run: fn(&Adapter),
    adapter: AtomicPtr<Adapter>,
    phase: Lock<Phase>,
    /// Signalled while the work is at rest.
    rest: Event,
}

// SAFETY: the handle may be used on any thread; the rest is made for it.
unsafe impl Send for Work {}
// SAFETY: as above.
unsafe impl Sync for Work {}

#[derive(Clone, Copy)]
enum Phase {
    Rest,
    /// The item is queued, and will do all that was requested so far.
    Queued,
    /// The function runs, and has perhaps missed the latest request if there was one.
    Running {
        requested: bool,
    },
}

impl Work {
    /// Work for the adapter with this handle; `None` if memory runs out. PASSIVE_LEVEL.
    pub(crate) fn new(adapter: NDIS_HANDLE, run: fn(&Adapter)) -> Option<Self> {
        // SAFETY: the handle is an adapter's.
        let item = unsafe { ndis::NdisAllocateIoWorkItem(adapter) };
        if item.is_null() {
            return None;
        }
        let (phase, rest) = (Lock::const_new(SpinLock::INIT, Phase::Rest), Event::new());
        Some(Self { item, run, adapter: AtomicPtr::new(null_mut()), phase, rest })
    }

    /// Makes the work ready, in the place where it stays, which is in `adapter`.
    pub(crate) fn initialise(&self, adapter: NonNull<Adapter>) {
        self.rest.initialise();
        self.rest.signal();
        self.adapter.store(adapter.as_ptr(), Ordering::Release);
    }

    /// Sees to it that the function runs after now. Up to DISPATCH_LEVEL.
    pub(crate) fn request(&self) {
        let mut phase = self.phase.lock();
        match *phase {
            Phase::Queued => return,
            Phase::Running { .. } => {
                *phase = Phase::Running { requested: true };
                return;
            }
            Phase::Rest => {
                self.rest.clear();
                *phase = Phase::Queued;
            }
        }
        drop(phase);
        let context = (&raw const *self).cast_mut().cast();
        // SAFETY: the item is not queued. The work stays where it is until it is at rest.
        unsafe { ndis::NdisQueueIoWorkItem(self.item, Some(routine), context) };
    }

    /// Waits until all that was requested is done. Nothing is requested any more. PASSIVE_LEVEL.
    pub(crate) fn finish(&self) {
        self.rest.wait();
        // Whoever signalled did so under the lock, and has to be out of it before the work may go.
        drop(self.phase.lock());
    }

    /// Does what was requested.
    fn perform(&self) {
        let Some(adapter) = NonNull::new(self.adapter.load(Ordering::Acquire)) else { return };
        loop {
            *self.phase.lock() = Phase::Running { requested: false };
            // SAFETY: the work is in the adapter, which waits for it in `finish` before it goes.
            (self.run)(unsafe { adapter.as_ref() });
            let mut phase = self.phase.lock();
            if !matches!(*phase, Phase::Running { requested: true }) {
                *phase = Phase::Rest;
                self.rest.signal();
                return;
            }
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // SAFETY: the item was allocated for this work, and is not queued: the work is at rest.
        unsafe { ndis::NdisFreeIoWorkItem(self.item) };
    }
}

/// What NDIS runs at PASSIVE_LEVEL.
unsafe extern "win64" fn routine(context: *mut c_void, _item: NDIS_HANDLE) {
    // SAFETY: the context is the work that queued the item, which stays until it is at rest.
    unsafe { &*context.cast::<Work>() }.perform();
}
