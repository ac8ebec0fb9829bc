//! Mappings of the provider's own: by an MDL that it allocates, over the pages that a consumer's chain names.
//!
//! The consumer's lists are read and never written: NdkReleaseLAM's page has the list unchanged
//! (<https://learn.microsoft.com/windows-hardware/drivers/ddi/ndkpi/nc-ndkpi-ndk_fn_release_lam>), and a mapping that
//! is made for a list goes when its owner unlocks, frees or reuses it. All functions here are callable up to
//! DISPATCH_LEVEL for mappings into system space.

#![expect(unsafe_code, reason = "the kernel is called")]

use core::ffi::c_void;
use core::ptr::{NonNull, null_mut};

use provider::kernel::Unmapped;
use provider::number::usize_from;
use sys::wdm::{self, MDL, PAGE_SIZE};

use crate::nt;

/// A mapping that cannot be made is null and not a bug check.
const FAIL_WITH_NULL: u32 = 0;

/// Memory at an address that the provider may use.
pub(crate) enum Mapping {
    /// Nonpaged pool, which has an address of its own for as long as it is allocated.
    Pool(NonNull<u8>),
    /// Mapped by a list of the provider's own.
    Own(Own),
}

// SAFETY: the addresses are of system memory, which every processor and process context shares.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

// SAFETY: pool is contiguous, as was checked, and stays as long as the consumer has promised; a mapping of a list
// covers the whole list, with its first byte where the list has it in its page, and stays until it is undone.
unsafe impl provider::kernel::Mapping for Mapping {
    fn start(&self) -> NonNull<u8> {
        match self {
            Self::Pool(start) => *start,
            Self::Own(own) => own.start,
        }
    }
}

impl Mapping {
    /// See [`provider::Kernel::map`].
    ///
    /// # Safety
    ///
    /// As there.
    pub(super) unsafe fn new(chain: NonNull<MDL>, length: usize) -> Result<Self, Unmapped> {
        // SAFETY: the caller passes such a chain.
        if let Some(start) = unsafe { pool(chain, length) } {
            return Ok(Self::Pool(start));
        }
        // SAFETY: as above.
        let list = unsafe { List::over(chain, length) }?;
        list.map().map(Self::Own)
    }
}

/// The lists of a chain, each with the number of bytes before it and those of its own, up to `length`.
///
/// # Safety
///
/// `chain` heads a chain of so many bytes, which stays as it is while the iterator is in use.
unsafe fn parts(chain: NonNull<MDL>, length: usize) -> impl Iterator<Item = (NonNull<MDL>, usize, usize)> {
    let (mut next, mut offset) = (Some(chain), 0_usize);
    core::iter::from_fn(move || {
        let left = length.checked_sub(offset).filter(|left| *left != 0)?;
        let list = next?;
        // SAFETY: as the caller promises.
        let described = unsafe { list.as_ref() };
        let (before, bytes) = (offset, usize_from(described.ByteCount).min(left));
        next = NonNull::new(described.Next);
        offset = offset.saturating_add(bytes);
        Some((list, before, bytes))
    })
}

/// The address of memory that is nonpaged pool as a whole and contiguous.
///
/// # Safety
///
/// As for [`Mapping::new`].
unsafe fn pool(chain: NonNull<MDL>, length: usize) -> Option<NonNull<u8>> {
    // SAFETY: the caller passes a live list.
    let start: *mut u8 = unsafe { chain.as_ref() }.MappedSystemVa.cast();
    // SAFETY: as the caller promises.
    let contiguous = unsafe { parts(chain, length) }.all(|(list, before, bytes)| {
        // SAFETY: as above.
        let list = unsafe { list.as_ref() };
        let nonpaged = list.MdlFlags & wdm::MDL_SOURCE_IS_NONPAGED_POOL != 0;
        bytes == 0 || (nonpaged && list.MappedSystemVa.cast() == start.wrapping_add(before))
    });
    NonNull::new(start).filter(|_| contiguous)
}

/// A list of the provider's own, which is not mapped. Dropping it frees it.
struct List(NonNull<MDL>);

impl List {
    /// A list over the pages of a chain.
    ///
    /// # Safety
    ///
    /// As for [`Mapping::new`].
    unsafe fn over(chain: NonNull<MDL>, length: usize) -> Result<Self, Unmapped> {
        // SAFETY: the caller passes a live list.
        let first = unsafe { chain.as_ref() };
        let (page, within) = (first.StartVa, usize_from(first.ByteOffset));
        let address: *mut c_void = page.wrapping_byte_add(within);
        let bytes = u32::try_from(length).map_err(|_| Unmapped::Resources)?;
        // SAFETY: the list is not part of a request; its address is only computed with.
        let list = unsafe { nt::IoAllocateMdl(address, bytes, nt::FALSE, nt::FALSE, null_mut()) };
        let list = Self(NonNull::new(list.cast()).ok_or(Unmapped::Resources)?);
        let mut written = 0_usize;
        // SAFETY: as the caller promises.
        for (part, before, bytes) in unsafe { parts(chain, length) } {
            if bytes == 0 {
                continue;
            }
            let begin = within.saturating_add(before);
            let (from, to) = (begin / PAGE_SIZE, begin.saturating_add(bytes).div_ceil(PAGE_SIZE));
            for (source, target) in (0..).zip(from..to) {
                // SAFETY: the part describes as many pages as its bytes touch.
                let frame = unsafe { frames(part).wrapping_add(source).read() };
                let place = frames(list.0).wrapping_add(target);
                // SAFETY: the list was allocated for the pages that its bytes touch, which include this one; it was
                // written if it is below.
                if target < written && unsafe { place.read() } != frame {
                    return Err(Unmapped::Scattered);
                }
                // SAFETY: as above.
                unsafe { place.write(frame) };
            }
            written = to;
        }
        // The pages are locked by way of other lists, as those of a list by IoBuildPartialMdl are.
        // SAFETY: the list is this one's own.
        unsafe { (*list.0.as_ptr()).MdlFlags |= wdm::MDL_PARTIAL };
        Ok(list)
    }

    /// Maps it.
    fn map(self) -> Result<Own, Unmapped> {
        // SAFETY: the list is this one's own, has no mapping, and names pages that stay locked.
        let start = unsafe { map(self.0) };
        let start = NonNull::new(start).ok_or(Unmapped::Resources)?;
        Ok(Own { start, list: self })
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: the list came from IoAllocateMdl, and is not mapped any more.
        unsafe { nt::IoFreeMdl(self.0.as_ptr().cast()) };
    }
}

/// Maps a list into system space; null on failure.
///
/// # Safety
///
/// The list names locked pages, and has no such mapping.
pub(super) unsafe fn map(list: NonNull<MDL>) -> *mut u8 {
    // SAFETY: as the caller promises.
    let start = unsafe {
        nt::MmMapLockedPagesSpecifyCache(
            list.as_ptr().cast(),
            nt::KERNEL_MODE,
            nt::MmCached,
            null_mut(),
            FAIL_WITH_NULL,
            // NormalPagePriority | MdlMappingNoExecute. Headers disagree on the parameter's type.
            0x4000_0010,
        )
    };
    start.cast()
}

/// The page frame numbers of a list (MmGetMdlPfnArray, an inline function).
fn frames(list: NonNull<MDL>) -> *mut usize {
    list.as_ptr().wrapping_add(1).cast()
}

/// A list that is mapped. Dropping it undoes the mapping and frees the list.
pub(crate) struct Own {
    start: NonNull<u8>,
    list: List,
}

impl Drop for Own {
    fn drop(&mut self) {
        // SAFETY: the list was mapped at this address once, and nothing uses the mapping any more.
        unsafe { nt::MmUnmapLockedPages(self.start.as_ptr().cast(), self.list.0.as_ptr().cast()) };
    }
}
