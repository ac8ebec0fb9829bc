//! Memory that may run out. `alloc`'s own ways of growing end in a bugcheck then, so they are not used: what
//! is here does not even contain a call of them.

#![expect(unsafe_code, reason = "the allocator is called")]

use alloc::alloc::{alloc, alloc_zeroed};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::ptr::NonNull;

/// Moves `value` to nonpaged pool; `None` if there is none left.
pub(crate) fn boxed<T>(value: T) -> Option<Box<T>> {
    const { assert!(size_of::<T>() != 0, "a pool block has a size") };
    // Pool blocks are aligned to 16 bytes, and the allocator does not look at the layout's alignment.
    const { assert!(align_of::<T>() <= 16, "pool does not align to more") };
    // SAFETY: the layout's size is not zero, as asserted above.
    let block = NonNull::new(unsafe { alloc(Layout::new::<T>()) })?.cast::<T>();
    // SAFETY: the block is fresh, ours alone, and large and aligned enough for a `T`.
    unsafe { block.write(value) };
    // SAFETY: the block came from the global allocator with `T`'s layout, and holds a `T`.
    Some(unsafe { Box::from_raw(block.as_ptr()) })
}

/// `N` zeroed bytes of nonpaged pool; `None` if there are none left.
pub(crate) fn zeroed<const N: usize>() -> Option<Box<[u8; N]>> {
    const { assert!(N != 0, "a pool block has a size") };
    // SAFETY: the layout's size is not zero, as asserted above.
    let block = NonNull::new(unsafe { alloc_zeroed(Layout::new::<[u8; N]>()) })?;
    // SAFETY: the block came from the global allocator with this layout, and zeroes are bytes.
    Some(unsafe { Box::from_raw(block.as_ptr().cast()) })
}

/// Adds an element; `None`, and the element is dropped, if memory runs out.
pub(crate) fn push<T>(vector: &mut Vec<T>, element: T) -> Option<()> {
    vector.try_reserve(1).ok()?;
    vector.spare_capacity_mut().first_mut()?.write(element);
    let length = vector.len().checked_add(1)?;
    // SAFETY: the element right behind the others was written just now, within the capacity.
    unsafe { vector.set_len(length) };
    Some(())
}
