//! Lists that several processors use: interlocked singly linked ones, and doubly linked ones under a lock.
//!
//! In the head of a singly linked list the low 16 bits of the first word are the number of entries, and
//! the second word is the address of the first, as in the published `SLIST_HEADER`; the rest of the words
//! makes lock-free exchange possible on Windows and is not used here: one lock guards all lists.

use core::ptr;
use core::sync::atomic::AtomicUsize;

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::number::Low;
use ntsim_core::sched::{self, Irql};
use ntsim_core::verifier::{self, Finding};
use parking_lot::{Mutex, MutexGuard};
use sys::wdm::{KSPIN_LOCK, LIST_ENTRY, SLIST_ENTRY, SLIST_HEADER, signature};

use crate::ke::spin_lock;

/// Guards all lists. Of the process: it has no state, and a thread that outlives its machine may need it.
static LOCK: Mutex<()> = Mutex::new(());

/// Bytes to which an entry of a singly linked list has to be aligned.
const ALIGNMENT: usize = 16;

exports! {
    "ntoskrnl.exe", signature;

    /// Makes a list empty.
    #[irql(PASSIVE..=HIGH)]
    fn InitializeSListHead(list: *mut SLIST_HEADER) {
        // SAFETY: the caller passes a list head of its own.
        unsafe { list.write(SLIST_HEADER { Alignment: 0, Region: 0 }) };
    }

    /// Takes the first entry; null if there is none.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExpInterlockedPopEntrySList(list: *mut SLIST_HEADER) -> *mut SLIST_ENTRY {
        // SAFETY: the caller passes an initialised list.
        let (_guard, list) = unsafe { locked(list) };
        let first = list.Region as *mut SLIST_ENTRY;
        // SAFETY: what is in the list is an entry, which its owner keeps there.
        if let Some(entry) = unsafe { first.as_ref() } {
            list.Region = Va::of(entry.Next).bits();
            list.Alignment -= 1;
        }
        first
    }

    /// Puts an entry in front; the first one from before.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExpInterlockedPushEntrySList(list: *mut SLIST_HEADER, entry: *mut SLIST_ENTRY) -> *mut SLIST_ENTRY {
        if !(Va::of(entry)).is_multiple_of(ALIGNMENT) {
            let text = format!("the entry {entry:p} put into a list is not aligned to {ALIGNMENT} bytes");
            verifier::report(Finding::new("SListAlignment").text(text));
            return ptr::null_mut();
        }
        // SAFETY: the caller passes an initialised list.
        let (_guard, list) = unsafe { locked(list) };
        let first = list.Region as *mut SLIST_ENTRY;
        // SAFETY: the caller passes an entry of its own.
        unsafe { (*entry).Next = first };
        list.Region = Va::of(entry).bits();
        list.Alignment += 1;
        first
    }

    /// Takes all entries, chained.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExpInterlockedFlushSList(list: *mut SLIST_HEADER) -> *mut SLIST_ENTRY {
        // SAFETY: the caller passes an initialised list.
        let (_guard, list) = unsafe { locked(list) };
        let first = list.Region as *mut SLIST_ENTRY;
        *list = SLIST_HEADER { Alignment: 0, Region: 0 };
        first
    }

    /// The number of entries.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExQueryDepthSList(list: *mut SLIST_HEADER) -> u16 {
        // SAFETY: the caller passes an initialised list.
        let (_guard, list) = unsafe { locked(list) };
        list.Alignment.low_u16()
    }

    /// Puts an entry at the end of a list; the last one from before, null if there was none.
    #[irql(PASSIVE..=HIGH)]
    fn ExInterlockedInsertTailList(
        head: *mut LIST_ENTRY,
        entry: *mut LIST_ENTRY,
        lock: *mut KSPIN_LOCK,
    ) -> *mut LIST_ENTRY {
        // SAFETY: the caller passes the list's lock.
        let _held = unsafe { hold(lock) };
        // SAFETY: the caller passes a list and an entry of its own.
        unsafe { insert_last(head, entry) }
    }

    /// Puts an entry at the beginning of a list; the first one from before, null if there was none.
    #[irql(PASSIVE..=HIGH)]
    fn ExInterlockedInsertHeadList(
        head: *mut LIST_ENTRY,
        entry: *mut LIST_ENTRY,
        lock: *mut KSPIN_LOCK,
    ) -> *mut LIST_ENTRY {
        // SAFETY: the caller passes the list's lock.
        let _held = unsafe { hold(lock) };
        // SAFETY: the caller passes a list and an entry of its own.
        unsafe { insert_first(head, entry) }
    }

    /// Takes the first entry of a list; null if there is none.
    #[irql(PASSIVE..=HIGH)]
    fn ExInterlockedRemoveHeadList(head: *mut LIST_ENTRY, lock: *mut KSPIN_LOCK) -> *mut LIST_ENTRY {
        // SAFETY: the caller passes the list's lock.
        let _held = unsafe { hold(lock) };
        // SAFETY: the caller passes a list.
        unsafe { remove_first(head) }
    }
}

/// # Safety
/// `list` is an initialised list.
unsafe fn locked<'a>(list: *mut SLIST_HEADER) -> (MutexGuard<'static, ()>, &'a mut SLIST_HEADER) {
    let guard = LOCK.lock();
    // SAFETY: the caller's promise; the lock, which is held from here on, makes the reference unique.
    (guard, unsafe { &mut *list })
}

/// A spin lock that is held, with the level to go back to.
struct Held<'a> {
    word: &'a AtomicUsize,
    before: Irql,
}

/// Raises to DISPATCH_LEVEL and takes the lock, until the result is dropped.
///
/// # Safety
/// `lock` is an initialised spin lock.
unsafe fn hold<'a>(lock: *mut KSPIN_LOCK) -> Held<'a> {
    let before = sched::raise(Irql::DISPATCH);
    // SAFETY: the caller's promise.
    let word = unsafe { spin_lock::word(lock) };
    spin_lock::acquire(word, Some(before));
    Held { word, before }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        spin_lock::release(self.word);
        sched::lower(self.before);
    }
}

/// # Safety
/// `head` is a list whose lock is held, and `entry` is writable.
unsafe fn insert_last(head: *mut LIST_ENTRY, entry: *mut LIST_ENTRY) -> *mut LIST_ENTRY {
    // SAFETY: the caller's promise.
    let last = unsafe { (*head).Blink };
    // SAFETY: the last entry and the head are neighbours.
    unsafe { insert(last, entry, head, head) }
}

/// # Safety
/// `head` is a list whose lock is held, and `entry` is writable.
unsafe fn insert_first(head: *mut LIST_ENTRY, entry: *mut LIST_ENTRY) -> *mut LIST_ENTRY {
    // SAFETY: the caller's promise.
    let first = unsafe { (*head).Flink };
    // SAFETY: the head and the first entry are neighbours.
    unsafe { insert(head, entry, first, head) }
}

/// Puts `entry` between two neighbours; the one that is not the head, null if both are.
///
/// # Safety
/// The neighbours are neighbours in the list of `head`, whose lock is held.
unsafe fn insert(
    before: *mut LIST_ENTRY,
    entry: *mut LIST_ENTRY,
    after: *mut LIST_ENTRY,
    head: *mut LIST_ENTRY,
) -> *mut LIST_ENTRY {
    // SAFETY: the caller's promise.
    unsafe { entry.write(LIST_ENTRY { Flink: after, Blink: before }) };
    // SAFETY: as above.
    unsafe { (*before).Flink = entry };
    // SAFETY: as above.
    unsafe { (*after).Blink = entry };
    let other = if before == head { after } else { before };
    if other == head { ptr::null_mut() } else { other }
}

/// # Safety
/// `head` is a list whose lock is held.
unsafe fn remove_first(head: *mut LIST_ENTRY) -> *mut LIST_ENTRY {
    // SAFETY: the caller's promise.
    let first = unsafe { (*head).Flink };
    if first == head {
        return ptr::null_mut();
    }
    // SAFETY: as above.
    let next = unsafe { (*first).Flink };
    // SAFETY: as above.
    unsafe { (*head).Flink = next };
    // SAFETY: as above.
    unsafe { (*next).Blink = head };
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn singly_linked_list_is_last_in_first_out() {
        let machine = crate::testing::builder().boot();
        let mut list = SLIST_HEADER { Alignment: 9, Region: 9 };
        let mut entries = [SLIST_ENTRY { Next: ptr::null_mut() }; 3];
        let [a, b, c] = entries.each_mut().map(ptr::from_mut);
        unsafe {
            InitializeSListHead(&mut list);
            assert!(ExpInterlockedPopEntrySList(&mut list).is_null());
            assert!(ExpInterlockedPushEntrySList(&mut list, a).is_null());
            assert_eq!(ExpInterlockedPushEntrySList(&mut list, b), a);
            assert_eq!((ExQueryDepthSList(&mut list), ExpInterlockedPopEntrySList(&mut list)), (2, b));
            ExpInterlockedPushEntrySList(&mut list, c);
            assert_eq!((ExpInterlockedFlushSList(&mut list), (*c).Next, (*a).Next), (c, a, ptr::null_mut()));
            assert_eq!(ExQueryDepthSList(&mut list), 0);
        }
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn entry_that_is_not_aligned_is_found() {
        let machine = crate::testing::builder().boot();
        let mut list = SLIST_HEADER { Alignment: 0, Region: 0 };
        let mut memory = [0_u64; 4];
        let odd = Va::of(memory.as_mut_ptr()).align_down(16) + 8;
        unsafe { ExpInterlockedPushEntrySList(&mut list, odd.ptr::<SLIST_ENTRY>()) };
        assert_eq!(machine.shutdown().findings[0].rule, "SListAlignment");
    }

    #[test]
    fn locked_list_keeps_its_order() {
        let machine = crate::testing::builder().boot();
        let mut lock: KSPIN_LOCK = 0;
        let none = LIST_ENTRY { Flink: ptr::null_mut(), Blink: ptr::null_mut() };
        let mut entries = [none; 4];
        let [head, a, b, c] = entries.each_mut().map(ptr::from_mut);
        unsafe {
            *head = LIST_ENTRY { Flink: head, Blink: head };
            assert!(ExInterlockedInsertTailList(head, b, &mut lock).is_null());
            assert_eq!(ExInterlockedInsertTailList(head, c, &mut lock), b);
            assert_eq!(ExInterlockedInsertHeadList(head, a, &mut lock), b);
            let taken: Vec<_> = (0..4).map(|_| ExInterlockedRemoveHeadList(head, &mut lock)).collect();
            assert_eq!(taken, [a, b, c, ptr::null_mut()]);
        }
        assert!(machine.shutdown().is_clean());
    }
}
