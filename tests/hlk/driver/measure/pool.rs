//! Pool, which creates and closes contain.

#![expect(unsafe_code, reason = "functions of the provider are called with addresses")]

use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;

use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER};

use super::Samples;

use crate::number::usize_from;

/// Allocates and frees blocks of `length` bytes.
pub(super) fn blocks(length: u32, samples: &mut Samples) -> Result<(), NTSTATUS> {
    let layout = Layout::from_size_align(usize_from(length), 16).map_err(|_| STATUS_INVALID_PARAMETER)?;
    samples.repeat(|| {
        // SAFETY: the layout's size is not zero.
        let block = core::hint::black_box(unsafe { alloc(layout) });
        if block.is_null() {
            return Err(STATUS_INSUFFICIENT_RESOURCES);
        }
        // SAFETY: it was just allocated with this layout.
        unsafe { dealloc(block, layout) };
        Ok(())
    })
}
