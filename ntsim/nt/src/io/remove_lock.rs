//! Remove locks: counts of the operations that a device must outlive.
//!
//! The count and the event lie in the driver's memory, as on Windows; beside them stands here who took the
//! lock, by tag. Codes of findings: bug check 0xC4, 0xD5 to 0xD7.

use core::ops::Range;
use core::sync::atomic::{AtomicI32, Ordering};
use std::collections::BTreeMap;

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::status::{NTSTATUS, STATUS_DELETE_PENDING, STATUS_SUCCESS};
use sys::wdm::{CHAR, DISPATCHER_HEADER, FALSE, IO_REMOVE_LOCK, KEVENT, PVOID, TRUE, signature};

use crate::ke::{dispatcher, object_exports};

/// The remove locks of one machine, by address: with which tags each is held.
#[derive(Default)]
struct RemoveLocks {
    tags: Mutex<BTreeMap<Va, Vec<Va>>>,
}

static REMOVE_LOCKS: PerMachine<RemoveLocks> = PerMachine::new();

fn locks() -> &'static RemoveLocks {
    REMOVE_LOCKS.get()
}

/// Forgets the locks in `range`, whose memory is being freed; those that are held.
pub(crate) fn take_within(range: &Range<Va>) -> Vec<Va> {
    let mut tags = locks().tags.lock();
    let inside: Vec<_> = tags.range(range.clone()).map(|(lock, _)| *lock).collect();
    inside.into_iter().filter(|lock| tags.remove(lock).is_some_and(|tags| !tags.is_empty())).collect()
}

exports! {
    "ntoskrnl.exe", signature;

    /// Initialises a lock, once.
    #[irql(PASSIVE..=PASSIVE)]
    fn IoInitializeRemoveLockEx(
        lock: *mut IO_REMOVE_LOCK,
        _tag: u32,
        _minutes: u32,
        _most: u32,
        _size: u32,
    ) {
        if locks().tags.lock().insert(Va::of(lock), Vec::new()).is_some() {
            found("RemoveLock", [0xD7, 0, Va::of(lock).bits(), 0], format!("{lock:p} is initialised again"));
        }
        // SAFETY: the caller passes a lock of its own.
        unsafe { (*lock).Removed = FALSE };
        // SAFETY: as above. The lock's own use of itself is the first one.
        unsafe { (*lock).IoCount = 1 };
        let kind = dispatcher::kind::SYNCHRONIZATION_EVENT;
        // SAFETY: as above; the event is part of the lock.
        unsafe { object_exports::initialise(event(lock), kind, size_of::<KEVENT>(), 0) };
    }

    /// Takes the lock, unless the device is being removed.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoAcquireRemoveLockEx(
        lock: *mut IO_REMOVE_LOCK,
        tag: PVOID,
        _file: *const CHAR,
        _line: u32,
        _size: u32,
    ) -> NTSTATUS {
        // SAFETY: the caller passes an initialised lock.
        unsafe { count(lock) }.fetch_add(1, Ordering::AcqRel);
        // SAFETY: as above.
        let removed = unsafe { &raw const (*lock).Removed };
        // SAFETY: as above.
        if unsafe { removed.read_volatile() } != FALSE {
            // SAFETY: as above.
            unsafe { drop_use(lock, 1) };
            return STATUS_DELETE_PENDING;
        }
        match locks().tags.lock().get_mut(&Va::of(lock)) {
            Some(tags) => tags.push(Va::of(tag)),
            None => found("RemoveLock", [0, 0, Va::of(lock).bits(), 0], format!("{lock:p} was never initialised")),
        }
        STATUS_SUCCESS
    }

    /// Gives the lock back.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoReleaseRemoveLockEx(lock: *mut IO_REMOVE_LOCK, tag: PVOID, _size: u32) {
        if held_with(0xD5, lock, tag) {
            // SAFETY: the caller passes a lock that it holds.
            unsafe { drop_use(lock, 1) };
        }
    }

    /// Gives the lock back, lets no further holder acquire it, and waits until it has no holder.
    #[irql(PASSIVE..=PASSIVE)]
    fn IoReleaseRemoveLockAndWaitEx(lock: *mut IO_REMOVE_LOCK, tag: PVOID, _size: u32) {
        let uses = 1 + i32::from(held_with(0xD6, lock, tag));
        // SAFETY: the caller passes an initialised lock.
        let removed = unsafe { &raw mut (*lock).Removed };
        // SAFETY: as above.
        unsafe { removed.write_volatile(TRUE) };
        // SAFETY: as above.
        if unsafe { drop_use(lock, uses) } > 0 {
            // SAFETY: the event is the lock's, which stays until this returns.
            unsafe { dispatcher::wait(&[event(lock)], false, None) };
        }
    }
}

fn event(lock: *mut IO_REMOVE_LOCK) -> *mut DISPATCHER_HEADER {
    lock.wrapping_byte_add(core::mem::offset_of!(IO_REMOVE_LOCK, RemoveEvent)).cast()
}

/// # Safety
/// `lock` is an initialised lock.
unsafe fn count<'a>(lock: *mut IO_REMOVE_LOCK) -> &'a AtomicI32 {
    // SAFETY: the caller's promise.
    let count = unsafe { &raw mut (*lock).IoCount };
    // SAFETY: from initialisation on the count is only accessed here.
    unsafe { AtomicI32::from_ptr(count) }
}

/// Takes `uses` off the count; how many are left. With the last one the event is signaled.
///
/// # Safety
/// `lock` is an initialised lock with that many uses of the caller's.
unsafe fn drop_use(lock: *mut IO_REMOVE_LOCK, uses: i32) -> i32 {
    // SAFETY: the caller's promise.
    let left = unsafe { count(lock) }.fetch_sub(uses, Ordering::AcqRel) - uses;
    if left == 0 {
        // SAFETY: the caller's promise; the event is part of the lock.
        unsafe { object_exports::set(event(lock), 1) };
    }
    left
}

/// Takes one use of the lock with this tag off the list; reports by `code` if there is none.
fn held_with(code: u64, lock: *mut IO_REMOVE_LOCK, tag: PVOID) -> bool {
    let mut all = locks().tags.lock();
    let tags = all.entry(Va::of(lock)).or_default();
    if let Some(at) = tags.iter().position(|held| *held == Va::of(tag)) {
        tags.swap_remove(at);
        return true;
    }
    let other = tags.last().copied().unwrap_or(Va::NULL);
    drop(all);
    let text = format!("{lock:p} is released with tag {tag:p}, with which it is not held");
    found("RemoveLockRelease", [code, Va::of(lock).bits(), Va::of(tag).bits(), other.bits()], text);
    false
}

#[cold]
fn found(rule: &'static str, parameters: [u64; 4], text: String) {
    let text = format!("the remove lock at {text}");
    verifier::report(Finding::new(rule).bugcheck(Bugcheck { code: 0xC4, parameters }).text(text));
}

#[cfg(test)]
mod tests {
    use core::mem::MaybeUninit;

    use ntsim_core::sched;

    use super::*;
    use crate::ex::{ExAllocatePool2, ExFreePool};

    const A: PVOID = 0xA0 as PVOID;
    const B: PVOID = 0xB0 as PVOID;

    fn lock() -> Box<IO_REMOVE_LOCK> {
        let mut lock = Box::new(unsafe { MaybeUninit::zeroed().assume_init() });
        unsafe { IoInitializeRemoveLockEx(&mut *lock, 0, 0, 0, 0x20) };
        lock
    }

    fn acquire(lock: *mut IO_REMOVE_LOCK, tag: PVOID) -> NTSTATUS {
        unsafe { IoAcquireRemoveLockEx(lock, tag, c"".as_ptr().cast(), 1, 0x20) }
    }

    #[test]
    fn removal_waits_for_every_use_and_refuses_new_ones() {
        let machine = crate::testing::builder().boot();
        let mut lock = lock();
        let address = Va::of(&raw mut *lock);
        let pointer = address.ptr::<IO_REMOVE_LOCK>();
        assert_eq!((acquire(pointer, A), acquire(pointer, B)), (STATUS_SUCCESS, STATUS_SUCCESS));
        let user = sched::spawn("user", move || unsafe {
            let lock = address.ptr::<IO_REMOVE_LOCK>();
            while acquire(lock, A) == STATUS_SUCCESS {
                IoReleaseRemoveLockEx(lock, A, 0x20);
                std::thread::yield_now();
            }
            IoReleaseRemoveLockEx(lock, B, 0x20);
        })
        .unwrap();
        unsafe { IoReleaseRemoveLockAndWaitEx(pointer, A, 0x20) };
        assert_eq!((acquire(pointer, A), lock.IoCount), (STATUS_DELETE_PENDING, 0));
        assert!(user.ends_within(core::time::Duration::from_secs(60)));
        let report = machine.shutdown();
        assert!(report.is_clean(), "{report}");
    }

    #[test]
    fn lock_is_released_with_the_tag_with_which_it_was_acquired() {
        let machine = crate::testing::builder().boot();
        let mut lock = lock();
        acquire(&mut *lock, A);
        unsafe {
            IoReleaseRemoveLockEx(&mut *lock, B, 0x20);
            IoReleaseRemoveLockEx(&mut *lock, A, 0x20);
            IoReleaseRemoveLockAndWaitEx(&mut *lock, A, 0x20);
        }
        assert_eq!(machine.shutdown().codes(), [0xD5, 0xD6]);
    }

    #[test]
    fn lock_is_initialised_once_and_not_freed_while_it_is_held() {
        let machine = crate::testing::builder().boot();
        unsafe {
            let lock: *mut IO_REMOVE_LOCK = ExAllocatePool2(0x40, 0x20, 0x3130_3030).cast();
            acquire(lock, B);
            IoInitializeRemoveLockEx(lock, 0, 0, 0, 0x20);
            IoInitializeRemoveLockEx(lock, 0, 0, 0, 0x20);
            acquire(lock, A);
            ExFreePool(lock.cast());
        }
        let report = machine.shutdown();
        assert_eq!(report.rules(), ["RemoveLock", "RemoveLock", "PoolLiveObject"]);
        assert_eq!(report.codes(), [0, 0xD7]);
    }
}
