//! Sequenced singly linked lists, which interrupt handlers may use.
//!
//! A list's header is 16 bytes: depth (16 bits) and sequence (48 bits), then the first entry, whose
//! address is a multiple of 16. Windows changes it with one 128-bit compare-exchange; here a lock chosen
//! by its address stands for that.

use core::ptr;

use parking_lot::{Mutex, MutexGuard};

use sys::wdm::{SLIST_ENTRY, SLIST_HEADER, signature};

use crate::export::exports;
use crate::verifier::{self, Finding};

static LOCKS: [Mutex<()>; 16] = [const { Mutex::new(()) }; 16];

/// The header at an address, with the lock that makes a change to it atomic.
///
/// # Safety
/// `head` is an initialised header that lives as long as the result.
unsafe fn locked<'a>(head: *mut SLIST_HEADER) -> (&'a mut SLIST_HEADER, MutexGuard<'static, ()>) {
    let guard = LOCKS[head as usize >> 4 & 15].lock();
    // SAFETY: the caller's contract; every access to it goes through the lock.
    (unsafe { &mut *head }, guard)
}

/// The number of entries.
fn depth(header: &SLIST_HEADER) -> u16 {
    header.Alignment as u16
}

/// Replaces the first entry, and returns the one before.
fn replace(header: &mut SLIST_HEADER, depth: u16, first: *mut SLIST_ENTRY) -> *mut SLIST_ENTRY {
    header.Alignment = (header.Alignment & !0xFFFF).wrapping_add(0x1_0000) | u64::from(depth);
    core::mem::replace(&mut header.Region, first as u64) as *mut SLIST_ENTRY
}

exports! {
    "ntoskrnl.exe", signature;

    /// Makes a list empty.
    #[irql(PASSIVE..=HIGH)]
    fn InitializeSListHead(head: *mut SLIST_HEADER) {
        // SAFETY: the driver passes room for a header.
        unsafe { head.write(SLIST_HEADER { Alignment: 0, Region: 0 }) };
    }

    /// Adds an entry in front and returns the one that was first.
    #[irql(PASSIVE..=HIGH)]
    fn ExpInterlockedPushEntrySList(head: *mut SLIST_HEADER, entry: *mut SLIST_ENTRY) -> *mut SLIST_ENTRY {
        if !(entry as usize).is_multiple_of(16) {
            verifier::report(
                Finding::new("SListAlignment").text(format!("the list entry at {entry:p} is not 16-byte aligned")),
            );
        }
        // SAFETY: the driver passes an initialised header.
        let (header, _guard) = unsafe { locked(head) };
        let depth = depth(header).wrapping_add(1);
        let next = replace(header, depth, entry);
        // SAFETY: the driver passes an entry that it owns.
        unsafe { (*entry).Next = next };
        next
    }

    /// Takes the first entry, or returns null.
    #[irql(PASSIVE..=HIGH)]
    fn ExpInterlockedPopEntrySList(head: *mut SLIST_HEADER) -> *mut SLIST_ENTRY {
        // SAFETY: the driver passes an initialised header.
        let (header, _guard) = unsafe { locked(head) };
        // SAFETY: an entry on a list is valid until it is taken off.
        let Some(first) = (unsafe { (header.Region as *const SLIST_ENTRY).as_ref() }) else {
            return ptr::null_mut();
        };
        let depth = depth(header).wrapping_sub(1);
        replace(header, depth, first.Next)
    }

    /// Takes all entries, as a chain.
    #[irql(PASSIVE..=HIGH)]
    fn ExpInterlockedFlushSList(head: *mut SLIST_HEADER) -> *mut SLIST_ENTRY {
        // SAFETY: the driver passes an initialised header.
        let (header, _guard) = unsafe { locked(head) };
        replace(header, 0, ptr::null_mut())
    }

    /// The number of entries.
    #[irql(PASSIVE..=HIGH)]
    fn ExQueryDepthSList(head: *mut SLIST_HEADER) -> u16 {
        // SAFETY: the driver passes an initialised header.
        depth(unsafe { locked(head) }.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Machine;

    #[test]
    fn entries_come_back_last_in_first_out() {
        let machine = Machine::builder().boot();
        let mut header = SLIST_HEADER { Alignment: 7, Region: 0 };
        let mut entries = [SLIST_ENTRY { Next: ptr::null_mut() }; 3];
        let head = &raw mut header;
        let [a, b, c] = entries.each_mut().map(ptr::from_mut);
        // SAFETY: header and entries outlive the calls.
        unsafe { InitializeSListHead(head) };
        for (entry, before) in [(a, ptr::null_mut()), (b, a), (c, b)] {
            // SAFETY: as above.
            assert_eq!(unsafe { ExpInterlockedPushEntrySList(head, entry) }, before);
        }
        // SAFETY: as above.
        assert_eq!(unsafe { ExQueryDepthSList(head) }, 3);
        // SAFETY: as above.
        assert_eq!(unsafe { ExpInterlockedPopEntrySList(head) }, c);
        // SAFETY: as above.
        assert_eq!(unsafe { ExpInterlockedFlushSList(head) }, b);
        // SAFETY: as above.
        assert!(unsafe { ExpInterlockedPopEntrySList(head) }.is_null());
        assert!(machine.shutdown().is_clean());
    }
}
