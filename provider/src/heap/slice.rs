//! A slice of its own, which does not grow.

#![expect(unsafe_code, reason = "memory is owned by its address")]

use core::alloc::Layout;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr::NonNull;

use super::{NoMemory, block};

/// Elements side by side, with whatever alignment they want.
pub(crate) struct Slice<T>(NonNull<[T]>);

// SAFETY: it owns its elements, as a `Vec` does.
unsafe impl<T: Send> Send for Slice<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Slice<T> {}

impl<T> Slice<T> {
    /// `length` elements, made by `element` from their index.
    ///
    /// # Errors
    ///
    /// [`NoMemory`], and `element` was not called.
    pub(crate) fn new(length: usize, mut element: impl FnMut(usize) -> T) -> Result<Self, NoMemory> {
        const { assert!(size_of::<T>() != 0, "a pool block has a size") };
        let layout = Layout::array::<T>(length).map_err(|_| NoMemory)?;
        let first = if length == 0 {
            NonNull::dangling()
        } else {
            // SAFETY: there are elements, and they have a size.
            unsafe { block::allocate(layout) }?.cast::<T>()
        };
        for index in 0..length {
            let place = first.as_ptr().wrapping_add(index);
            // SAFETY: the block has room for so many.
            unsafe { place.write(element(index)) };
        }
        Ok(Self(NonNull::slice_from_raw_parts(first, length)))
    }

    /// Gives the elements to the holder of the pointer, to be made a slice again by [`Slice::reclaim`].
    pub(crate) fn leak(self) -> NonNull<[T]> {
        ManuallyDrop::new(self).0
    }

    /// Takes a leaked slice back.
    ///
    /// # Safety
    ///
    /// `elements` came from [`Slice::leak`] and were not reclaimed yet; no other reference to them remains.
    pub(crate) unsafe fn reclaim(elements: NonNull<[T]>) -> Self {
        Self(elements)
    }
}

impl<T> Deref for Slice<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: all of them were made, and they stay as long as `self`.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Drop for Slice<T> {
    fn drop(&mut self) {
        let layout = Layout::for_value::<[T]>(self);
        // SAFETY: they are dropped once, here.
        unsafe { self.0.drop_in_place() };
        if layout.size() != 0 {
            // SAFETY: `new` allocated the block with this layout, and its elements are gone.
            unsafe { block::release(self.0.cast(), layout) };
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn elements_lie_in_their_order_and_are_dropped_once() {
        let probe = Arc::new(());
        let slice = Slice::new(5, |index| (index, probe.clone())).unwrap();
        assert_eq!(slice.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert_eq!(Arc::strong_count(&probe), 6);
        drop(slice);
        assert_eq!(Arc::strong_count(&probe), 1);
    }

    #[test]
    fn slice_may_be_empty_and_can_not_be_larger_than_memory() {
        assert!(Slice::new(0, |index| index).unwrap().is_empty());
        assert!(Slice::new(usize::MAX / 8, |index| index).is_err());
    }
}
