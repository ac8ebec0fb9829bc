//! Logical address mappings.

use core::mem::offset_of;

use sys::ndk::{NDK_ADAPTER, NDK_LOGICAL_ADDRESS_MAPPING};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER};
use sys::wdm::MDL;

use super::{Handle, Inside, call};
use crate::buffer::Buffer;
use crate::kernel;
use crate::ledger;

/// Where the provider puts a mapping: room for a few pages, and for the two out parameters, all of which
/// must stay where they are until the mapping is released.
#[repr(C)]
struct Place {
    mapping: [u64; 12],
    size: u32,
    offset: u32,
}

/// Bytes that a mapping takes.
pub(crate) const MAPPING: u32 = 104;
const _: () = assert!(size_of::<Place>() == MAPPING as usize);

/// A mapping, which must be released.
#[must_use]
pub(crate) struct Mapping<'l> {
    place: &'l Buffer,
    address: usize,
}

impl Mapping<'_> {
    /// The logical address of the first byte.
    pub(crate) const fn address(&self) -> usize {
        self.address
    }

    fn as_ptr(&self) -> *mut NDK_LOGICAL_ADDRESS_MAPPING {
        self.place.as_ptr().cast()
    }
}

impl<'l> Handle<'l, NDK_ADAPTER> {
    /// `NdkBuildLAM` over the first `length` bytes of `mdl`. The mapping is put into `place`, which has
    /// [`MAPPING`] bytes.
    pub(crate) fn map(self, mdl: *mut MDL, length: u32, place: &'l Buffer) -> Result<Mapping<'l>, NTSTATUS> {
        let mut request =
            Place { mapping: [0; 12], size: u32::try_from(offset_of!(Place, size)).unwrap_or(0), offset: 0 };
        let at: *mut Place = place.as_ptr().cast();
        // SAFETY: the place is large enough, aligned to 16 bytes, and nobody else uses it.
        unsafe { at.write(request) };
        self.request("build LAM", Inside::Nothing, |context| {
            call!(self.NdkBuildLAM(
                mdl,
                length as usize,
                Some(ledger::request_completed),
                context,
                at.cast(),
                at.wrapping_byte_add(offset_of!(Place, size)).cast(),
                at.wrapping_byte_add(offset_of!(Place, offset)).cast()
            ))
        })?
        .wait()?;
        // SAFETY: the provider has filled in the place and is done with it.
        request = unsafe { at.read() };
        // The array of pages follows the context and the count.
        let [_, _, first, ..] = request.mapping;
        let first = usize::try_from(first).map_err(|_| STATUS_INVALID_PARAMETER)?;
        Ok(Mapping { place, address: first.saturating_add(request.offset as usize) })
    }

    /// `NdkReleaseLAM`.
    pub(crate) fn unmap(self, mapping: Mapping<'_>) {
        kernel::at(self.ledger.level(), || call!(self.NdkReleaseLAM(mapping.as_ptr()) or ()));
    }
}
