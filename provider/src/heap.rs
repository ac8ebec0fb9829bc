//! Allocation that can fail, and a shared pointer over it.
//!
//! `alloc`'s own containers abort when memory runs out; in a kernel that is a bugcheck.

#![expect(unsafe_code, reason = "the allocator is called")]

mod block;
mod owned;
mod slice;
mod within;

pub(crate) use owned::{Initial, Owned};
pub(crate) use slice::Slice;
pub use within::Within;

use alloc::vec::Vec;
use core::alloc::Layout;
use core::ffi::c_void;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, Ordering as Order};

use crate::sync::{AtomicU32, Ordering, fence};

/// Memory ran out; becomes STATUS_INSUFFICIENT_RESOURCES at the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

/// Allocates a `T` and moves `value` in.
///
/// # Errors
///
/// [`NoMemory`], and `value` is dropped.
pub(crate) fn place<T>(value: T) -> Result<NonNull<T>, NoMemory> {
    const { assert!(size_of::<T>() != 0, "a pool block has a size") };
    // SAFETY: the layout's size is not zero, as asserted above.
    let block = unsafe { block::allocate(Layout::new::<T>()) }?.cast::<T>();
    // SAFETY: the block is fresh, ours alone, and large and aligned enough for a `T`.
    unsafe { block.write(value) };
    Ok(block)
}

/// Frees what [`place`] allocated, without dropping the value.
///
/// # Safety
///
/// `block` came from [`place`] for the same `T`, its value was moved out or dropped, and no reference to it
/// remains.
pub(crate) unsafe fn free<T>(block: NonNull<T>) {
    // SAFETY: the caller passes a block of `place`, which used this layout.
    unsafe { block::release(block.cast(), Layout::new::<T>()) }
}

/// A vector of `length` elements made by `element`, with no room to spare.
///
/// # Errors
///
/// [`NoMemory`].
pub(crate) fn vector<T>(length: usize, mut element: impl FnMut(usize) -> T) -> Result<Vec<T>, NoMemory> {
    let mut all = Vec::new();
    all.try_reserve_exact(length).map_err(|_| NoMemory)?;
    for index in 0..length {
        all.push_within(element(index)).map_err(|_| NoMemory)?;
    }
    Ok(all)
}

struct Counted<T> {
    owners: AtomicU32,
    value: T,
}

/// A reference-counted pointer whose making can fail.
pub struct Shared<T>(NonNull<Counted<T>>);

// SAFETY: as for `alloc::sync::Arc`: the value is reached from several threads and dropped on any.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// The offset of the value from what the pointer points to, for a debugger.
    pub(crate) const VALUE: usize = core::mem::offset_of!(Counted<T>, value);

    /// Allocates. Not inlined: a caller that makes a large value would have it twice in its frame.
    ///
    /// # Errors
    ///
    /// [`NoMemory`], and `value` is dropped.
    #[inline(never)]
    pub fn new(value: T) -> Result<Self, NoMemory> {
        // SAFETY: the counter gives the layout a size.
        let block = unsafe { block::allocate(Layout::new::<Counted<T>>()) }?.cast::<Counted<T>>();
        // SAFETY: the block is fresh, ours alone, and large and aligned enough.
        let owners = unsafe { &raw mut (*block.as_ptr()).owners };
        // SAFETY: as above.
        let place = unsafe { &raw mut (*block.as_ptr()).value };
        // SAFETY: as above.
        unsafe { owners.write(AtomicU32::new(1)) };
        // Not by way of a whole block: that would lie on the stack, beside the value.
        // SAFETY: as above.
        unsafe { place.write(value) };
        Ok(Self(block))
    }

    /// Gives the ownership to a pointer, which a callback of C can carry as its context.
    #[must_use]
    pub fn into_raw(self) -> NonNull<c_void> {
        ManuallyDrop::new(self).0.cast()
    }

    /// Takes the ownership back.
    ///
    /// # Safety
    ///
    /// `raw` came from [`Shared::into_raw`] of the same `T`, and its ownership was not taken back yet.
    #[must_use]
    pub unsafe fn from_raw(raw: NonNull<c_void>) -> Self {
        Self(raw.cast())
    }

    /// One more owner of what a pointer owns, which keeps its own.
    ///
    /// # Safety
    ///
    /// `raw` came from [`Shared::into_raw`] of the same `T`, and its ownership was not taken back yet.
    #[must_use]
    pub unsafe fn from_borrowed(raw: NonNull<c_void>) -> Self {
        Self::clone(&ManuallyDrop::new(Self(raw.cast())))
    }

    /// Returns true if both own the same value.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    fn counted(&self) -> &Counted<T> {
        // SAFETY: the block lives as long as any owner, and `self` is one.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        // As many owners as overflow the count do not fit into memory.
        self.counted().owners.fetch_add(1, Ordering::Relaxed);
        Self(self.0)
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.counted().value
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        if self.counted().owners.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        fence(Ordering::Acquire);
        // SAFETY: this was the last owner, so no reference to the value remains.
        unsafe { self.0.drop_in_place() };
        // SAFETY: the value was dropped in place just now.
        unsafe { free(self.0) };
    }
}

/// Room for a shared pointer that is set once and then read without a lock.
pub(crate) struct Once<T>(AtomicPtr<Counted<T>>);

impl<T> Once<T> {
    /// Not set.
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    /// Sets the pointer; if it was set before, `value` is dropped.
    pub(crate) fn set(&self, value: Shared<T>) {
        let value = ManuallyDrop::new(value);
        let (null, new) = (core::ptr::null_mut(), value.0.as_ptr());
        if self.0.compare_exchange(null, new, Order::AcqRel, Order::Relaxed).is_err() {
            drop(ManuallyDrop::into_inner(value));
        }
    }

    /// The value, if it was set.
    pub(crate) fn value(&self) -> Option<&T> {
        // SAFETY: null, or a block whose ownership was passed to `set`; it stays until `self` is dropped.
        unsafe { self.0.load(Order::Acquire).as_ref() }.map(|counted| &counted.value)
    }
}

// SAFETY: it owns a `Shared<T>`, which is Send and Sync under this bound.
unsafe impl<T: Send + Sync> Send for Once<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Once<T> {}

impl<T> Drop for Once<T> {
    fn drop(&mut self) {
        drop(NonNull::new(*self.0.get_mut()).map(Shared));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn last_owner_drops_the_value() {
        let probe = Arc::new(());
        let shared = Shared::new(probe.clone()).unwrap();
        let other = shared.clone();
        drop(shared);
        assert_eq!(Arc::strong_count(&probe), 2);
        drop(other);
        assert_eq!(Arc::strong_count(&probe), 1);
    }

    #[test]
    fn value_set_first_is_kept() {
        let (first, second) = (Arc::new(1), Arc::new(2));
        let once = Once::new();
        assert!(once.value().is_none());
        once.set(Shared::new(first.clone()).unwrap());
        once.set(Shared::new(second.clone()).unwrap());
        assert_eq!(once.value().map(|value| **value), Some(1));
        drop(once);
        assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 1));
    }

    #[test]
    fn vector_has_no_room_to_spare() {
        let squares = vector(5, |i| i * i).unwrap();
        assert_eq!(squares, [0, 1, 4, 9, 16]);
        assert_eq!(squares.capacity(), 5);
    }

    #[test]
    fn impossible_vector_is_refused() {
        assert_eq!(vector(usize::MAX / 8, |i| i).err(), Some(NoMemory));
    }
}
