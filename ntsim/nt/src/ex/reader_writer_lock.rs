//! Reader/writer spin locks
//! (<https://learn.microsoft.com/windows-hardware/drivers/kernel/reader-writer-spin-locks>).
//!
//! The lock's word counts the threads that share it; its highest bit says that one has it exclusively, the next one that
//! one waits to, which lets no further reader in.

use core::sync::atomic::{AtomicU32, Ordering};

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::sched::{self, Irql, Wait};
use ntsim_core::verifier::{self, Finding};
use sys::wdm::{EX_SPIN_LOCK, KIRQL, signature};

/// One thread has it exclusively.
const EXCLUSIVE: u32 = 1 << 31;

/// One thread waits to have it exclusively.
const WANTED: u32 = 1 << 30;

exports! {
    "ntoskrnl.exe", signature;

    /// Shares it at DISPATCH_LEVEL; returns the level before.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExAcquireSpinLockShared(lock: *mut EX_SPIN_LOCK) -> KIRQL {
        let before = sched::raise(Irql::DISPATCH);
        // SAFETY: the driver passes its lock.
        share(unsafe { word(lock) });
        before.0
    }

    /// Gives it back, and goes back to a level.
    #[irql(DISPATCH..=DISPATCH)]
    fn ExReleaseSpinLockShared(lock: *mut EX_SPIN_LOCK, to: KIRQL) {
        // SAFETY: the driver passes its lock.
        unshare(unsafe { word(lock) });
        sched::lower(Irql(to));
    }

    /// Shares it.
    #[irql(DISPATCH..=HIGH)]
    fn ExAcquireSpinLockSharedAtDpcLevel(lock: *mut EX_SPIN_LOCK) {
        // SAFETY: the driver passes its lock.
        share(unsafe { word(lock) });
    }

    /// Gives it back.
    #[irql(DISPATCH..=HIGH)]
    fn ExReleaseSpinLockSharedFromDpcLevel(lock: *mut EX_SPIN_LOCK) {
        // SAFETY: the driver passes its lock.
        unshare(unsafe { word(lock) });
    }

    /// Takes it exclusively at DISPATCH_LEVEL; returns the level before.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExAcquireSpinLockExclusive(lock: *mut EX_SPIN_LOCK) -> KIRQL {
        let before = sched::raise(Irql::DISPATCH);
        // SAFETY: the driver passes its lock.
        take(unsafe { word(lock) });
        before.0
    }

    /// Gives it back, and goes back to a level.
    #[irql(DISPATCH..=DISPATCH)]
    fn ExReleaseSpinLockExclusive(lock: *mut EX_SPIN_LOCK, to: KIRQL) {
        // SAFETY: the driver passes its lock.
        give_back(unsafe { word(lock) });
        sched::lower(Irql(to));
    }

    /// Takes it exclusively.
    #[irql(DISPATCH..=HIGH)]
    fn ExAcquireSpinLockExclusiveAtDpcLevel(lock: *mut EX_SPIN_LOCK) {
        // SAFETY: the driver passes its lock.
        take(unsafe { word(lock) });
    }

    /// Gives it back.
    #[irql(DISPATCH..=HIGH)]
    fn ExReleaseSpinLockExclusiveFromDpcLevel(lock: *mut EX_SPIN_LOCK) {
        // SAFETY: the driver passes its lock.
        give_back(unsafe { word(lock) });
    }

    /// Makes it exclusive for the one thread that shares it; returns whether it is the only one.
    #[irql(DISPATCH..=HIGH)]
    fn ExTryConvertSharedSpinLockExclusive(lock: *mut EX_SPIN_LOCK) -> u32 {
        // SAFETY: the driver passes its lock.
        let word = unsafe { word(lock) };
        let both = [0, WANTED];
        let convert = |wanted: &u32| {
            word.compare_exchange(1 | wanted, EXCLUSIVE | wanted, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        u32::from(both.iter().any(convert))
    }
}

/// # Safety
/// `lock` is the address of a lock that stays where it is while it is in use.
unsafe fn word<'a>(lock: *mut EX_SPIN_LOCK) -> &'a AtomicU32 {
    // SAFETY: the caller's promise; a lock is accessed through this module only.
    unsafe { AtomicU32::from_ptr(lock.cast()) }
}

fn address(word: &AtomicU32) -> Va {
    Va::of(core::ptr::from_ref(word))
}

/// Lets others run, one of which has the lock, until it may have been given back.
fn spin(word: &AtomicU32) {
    sched::spin_wait(Wait::SpinLock(address(word)));
}

fn share(word: &AtomicU32) {
    loop {
        let seen = word.load(Ordering::Relaxed);
        let may = seen & (EXCLUSIVE | WANTED) == 0;
        if may && word.compare_exchange(seen, seen + 1, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            return;
        }
        spin(word);
    }
}

fn unshare(word: &AtomicU32) {
    let seen = word.load(Ordering::Relaxed);
    if seen & EXCLUSIVE != 0 || seen & !WANTED == 0 {
        found(word, "is released as a shared one, and is not shared");
        return;
    }
    word.fetch_sub(1, Ordering::Release);
    sched::released(Wait::SpinLock(address(word)));
}

fn take(word: &AtomicU32) {
    loop {
        let seen = word.load(Ordering::Relaxed);
        if seen & !WANTED == 0 {
            if word.compare_exchange(seen, EXCLUSIVE, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return;
            }
        } else {
            word.fetch_or(WANTED, Ordering::Relaxed);
        }
        spin(word);
    }
}

fn give_back(word: &AtomicU32) {
    if word.load(Ordering::Relaxed) & EXCLUSIVE == 0 {
        found(word, "is released as an exclusive one, and is not held so");
        return;
    }
    word.fetch_and(!EXCLUSIVE, Ordering::Release);
    sched::released(Wait::SpinLock(address(word)));
}

#[cold]
fn found(word: &AtomicU32, text: &str) {
    let at = address(word);
    verifier::report(Finding::new("SpinLock").text(format!("the reader/writer lock at {at:#x} {text}")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_is_shared_or_exclusive_and_restores_the_level() {
        let machine = crate::testing::builder().boot();
        let mut lock: EX_SPIN_LOCK = 0;
        let at: *mut EX_SPIN_LOCK = &mut lock;
        unsafe {
            let before = ExAcquireSpinLockShared(at);
            ExAcquireSpinLockSharedAtDpcLevel(at);
            assert_eq!(ExTryConvertSharedSpinLockExclusive(at), 0);
            ExReleaseSpinLockSharedFromDpcLevel(at);
            assert_eq!(ExTryConvertSharedSpinLockExclusive(at), 1);
            ExReleaseSpinLockExclusive(at, before);
            assert_eq!((sched::irql(), ExAcquireSpinLockExclusive(at)), (Irql::PASSIVE, 0));
            ExReleaseSpinLockExclusive(at, 0);
        }
        assert!(machine.shutdown().is_clean());
        assert_eq!(lock, 0);
    }

    #[test]
    fn release_of_what_is_not_held_so_is_found() {
        let machine = crate::testing::builder().boot();
        let mut lock: EX_SPIN_LOCK = 0;
        unsafe {
            let before = ExAcquireSpinLockExclusive(&mut lock);
            ExReleaseSpinLockSharedFromDpcLevel(&mut lock);
            ExReleaseSpinLockExclusiveFromDpcLevel(&mut lock);
            ExReleaseSpinLockExclusive(&mut lock, before);
        }
        let rules: Vec<_> = machine.shutdown().findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, ["SpinLock", "SpinLock"]);
    }
}
