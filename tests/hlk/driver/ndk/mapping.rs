//! Logical address mappings.

#![expect(unsafe_code, reason = "functions of the provider are called with addresses")]

use core::mem::offset_of;

use sys::ndk::{NDK_ADAPTER, NDK_LOGICAL_ADDRESS, NDK_LOGICAL_ADDRESS_MAPPING};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use sys::wdm::MDL;

use super::{Handle, Inside, call};
use crate::buffer::Buffer;
use crate::call_log;
use crate::kernel;
use crate::number::usize_from;

/// The provider's place for a mapping: the two out parameters and the mapping, whose pages follow. All of it
/// must stay where it is until the mapping is released.
#[repr(C)]
struct Place {
    size: u32,
    offset: u32,
    mapping: NDK_LOGICAL_ADDRESS_MAPPING,
}

/// Offset of the first page.
const PAGES: usize =
    offset_of!(Place, mapping).saturating_add(offset_of!(NDK_LOGICAL_ADDRESS_MAPPING, AdapterPageArray));

/// Bytes that a mapping of this many pages takes, at least one.
pub(crate) fn mapping_length(pages: u32) -> u32 {
    let page = u32::try_from(size_of::<NDK_LOGICAL_ADDRESS>()).unwrap_or(u32::MAX);
    u32::try_from(PAGES).unwrap_or(u32::MAX).saturating_add(pages.max(1).saturating_mul(page))
}

/// A mapping; dropping releases it. Nothing that was registered over it may be valid by then.
#[must_use]
pub(crate) struct Mapping<'l> {
    adapter: Handle<'l, NDK_ADAPTER>,
    place: &'l Buffer,
}

impl Mapping<'_> {
    /// The logical address of the first byte.
    pub(crate) fn address(&self) -> Result<usize, NTSTATUS> {
        // SAFETY: a mapping has at least one page.
        let first = unsafe { self.pages().read() };
        let first = usize::try_from(first).map_err(|_| STATUS_INVALID_PARAMETER)?;
        Ok(first.saturating_add(usize_from(self.offset())))
    }

    /// The logical addresses of the pages, [`count`](Self::count) of them.
    pub(crate) fn pages(&self) -> *const NDK_LOGICAL_ADDRESS {
        self.place.as_ptr().wrapping_add(PAGES).cast()
    }

    pub(crate) fn count(&self) -> u32 {
        // SAFETY: the provider has filled in the place and is done with it.
        unsafe { (*place(self.place)).mapping.AdapterPageCount }
    }

    /// Offset of the memory in the first page.
    pub(crate) fn offset(&self) -> u32 {
        // SAFETY: the provider has filled in the place and is done with it.
        unsafe { (*place(self.place)).offset }
    }
}

impl Drop for Mapping<'_> {
    /// `NdkReleaseLAM`.
    fn drop(&mut self) {
        let adapter = self.adapter;
        let mapping = self.place.as_ptr().wrapping_add(offset_of!(Place, mapping)).cast();
        kernel::at(adapter.call_log.level(), || call!(adapter.NdkReleaseLAM(mapping) or ()));
    }
}

const fn place(buffer: &Buffer) -> *mut Place {
    buffer.as_ptr().cast()
}

impl<'l> Handle<'l, NDK_ADAPTER> {
    /// `NdkBuildLAM` over the first `length` bytes of `mdl`. The mapping is put into `buffer`, which has
    /// [`mapping_length`] bytes for as many pages.
    pub(crate) fn map(self, mdl: *mut MDL, length: u32, buffer: &'l Buffer) -> Result<Mapping<'l>, NTSTATUS> {
        let at = place(buffer);
        let room = buffer.length().saturating_sub(u32::try_from(offset_of!(Place, mapping)).unwrap_or(0));
        // SAFETY: the place is large enough, aligned to 16 bytes, and not in use by another thread.
        unsafe { (*at).size = room };
        self.request("build LAM", Inside::Nothing, |context| {
            call!(self.NdkBuildLAM(
                mdl,
                usize_from(length),
                Some(call_log::request_completed),
                context,
                at.wrapping_byte_add(offset_of!(Place, mapping)).cast(),
                at.wrapping_byte_add(offset_of!(Place, size)).cast(),
                at.wrapping_byte_add(offset_of!(Place, offset)).cast()
            ))
        })?
        .wait()?;
        Ok(Mapping { adapter: self, place: buffer })
    }

    /// As [`Self::map`], without a completion: the mapping is there when the call returns.
    pub(crate) fn map_inline(
        self,
        mdl: *mut MDL,
        length: u32,
        buffer: &'l Buffer,
    ) -> Result<Mapping<'l>, NTSTATUS> {
        let at = place(buffer);
        let room = buffer.length().saturating_sub(u32::try_from(offset_of!(Place, mapping)).unwrap_or(0));
        // SAFETY: the place is large enough, aligned to 16 bytes, and nothing else uses it.
        unsafe { (*at).size = room };
        let status = kernel::at(self.call_log.level(), || {
            call!(self.NdkBuildLAM(
                mdl,
                usize_from(length),
                None,
                core::ptr::null_mut(),
                at.wrapping_byte_add(offset_of!(Place, mapping)).cast(),
                at.wrapping_byte_add(offset_of!(Place, size)).cast(),
                at.wrapping_byte_add(offset_of!(Place, offset)).cast()
            ))
        });
        if status == STATUS_SUCCESS { Ok(Mapping { adapter: self, place: buffer }) } else { Err(status) }
    }
}
