//! The lock of the test kernel, with a hook: just before each acquisition, others may run.

use lock_api::RawMutex;

use super::context;

/// A lock whose acquisitions are points at which the processor can be preempted.
pub(crate) struct HookedLock(parking_lot::RawMutex);

// SAFETY: the lock inside excludes.
unsafe impl RawMutex for HookedLock {
    #[allow(clippy::declare_interior_mutable_const, reason = "the trait has it so")]
    const INIT: Self = Self(parking_lot::RawMutex::INIT);

    type GuardMarker = lock_api::GuardNoSend;

    fn lock(&self) {
        if let Some(processors) = context().processors() {
            processors.point();
            assert!(
                self.0.try_lock(),
                "a lock is taken that is held: no processor is preempted that holds one"
            );
            processors.locked();
        } else {
            self.0.lock();
        }
        context().taken(self);
    }

    fn try_lock(&self) -> bool {
        let processors = context().processors();
        if let Some(processors) = &processors {
            processors.point();
        }
        let locked = self.0.try_lock();
        if let Some(processors) = processors.filter(|_| locked) {
            processors.locked();
        }
        if locked {
            context().taken(self);
        }
        locked
    }

    unsafe fn unlock(&self) {
        context().given_back(self);
        // SAFETY: the caller holds the lock.
        unsafe { self.0.unlock() };
        if let Some(processors) = context().processors() {
            processors.unlocked();
        }
    }
}
