//! Memory, and sleeping.

use core::ffi::c_void;
use core::ptr;
use core::time::Duration;

use nt::ex::pool::{self, Kind, Request, Tag};
use ntsim_core::exports;
use ntsim_core::number::ToUsize;
use ntsim_core::sched;
use sys::ndis::{NDIS_HANDLE, signature};
use sys::wdm::EX_POOL_PRIORITY;

use super::violation;

exports! {
    "ndis.sys", signature;

    /// Allocates nonpaged memory.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisAllocateMemoryWithTagPriority(
        handle: NDIS_HANDLE,
        length: u32,
        tag: u32,
        _priority: EX_POOL_PRIORITY,
    ) -> *mut c_void {
        if handle.is_null() {
            violation("NdisHandle", [0, 0, 0, 0], "memory is allocated without a handle".into());
            return ptr::null_mut();
        }
        pool::allocate(Request { size: length.to_usize(), tag: Tag(tag), kind: Kind::NonPaged, zeroed: false })
    }

    /// Frees memory.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisFreeMemory(address: *mut c_void, _length: u32, _flags: u32) {
        // SAFETY: who frees a block promises not to use it any more.
        unsafe { pool::free(address, None) };
    }

    /// Frees memory that was allocated with a tag.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisFreeMemoryWithTagPriority(handle: NDIS_HANDLE, address: *mut c_void, tag: u32) {
        if handle.is_null() {
            violation("NdisHandle", [0, 0, 0, 0], "memory is freed without a handle".into());
        }
        // SAFETY: the driver gives the block up.
        unsafe { pool::free(address, Some(Tag(tag))) };
    }

    /// The length of a line of an x64 processor's caches.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisGetSharedDataAlignment() -> u32 {
        64
    }

    /// Sleeps.
    #[irql(PASSIVE..=APC)]
    fn NdisMSleep(microseconds: u32) {
        let until = sched::elapsed() + Duration::from_micros(u64::from(microseconds));
        loop {
            let left = until.saturating_sub(sched::elapsed());
            if left.is_zero() {
                return;
            }
            sched::block(Some(left));
        }
    }
}
