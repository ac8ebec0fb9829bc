//! Chains of memory descriptor lists, as consumers describe their buffers.

#![expect(unsafe_code, reason = "memory of consumers is named by its address")]

use core::ptr::NonNull;

use sys::wdm::MDL;

use super::RegisterError;
use crate::kernel::{Kernel, Unmapped};
use crate::number::usize_from;

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
    list.StartVa.addr().wrapping_add(usize_from(list.ByteOffset))
}

impl From<Unmapped> for RegisterError {
    fn from(unmapped: Unmapped) -> Self {
        match unmapped {
            Unmapped::Scattered => Self::Memory,
            Unmapped::Resources => Self::Resources,
        }
    }
}

/// Maps the first `length` bytes of a chain, at least one.
///
/// # Errors
///
/// [`RegisterError::Memory`] if the chain is shorter, or not virtually contiguous (WR-8);
/// [`RegisterError::Resources`].
///
/// # Safety
///
/// `mdl` heads a chain of lists that stay as they are during the call, over pages that stay locked until the mapping
/// is dropped.
pub(super) unsafe fn map<K: Kernel>(mdl: NonNull<MDL>, length: usize) -> Result<K::Mapping, RegisterError> {
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
        offset = offset.saturating_add(usize_from(list.ByteCount));
    }
    // SAFETY: the chain was just seen to be contiguous and long enough; the rest is the caller's promise.
    Ok(unsafe { K::map(mdl, length) }?)
}
