//! Memory of objects that belong to the kernel but that drivers hold pointers to: requests, files, lists.
//!
//! A block ends at a page that cannot be accessed, and when it is freed its own pages become so too.
//! They stay that way for a good while, so that a driver which still uses the object crashes in the act.

use core::ptr::NonNull;
use std::collections::VecDeque;

use parking_lot::Mutex;

/// Blocks that stay inaccessible after they were freed.
const QUARANTINE: usize = 512;

const PAGE: usize = sys::wdm::PAGE_SIZE;

static FREED: Mutex<VecDeque<Mapping>> = Mutex::new(VecDeque::new());

/// Zeroed memory for one object; freed when dropped.
#[derive(Debug)]
pub(crate) struct Block {
    mapping: Option<Mapping>,
    start: NonNull<u8>,
}

/// Whole pages of the process.
#[derive(Debug)]
struct Mapping {
    base: NonNull<u8>,
    length: usize,
}

// SAFETY: a block is memory that nothing but its owner frees; who may access it is the owner's business.
unsafe impl Send for Block {}
// SAFETY: as above; a shared block only yields its address.
unsafe impl Sync for Block {}
// SAFETY: a mapping is an address range; no thread owns it.
unsafe impl Send for Mapping {}

impl Block {
    /// Memory of `size` bytes, aligned to 16; `None` if the host has none left.
    pub(crate) fn new(size: usize) -> Option<Self> {
        let size = size.next_multiple_of(16);
        let usable = size.next_multiple_of(PAGE);
        let mapping = Mapping::new(usable + PAGE)?;
        let guard = mapping.base.as_ptr().wrapping_add(usable);
        // SAFETY: the page is the last one of the mapping just made, which nobody uses yet.
        unsafe { libc::mprotect(guard.cast(), PAGE, libc::PROT_NONE) };
        let start = NonNull::new(mapping.base.as_ptr().wrapping_add(usable - size))?;
        Some(Self { mapping: Some(mapping), start })
    }

    /// Where it begins.
    pub(crate) fn as_ptr<T>(&self) -> *mut T {
        self.start.as_ptr().cast()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let Some(mapping) = self.mapping.take() else { return };
        mapping.revoke();
        let mut freed = FREED.lock();
        freed.push_back(mapping);
        if freed.len() > QUARANTINE {
            freed.pop_front();
        }
    }
}

impl Mapping {
    fn new(length: usize) -> Option<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping at an address of the host's choice overlaps nothing.
        let base = unsafe {
            libc::mmap(core::ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
        };
        if base == libc::MAP_FAILED {
            return None;
        }
        Some(Self { base: NonNull::new(base.cast())?, length })
    }

    /// Makes every access to it fault, and gives its memory back to the host.
    fn revoke(&self) {
        let base = self.base.as_ptr().cast();
        // SAFETY: the range is this mapping's own, and its owner has given it up.
        unsafe { libc::madvise(base, self.length, libc::MADV_DONTNEED) };
        // SAFETY: as above.
        unsafe { libc::mprotect(base, self.length, libc::PROT_NONE) };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `new` and is unmapped once.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::mdl::Range;

    #[test]
    fn a_block_ends_at_inaccessible_memory_and_becomes_it_when_freed() {
        let block = Block::new(40).unwrap();
        let range = |offset| Range { start: block.as_ptr::<u8>() as usize + offset, length: 1 };
        assert!(range(0).is_readable() && range(47).is_readable());
        assert!(!range(48).is_readable());
        let start = range(0);
        drop(block);
        assert!(!start.is_readable());
    }
}
