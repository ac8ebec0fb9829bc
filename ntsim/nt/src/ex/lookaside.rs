//! Lookaside lists.
//!
//! The fast path is inline in drivers: it takes from the list in the head, and calls what the head names
//! when that is empty, or full. Here every list holds nothing and has no room, so that each block comes
//! from pool and goes back to it, with its guard pages; the counters are the driver's.

use core::ffi::c_void;
use std::collections::HashMap;

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::loader::Trace;
use ntsim_core::number::{Low, ToU64};
use ntsim_core::per_machine::PerMachine;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use sys::wdm::{
    GENERAL_LOOKASIDE_POOL, LOOKASIDE_ALLOCATE, LOOKASIDE_FREE, LOOKASIDE_LIST_EX, NPAGED_LOOKASIDE_LIST,
    PAGED_LOOKASIDE_LIST, PALLOCATE_FUNCTION, PALLOCATE_FUNCTION_EX, PFREE_FUNCTION, PFREE_FUNCTION_EX,
    POOL_TYPE, SLIST_ENTRY, signature,
};

use super::allocate::{ExAllocatePoolWithTag, ExFreePool, allocate_typed};
use super::pool;

/// The smallest block: it must hold a link.
const SMALLEST: usize = size_of::<SLIST_ENTRY>();

/// The lookaside lists of one machine, by address, with who initialised them.
#[derive(Default)]
struct Lists {
    known: Mutex<HashMap<Va, Trace>>,
}

static LISTS: PerMachine<Lists> = PerMachine::new();

/// Reports what drivers left behind.
pub(super) fn inspect() {
    LISTS.get().inspect();
}

impl Lists {
    fn inspect(&self) {
        for (address, trace) in self.known.lock().iter() {
            let place =
                trace.frames().first().map_or_else(String::new, |frame| format!(", initialised at {frame}"));
            let text = format!("the lookaside list at {address:#x} was never deleted{place}");
            verifier::report(Finding::new("LookasideLeak").text(text));
        }
    }
}

/// The parameters of a list.
struct Description {
    kind: POOL_TYPE,
    size: usize,
    tag: u32,
    allocate: LOOKASIDE_ALLOCATE,
    free: LOOKASIDE_FREE,
}

exports! {
    "ntoskrnl.exe", signature;

    /// Initialises a list of nonpaged blocks.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExInitializeNPagedLookasideList(
        list: *mut NPAGED_LOOKASIDE_LIST,
        allocate: Option<PALLOCATE_FUNCTION>,
        free: Option<PFREE_FUNCTION>,
        _flags: u32,
        size: usize,
        tag: u32,
        _depth: u16,
    ) {
        let description = plain(POOL_TYPE::NonPagedPoolNx, size, tag, allocate, free);
        // SAFETY: the caller passes a list of its own, which begins with what is common to all lists.
        unsafe { initialise(list.cast(), description) };
    }

    /// Deletes a list.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExDeleteNPagedLookasideList(list: *mut NPAGED_LOOKASIDE_LIST) {
        delete(Va::of(list));
    }

    /// Initialises a list of paged blocks.
    #[irql(PASSIVE..=APC)]
    fn ExInitializePagedLookasideList(
        list: *mut PAGED_LOOKASIDE_LIST,
        allocate: Option<PALLOCATE_FUNCTION>,
        free: Option<PFREE_FUNCTION>,
        _flags: u32,
        size: usize,
        tag: u32,
        _depth: u16,
    ) {
        let description = plain(POOL_TYPE::PagedPool, size, tag, allocate, free);
        // SAFETY: the caller passes a list of its own, which begins with what is common to all lists.
        unsafe { initialise(list.cast(), description) };
    }

    /// Deletes a list.
    #[irql(PASSIVE..=APC)]
    fn ExDeletePagedLookasideList(list: *mut PAGED_LOOKASIDE_LIST) {
        delete(Va::of(list));
    }

    /// Initialises a list.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExInitializeLookasideListEx(
        list: *mut LOOKASIDE_LIST_EX,
        allocate: Option<PALLOCATE_FUNCTION_EX>,
        free: Option<PFREE_FUNCTION_EX>,
        kind: POOL_TYPE,
        _flags: u32,
        size: usize,
        tag: u32,
        _depth: u16,
    ) -> NTSTATUS {
        let allocate = allocate.unwrap_or(default_functions::allocate_block);
        let free = free.unwrap_or(default_functions::free_block);
        let (allocate, free) =
            (LOOKASIDE_ALLOCATE { AllocateEx: Some(allocate) }, LOOKASIDE_FREE { FreeEx: Some(free) });
        // SAFETY: the caller passes a list of its own, which begins with what is common to all lists.
        unsafe { initialise(list.cast(), Description { kind, size, tag, allocate, free }) };
        STATUS_SUCCESS
    }

    /// Deletes a list.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExDeleteLookasideListEx(list: *mut LOOKASIDE_LIST_EX) {
        delete(Va::of(list));
    }

    /// Frees the blocks in a list, of which there are none.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExFlushLookasideListEx(list: *mut LOOKASIDE_LIST_EX) {
        if !lists().known.lock().contains_key(&Va::of(list)) {
            uninitialised(Va::of(list));
        }
    }
}

/// The functions of a list whose owner named none.
mod default_functions {
    use super::*;

    exports! {
        "(lookaside)";

        /// Allocates a block.
        #[irql(PASSIVE..=DISPATCH)]
        fn allocate_block(
            kind: POOL_TYPE,
            size: usize,
            tag: u32,
            _list: *mut LOOKASIDE_LIST_EX,
        ) -> *mut c_void {
            allocate_typed(kind, size, tag)
        }

        /// Frees a block.
        #[irql(PASSIVE..=DISPATCH)]
        fn free_block(block: *mut c_void, _list: *mut LOOKASIDE_LIST_EX) {
            // SAFETY: who gives a block back promises not to use it any more.
            unsafe { pool::free(block, None) };
        }
    }
}
pub(crate) use default_functions::EXPORTS as DEFAULT_FUNCTIONS;

fn lists() -> &'static Lists {
    LISTS.get()
}

fn plain(
    kind: POOL_TYPE,
    size: usize,
    tag: u32,
    allocate: Option<PALLOCATE_FUNCTION>,
    free: Option<PFREE_FUNCTION>,
) -> Description {
    let allocate = LOOKASIDE_ALLOCATE { Allocate: Some(allocate.unwrap_or(ExAllocatePoolWithTag)) };
    let free = LOOKASIDE_FREE { Free: Some(free.unwrap_or(ExFreePool)) };
    Description { kind, size, tag, allocate, free }
}

/// # Safety
/// `list` is writable.
unsafe fn initialise(list: *mut GENERAL_LOOKASIDE_POOL, description: Description) {
    let Description { kind, size, tag, allocate, free } = description;
    let address = Va::of(list).bits();
    if size < SMALLEST {
        let text = format!("a lookaside list of blocks of {size} bytes; {SMALLEST} are the least");
        found([0xCD, address, size.to_u64(), SMALLEST.to_u64()], text);
    }
    if lists().known.lock().insert(Va::of(list), Trace::of_caller()).is_some() {
        found([0xCA, address, 0, 0], format!("the lookaside list at {address:#x} was initialised again"));
    }
    // SAFETY: all-zero is a valid value: integers, null pointers and no functions.
    unsafe { list.write_bytes(0, 1) };
    // SAFETY: the caller's promise.
    let list = unsafe { &mut *list };
    list.Type = kind;
    list.Tag = tag;
    list.Size = size.low_u32();
    list.Allocate = allocate;
    list.Free = free;
}

fn delete(list: Va) {
    if lists().known.lock().remove(&list).is_none() {
        uninitialised(list);
    }
}

#[cold]
fn uninitialised(list: Va) {
    found([0xCB, list.bits(), 0, 0], format!("{list:#x} is no lookaside list that was initialised"));
}

/// The lists within memory that is being freed; they are forgotten.
pub(crate) fn take_within(range: &core::ops::Range<Va>) -> Vec<Va> {
    let mut known = lists().known.lock();
    let inside: Vec<_> = known.keys().copied().filter(|address| range.contains(address)).collect();
    inside.iter().for_each(|address| _ = known.remove(address));
    inside
}

#[cold]
fn found(parameters: [u64; 4], text: String) {
    verifier::report(Finding::new("LookasideList").bugcheck(Bugcheck { code: 0xC4, parameters }).text(text));
}

#[cfg(test)]
mod tests {
    use core::mem::MaybeUninit;

    use super::*;
    use ntsim_core::number::ToUsize;

    const TAG: u32 = u32::from_le_bytes(*b"Look");

    #[test]
    fn blocks_come_from_pool_and_go_back() {
        let machine = crate::testing::builder().boot();
        let mut list: LOOKASIDE_LIST_EX = unsafe { MaybeUninit::zeroed().assume_init() };
        let mut plain: NPAGED_LOOKASIDE_LIST = unsafe { MaybeUninit::zeroed().assume_init() };
        unsafe {
            ExInitializeLookasideListEx(&mut list, None, None, POOL_TYPE::PagedPool, 0, 64, TAG, 0);
            let block = list.L.Allocate.AllocateEx.unwrap()(
                list.L.Type,
                list.L.Size.to_usize(),
                list.L.Tag,
                &mut list,
            );
            list.L.Free.FreeEx.unwrap()(block, &mut list);
            ExDeleteLookasideListEx(&mut list);
            ExInitializeNPagedLookasideList(&mut plain, None, None, 0, 64, TAG, 0);
            let block =
                plain.L.Allocate.Allocate.unwrap()(plain.L.Type, plain.L.Size.to_usize(), plain.L.Tag);
            plain.L.Free.Free.unwrap()(block);
            ExDeleteNPagedLookasideList(&mut plain);
        }
        let report = machine.shutdown();
        assert!(report.is_clean(), "{report}");
    }

    #[test]
    fn misuse_is_found() {
        let machine = crate::testing::builder().boot();
        let mut list: PAGED_LOOKASIDE_LIST = unsafe { MaybeUninit::zeroed().assume_init() };
        unsafe {
            ExDeletePagedLookasideList(&mut list);
            ExInitializePagedLookasideList(&mut list, None, None, 0, 8, TAG, 0);
            ExInitializePagedLookasideList(&mut list, None, None, 0, 64, TAG, 0);
        }
        let report = machine.shutdown();
        let codes: Vec<_> =
            report.findings.iter().filter_map(|f| f.bugcheck).map(|b| b.parameters[0]).collect();
        assert_eq!(codes, [0xCB, 0xCD, 0xCA]);
        assert_eq!(report.findings[3].rule, "LookasideLeak");
    }
}
