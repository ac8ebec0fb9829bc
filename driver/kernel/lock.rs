//! Spin locks.

#![expect(unsafe_code, reason = "the kernel is called")]

use core::cell::UnsafeCell;

use lock_api::{GuardNoSend, RawMutex};
use sys::wdm;

use super::irql::RaisedIrql;
use crate::nt;

/// A spin lock that remembers the level to go back to.
///
/// # Invariants
///
/// `level` is touched by the lock's holder alone.
pub(crate) struct SpinLock {
    lock: UnsafeCell<nt::KSPIN_LOCK>,
    level: UnsafeCell<wdm::KIRQL>,
}

// SAFETY: the kernel's functions are made for concurrent use of the lock's word; the level is the
// holder's.
unsafe impl Sync for SpinLock {}

// SAFETY: a kernel spin lock has one holder at a time, which stays on its processor.
unsafe impl RawMutex for SpinLock {
    // A free spin lock is zero (`KeInitializeSpinLock` is inline and stores that).
    #[allow(clippy::declare_interior_mutable_const, reason = "the trait's way to name an initial value")]
    const INIT: Self = Self { lock: UnsafeCell::new(0), level: UnsafeCell::new(wdm::PASSIVE_LEVEL) };

    // The level belongs to the processor that raised it.
    type GuardMarker = GuardNoSend;

    fn lock(&self) {
        // SAFETY: the word is a spin lock, and the caller is at or below DISPATCH_LEVEL like all of us.
        let level = unsafe { nt::KeAcquireSpinLockRaiseToDpc(self.lock.get()) };
        // SAFETY: the lock is held from here on, and only its holder touches the level.
        unsafe { self.level.get().write(level) };
    }

    fn try_lock(&self) -> bool {
        // SAFETY: every caller is at or below DISPATCH_LEVEL.
        let raised = unsafe { RaisedIrql::raise() };
        // SAFETY: the word is a spin lock, and the level is DISPATCH_LEVEL.
        let taken = unsafe { wdm::KeTryToAcquireSpinLockAtDpcLevel(self.lock.get().cast()) } != wdm::FALSE;
        if taken {
            // SAFETY: the lock is held from here on, and only its holder touches the level.
            unsafe { self.level.get().write(raised.keep()) };
        }
        taken
    }

    unsafe fn unlock(&self) {
        // SAFETY: the caller holds the lock, so the level is its own.
        let level = unsafe { self.level.get().read() };
        // SAFETY: the caller holds the lock; the level is the one that taking it left.
        unsafe { nt::KeReleaseSpinLock(self.lock.get(), level) };
    }
}
