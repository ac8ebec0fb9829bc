//! Logical address mappings: by which addresses the adapter knows a consumer's pages.
//!
//! A software provider chooses its own logical addresses. They are the system virtual addresses of the
//! pages, so that neither the privileged token nor a fast registration needs a translation.

use core::ptr::NonNull;

use sys::wdm::{MDL, PAGE_SIZE};

use super::{RegisterError, chain};
use crate::kernel::Kernel;

/// Where in its page an address lies.
pub(crate) fn within_page(address: usize) -> usize {
    address & PAGE_SIZE.wrapping_sub(1)
}

/// Where the memory of a chain lies in its first page, and how many pages its first `length` bytes touch.
///
/// # Safety
///
/// `mdl` points to a list that stays as it is during the call.
pub(crate) unsafe fn extent(mdl: NonNull<MDL>, length: usize) -> (usize, usize) {
    // SAFETY: as the caller promises.
    let offset = within_page(unsafe { chain::base(mdl) });
    (offset, offset.saturating_add(length).div_ceil(PAGE_SIZE))
}

/// Gives the address of each page behind the first `length` bytes of a chain to `page`, in order.
///
/// # Errors
///
/// As [`chain::walk`]; [`RegisterError::Memory`] also if two lists share a page and are mapped apart, as
/// that page then has no one address.
///
/// # Safety
///
/// `mdl` heads a chain of locked lists that stay as they are until the mapping is released.
pub(crate) unsafe fn pages<K: Kernel>(
    mdl: NonNull<MDL>,
    length: usize,
    mut page: impl FnMut(usize),
) -> Result<(), RegisterError> {
    // SAFETY: as the caller promises.
    let (first, _) = unsafe { extent(mdl, length) };
    let mut end = None;
    // SAFETY: as the caller promises.
    unsafe {
        chain::walk::<K>(mdl, length, |segment| {
            let system = segment.system.expose_provenance();
            let within = within_page(first.wrapping_add(segment.offset));
            let continues = within != 0 && end.is_some();
            if within_page(system) != within || (continues && end != Some(system)) {
                return Err(RegisterError::Memory);
            }
            let past = system.saturating_add(segment.length);
            let begin = system.wrapping_sub(within);
            let skip = if continues { begin.saturating_add(PAGE_SIZE) } else { begin };
            (skip..past).step_by(PAGE_SIZE).for_each(&mut page);
            end = Some(past);
            Ok(())
        })
    }
}
