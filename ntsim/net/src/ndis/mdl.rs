//! Memory descriptor lists that NDIS makes of nonpaged pool.

use core::ptr;
use std::collections::HashSet;

use nt::ex::pool;
use nt::{io, mm};
use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::per_machine::PerMachine;
use parking_lot::Mutex;
use sys::ndis::{NDIS_HANDLE, signature};
use sys::wdm::{MDL, PVOID};

use super::{check_owner, violation};

/// The lists of one machine that NDIS made.
#[derive(Default)]
struct Lists {
    made: Mutex<HashSet<Va>>,
}

static LISTS: PerMachine<Lists> = PerMachine::new();

exports! {
    "ndis.sys", signature;

    /// Makes a list, filled in, over "memory from the nonpaged pool" only:
    /// <https://learn.microsoft.com/windows-hardware/drivers/ddi/mdlapi/nf-mdlapi-ndisallocatemdl>.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisAllocateMdl(owner: NDIS_HANDLE, address: PVOID, length: u32) -> *mut MDL {
        check_owner(owner, "NdisAllocateMdl");
        if pool::name(Va::of(address)).is_none() {
            let text = format!("NdisAllocateMdl over {address:p}, which is no pool");
            violation("NdisMdl", [0, Va::of(address).bits(), 0, 0], text);
        }
        // SAFETY: the driver vouches for the memory.
        let list = unsafe { io::IoAllocateMdl(address, length, 0, 0, ptr::null_mut()) };
        if !list.is_null() {
            // SAFETY: the list is new, and has room for its frames.
            unsafe { mm::build_for_nonpaged(list) };
            LISTS.get().made.lock().insert(Va::of(list));
        }
        list
    }

    /// Frees a list that [`NdisAllocateMdl`] made.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisFreeMdl(list: *mut MDL) {
        if !LISTS.get().made.lock().remove(&Va::of(list)) {
            let text = format!("NdisFreeMdl got {list:p}, which NdisAllocateMdl did not make, or which was freed");
            violation("NdisMdl", [0, Va::of(list).bits(), 0, 0], text);
            return;
        }
        // SAFETY: the list is one, and the driver gives it up.
        unsafe { io::IoFreeMdl(list) };
    }
}
