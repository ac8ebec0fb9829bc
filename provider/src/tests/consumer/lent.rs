//! Memory that a consumer lends: each piece lies at the end of pages of its own, and from the moment the consumer
//! takes it back no access to it survives.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::{NonNull, null_mut, with_exposed_provenance_mut};

const PAGE: usize = 4096;

/// Pages stay inaccessible until so many others were taken back after them.
const QUARANTINE: usize = 64;

/// So many pages are mapped at once.
const BATCH: usize = 128;

thread_local! {
    static FREE: RefCell<VecDeque<usize>> = const { RefCell::new(VecDeque::new()) };
}

fn protect(page: usize, pages: usize, access: i32) {
    // SAFETY: the pages were mapped by `map`, and nothing but lent memory lies on them.
    let changed = unsafe { libc::mprotect(with_exposed_provenance_mut(page), pages * PAGE, access) };
    assert_eq!(changed, 0, "the protection of a page can be changed");
}

/// Maps so many inaccessible pages.
fn map(pages: usize) -> usize {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a fresh mapping is no other memory's.
    let block = unsafe { libc::mmap(null_mut(), pages * PAGE, libc::PROT_NONE, flags, -1, 0) };
    assert_ne!(block, libc::MAP_FAILED, "there is memory for pages");
    block.expose_provenance()
}

/// One page, that was taken back long ago if ever.
fn single() -> usize {
    FREE.with_borrow_mut(|free| {
        if free.len() <= QUARANTINE {
            // An inaccessible page lies behind each.
            let block = map(2 * BATCH);
            free.extend((0..BATCH).map(|number| block + 2 * number * PAGE));
        }
        free.pop_front().expect("pages were mapped")
    })
}

/// A list of values in lent memory. Dropping it takes the memory back.
pub(crate) struct Lent<T: Copy> {
    page: usize,
    pages: usize,
    count: usize,
    values: PhantomData<T>,
}

impl<T: Copy> Lent<T> {
    /// A copy of `values`, at the end of its last page.
    pub(crate) fn new(values: &[T]) -> Self {
        let pages = size_of_val(values).div_ceil(PAGE).max(1);
        let page = if pages == 1 { single() } else { map(pages + 1) };
        protect(page, pages, libc::PROT_READ | libc::PROT_WRITE);
        let lent = Self { page, pages, count: values.len(), values: PhantomData };
        // SAFETY: the pages are accessible, and the values fit them.
        unsafe { lent.pointer().copy_from_nonoverlapping(values.as_ptr(), values.len()) };
        lent
    }

    /// The address of the first value.
    pub(crate) fn pointer(&self) -> *mut T {
        let end = self.page + self.pages * PAGE;
        // The values begin where one may begin; behind the last there may be a few bytes, as alignment has it.
        let begin = end.wrapping_sub(self.count * size_of::<T>()) & !(align_of::<T>() - 1);
        NonNull::new(with_exposed_provenance_mut(begin)).expect("a page is not at zero").as_ptr()
    }

    /// The value at `index`, as it is now.
    pub(crate) fn get(&self, index: usize) -> T {
        self[index]
    }
}

impl<T: Copy> Deref for Lent<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the pages are accessible until the drop, and have so many values.
        unsafe { std::slice::from_raw_parts(self.pointer(), self.count) }
    }
}

impl<T: Copy> DerefMut for Lent<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.pointer(), self.count) }
    }
}

impl<T: Copy + PartialEq> PartialEq for Lent<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Copy + fmt::Debug> fmt::Debug for Lent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Copy> Drop for Lent<T> {
    fn drop(&mut self) {
        protect(self.page, self.pages, libc::PROT_NONE);
        if self.pages == 1 {
            FREE.with_borrow_mut(|free| free.push_back(self.page));
        }
    }
}

/// One value in lent memory.
pub(crate) struct LentOne<T: Copy>(Lent<T>);

impl<T: Copy> LentOne<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Lent::new(&[value]))
    }
}

impl<T: Copy> Deref for LentOne<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0[0]
    }
}

impl<T: Copy> DerefMut for LentOne<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0[0]
    }
}
