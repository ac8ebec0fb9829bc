//! Rundown protection: uses of an object are counted, so that a thread can wait for the last of them to end.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::HashMap;

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::number::ToUsize;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::sched::{self, Thread};
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::wdm::{BOOLEAN, EX_RUNDOWN_REF, FALSE, TRUE, signature};

/// Set in the word once a thread waits, or waited, for the uses to end: there are no new ones.
const RUNDOWN: usize = 1;
/// The amount that one use adds to the word.
const USE: usize = 2;

/// The waiting threads, by the address of the word.
#[derive(Default)]
struct Waits {
    by_word: Mutex<HashMap<Va, &'static Thread>>,
}

static WAITS: PerMachine<Waits> = PerMachine::new();

exports! {
    "ntoskrnl.exe", signature;

    /// Initialises rundown protection.
    #[irql(PASSIVE..=APC)]
    fn ExInitializeRundownProtection(rundown: *mut EX_RUNDOWN_REF) {
        // SAFETY: the caller passes rundown protection of its own.
        unsafe { word(rundown) }.store(0, Ordering::Release);
    }

    /// Makes rundown protection usable again.
    #[irql(PASSIVE..=APC)]
    fn ExReInitializeRundownProtection(rundown: *mut EX_RUNDOWN_REF) {
        // SAFETY: the caller passes initialised rundown protection.
        let before = unsafe { word(rundown) }.swap(0, Ordering::AcqRel);
        if before != RUNDOWN {
            found(format!("rundown protection initialised again while its word was {before:#x}"));
        }
    }

    /// Begins a use; false once the rundown has begun.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExAcquireRundownProtection(rundown: *mut EX_RUNDOWN_REF) -> BOOLEAN {
        // SAFETY: the caller passes initialised rundown protection.
        acquire(unsafe { word(rundown) }, 1)
    }

    /// Begins several uses, or none.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExAcquireRundownProtectionEx(rundown: *mut EX_RUNDOWN_REF, count: u32) -> BOOLEAN {
        // SAFETY: the caller passes initialised rundown protection.
        acquire(unsafe { word(rundown) }, count)
    }

    /// Ends a use.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExReleaseRundownProtection(rundown: *mut EX_RUNDOWN_REF) {
        // SAFETY: the caller passes initialised rundown protection.
        release(unsafe { word(rundown) }, 1);
    }

    /// Ends several uses.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExReleaseRundownProtectionEx(rundown: *mut EX_RUNDOWN_REF, count: u32) {
        // SAFETY: the caller passes initialised rundown protection.
        release(unsafe { word(rundown) }, count);
    }

    /// Waits until there is no use, and lets no new one begin.
    #[irql(PASSIVE..=APC)]
    fn ExWaitForRundownProtectionRelease(rundown: *mut EX_RUNDOWN_REF) {
        // SAFETY: the caller passes initialised rundown protection.
        let word = unsafe { word(rundown) };
        let thread = sched::current().expect("a driver runs on a thread of the machine");
        let waits = &WAITS.get().by_word;
        waits.lock().insert(address(word), thread);
        word.fetch_or(RUNDOWN, Ordering::AcqRel);
        while word.load(Ordering::Acquire) != RUNDOWN {
            sched::block(None);
        }
        waits.lock().remove(&address(word));
    }

    /// Says that the rundown is complete: what was protected is gone.
    #[irql(PASSIVE..=APC)]
    fn ExRundownCompleted(rundown: *mut EX_RUNDOWN_REF) {
        // SAFETY: the caller passes initialised rundown protection.
        unsafe { word(rundown) }.store(RUNDOWN, Ordering::Release);
    }
}

/// # Safety
/// `rundown` is rundown protection that stays where it is while it is in use.
unsafe fn word<'a>(rundown: *mut EX_RUNDOWN_REF) -> &'a AtomicUsize {
    // SAFETY: the caller's promise.
    let count = unsafe { &raw mut (*rundown).Count };
    // SAFETY: the word is accessed through this module only.
    unsafe { AtomicUsize::from_ptr(count) }
}

fn address(word: &AtomicUsize) -> Va {
    Va::of(core::ptr::from_ref(word))
}

fn acquire(word: &AtomicUsize, count: u32) -> BOOLEAN {
    let more = count.to_usize() * USE;
    let begin = |uses| (uses & RUNDOWN == 0).then_some(uses + more);
    if word.fetch_update(Ordering::AcqRel, Ordering::Acquire, begin).is_ok() { TRUE } else { FALSE }
}

fn release(word: &AtomicUsize, count: u32) {
    let less = count.to_usize() * USE;
    let address = address(word);
    match word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |uses| uses.checked_sub(less)) {
        // From here on the word may be gone: only its address is used.
        Ok(before) if before - less == RUNDOWN => {
            if let Some(thread) = WAITS.get().by_word.lock().get(&address) {
                sched::wake(thread);
            }
        }
        Ok(_) => {}
        Err(before) => found(format!("{count} uses ended of rundown protection whose word was {before:#x}")),
    }
}

#[cold]
fn found(text: String) {
    verifier::report(Finding::new("RundownProtection").text(text));
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::AtomicBool;

    use super::*;

    static RELEASED: AtomicBool = AtomicBool::new(false);

    #[test]
    fn rundown_waits_for_the_uses_and_refuses_new_ones() {
        let machine = crate::testing::builder().boot();
        let mut rundown = EX_RUNDOWN_REF { Count: 7 };
        let pointer = &raw mut rundown;
        RELEASED.store(false, Ordering::Release);
        unsafe {
            ExInitializeRundownProtection(pointer);
            assert_eq!(ExAcquireRundownProtectionEx(pointer, 2), TRUE);
            let address = Va::of(pointer);
            sched::spawn("user", move || {
                while word(address.ptr::<EX_RUNDOWN_REF>()).load(Ordering::Acquire) & RUNDOWN == 0 {
                    std::thread::yield_now();
                }
                assert_eq!(ExAcquireRundownProtection(address.ptr::<EX_RUNDOWN_REF>()), FALSE);
                ExReleaseRundownProtection(address.ptr::<EX_RUNDOWN_REF>());
                RELEASED.store(true, Ordering::Release);
                ExReleaseRundownProtection(address.ptr::<EX_RUNDOWN_REF>());
            })
            .unwrap();
            ExWaitForRundownProtectionRelease(pointer);
            assert!(RELEASED.load(Ordering::Acquire));
            ExRundownCompleted(pointer);
            ExReInitializeRundownProtection(pointer);
            assert_eq!(ExAcquireRundownProtection(pointer), TRUE);
        }
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn releasing_too_often_and_initialising_in_use_are_found() {
        let machine = crate::testing::builder().boot();
        let mut rundown = EX_RUNDOWN_REF { Count: 0 };
        unsafe {
            ExReleaseRundownProtection(&mut rundown);
            ExAcquireRundownProtection(&mut rundown);
            ExReInitializeRundownProtection(&mut rundown);
        }
        assert_eq!(machine.shutdown().findings.len(), 2);
    }
}
