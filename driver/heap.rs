//! A box whose making can fail.

use alloc::alloc::alloc;
use alloc::boxed::Box;
use core::alloc::Layout;

/// Moves `value` to nonpaged pool; `None` if there is none left.
pub(crate) fn boxed<T>(value: T) -> Option<Box<T>> {
    const { assert!(size_of::<T>() != 0, "a pool block has a size") };
    // Pool blocks are aligned to 16 bytes, and the allocator does not look at the layout's alignment.
    const { assert!(align_of::<T>() <= 16, "pool does not align to more") };
    // SAFETY: the layout's size is not zero, as asserted above.
    let block = unsafe { alloc(Layout::new::<T>()) }.cast::<T>();
    if block.is_null() {
        return None;
    }
    // SAFETY: the block is fresh, ours alone, and large and aligned enough for a `T`.
    unsafe { block.write(value) };
    // SAFETY: the block came from the global allocator with `T`'s layout, and holds a `T`.
    Some(unsafe { Box::from_raw(block) })
}
