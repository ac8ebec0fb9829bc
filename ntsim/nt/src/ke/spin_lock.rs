//! Spin locks, plain and queued.
//!
//! A lock's word, which lies in the driver's memory, holds the number of the thread that owns it. So a
//! lock that is taken twice, released by a stranger or never initialised can be told from one in use.
//! Codes and parameters of findings: bug check 0xC4, 0x32, 0x35, 0x40 to 0x42 and 0x1000 to 0x1007. What
//! follows from the order in which locks are taken is found by the verifier's `lock_order`.

use core::sync::atomic::{AtomicUsize, Ordering};

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::number::{ToU64, ToUsize};
use ntsim_core::sched::{self, Irql, Thread, Wait};
use ntsim_core::verifier::{self, Finding};

use super::lock_order;
use super::resident;

/// Attempts before a waiting thread lets others run: the owner may need the host's processor.
const SPINS: u32 = 100;

/// A lock's word.
///
/// # Safety
/// `lock` is the address of a spin lock that stays where it is while it is in use.
pub(crate) unsafe fn word<'a>(lock: *mut usize) -> &'a AtomicUsize {
    // SAFETY: the caller's promise; a spin lock is accessed through this module only.
    unsafe { AtomicUsize::from_ptr(lock) }
}

/// Takes the lock for the calling thread, which is at DISPATCH_LEVEL or above; `before` is the level that
/// the release has to restore.
#[inline]
pub(crate) fn acquire(word: &AtomicUsize, before: Option<Irql>) {
    let thread = this_thread();
    lock_order::acquiring(address(word), thread);
    if word.compare_exchange(0, thread.id.to_usize(), Ordering::Acquire, Ordering::Relaxed).is_err() {
        contend(word, thread);
    }
    thread.held.add(address(word), before);
}

/// Takes the lock if it is free.
pub(super) fn try_acquire(word: &AtomicUsize) -> bool {
    let thread = this_thread();
    let taken = word.compare_exchange(0, thread.id.to_usize(), Ordering::Acquire, Ordering::Relaxed).is_ok();
    if taken {
        thread.held.add(address(word), None);
    }
    taken
}

/// Gives the lock back; the level that [`acquire`] was given.
#[inline]
pub(crate) fn release(word: &AtomicUsize) -> Option<Irql> {
    let thread = this_thread();
    let Some(before) = thread.held.remove(address(word)) else {
        not_held(word, thread);
        return None;
    };
    if !thread.held.contains(address(word)) {
        word.store(0, Ordering::Release);
        sched::released(Wait::SpinLock(address(word)));
    }
    before
}

/// Checks that a driver releases the lock that it took last. (Not the cancel spin lock: a cancel routine
/// gives that back as soon as it has a lock of its own.)
#[inline]
pub(super) fn check_last(lock: *const usize) {
    let held = &this_thread().held;
    if let Some(last) = held.last().filter(|last| *last != Va::of(lock) && held.contains(Va::of(lock))) {
        let text = format!("released before the one at {last:#x}, which was acquired after it");
        found("SpinLockRelease", [0x1003, Va::of(lock).bits(), last.bits(), 0], text);
    }
}

/// Initialises a lock for the calling thread's driver.
///
/// # Safety
/// `lock` is writable, and the address of a spin lock that no other code uses.
pub(crate) unsafe fn initialise(lock: *mut usize) {
    resident::check(0xE1, "a spin lock", Va::of(lock));
    if let Some(owner) = lock_order::initialising(Va::of(lock)) {
        let text = format!("initialised again while {owner:?} holds it");
        found("SpinLock", [0x1005, Va::of(lock).bits(), 0, 0], text);
    }
    // SAFETY: the caller's promise.
    unsafe { lock.write(0) };
}

/// Reports a call at a level at which it must not be made, by its code.
#[cold]
pub(super) fn wrong_irql(code: u64, function: &str, lock: *const usize) {
    let irql = sched::irql();
    found(
        "SpinLock",
        [code, u64::from(irql.0), Va::of(lock).bits(), 0],
        format!("{function} called at {irql}"),
    );
}

/// Checks that a release restores the level from before the acquisition.
#[inline]
pub(super) fn check_restored(before: Option<Irql>, to: Irql, lock: *const usize) {
    if let Some(before) = before.filter(|before| *before != to) {
        let text = format!("released to {to}, but acquired at {before}");
        found(
            "SpinLockRelease",
            [0x35, u64::from(sched::irql().0), Va::of(lock).bits(), u64::from(to.0)],
            text,
        );
    }
}

#[inline]
fn this_thread() -> &'static Thread {
    sched::current().expect("a driver runs on a thread of the machine")
}

fn address(word: &AtomicUsize) -> Va {
    Va::of(core::ptr::from_ref(word))
}

#[cold]
fn contend(word: &AtomicUsize, thread: &Thread) {
    let mut spins = 0;
    loop {
        match word.compare_exchange_weak(0, thread.id.to_usize(), Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => return,
            Err(owner) if owner == thread.id.to_usize() => {
                let text = "acquired by the thread that holds it already".into();
                found("SpinLock", [0x1000, address(word).bits(), 0, 0], text);
                return;
            }
            Err(owner) if !Thread::exists(owner.to_u64()) => {
                let text = format!("acquired without having been initialised: it holds {owner:#x}");
                found("SpinLock", [0x1002, address(word).bits(), 0, 0], text);
                word.store(thread.id.to_usize(), Ordering::Relaxed);
                return;
            }
            Err(_) => {}
        }
        spins += 1;
        if spins < SPINS {
            core::hint::spin_loop();
        } else {
            sched::spin_wait(Wait::SpinLock(address(word)));
        }
    }
}

#[cold]
fn not_held(word: &AtomicUsize, thread: &Thread) {
    let lock = address(word).bits();
    match word.load(Ordering::Relaxed).to_u64() {
        0 => found("SpinLockRelease", [0x1007, lock, 0, 0], "released without being held".into()),
        owner => {
            let text = format!("released by thread {}, but held by thread {owner}", thread.id);
            found("SpinLockRelease", [0x1004, lock, owner, thread.id], text);
        }
    }
}

fn found(rule: &'static str, parameters: [u64; 4], text: String) {
    let text = format!("spin lock {:#x} {text}", parameters[if parameters[0] < 0x1000 { 2 } else { 1 }]);
    verifier::report(Finding::new(rule).bugcheck(Bugcheck { code: 0xC4, parameters }).text(text));
}
