//! Mappings of memory in the test's own process.

#![expect(unsafe_code, reason = "an implementation of the kernel makes promises")]

use std::cell::Cell;
use std::ptr::NonNull;

use softndk_kernel::{Mapping, Unmapped};
use sys::wdm::MDL;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

/// Mappings that this thread made and that were not dropped, on this thread, since.
#[must_use]
pub fn live_mappings() -> isize {
    LIVE.get()
}

/// A mapping of memory at the address that its lists have already.
pub struct Pinned(NonNull<u8>);

// SAFETY: the pointer is to memory that every thread may access as raw bytes.
unsafe impl Send for Pinned {}
// SAFETY: as above.
unsafe impl Sync for Pinned {}

impl Pinned {
    /// Maps the first `length` bytes of a chain, whose lists must be contiguous by their system addresses, too.
    ///
    /// # Errors
    ///
    /// [`Unmapped::Scattered`] if they are not, or fewer than `length` bytes.
    ///
    /// # Safety
    ///
    /// As for [`Kernel::map`](softndk_kernel::Kernel::map).
    pub(crate) unsafe fn new(mdl: NonNull<MDL>, length: usize) -> Result<Self, Unmapped> {
        // SAFETY: the caller passes a live list.
        let first: *mut u8 = unsafe { mdl.as_ref() }.MappedSystemVa.cast();
        let (mut next, mut offset) = (Some(mdl), 0);
        while offset < length {
            // SAFETY: the caller passes a chain of so many bytes.
            let list = unsafe { next.ok_or(Unmapped::Scattered)?.as_ref() };
            if list.ByteCount != 0 && list.MappedSystemVa.cast() != first.wrapping_add(offset) {
                return Err(Unmapped::Scattered);
            }
            (next, offset) = (NonNull::new(list.Next), offset + usize::try_from(list.ByteCount).unwrap());
        }
        let start = NonNull::new(first).ok_or(Unmapped::Resources)?;
        LIVE.set(LIVE.get() + 1);
        Ok(Self(start))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        LIVE.set(LIVE.get() - 1);
    }
}

// SAFETY: the memory is the caller's, which keeps it for as long as the mapping.
unsafe impl Mapping for Pinned {
    fn start(&self) -> NonNull<u8> {
        self.0
    }
}
