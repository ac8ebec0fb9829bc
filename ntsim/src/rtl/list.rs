//! Sequenced singly linked lists, which interrupt handlers may use.
//!
//! A list's header is 16 bytes: depth (16 bits) and sequence (48 bits), then the first entry, whose
//! address is a multiple of 16. Windows changes it with one 128-bit compare-exchange; here a lock chosen
//! by its address stands for that.

use core::ptr;

use parking_lot::{Mutex, MutexGuard};

use crate::export::exports;
use crate::verifier::{self, Finding};

/// The header of a list, `SLIST_HEADER`.
#[repr(C, align(16))]
struct Header {
    /// Depth in the low 16 bits, above it a number that every change increments.
    count: u64,
    first: *mut Entry,
}

/// An entry of a list, `SLIST_ENTRY`.
#[repr(C, align(16))]
struct Entry {
    next: *mut Entry,
}

static LOCKS: [Mutex<()>; 16] = [const { Mutex::new(()) }; 16];

/// The header at an address, with the lock that makes a change to it atomic.
///
/// # Safety
/// `head` is an initialised header that lives as long as the result.
unsafe fn locked<'a>(head: *mut u8) -> (&'a mut Header, MutexGuard<'static, ()>) {
    let guard = LOCKS[head as usize >> 4 & 15].lock();
    // SAFETY: the caller's contract; every access to it goes through the lock.
    (unsafe { &mut *head.cast::<Header>() }, guard)
}

impl Header {
    fn change(&mut self, depth: u16) {
        self.count = (self.count & !0xFFFF).wrapping_add(0x1_0000) | u64::from(depth);
    }

    fn depth(&self) -> u16 {
        self.count as u16
    }
}

exports! {
    "ntoskrnl.exe";

    /// Makes a list empty.
    #[irql(PASSIVE..=HIGH)]
    fn InitializeSListHead(head: *mut u8) {
        // SAFETY: the driver passes room for a header.
        unsafe { head.cast::<Header>().write(Header { count: 0, first: ptr::null_mut() }) };
    }

    /// Adds an entry in front and returns the one that was first.
    #[irql(PASSIVE..=HIGH)]
    fn ExpInterlockedPushEntrySList(head: *mut u8, entry: *mut u8) -> *mut u8 {
        if !(entry as usize).is_multiple_of(16) {
            verifier::report(
                Finding::new("SListAlignment").text(format!("the list entry at {entry:p} is not 16-byte aligned")),
            );
        }
        let entry = entry.cast::<Entry>();
        // SAFETY: the driver passes an initialised header.
        let (header, _guard) = unsafe { locked(head) };
        // SAFETY: the driver passes an entry that it owns.
        unsafe { entry.write_unaligned(Entry { next: header.first }) };
        header.change(header.depth().wrapping_add(1));
        core::mem::replace(&mut header.first, entry).cast()
    }

    /// Takes the first entry, or returns null.
    #[irql(PASSIVE..=HIGH)]
    fn ExpInterlockedPopEntrySList(head: *mut u8) -> *mut u8 {
        // SAFETY: the driver passes an initialised header.
        let (header, _guard) = unsafe { locked(head) };
        // SAFETY: an entry on a list is valid until it is taken off.
        let Some(first) = (unsafe { header.first.as_ref() }) else { return ptr::null_mut() };
        header.change(header.depth().wrapping_sub(1));
        core::mem::replace(&mut header.first, first.next).cast()
    }

    /// Takes all entries, as a chain.
    #[irql(PASSIVE..=HIGH)]
    fn ExpInterlockedFlushSList(head: *mut u8) -> *mut u8 {
        // SAFETY: the driver passes an initialised header.
        let (header, _guard) = unsafe { locked(head) };
        header.change(0);
        core::mem::replace(&mut header.first, ptr::null_mut()).cast()
    }

    /// The number of entries.
    #[irql(PASSIVE..=HIGH)]
    fn ExQueryDepthSList(head: *mut u8) -> u16 {
        // SAFETY: the driver passes an initialised header.
        unsafe { locked(head) }.0.depth()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Machine;

    #[test]
    fn entries_come_back_last_in_first_out() {
        let machine = Machine::builder().boot();
        let mut header = Header { count: 7, first: ptr::null_mut() };
        let mut entries = [const { Entry { next: ptr::null_mut() } }; 3];
        let head = (&raw mut header).cast::<u8>();
        let [a, b, c] = entries.each_mut().map(|entry| ptr::from_mut(entry).cast::<u8>());
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
