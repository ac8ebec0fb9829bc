//! The kernel behind the provider's trait.

#![expect(unsafe_code, reason = "the kernel is called")]

mod dpc;
mod event;
pub(crate) mod events;
mod irql;
mod lock;
mod mapping;
mod mutex;
mod timer;
mod trace;

use core::ptr::NonNull;

pub(crate) use dpc::Dpc;
pub(crate) use event::Event;
pub(crate) use irql::flush_dpcs;
pub(crate) use lock::SpinLock;
pub(crate) use mapping::Mapping;
pub(crate) use mutex::Mutex;
use provider::kernel::Unmapped;
use sys::wdm;
pub(crate) use timer::Timer;

use crate::wsk::WskNetwork;

/// A lock that owns its data.
pub(crate) type Lock<T> = lock_api::Mutex<SpinLock, T>;

/// The time since boot, in units of 100 ns. Up to DISPATCH_LEVEL.
pub(crate) fn interrupt_time() -> u64 {
    let mut counter = 0;
    // SAFETY: the place is a local.
    unsafe { wdm::KeQueryInterruptTimePrecise(&raw mut counter) }
}

/// The Windows kernel.
pub(crate) struct Windows;

// SAFETY: a spin lock excludes other processors, and DPCs by raising to DISPATCH_LEVEL; the
// promises of the associated types stand at their implementations.
unsafe impl provider::Kernel for Windows {
    type Lock = SpinLock;
    type Dpc = Dpc;
    type Timer = Timer;
    type Event = Event;
    type Mapping = Mapping;
    type Network = WskNetwork;

    unsafe fn map(mdl: NonNull<wdm::MDL>, length: usize) -> Result<Mapping, Unmapped> {
        // SAFETY: as the caller promises.
        unsafe { Mapping::new(mdl, length) }
    }

    fn trace(line: core::fmt::Arguments<'_>) {
        trace::print(line);
    }

    #[inline(always)]
    fn is_traced() -> bool {
        events::is_traced()
    }

    fn write_event(event: &provider::kernel::event::Event) {
        events::write(event);
    }

    fn event_time() -> u64 {
        interrupt_time()
    }
}

impl Windows {
    /// The address of the memory of one list (not of its chain) that a request or a net buffer brings, as
    /// MmGetSystemAddressForMdlSafe has it; null if it can't be mapped. The mapping goes when its owner unlocks or
    /// frees the list. Up to DISPATCH_LEVEL.
    ///
    /// # Safety
    ///
    /// `mdl` points to a list whose pages are locked or that describes nonpaged pool.
    pub(crate) unsafe fn system_address(mdl: NonNull<wdm::MDL>) -> *mut u8 {
        // SAFETY: the caller passes a valid list, whose head is not written while its pages stay locked,
        // except for a mapping made by another caller of this function for the same list.
        let list = unsafe { mdl.read() };
        if list.MdlFlags & (wdm::MDL_MAPPED_TO_SYSTEM_VA | wdm::MDL_SOURCE_IS_NONPAGED_POOL) != 0 {
            return list.MappedSystemVa.cast();
        }
        // SAFETY: the pages are locked, as the caller promises; the mapping goes when they are unlocked.
        unsafe { mapping::map(mdl) }
    }
}
