//! Address space for blocks in pages of their own.

use core::ffi::c_void;
use std::collections::{HashMap, VecDeque};

use ntsim_core::address::Va;
use parking_lot::Mutex;

use crate::mm;

/// Size of a page.
pub(super) const PAGE: usize = 0x1000;

/// Address space that is reserved; memory is only used for what is live.
const SPAN: usize = 1 << 40;

/// Freed places of one size that stay inaccessible before the oldest is used again.
const REST: usize = 1024;

/// Pages of the largest place whose memory is kept while it rests: to give it back costs the host more.
const KEPT: usize = 4;

/// Arenas of machines that were shut down, for those to come: all of their places rest. Of the process.
static IDLE: Mutex<Vec<Arena>> = Mutex::new(Vec::new());

/// Pages for one block; an inaccessible page follows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) start: Va,
    pub(super) pages: usize,
    /// Address of the block that lay here before; 0 if none did.
    pub(super) former: Va,
}

impl Place {
    /// Returns whether the memory is zero when the place is taken.
    pub(super) fn is_zero(self) -> bool {
        self.former.is_null() || self.pages > KEPT
    }

    pub(super) fn end(self) -> Va {
        self.start + self.pages * PAGE
    }
}

/// Hands out places.
#[derive(Default)]
pub(super) struct Arena {
    start: Va,
    used: usize,
    resting: HashMap<usize, VecDeque<Place>>,
}

impl Arena {
    /// A place of `pages` accessible pages; `None` where the host refuses.
    pub(super) fn take(&mut self, pages: usize) -> Option<Place> {
        if self.start.is_null()
            && let Some(idle) = IDLE.lock().pop()
        {
            *self = idle;
        }
        let rested = self.resting.get_mut(&pages).filter(|places| places.len() > REST);
        let place = match rested.and_then(VecDeque::pop_front) {
            Some(place) => place,
            None => self.extend(pages)?,
        };
        // SAFETY: the place lies in this arena's reservation and belongs to no live block.
        let done = unsafe {
            libc::mprotect(place.start.ptr::<c_void>(), pages * PAGE, libc::PROT_READ | libc::PROT_WRITE)
        };
        if done != 0 {
            self.resting.entry(pages).or_default().push_front(place);
            return None;
        }
        Some(place)
    }

    /// Keeps the arena for another machine.
    ///
    /// # Safety
    /// The memory of no place is in use any more; `live` are those that do not rest.
    pub(super) unsafe fn leave(mut self, live: impl Iterator<Item = (Place, Va)>) {
        for (place, former) in live {
            // SAFETY: the caller's promise.
            unsafe { self.rest(place, former) };
        }
        if !self.start.is_null() {
            IDLE.lock().push(self);
        }
    }

    fn extend(&mut self, pages: usize) -> Option<Place> {
        if self.start.is_null() {
            // The first page guards the first block's front.
            (self.start, self.used) = (Va::of(mm::reserve(SPAN)?.as_ptr()), PAGE);
        }
        let length = pages.checked_add(1)?.checked_mul(PAGE)?;
        if length > SPAN - self.used {
            return None;
        }
        let place = Place { start: self.start + self.used, pages, former: Va::NULL };
        self.used += length;
        // A guard that is unlike the places beside it is never one mapping with them while they rest, so the
        // host need not part and join mappings at each use: that is half of what a use costs it.
        // SAFETY: the page lies in this arena's reservation, and nothing is there that could be dumped.
        unsafe { libc::madvise(place.end().ptr::<c_void>(), PAGE, libc::MADV_DONTDUMP) };
        Some(place)
    }

    /// Makes a place inaccessible, in which a block lay at `former`.
    ///
    /// # Safety
    /// The memory is not in use any more.
    pub(super) unsafe fn rest(&mut self, place: Place, former: Va) {
        let (start, length) = (place.start.ptr::<c_void>(), place.pages * PAGE);
        if place.pages > KEPT {
            // SAFETY: the place lies in this arena's reservation, and the caller vouches that it is unused.
            unsafe { libc::madvise(start, length, libc::MADV_REMOVE) };
        }
        // SAFETY: the place lies in this arena's reservation, and the caller vouches that it is unused.
        unsafe { libc::mprotect(start, length, libc::PROT_NONE) };
        self.resting.entry(place.pages).or_default().push_back(Place { former, ..place });
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        if !self.start.is_null() {
            mm::forget(self.start);
            // SAFETY: this is the reservation that `extend` made; its owner vouches that it is unused.
            unsafe { libc::munmap(self.start.ptr::<c_void>(), SPAN) };
        }
    }
}
