//! The kernel behind the provider's trait.

mod deferred;
mod event;
mod lock;
mod mutex;
mod timer;
mod trace;

use core::ptr::NonNull;

pub(crate) use deferred::Deferred;
pub(crate) use event::Event;
pub(crate) use lock::SpinLock;
pub(crate) use mutex::Mutex;
use sys::wdm;
pub(crate) use timer::Timer;

use crate::nt;

/// A lock that owns its data.
pub(crate) type Lock<T> = lock_api::Mutex<SpinLock, T>;

/// The Windows kernel.
pub(crate) struct Windows;

// SAFETY: a spin lock excludes other processors, and deferred calls by raising to DISPATCH_LEVEL; the
// promises of the associated types stand at their implementations; `system_address` returns the mapping
// of the whole list.
unsafe impl provider::Kernel for Windows {
    type Lock = SpinLock;
    type Deferred = Deferred;
    type Timer = Timer;
    type Event = Event;

    unsafe fn system_address(mdl: NonNull<wdm::MDL>) -> *mut u8 {
        // SAFETY: the caller passes a valid list, whose head nobody writes while its pages stay locked,
        // except for a mapping made by another caller of this function for the same list.
        let list = unsafe { mdl.read() };
        if list.MdlFlags & (wdm::MDL_MAPPED_TO_SYSTEM_VA | wdm::MDL_SOURCE_IS_NONPAGED_POOL) != 0 {
            return list.MappedSystemVa.cast();
        }
        // SAFETY: the pages are locked, as the caller promises; the mapping goes when they are unlocked.
        let address = unsafe {
            nt::MmMapLockedPagesSpecifyCache(
                mdl.as_ptr().cast(),
                nt::KERNEL_MODE,
                nt::MmCached,
                core::ptr::null_mut(),
                FAIL_WITH_NULL,
                // NormalPagePriority | MdlMappingNoExecute. Headers disagree on the parameter's type.
                0x4000_0010,
            )
        };
        address.cast()
    }

    fn trace(line: core::fmt::Arguments<'_>) {
        trace::print(line);
    }
}

/// A mapping that cannot be made is null and not a bugcheck.
const FAIL_WITH_NULL: u32 = 0;
