//! Memory of objects that belong to the kernel but that drivers hold pointers to: requests, files, lists.
//!
//! A block ends at a page that cannot be accessed, and when it is freed its own pages become so too.
//! They stay that way for a good while, so that a driver which still uses the object crashes in the act.

use core::ptr::NonNull;
use std::collections::{BTreeMap, VecDeque};

use parking_lot::Mutex;

/// Blocks of one size that stay inaccessible after they were freed, before the oldest is used again.
const QUARANTINE: usize = 256;

/// A freed mapping of at most this many bytes keeps its memory.
const KEPT: usize = 4 * PAGE;

const PAGE: usize = sys::wdm::PAGE_SIZE;

/// Freed mappings by their length, the oldest first; all of them are inaccessible. Of the process, as its addresses are:
/// a thread that outlives its machine must not find another use of them.
static FREED: Mutex<BTreeMap<usize, VecDeque<Mapping>>> = Mutex::new(BTreeMap::new());

/// Zeroed memory for one object; freed when dropped.
#[derive(Debug)]
pub struct Block {
    mapping: Option<Mapping>,
    start: NonNull<u8>,
}

/// Whole pages of the process, and an inaccessible one behind them.
#[derive(Debug)]
struct Mapping {
    base: NonNull<u8>,
    /// Length without the last page.
    usable: usize,
}

// SAFETY: a block is memory that nothing but its owner frees; who may access it is the owner's business.
unsafe impl Send for Block {}
// SAFETY: as above; a shared block only yields its address.
unsafe impl Sync for Block {}
// SAFETY: a mapping is an address range; no thread owns it.
unsafe impl Send for Mapping {}

impl Block {
    /// Memory of `size` bytes, aligned to 16; `None` if the host has none left.
    pub fn new(size: usize) -> Option<Self> {
        let size = size.next_multiple_of(16);
        let mapping = Mapping::take(size.next_multiple_of(PAGE))?;
        let start = NonNull::new(mapping.base.as_ptr().wrapping_add(mapping.usable - size))?;
        // SAFETY: the last `size` accessible bytes of the mapping begin there, and no other code has them.
        unsafe { start.as_ptr().write_bytes(0, size) };
        Some(Self { mapping: Some(mapping), start })
    }

    /// Its beginning.
    pub fn as_ptr<T>(&self) -> *mut T {
        self.start.as_ptr().cast()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let Some(mapping) = self.mapping.take() else { return };
        mapping.revoke();
        FREED.lock().entry(mapping.usable).or_default().push_back(mapping);
    }
}

impl Mapping {
    /// Accessible pages: the oldest freed ones, if enough newer ones are still inaccessible.
    fn take(usable: usize) -> Option<Self> {
        let rested = {
            let mut freed = FREED.lock();
            freed.get_mut(&usable).filter(|freed| freed.len() > QUARANTINE).and_then(VecDeque::pop_front)
        };
        rested.filter(Self::restore).or_else(|| Self::new(usable))
    }

    fn new(usable: usize) -> Option<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping at an address of the host's choice overlaps nothing.
        let base = unsafe { libc::mmap(core::ptr::null_mut(), usable + PAGE, libc::PROT_NONE, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return None;
        }
        // A guard that is unlike its neighbours stays a mapping of its own, so that the host need not part and
        // join mappings whenever a block is made or freed.
        // SAFETY: the page is the last of the new mapping, and nothing is there that could be dumped.
        unsafe { libc::madvise(base.wrapping_byte_add(usable), PAGE, libc::MADV_DONTDUMP) };
        let mapping = Self { base: NonNull::new(base.cast())?, usable };
        mapping.restore().then_some(mapping)
    }

    /// Makes all of it but the last page accessible.
    fn restore(&self) -> bool {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the range is this mapping's own.
        unsafe { libc::mprotect(self.base.as_ptr().cast(), self.usable, access) == 0 }
    }

    /// Makes every access to it fault, and gives the memory of a long one back to the host.
    fn revoke(&self) {
        let base = self.base.as_ptr().cast();
        if self.usable > KEPT {
            // SAFETY: the range is this mapping's own, and its owner has given it up.
            unsafe { libc::madvise(base, self.usable, libc::MADV_DONTNEED) };
        }
        // SAFETY: as above.
        unsafe { libc::mprotect(base, self.usable, libc::PROT_NONE) };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `new` and is unmapped once.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.usable + PAGE) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::mdl::Range;
    use ntsim_core::address::Va;

    #[test]
    fn block_ends_at_inaccessible_memory_and_becomes_it_when_freed() {
        let block = Block::new(40).unwrap();
        let range = |offset| Range { start: Va::of(block.as_ptr::<u8>()) + offset, length: 1 };
        assert!(range(0).is_readable() && range(47).is_readable());
        assert!(!range(48).is_readable());
        let start = range(0);
        drop(block);
        assert!(!start.is_readable());
    }
}
