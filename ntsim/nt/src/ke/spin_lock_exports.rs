//! Spin locks as drivers call them.

use ntsim_core::exports;
use ntsim_core::sched::{self, Irql};
use sys::wdm::{BOOLEAN, KIRQL, KLOCK_QUEUE_HANDLE, KSPIN_LOCK, signature};

use super::spin_lock::{
    acquire, check_last, check_restored, initialise, release, try_acquire, word, wrong_irql,
};

exports! {
    "ntoskrnl.exe", signature;

    /// Makes a lock free.
    #[irql(PASSIVE..=HIGH)]
    fn KeInitializeSpinLock(lock: *mut KSPIN_LOCK) {
        // SAFETY: the caller passes a lock of its own.
        unsafe { initialise(lock) };
    }

    /// Raises to DISPATCH_LEVEL and takes the lock; the level before.
    #[irql(PASSIVE..=HIGH)]
    fn KeAcquireSpinLockRaiseToDpc(lock: *mut KSPIN_LOCK) -> KIRQL {
        // SAFETY: the caller passes a spin lock.
        raise_and_acquire("KeAcquireSpinLock", lock, unsafe { word(lock) }).0
    }

    /// Gives the lock back and lowers.
    #[irql(PASSIVE..=HIGH)]
    fn KeReleaseSpinLock(lock: *mut KSPIN_LOCK, to: KIRQL) {
        // SAFETY: the caller passes a spin lock.
        release_and_lower("KeReleaseSpinLock", lock, unsafe { word(lock) }, Irql(to));
    }

    /// Takes the lock at DISPATCH_LEVEL.
    #[irql(PASSIVE..=HIGH)]
    fn KeAcquireSpinLockAtDpcLevel(lock: *mut KSPIN_LOCK) {
        // SAFETY: the caller passes a spin lock.
        acquire_at_dispatch("KeAcquireSpinLockAtDpcLevel", lock, unsafe { word(lock) });
    }

    /// Gives the lock back at DISPATCH_LEVEL.
    #[irql(PASSIVE..=HIGH)]
    fn KeReleaseSpinLockFromDpcLevel(lock: *mut KSPIN_LOCK) {
        // SAFETY: the caller passes a spin lock.
        release_at_dispatch("KeReleaseSpinLockFromDpcLevel", lock, unsafe { word(lock) });
    }

    /// Takes the lock at DISPATCH_LEVEL if it is free.
    #[irql(PASSIVE..=HIGH)]
    fn KeTryToAcquireSpinLockAtDpcLevel(lock: *mut KSPIN_LOCK) -> BOOLEAN {
        if sched::irql() < Irql::DISPATCH {
            wrong_irql(0x40, "KeTryToAcquireSpinLockAtDpcLevel", lock);
        }
        // SAFETY: the caller passes a spin lock.
        try_acquire(unsafe { word(lock) }).into()
    }

    /// As [`KeAcquireSpinLockRaiseToDpc`], for callers that may run in a threaded DPC.
    #[irql(PASSIVE..=HIGH)]
    fn KeAcquireSpinLockForDpc(lock: *mut KSPIN_LOCK) -> KIRQL {
        // SAFETY: the caller passes a spin lock.
        raise_and_acquire("KeAcquireSpinLockForDpc", lock, unsafe { word(lock) }).0
    }

    /// As [`KeReleaseSpinLock`], for callers that may run in a threaded DPC.
    #[irql(PASSIVE..=HIGH)]
    fn KeReleaseSpinLockForDpc(lock: *mut KSPIN_LOCK, to: KIRQL) {
        // SAFETY: the caller passes a spin lock.
        release_and_lower("KeReleaseSpinLockForDpc", lock, unsafe { word(lock) }, Irql(to));
    }

    /// Returns whether the lock is free.
    #[irql(PASSIVE..=HIGH)]
    fn KeTestSpinLock(lock: *const KSPIN_LOCK) -> BOOLEAN {
        // SAFETY: the caller passes a spin lock.
        let word = unsafe { word(lock.cast_mut()) };
        (word.load(core::sync::atomic::Ordering::Relaxed) == 0).into()
    }

    /// Raises to DISPATCH_LEVEL and takes the lock, in the order in which callers came.
    #[irql(PASSIVE..=HIGH)]
    fn KeAcquireInStackQueuedSpinLock(lock: *mut KSPIN_LOCK, handle: *mut KLOCK_QUEUE_HANDLE) {
        // SAFETY: the caller passes a spin lock.
        let before = raise_and_acquire("KeAcquireInStackQueuedSpinLock", lock, unsafe { word(lock) });
        // SAFETY: the caller passes a handle of its own.
        unsafe { fill(handle, lock, before) };
    }

    /// Gives the handle's lock back and lowers to the level from before.
    #[irql(PASSIVE..=HIGH)]
    fn KeReleaseInStackQueuedSpinLock(handle: *mut KLOCK_QUEUE_HANDLE) {
        // SAFETY: the caller passes the handle with which it took the lock.
        let KLOCK_QUEUE_HANDLE { LockQueue: queue, OldIrql: before } = unsafe { *handle };
        let (lock, before) = (queue.Lock, Irql(before));
        // SAFETY: the handle names the lock.
        release_and_lower("KeReleaseInStackQueuedSpinLock", lock, unsafe { word(lock) }, before);
    }

    /// Takes the lock at DISPATCH_LEVEL, in the order in which callers came.
    #[irql(PASSIVE..=HIGH)]
    fn KeAcquireInStackQueuedSpinLockAtDpcLevel(lock: *mut KSPIN_LOCK, handle: *mut KLOCK_QUEUE_HANDLE) {
        // SAFETY: the caller passes a spin lock.
        acquire_at_dispatch("KeAcquireInStackQueuedSpinLockAtDpcLevel", lock, unsafe { word(lock) });
        // SAFETY: the caller passes a handle of its own.
        unsafe { fill(handle, lock, sched::irql()) };
    }

    /// Gives the handle's lock back at DISPATCH_LEVEL.
    #[irql(PASSIVE..=HIGH)]
    fn KeReleaseInStackQueuedSpinLockFromDpcLevel(handle: *mut KLOCK_QUEUE_HANDLE) {
        // SAFETY: the caller passes the handle with which it took the lock.
        let lock = unsafe { (*handle).LockQueue.Lock };
        // SAFETY: the handle names the lock.
        release_at_dispatch("KeReleaseInStackQueuedSpinLockFromDpcLevel", lock, unsafe { word(lock) });
    }

    /// As [`KeAcquireInStackQueuedSpinLock`], for callers that may run in a threaded DPC.
    #[irql(PASSIVE..=HIGH)]
    fn KeAcquireInStackQueuedSpinLockForDpc(lock: *mut KSPIN_LOCK, handle: *mut KLOCK_QUEUE_HANDLE) {
        // SAFETY: the caller passes a spin lock.
        let before = raise_and_acquire("KeAcquireInStackQueuedSpinLockForDpc", lock, unsafe { word(lock) });
        // SAFETY: the caller passes a handle of its own.
        unsafe { fill(handle, lock, before) };
    }

    /// As [`KeReleaseInStackQueuedSpinLock`], for callers that may run in a threaded DPC.
    #[irql(PASSIVE..=HIGH)]
    fn KeReleaseInStackQueuedSpinLockForDpc(handle: *mut KLOCK_QUEUE_HANDLE) {
        // SAFETY: the caller passes the handle with which it took the lock.
        let KLOCK_QUEUE_HANDLE { LockQueue: queue, OldIrql: before } = unsafe { *handle };
        let (lock, before) = (queue.Lock, Irql(before));
        // SAFETY: the handle names the lock.
        release_and_lower("KeReleaseInStackQueuedSpinLockForDpc", lock, unsafe { word(lock) }, before);
    }
}

type Word<'a> = &'a core::sync::atomic::AtomicUsize;

#[inline]
fn raise_and_acquire(function: &str, lock: *const usize, word: Word<'_>) -> Irql {
    if sched::irql() > Irql::DISPATCH {
        wrong_irql(0x42, function, lock);
    }
    let before = sched::raise(Irql::DISPATCH);
    acquire(word, Some(before));
    before
}

#[inline]
fn release_and_lower(function: &str, lock: *const usize, word: Word<'_>, to: Irql) {
    if sched::irql() != Irql::DISPATCH {
        wrong_irql(0x32, function, lock);
    }
    check_last(lock);
    check_restored(release(word), to, lock);
    sched::lower(to);
}

#[inline]
fn acquire_at_dispatch(function: &str, lock: *const usize, word: Word<'_>) {
    if sched::irql() < Irql::DISPATCH {
        wrong_irql(0x40, function, lock);
    }
    acquire(word, None);
}

#[inline]
fn release_at_dispatch(function: &str, lock: *const usize, word: Word<'_>) {
    if sched::irql() < Irql::DISPATCH {
        wrong_irql(0x41, function, lock);
    }
    check_last(lock);
    release(word);
}

/// # Safety
/// `handle` is writable.
unsafe fn fill(handle: *mut KLOCK_QUEUE_HANDLE, lock: *mut KSPIN_LOCK, before: Irql) {
    // SAFETY: the caller's promise.
    let handle = unsafe { &mut *handle };
    handle.LockQueue.Next = core::ptr::null_mut();
    handle.LockQueue.Lock = lock;
    handle.OldIrql = before.0;
}

#[cfg(test)]
mod tests {
    use core::mem::MaybeUninit;
    use core::sync::atomic::{AtomicU64, Ordering};
    use std::sync::Arc;

    use ntsim_core::address::Va;
    use ntsim_core::boundary;

    use super::*;

    #[test]
    fn lock_excludes_other_threads() {
        let machine = crate::testing::builder().boot();
        let mut lock: KSPIN_LOCK = 0;
        let (address, mut counter) = (Va::of(&raw mut lock), 0_u64);
        let count = Va::of(&raw mut counter);
        let done = Arc::new(AtomicU64::new(0));
        for _ in 0..4 {
            let done = Arc::clone(&done);
            sched::spawn("counter", move || {
                for _ in 0..10_000 {
                    unsafe {
                        let old = KeAcquireSpinLockRaiseToDpc(address.ptr::<usize>());
                        *count.ptr::<u64>() += 1;
                        KeReleaseSpinLock(address.ptr::<usize>(), old);
                    }
                }
                done.fetch_add(1, Ordering::Release);
            })
            .unwrap();
        }
        while done.load(Ordering::Acquire) < 4 {
            std::thread::yield_now();
        }
        assert_eq!(counter, 40_000);
        assert_eq!(machine.shutdown().codes(), []);
    }

    #[test]
    fn queued_locks_nest_and_restore_the_level() {
        let machine = crate::testing::builder().boot();
        let mut locks: [KSPIN_LOCK; 2] = [0; 2];
        let mut handles = [MaybeUninit::<KLOCK_QUEUE_HANDLE>::uninit(); 2];
        unsafe {
            KeAcquireInStackQueuedSpinLock(&mut locks[0], handles[0].as_mut_ptr());
            KeAcquireInStackQueuedSpinLockAtDpcLevel(&mut locks[1], handles[1].as_mut_ptr());
            assert_eq!((KeTestSpinLock(&locks[0]), sched::irql()), (0, Irql::DISPATCH));
            KeReleaseInStackQueuedSpinLockFromDpcLevel(handles[1].as_mut_ptr());
            KeReleaseInStackQueuedSpinLock(handles[0].as_mut_ptr());
            assert_eq!((KeTestSpinLock(&locks[0]), sched::irql()), (1, Irql::PASSIVE));
        }
        assert_eq!(machine.shutdown().codes(), []);
    }

    #[test]
    fn calls_at_the_wrong_level_are_found() {
        let machine = crate::testing::builder().boot();
        let mut lock: KSPIN_LOCK = 0;
        unsafe {
            KeAcquireSpinLockAtDpcLevel(&mut lock);
            KeReleaseSpinLockFromDpcLevel(&mut lock);
            let old = sched::raise(Irql(5));
            let before = KeAcquireSpinLockRaiseToDpc(&mut lock);
            sched::lower(Irql::DISPATCH);
            KeReleaseSpinLock(&mut lock, 2);
            sched::lower(old);
            assert_eq!(before, 5);
        }
        assert_eq!(machine.shutdown().codes(), [0x40, 0x41, 0x42, 0x35]);
    }

    #[test]
    fn taking_a_lock_twice_is_found() {
        let machine = crate::testing::builder().boot();
        let mut lock: KSPIN_LOCK = 0;
        unsafe {
            let old = KeAcquireSpinLockRaiseToDpc(&mut lock);
            KeAcquireSpinLockAtDpcLevel(&mut lock);
            KeReleaseSpinLockFromDpcLevel(&mut lock);
            assert_eq!(KeTestSpinLock(&lock), 0);
            KeReleaseSpinLock(&mut lock, old);
        }
        assert_eq!((machine.shutdown().codes(), lock), (vec![0x1000], 0));
    }

    #[test]
    fn taking_what_is_no_lock_is_found() {
        let machine = crate::testing::builder().boot();
        let mut lock: KSPIN_LOCK = 0xA5A5_A5A5_A5A5_A5A5;
        unsafe {
            let old = KeAcquireSpinLockRaiseToDpc(&mut lock);
            KeReleaseSpinLock(&mut lock, old);
        }
        assert_eq!(machine.shutdown().codes(), [0x1002]);
    }

    #[test]
    fn releasing_what_is_not_held_is_found() {
        let machine = crate::testing::builder().boot();
        let (mut free, mut other): (KSPIN_LOCK, KSPIN_LOCK) = (0, 1);
        let old = sched::raise(Irql::DISPATCH);
        unsafe {
            KeReleaseSpinLockFromDpcLevel(&mut free);
            KeReleaseSpinLockFromDpcLevel(&mut other);
        }
        sched::lower(old);
        assert_eq!(machine.shutdown().codes(), [0x1007, 0x1004]);
    }

    #[test]
    fn releasing_in_another_order_and_initialising_a_held_lock_are_found() {
        let machine = crate::testing::builder().boot();
        let mut locks: [KSPIN_LOCK; 2] = [0; 2];
        let [first, second] = locks.each_mut().map(core::ptr::from_mut);
        let old = sched::raise(Irql::DISPATCH);
        unsafe {
            KeAcquireSpinLockAtDpcLevel(first);
            KeAcquireSpinLockAtDpcLevel(second);
            KeReleaseSpinLockFromDpcLevel(first);
            KeInitializeSpinLock(second);
            KeReleaseSpinLockFromDpcLevel(second);
        }
        sched::lower(old);
        let parameters: Vec<_> =
            machine.shutdown().findings.iter().map(|f| f.bugcheck.unwrap().parameters).collect();
        let (first, second) = (Va::of(first).bits(), Va::of(second).bits());
        assert_eq!(parameters, [[0x1003, first, second, 0], [0x1005, second, 0, 0]]);
    }

    #[test]
    fn returning_with_a_lock_held_is_found() {
        let machine = crate::testing::builder().boot();
        let mut lock: KSPIN_LOCK = 0;
        let old = sched::raise(Irql::DISPATCH);
        boundary::call_driver("Callback", || unsafe { KeAcquireSpinLockAtDpcLevel(&mut lock) });
        unsafe { KeReleaseSpinLockFromDpcLevel(&mut lock) };
        sched::lower(old);
        let report = machine.shutdown();
        assert_eq!(report.findings[0].rule, "SpinLock");
        assert!(report.findings[0].text.starts_with("Callback returned"));
    }
}
