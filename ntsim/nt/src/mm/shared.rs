//! Memory whose pages can be mapped a second time: pool, and the buffers that requests bring.
//!
//! An object is one range of the host's shared memory. Page frames are the numbers of its pages, and a second
//! mapping of a frame is a second mapping by the host of the same page, so that both show the same bytes.

use core::ffi::c_void;
use core::ptr::{self, NonNull};
use std::collections::{BTreeMap, VecDeque};

use ntsim_core::address::Va;
use parking_lot::Mutex;
use sys::wdm::PAGE_SIZE;

/// The objects: their ends, by where they begin. Of the process, as its addresses are.
static OBJECTS: Mutex<BTreeMap<Va, Va>> = Mutex::new(BTreeMap::new());

/// Address ranges that were given up, the oldest first. All of them are inaccessible. Of the process, as its addresses are:
/// a thread that outlives its machine must not find another use of them.
static RETIRED: Mutex<VecDeque<(Va, usize, &'static str)>> = Mutex::new(VecDeque::new());

/// Ranges that stay inaccessible after they were given up, before the oldest is returned to the host.
const KEPT: usize = 1024;

/// Reserves an object of `length` bytes, whole pages, inaccessible at first; `None` where the host refuses.
pub fn reserve(length: usize) -> Option<NonNull<u8>> {
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping at an address of the host's choice touches no existing memory.
    let start = unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_NONE, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return None;
    }
    OBJECTS.lock().insert(Va::of(start), Va::of(start) + length);
    NonNull::new(start.cast())
}

/// Forgets an object, whose memory the caller gives back to the host.
pub fn forget(start: Va) {
    OBJECTS.lock().remove(&start);
}

/// The number of pages from `address` on that lie in the object of that address; 0 if there is none.
fn pages_of_object(address: Va) -> usize {
    let objects = OBJECTS.lock();
    let object = objects.range(..=address).next_back().filter(|(_, end)| address < **end);
    object.map_or(0, |(_, end)| (*end - address) / PAGE_SIZE)
}

/// Maps page frames one behind the other; returns the first address. `None` where a frame is of no object, or
/// the host refuses.
pub(super) fn map(frames: &[usize]) -> Option<Va> {
    // The last page is a guard.
    let length = (frames.len() + 1) * PAGE_SIZE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: as in `reserve`.
    let base = unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_NONE, flags, -1, 0) };
    if base == libc::MAP_FAILED {
        return None;
    }
    let mut done = 0;
    while let Some(&frame) = frames.get(done) {
        let room = pages_of_object(Va::new(frame * PAGE_SIZE));
        let run =
            frames[done..].iter().zip(frame..frame + room).take_while(|(is, next)| **is == *next).count();
        let at = base.wrapping_byte_add(done * PAGE_SIZE);
        // SAFETY: the target lies in the range that was reserved above.
        if run == 0 || !unsafe { duplicate(frame * PAGE_SIZE, run * PAGE_SIZE, at) } {
            retire(Va::of(base), length, "a mapping that could not be made");
            return None;
        }
        done += run;
    }
    Some(Va::of(base))
}

/// Maps the pages at `from` a second time, at `to`, readable and writable.
///
/// # Safety
/// The range at `to` is the caller's, who gives up what is mapped there.
unsafe fn duplicate(from: usize, length: usize, to: *mut c_void) -> bool {
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: an old size of zero leaves the old mapping alone (mremap(2)); the target is the caller's.
    let made = unsafe { libc::mremap(from as *mut c_void, 0, length, flags, to) };
    // SAFETY: the range was just mapped.
    made == to && unsafe { libc::mprotect(to, length, libc::PROT_READ | libc::PROT_WRITE) } == 0
}

/// Makes a mapping of `pages` frames inaccessible.
pub(super) fn unmap(base: Va, pages: usize) {
    retire(base, (pages + 1) * PAGE_SIZE, "a system mapping that was undone");
}

/// Gives up a range, which nothing may access any more.
fn retire(start: Va, length: usize, what: &'static str) {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
    // SAFETY: the range is one mapping of this module's, out of use.
    unsafe { libc::mmap(start.ptr::<c_void>(), length, libc::PROT_NONE, flags, -1, 0) };
    let oldest = {
        let mut retired = RETIRED.lock();
        retired.push_back((start, length, what));
        if retired.len() > KEPT { retired.pop_front() } else { None }
    };
    if let Some((start, length, _)) = oldest {
        // SAFETY: the range was retired once, and nothing else was mapped there since.
        unsafe { libc::munmap(start.ptr::<c_void>(), length) };
    }
}

/// The former use of an inaccessible address, for a crash report.
pub fn explain(address: Va) -> Option<&'static str> {
    let retired = RETIRED.try_lock_for(core::time::Duration::from_secs(1))?;
    let near = retired.iter().rev().find(|(start, length, _)| (*start..*start + *length).contains(&address));
    near.map(|(_, _, what)| *what)
}

/// A buffer in pages of its own, as a program or a driver above has locked it for a request.
///
/// While it is hidden, it can be touched by way of a mapping of its pages only: the address in a list is an
/// index, and is not to be dereferenced (the page of `MmGetMdlVirtualAddress`).
#[derive(Debug)]
pub struct Buffer {
    base: NonNull<u8>,
    pages: usize,
    offset: usize,
    length: usize,
}

// SAFETY: a buffer is an address range; no thread owns it.
unsafe impl Send for Buffer {}
// SAFETY: a shared one yields its address only.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// A zeroed buffer of `length` bytes that begins at `offset` in its first page.
    pub(crate) fn new(offset: usize, length: usize) -> Option<Self> {
        let offset = offset % PAGE_SIZE;
        let pages = (offset + length).div_ceil(PAGE_SIZE).max(1);
        let buffer = Self { base: reserve(pages * PAGE_SIZE)?, pages, offset, length };
        buffer.reveal();
        Some(buffer)
    }

    /// Its first byte.
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.base.as_ptr().wrapping_add(self.offset)
    }

    /// Its address and length.
    pub(crate) fn range(&self) -> super::Range {
        super::Range { start: Va::of(self.as_ptr()), length: self.length }
    }

    /// Makes it inaccessible by its own address.
    pub(crate) fn hide(&self) {
        self.protect(libc::PROT_NONE);
    }

    /// Makes it accessible by its own address.
    pub(crate) fn reveal(&self) {
        self.protect(libc::PROT_READ | libc::PROT_WRITE);
    }

    fn protect(&self, protection: i32) {
        // SAFETY: the pages are this buffer's own.
        let done = unsafe { libc::mprotect(self.base.as_ptr().cast(), self.pages * PAGE_SIZE, protection) };
        assert_eq!(done, 0, "mprotect of a request's buffer failed");
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let start = Va::of(self.base.as_ptr());
        forget(start);
        retire(
            start,
            self.pages * PAGE_SIZE,
            "a request's buffer by its own address, which is an index only",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::Range;

    #[test]
    fn second_mapping_shows_the_same_bytes_until_it_is_undone() {
        let buffer = Buffer::new(0x123, 3 * PAGE_SIZE).unwrap();
        let first = Va::of(buffer.as_ptr()).get() / PAGE_SIZE;
        let base = map(&[first + 1, first, first + 3, first + 2]).unwrap();
        let byte = |at: Va| at.ptr::<u8>();
        unsafe { byte(base + PAGE_SIZE + 0x123).write(7) };
        assert_eq!(unsafe { buffer.as_ptr().read() }, 7);
        buffer.hide();
        unsafe { byte(base + 5).write(8) };
        buffer.reveal();
        assert_eq!(unsafe { byte(Va::new((first + 1) * PAGE_SIZE + 5)).read() }, 8);
        assert!(!Range { start: base + 4 * PAGE_SIZE, length: 1 }.is_readable(), "a guard follows");
        unmap(base, 4);
        assert!(!Range { start: base, length: 1 }.is_readable());
        assert_eq!(explain(base + 1), Some("a system mapping that was undone"));
    }

    #[test]
    fn frames_of_no_object_cannot_be_mapped() {
        let here = 0_u8;
        assert_eq!(map(&[Va::of(&raw const here).get() / PAGE_SIZE]), None);
    }

    #[test]
    fn neighbouring_objects_are_mapped_each_from_its_own_pages() {
        let buffers: Vec<_> = (0..8_u8).map(|_| Buffer::new(0, PAGE_SIZE).unwrap()).collect();
        let mut order: Vec<_> = buffers.iter().map(Buffer::as_ptr).collect();
        order.sort_unstable();
        order.iter().zip(1_u8..).for_each(|(at, value)| unsafe { at.write(value) });
        let frames: Vec<_> = order.iter().map(|at| Va::of(*at).get() / PAGE_SIZE).collect();
        let base = map(&frames).unwrap();
        let seen: Vec<_> =
            (0..8).map(|page| unsafe { (base + page * PAGE_SIZE).ptr::<u8>().read() }).collect();
        assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7, 8]);
        unmap(base, 8);
    }
}
