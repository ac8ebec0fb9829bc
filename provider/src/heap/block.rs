//! Blocks for any alignment, from an allocator that keeps to that of pool only.
//!
//! `ExAllocatePool2` aligns a block of less than a page to 16 bytes (the page of that function), and
//! `wdk-alloc` passes it no alignment. What wants more, such as a [`Line`](crate::sync::Line), gets a block with
//! room to move in, and in front of what it gets stands where that block begins.

#![expect(unsafe_code, reason = "memory is owned by its address")]

use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::ptr::NonNull;

use super::NoMemory;

/// Alignment that every pool allocation has.
const POOL_ALIGNMENT: usize = 16;

/// The layout of the block around what `layout` asks for, if that wants more than pool's alignment. The word
/// in front fits between two addresses that pool aligns.
fn around(layout: Layout) -> Result<Option<Layout>, NoMemory> {
    if layout.align() <= POOL_ALIGNMENT {
        return Ok(None);
    }
    let size = layout.size().checked_add(layout.align()).ok_or(NoMemory)?;
    Layout::from_size_align(size, POOL_ALIGNMENT).map(Some).map_err(|_| NoMemory)
}

/// The word in front of `block` that has the beginning of the block around it.
fn in_front(block: NonNull<u8>) -> *mut NonNull<u8> {
    block.as_ptr().cast::<NonNull<u8>>().wrapping_sub(1)
}

/// Allocates a block of this layout, whose size is not zero. Up to DISPATCH_LEVEL.
///
/// # Errors
///
/// [`NoMemory`].
///
/// # Safety
///
/// The layout's size is not zero.
pub(super) unsafe fn allocate(layout: Layout) -> Result<NonNull<u8>, NoMemory> {
    let Some(around) = around(layout)? else {
        // SAFETY: as the caller promises.
        return NonNull::new(unsafe { alloc(layout) }).ok_or(NoMemory);
    };
    // SAFETY: larger than the caller's layout, so not empty either.
    let whole = NonNull::new(unsafe { alloc(around) }).ok_or(NoMemory)?;
    // At least the word's size further on, as the start is aligned to 16 and so much is never left out.
    let past = whole.addr().get() & layout.align().wrapping_sub(1);
    let skip = layout.align().wrapping_sub(past);
    // SAFETY: the block has room for so many bytes in front of what was asked for.
    let block = unsafe { whole.add(skip) };
    // SAFETY: the word lies between the whole block's start and this one's, both aligned to it.
    unsafe { in_front(block).write(whole) };
    Ok(block)
}

/// Frees what [`allocate`] gave for this layout.
///
/// # Safety
///
/// `block` came from [`allocate`] with this layout, and no reference to it remains.
pub(super) unsafe fn release(block: NonNull<u8>, layout: Layout) {
    match around(layout) {
        Ok(Some(around)) => {
            // SAFETY: `allocate` wrote the word in front, for the same layout.
            let whole = unsafe { in_front(block).read() };
            // SAFETY: that is where the whole block begins, which has this layout.
            unsafe { dealloc(whole.as_ptr(), around) }
        }
        // SAFETY: as the caller promises; a layout that is too large was never allocated.
        Ok(None) | Err(NoMemory) => unsafe { dealloc(block.as_ptr(), layout) },
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn block_has_the_alignment_and_the_room_that_were_asked_for() {
        for align in [1, 8, 16, 32, 64, 4096] {
            let layout = Layout::from_size_align(100, align).unwrap();
            // SAFETY: not empty.
            let blocks = [(); 5].map(|()| unsafe { allocate(layout) }.unwrap());
            for block in blocks {
                assert!(block.addr().get().is_multiple_of(align));
                // SAFETY: so many bytes were asked for.
                unsafe { block.write_bytes(0xA5, layout.size()) };
            }
            for block in blocks {
                // SAFETY: allocated above with this layout.
                unsafe { release(block, layout) };
            }
        }
    }

    #[test]
    fn block_too_large_to_be_moved_in_is_refused() {
        let layout = Layout::from_size_align(isize::MAX.cast_unsigned() - 63, 64).unwrap();
        // SAFETY: not empty.
        assert_eq!(unsafe { allocate(layout) }, Err(NoMemory));
    }
}
