//! Memory that a consumer lends: each piece lies at the end of a page of its own, and from the moment the consumer
//! takes it back no access to it survives.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::ptr::{NonNull, null_mut};

const PAGE: usize = 4096;

/// Pages stay inaccessible until so many others were taken back after them.
const QUARANTINE: usize = 64;

/// So many pages are mapped at once.
const BATCH: usize = 128;

thread_local! {
    static FREE: RefCell<VecDeque<usize>> = const { RefCell::new(VecDeque::new()) };
}

fn protect(page: usize, access: i32) {
    // SAFETY: the page was mapped by `map`, and nothing but lent memory lies on it.
    let changed = unsafe { libc::mprotect(page as *mut libc::c_void, PAGE, access) };
    assert_eq!(changed, 0, "the protection of a page can be changed");
}

/// Maps pages, with an inaccessible one behind each.
fn map(free: &mut VecDeque<usize>) {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a fresh mapping is no other memory's.
    let block = unsafe { libc::mmap(null_mut(), 2 * BATCH * PAGE, libc::PROT_NONE, flags, -1, 0) };
    assert_ne!(block, libc::MAP_FAILED, "there is memory for pages");
    free.extend((0..BATCH).map(|number| block as usize + 2 * number * PAGE));
}

/// A list of values in lent memory. Dropping it takes the memory back.
pub(crate) struct Lent<T: Copy> {
    page: usize,
    count: usize,
    values: PhantomData<T>,
}

impl<T: Copy> Lent<T> {
    /// A copy of `values`, at the end of a page.
    pub(crate) fn new(values: &[T]) -> Self {
        assert!(size_of_val(values) <= PAGE, "a piece of lent memory fits one page");
        let page = FREE.with_borrow_mut(|free| {
            if free.len() <= QUARANTINE {
                map(free);
            }
            free.pop_front().expect("pages were mapped")
        });
        protect(page, libc::PROT_READ | libc::PROT_WRITE);
        let lent = Self { page, count: values.len(), values: PhantomData };
        // SAFETY: the page is accessible, and the values fit it.
        unsafe { lent.pointer().copy_from_nonoverlapping(values.as_ptr(), values.len()) };
        lent
    }

    /// Where the first value is.
    pub(crate) fn pointer(&self) -> *mut T {
        let end = NonNull::new((self.page + PAGE) as *mut T).expect("a page is not at zero");
        end.as_ptr().wrapping_sub(self.count)
    }

    /// The value at `index`, as it is now.
    pub(crate) fn get(&self, index: usize) -> T {
        assert!(index < self.count, "there are {} values", self.count);
        // SAFETY: the page is accessible until the drop, and there are more values than `index`.
        unsafe { self.pointer().wrapping_add(index).read_unaligned() }
    }
}

impl<T: Copy> Drop for Lent<T> {
    fn drop(&mut self) {
        protect(self.page, libc::PROT_NONE);
        FREE.with_borrow_mut(|free| free.push_back(self.page));
    }
}
