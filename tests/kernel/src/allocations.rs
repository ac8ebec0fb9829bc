//! Test allocator: counts the bytes that each thread has allocated and not freed, and fails allocations on
//! demand.

#![expect(unsafe_code, reason = "an implementation of the kernel makes promises")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::null_mut;

/// The system's allocator, with a count. A test crate makes it its `#[global_allocator]`.
#[derive(Debug)]
pub struct CountingAllocator;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    /// Number of allocations that succeed before one fails; `None` if none does.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

fn count(change: isize) {
    LIVE.set(LIVE.get() + change);
}

/// The bytes that this thread allocated, less those that it freed.
#[must_use]
pub fn live() -> isize {
    LIVE.get()
}

/// Does `work`, in which allocation number `number` of this thread fails. Returns true beside its result if there was
/// one.
pub fn failing<R>(number: usize, work: impl FnOnce() -> R) -> (R, bool) {
    LEFT.set(Some(number));
    let result = work();
    (result, LEFT.take().is_none())
}

/// Does `work` of the test's own, in which no allocation fails.
pub fn spared<R>(work: impl FnOnce() -> R) -> R {
    let left = LEFT.take();
    let result = work();
    LEFT.set(left);
    result
}

/// Counts an allocation. Returns true if it is the one that fails.
fn fails() -> bool {
    match LEFT.get() {
        None => false,
        Some(left) => {
            LEFT.set(left.checked_sub(1));
            left == 0
        }
    }
}

// SAFETY: the system's allocator, with a count.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if fails() {
            return null_mut();
        }
        count(layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}
