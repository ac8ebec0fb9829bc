//! Logical address mappings: NdkBuildLAM and NdkReleaseLAM of the adapter's table.

#![expect(unsafe_code, reason = "consumers call these functions with addresses, and are called back")]

use core::mem::offset_of;
use core::ptr::NonNull;

use sys::ndk::{NDK_ADAPTER, NDK_FN_REQUEST_COMPLETION, NDK_LOGICAL_ADDRESS, NDK_LOGICAL_ADDRESS_MAPPING};
use sys::status::{NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_SUCCESS};
use sys::wdm::{MDL, PVOID, SIZE_T, ULONG};

use super::{object, status, ulong};
use crate::adapter::Adapter;
use crate::heap::Shared;
use crate::kernel::Kernel;
use crate::lifetime::Kind;
use crate::memory::{self, Mapped};
use crate::number::u64_from;
use crate::object::ObjectRef;
use crate::status::StatusError;

/// State of a logical address mapping between NdkBuildLAM and NdkReleaseLAM. The mapping is dropped before
/// the adapter reference.
struct Held<K: Kernel> {
    mapped: Mapped<K>,
    adapter: ObjectRef<K, Adapter<K>>,
}

/// NdkBuildLAM, always inline: public consumers pass completions that cannot be called. The mapping holds the adapter
/// until it is released (OBJ-2).
pub(super) unsafe extern "efiapi" fn build<K: Kernel>(
    adapter: *mut NDK_ADAPTER,
    mdl: *mut MDL,
    length: SIZE_T,
    _completion: Option<NDK_FN_REQUEST_COMPLETION>,
    _context: PVOID,
    mapping: *mut NDK_LOGICAL_ADDRESS_MAPPING,
    size: *mut ULONG,
    fbo: *mut ULONG,
) -> NTSTATUS {
    let built = || {
        // SAFETY: the consumer passes an adapter that it has open.
        let adapter = unsafe { object::<K, Adapter<K>, _>(adapter) }?;
        let mdl = NonNull::new(mdl).ok_or(StatusError::PARAMETER)?;
        if length == 0 || size.is_null() || fbo.is_null() {
            return Err(StatusError::PARAMETER);
        }
        // SAFETY: the consumer passes a live chain.
        let (offset, pages) = unsafe { memory::extent(mdl, length) };
        let count = ULONG::try_from(pages).map_err(|_| StatusError::PARAMETER)?;
        let needed = pages
            .checked_mul(size_of::<NDK_LOGICAL_ADDRESS>())
            .and_then(|bytes| bytes.checked_add(offset_of!(NDK_LOGICAL_ADDRESS_MAPPING, AdapterPageArray)))
            .and_then(|bytes| ULONG::try_from(bytes).ok())
            .ok_or(StatusError::PARAMETER)?;
        // SAFETY: not null; the consumer passes a place for a size.
        let room = unsafe { size.read() };
        if mapping.is_null() || room < needed {
            // SAFETY: as above.
            unsafe { size.write(needed) };
            return Err(StatusError(STATUS_BUFFER_TOO_SMALL));
        }
        let own = adapter.try_acquire(Kind::Successor)?;
        // SAFETY: the consumer passes a chain of lists over pages that stay locked until the mapping is released.
        let mapped = unsafe { adapter.rnic().mappings().build(mdl, length) }?;
        let addresses = mapped.pages();
        let held = Held { mapped, adapter: own };
        let context = match Shared::new(held) {
            Ok(held) => held.into_raw(),
            Err(error) => return Err(error.into()),
        };
        let mut place = mapping
            .wrapping_byte_add(offset_of!(NDK_LOGICAL_ADDRESS_MAPPING, AdapterPageArray))
            .cast::<NDK_LOGICAL_ADDRESS>();
        for page in addresses.take(pages) {
            // SAFETY: there is room for so many pages.
            unsafe { place.write(u64_from(page).cast_signed()) };
            place = place.wrapping_add(1);
        }
        // SAFETY: the consumer passes a buffer with room for the structure.
        unsafe { (*mapping).AdapterContext = context.as_ptr() };
        // SAFETY: as above.
        unsafe { (*mapping).AdapterPageCount = count };
        // SAFETY: not null; the consumer passes a place for a size.
        unsafe { size.write(needed) };
        // SAFETY: not null; the consumer passes a place for the offset.
        unsafe { fbo.write(ulong(offset)) };
        Ok(STATUS_SUCCESS)
    };
    status(built())
}

/// NdkReleaseLAM. A mapping that is not one of this adapter's, or was released, is left alone.
pub(super) unsafe extern "efiapi" fn release<K: Kernel>(
    adapter: *mut NDK_ADAPTER,
    mapping: *mut NDK_LOGICAL_ADDRESS_MAPPING,
) {
    if mapping.is_null() {
        return;
    }
    // SAFETY: the consumer passes a mapping that NdkBuildLAM filled in.
    let place = unsafe { &mut (*mapping).AdapterContext };
    let Some(context) = NonNull::new(*place) else { return };
    // SAFETY: the context is the ownership that NdkBuildLAM left in the mapping.
    let held = unsafe { Shared::<Held<K>>::from_raw(context) };
    if core::ptr::addr_eq(&raw const *held.adapter, adapter) {
        *place = core::ptr::null_mut();
        drop(held);
    } else {
        // The ownership stays where it was.
        *place = held.into_raw().as_ptr();
    }
}

impl<K: Kernel> Drop for Held<K> {
    fn drop(&mut self) {
        self.adapter.rnic().mappings().release(&self.mapped);
    }
}
