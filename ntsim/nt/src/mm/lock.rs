//! Locking and unlocking the pages of a list.

use std::collections::HashMap;

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exception;
use ntsim_core::exports;
use ntsim_core::number::ToU64;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::wdm::{
    KPROCESSOR_MODE, LOCK_OPERATION, MDL, MDL_MAPPED_TO_SYSTEM_VA, MDL_PAGES_LOCKED, MDL_PARTIAL,
    MDL_SOURCE_IS_NONPAGED_POOL, MDL_WRITE_OPERATION, signature,
};

use super::map::unmap;
use super::mdl::{Range, described, fill_frames, misuse};

/// The locked ranges, by the address of the list that locked them.
#[derive(Default)]
pub(super) struct Locked {
    lists: Mutex<HashMap<Va, Range>>,
}

static LOCKED: PerMachine<Locked> = PerMachine::new();

/// Reports what drivers left behind.
pub(super) fn inspect() {
    LOCKED.get().inspect();
}

impl Locked {
    fn inspect(&self) {
        let lists = self.lists.lock();
        if lists.is_empty() {
            return;
        }
        let pages: usize = lists.values().map(|range| range.pages()).sum();
        let bugcheck = Bugcheck { code: 0xCB, parameters: [0, 0, 0, pages.to_u64()] };
        verifier::report(
            Finding::new("LockedPagesLeak")
                .bugcheck(bugcheck)
                .text(format!("{pages} pages in {} lists were never unlocked", lists.len())),
        );
    }
}

exports! {
    raising "ntoskrnl.exe", signature;

    /// Makes sure that the memory may be accessed, and locks its pages.
    #[irql(PASSIVE..=DISPATCH)]
    fn MmProbeAndLockPages(mdl: *mut MDL, _mode: KPROCESSOR_MODE, operation: LOCK_OPERATION) {
        // SAFETY: the driver passes a list that it owns.
        unsafe { lock(mdl, operation) };
    }

    /// Unlocks the pages, and undoes their mapping.
    #[irql(PASSIVE..=DISPATCH)]
    fn MmUnlockPages(mdl: *mut MDL) {
        // SAFETY: the driver passes a list that it owns.
        unsafe { unlock(mdl) };
    }
}

/// # Safety
/// `mdl` is a list with room for its frames, which the caller owns.
unsafe fn lock(mdl: *mut MDL, operation: LOCK_OPERATION) {
    // SAFETY: the caller's contract.
    let list = unsafe { &mut *mdl };
    let wrong = MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL;
    if list.MdlFlags & wrong != 0 {
        misuse("MmMdl", 0xB0, mdl, list.MdlFlags, "MmProbeAndLockPages on a list that is in use");
    }
    let range = described(list);
    if !range.is_readable() {
        if exception::caller_has_handler() {
            let write = usize::from(operation != LOCK_OPERATION::IoReadAccess);
            exception::raise(exception::ACCESS_VIOLATION, Some([write, range.start.get()]));
            return;
        }
        invalid_range(range);
    }
    // SAFETY: the caller's contract.
    unsafe { mark_locked(mdl, operation) };
}

/// # Safety
/// As for [`lock`].
unsafe fn mark_locked(mdl: *mut MDL, operation: LOCK_OPERATION) {
    // SAFETY: the caller's contract.
    let list = unsafe { &mut *mdl };
    list.MdlFlags |= MDL_PAGES_LOCKED;
    if operation != LOCK_OPERATION::IoReadAccess {
        list.MdlFlags |= MDL_WRITE_OPERATION;
    }
    LOCKED.get().lists.lock().insert(Va::of(mdl), described(list));
    // SAFETY: the caller's contract.
    unsafe { fill_frames(mdl) };
}

/// # Safety
/// `mdl` is a list that the caller owns.
unsafe fn unlock(mdl: *mut MDL) {
    // SAFETY: the caller's contract.
    let list = unsafe { &mut *mdl };
    if list.MdlFlags & MDL_SOURCE_IS_NONPAGED_POOL != 0 {
        misuse("MmMdl", 0x7D, mdl, list.MdlFlags, "MmUnlockPages on a list over nonpaged pool");
        return;
    }
    if LOCKED.get().lists.lock().remove(&Va::of(mdl)).is_none() {
        misuse("MmMdl", 0x7C, mdl, list.MdlFlags, "MmUnlockPages on a list whose pages are not locked");
        return;
    }
    // "If the specified MDL is mapped to system address space, MmUnlockPages releases this mapping."
    if list.MdlFlags & MDL_MAPPED_TO_SYSTEM_VA != 0 {
        // SAFETY: the caller's contract.
        unsafe { unmap(mdl) };
    }
    list.MdlFlags &= !(MDL_PAGES_LOCKED | MDL_WRITE_OPERATION);
}

/// Locks the pages of a list for the I/O manager, which hands it to a driver; `write` if the driver may
/// write them. The user's buffer is a slice, so it needs no probing.
///
/// # Safety
/// `mdl` is a list with room for its frames, which the caller owns.
pub(crate) unsafe fn lock_for_kernel(mdl: *mut MDL, write: bool) {
    let operation = if write { LOCK_OPERATION::IoWriteAccess } else { LOCK_OPERATION::IoReadAccess };
    // SAFETY: the caller's contract.
    unsafe { mark_locked(mdl, operation) };
}

/// Undoes [`lock_for_kernel`] when the request is over.
///
/// # Safety
/// `mdl` is a list that the caller owns.
pub(crate) unsafe fn unlock_for_kernel(mdl: *mut MDL) {
    // SAFETY: the caller's contract.
    unsafe { unlock(mdl) };
}

/// Windows raises STATUS_ACCESS_VIOLATION here, which a driver catches or dies of.
#[cold]
fn invalid_range(range: Range) {
    let parameters = [u64::from(0xC000_0005_u32), 0, 0, range.start.bits()];
    verifier::report(
        Finding::new("MmProbeAndLockPages")
            .bugcheck(Bugcheck { code: 0x1E, parameters })
            .text(format!("{:#x} bytes at {:#x} cannot be accessed", range.length, range.start)),
    );
}

#[cfg(test)]
mod tests {
    use sys::wdm::KernelMode;

    use super::*;
    use crate::mm::Block;
    use crate::mm::mdl::tests::list;

    fn over(memory: &Block) -> (Block, *mut MDL) {
        list(Range { start: Va::of(memory.as_ptr::<u8>()), length: 64 })
    }

    #[test]
    fn pages_left_locked_are_found_at_shutdown() {
        let machine = crate::testing::builder().boot();
        let memory = Block::new(64).unwrap();
        let (_block, mdl) = over(&memory);
        unsafe { MmProbeAndLockPages(mdl, KernelMode, LOCK_OPERATION::IoWriteAccess) };
        assert_eq!(machine.shutdown().findings[0].rule, "LockedPagesLeak");
    }

    #[test]
    fn unlocking_what_is_not_locked_is_found() {
        let machine = crate::testing::builder().boot();
        let memory = Block::new(64).unwrap();
        let (_block, mdl) = over(&memory);
        unsafe {
            MmProbeAndLockPages(mdl, KernelMode, LOCK_OPERATION::IoReadAccess);
            MmUnlockPages(mdl);
            MmUnlockPages(mdl);
        }
        let report = machine.shutdown();
        assert_eq!(report.findings.len(), 1);
        assert_eq!(report.findings[0].bugcheck.unwrap().parameters[0], 0x7C);
    }

    #[test]
    fn locking_a_list_over_nonpaged_pool_is_found() {
        let machine = crate::testing::builder().boot();
        let memory = Block::new(64).unwrap();
        let (_block, mdl) = over(&memory);
        unsafe {
            crate::mm::mdl::MmBuildMdlForNonPagedPool(mdl);
            MmProbeAndLockPages(mdl, KernelMode, LOCK_OPERATION::IoReadAccess);
            MmUnlockPages(mdl);
        }
        let codes = machine.shutdown().codes();
        assert_eq!(codes, [0xB0, 0x7D, 0]);
    }

    #[test]
    fn locking_memory_that_is_not_there_is_found() {
        let machine = crate::testing::builder().boot();
        let (_block, mdl) = list(Range { start: Va::new(0x10), length: 64 });
        unsafe {
            MmProbeAndLockPages(mdl, KernelMode, LOCK_OPERATION::IoReadAccess);
            MmUnlockPages(mdl);
        }
        assert_eq!(machine.shutdown().findings[0].bugcheck.unwrap().code, 0x1E);
    }
}
