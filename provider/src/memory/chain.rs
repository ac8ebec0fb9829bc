//! Chains of memory descriptor lists, as consumers describe their buffers.

use core::ptr::NonNull;

use sys::wdm::MDL;

use super::RegisterError;
use super::slot::Segment;
use crate::kernel::Kernel;

/// The virtual address at which a chain begins. It is an index only: never an address to access (WR-8).
///
/// # Safety
///
/// `mdl` points to a list that stays as it is during the call.
pub(super) unsafe fn base(mdl: NonNull<MDL>) -> usize {
    // SAFETY: as the caller promises.
    start(unsafe { mdl.as_ref() })
}

fn start(list: &MDL) -> usize {
    (list.StartVa as usize).wrapping_add(list.ByteOffset as usize)
}

/// Gives the system memory behind the first `length` bytes of a chain to `each`, part by part, in order.
///
/// # Errors
///
/// [`RegisterError::Memory`] if the chain is shorter, or not virtually contiguous (WR-8);
/// [`RegisterError::Resources`] if a list can't be mapped; and what `each` returns.
///
/// # Safety
///
/// `mdl` heads a chain of locked lists that stay as they are during the call.
pub(super) unsafe fn walk<K: Kernel>(
    mdl: NonNull<MDL>,
    length: usize,
    mut each: impl FnMut(Segment) -> Result<(), RegisterError>,
) -> Result<(), RegisterError> {
    // SAFETY: as the caller promises.
    let base = unsafe { base(mdl) };
    let (mut next, mut offset) = (Some(mdl), 0_usize);
    while offset < length {
        let mdl = next.ok_or(RegisterError::Memory)?;
        // SAFETY: the caller passes a live chain.
        let list = unsafe { mdl.as_ref() };
        if start(list) != base.wrapping_add(offset) {
            return Err(RegisterError::Memory);
        }
        next = NonNull::new(list.Next);
        let bytes = (list.ByteCount as usize).min(length.saturating_sub(offset));
        if bytes == 0 {
            continue;
        }
        // SAFETY: the caller passes lists whose pages are locked.
        let system = unsafe { K::system_address(mdl) };
        if system.is_null() {
            return Err(RegisterError::Resources);
        }
        each(Segment { offset, length: bytes, system })?;
        offset = offset.saturating_add(bytes);
    }
    Ok(())
}
