//! Locks that readers share: in the driver's memory
//! (<https://learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nf-ndis-ndisinitializereadwritelock>), and of NDIS's own
//! (<https://learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nf-ndis-ndisallocaterwlock>).
//!
//! Each is a reader-writer spin lock of the kernel, so a reader waits behind a writer that waits. By the address of the state
//! that a driver passes, it is known what each thread holds.

use core::ptr;
use core::sync::atomic::AtomicI32;
use std::collections::HashMap;
use std::sync::Arc;

use nt::{ex, fault};
use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::sched::{self, Irql};
use parking_lot::Mutex;
use sys::ndis::{
    LOCK_STATE, LOCK_STATE_EX, NDIS_HANDLE, NDIS_RW_LOCK, NDIS_RW_LOCK_EX, NDIS_RWL_AT_DISPATCH_LEVEL,
    signature,
};
use sys::wdm::{BOOLEAN, EX_SPIN_LOCK, KIRQL};

use super::{check_owner, ndis, violation};

/// The first word of a lock in the driver's memory once it is initialised.
const INITIALISED: usize = 0x4E44_4953_5257_4C4B;

/// The locks of one machine.
#[derive(Default)]
struct Locks {
    /// Those of NDIS's own, by handle.
    made: Mutex<HashMap<Va, Made>>,
    /// The acquisitions that are not released, by the address of the state.
    held: Mutex<HashMap<Va, Held>>,
}

static LOCKS: PerMachine<Locks> = PerMachine::new();

struct Made {
    owner: Va,
    word: Arc<AtomicI32>,
}

#[derive(Clone, Copy)]
struct Held {
    lock: Va,
    exclusive: bool,
    thread: u64,
    before: Irql,
}

/// The way in which a lock is taken.
#[derive(Clone, Copy)]
struct Wish {
    lock: Va,
    word: *mut EX_SPIN_LOCK,
    exclusive: bool,
    at_dispatch: bool,
}

fn locks() -> &'static Locks {
    LOCKS.get()
}

fn this_thread() -> u64 {
    sched::current().map_or(0, |thread| thread.id)
}

/// Reports what drivers left behind.
pub(super) fn inspect() {
    locks().inspect();
}

impl Locks {
    fn inspect(&self) {
        for handle in self.made.lock().keys() {
            violation(
                "NdisRwLock",
                [0, handle.bits(), 0, 0],
                format!("the lock {handle:#x} was never freed"),
            );
        }
    }
}

/// Reports the locks of an adapter that are left when it is gone.
pub(super) fn check_none_left(owner: Va, when: &str) {
    let mut made = locks().made.lock();
    let before = made.len();
    made.retain(|_, lock| lock.owner != owner);
    let left = before - made.len();
    drop(made);
    if left > 0 {
        violation("NdisRwLock", [0, owner.bits(), 0, 0], format!("{when} and left {left} locks"));
    }
}

#[cold]
fn misuse(lock: Va, what: &str) {
    violation("NdisRwLock", [0, lock.bits(), 0, 0], format!("the lock {lock:#x} {what}"));
}

/// Takes a lock as it is wished, with a state at `state`; returns the level before, or `None`, with a finding, where the call
/// would never return or breaks a rule of its state.
fn take(state: Va, wish: Wish) -> Option<Irql> {
    let thread = this_thread();
    if locks().held.lock().contains_key(&state) {
        misuse(wish.lock, "is acquired with the state of another acquisition, which is not released");
        return None;
    }
    let held: Vec<_> = locks().held.lock().values().copied().collect();
    let own = held.iter().find(|held| held.lock == wish.lock && held.thread == thread);
    if own.is_some_and(|own| own.exclusive || wish.exclusive) {
        misuse(wish.lock, "is acquired by the thread that holds it: one of the two is for writing");
        return None;
    }
    let before = if wish.at_dispatch {
        if sched::irql() != Irql::DISPATCH {
            misuse(wish.lock, "is acquired with the flag for DISPATCH_LEVEL at another level");
        }
        let acquire = match wish.exclusive {
            true => ex::ExAcquireSpinLockExclusiveAtDpcLevel,
            false => ex::ExAcquireSpinLockSharedAtDpcLevel,
        };
        // SAFETY: the word of a lock stays while the lock is in use.
        unsafe { acquire(wish.word) };
        Irql::DISPATCH
    } else {
        let acquire =
            if wish.exclusive { ex::ExAcquireSpinLockExclusive } else { ex::ExAcquireSpinLockShared };
        // SAFETY: as above.
        Irql(unsafe { acquire(wish.word) })
    };
    let held = Held { lock: wish.lock, exclusive: wish.exclusive, thread, before };
    locks().held.lock().insert(state, held);
    Some(before)
}

/// Gives back the lock that was taken with the state at `state`, and restores the level.
fn give_back(state: Va, lock: Va, word: *mut EX_SPIN_LOCK) {
    let held = locks().held.lock().remove(&state);
    let Some(held) = held.filter(|held| held.lock == lock && held.thread == this_thread()) else {
        misuse(lock, "is released with a state that this thread has not acquired it with");
        return;
    };
    let release = match held.exclusive {
        true => ex::ExReleaseSpinLockExclusiveFromDpcLevel,
        false => ex::ExReleaseSpinLockSharedFromDpcLevel,
    };
    // SAFETY: the word of a lock stays while the lock is in use.
    unsafe { release(word) };
    sched::lower(held.before);
}

/// The word of a lock in the driver's memory; `None`, with a finding, if it was not initialised.
///
/// # Safety
/// `lock` is one of the driver's locks.
unsafe fn word_of(lock: *mut NDIS_RW_LOCK) -> Option<*mut EX_SPIN_LOCK> {
    // SAFETY: the caller's contract.
    if unsafe { (*lock).SpinLock } != INITIALISED {
        misuse(Va::of(lock), "was not initialised");
        return None;
    }
    // SAFETY: the caller's contract.
    Some(unsafe { &raw mut (*lock).RefCountEx }.cast())
}

/// The word of a lock of NDIS's own; `None`, with a finding, if there is no such lock.
fn made(lock: *mut NDIS_RW_LOCK_EX) -> Option<Arc<AtomicI32>> {
    let word = locks().made.lock().get(&Va::of(lock)).map(|made| Arc::clone(&made.word));
    if word.is_none() {
        misuse(Va::of(lock), "is none, or was freed");
    }
    word
}

/// Takes a lock of NDIS's own.
fn take_made(lock: *mut NDIS_RW_LOCK_EX, state: *mut LOCK_STATE_EX, flags: u8, exclusive: bool) {
    let Some(word) = made(lock) else { return };
    let at_dispatch = flags & NDIS_RWL_AT_DISPATCH_LEVEL != 0;
    let wish = Wish { lock: Va::of(lock), word: word.as_ptr(), exclusive, at_dispatch };
    if let Some(before) = take(Va::of(state), wish) {
        let written = LOCK_STATE_EX { OldIrql: before.0, LockState: 1 + u8::from(exclusive), Flags: flags };
        // SAFETY: the driver passes room for the state.
        unsafe { state.write(written) };
    }
}

exports! {
    "ndis.sys", signature;

    /// Initialises a lock in the driver's memory.
    #[irql(PASSIVE..=HIGH)]
    fn NdisInitializeReadWriteLock(lock: *mut NDIS_RW_LOCK) {
        if locks().held.lock().values().any(|held| held.lock == Va::of(lock)) {
            misuse(Va::of(lock), "is initialised while it is held");
        }
        let fresh = NDIS_RW_LOCK { SpinLock: INITIALISED, Context: ptr::null_mut(), RefCountEx: [0; 256] };
        // SAFETY: the driver passes a lock of its own.
        unsafe { lock.write(fresh) };
    }

    /// Takes a lock in the driver's memory.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisAcquireReadWriteLock(lock: *mut NDIS_RW_LOCK, write: BOOLEAN, state: *mut LOCK_STATE) {
        // SAFETY: the driver passes a lock of its own.
        let Some(word) = (unsafe { word_of(lock) }) else { return };
        let wish = Wish { lock: Va::of(lock), word, exclusive: write != 0, at_dispatch: false };
        if let Some(Irql(before)) = take(Va::of(state), wish) {
            let before: KIRQL = before;
            // SAFETY: the driver passes room for the state.
            unsafe { state.write(LOCK_STATE { LockState: 1 + u16::from(write != 0), OldIrql: before }) };
        }
    }

    /// Gives a lock in the driver's memory back.
    #[irql(DISPATCH..=DISPATCH)]
    fn NdisReleaseReadWriteLock(lock: *mut NDIS_RW_LOCK, state: *mut LOCK_STATE) {
        // SAFETY: the driver passes a lock of its own.
        if let Some(word) = unsafe { word_of(lock) } {
            give_back(Va::of(state), Va::of(lock), word);
        }
    }

    /// Makes a lock.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisAllocateRWLock(owner: NDIS_HANDLE) -> *mut NDIS_RW_LOCK_EX {
        check_owner(owner, "NdisAllocateRWLock");
        if fault::strikes() {
            return ptr::null_mut();
        }
        let handle = ndis().new_handle();
        locks().made.lock().insert(handle, Made { owner: Va::of(owner), word: Arc::default() });
        handle.ptr()
    }

    /// Frees a lock that is not held.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisFreeRWLock(lock: *mut NDIS_RW_LOCK_EX) {
        if made(lock).is_some() && locks().held.lock().values().any(|held| held.lock == Va::of(lock)) {
            misuse(Va::of(lock), "is freed while it is held");
        }
        locks().made.lock().remove(&Va::of(lock));
    }

    /// Takes a lock for reading.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisAcquireRWLockRead(lock: *mut NDIS_RW_LOCK_EX, state: *mut LOCK_STATE_EX, flags: u8) {
        take_made(lock, state, flags, false);
    }

    /// Takes a lock for writing.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisAcquireRWLockWrite(lock: *mut NDIS_RW_LOCK_EX, state: *mut LOCK_STATE_EX, flags: u8) {
        take_made(lock, state, flags, true);
    }

    /// Gives a lock back.
    #[irql(DISPATCH..=DISPATCH)]
    fn NdisReleaseRWLock(lock: *mut NDIS_RW_LOCK_EX, state: *mut LOCK_STATE_EX) {
        if let Some(word) = made(lock) {
            give_back(Va::of(state), Va::of(lock), word.as_ptr());
        }
    }
}
