//! Mapping a list's pages into system space, and parts of a list.

use core::ffi::c_void;
use std::collections::BTreeMap;

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::number::{ToUsize, narrow};
use ntsim_core::per_machine::PerMachine;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::wdm::{
    KPROCESSOR_MODE, KernelMode, MDL, MDL_ALLOCATED_FIXED_SIZE, MDL_IO_PAGE_READ, MDL_MAPPED_TO_SYSTEM_VA,
    MDL_PAGES_LOCKED, MDL_PARTIAL, MDL_PARTIAL_HAS_BEEN_MAPPED, MDL_SOURCE_IS_NONPAGED_POOL,
    MEMORY_CACHING_TYPE, PAGE_SIZE, signature,
};

use super::mdl::{Range, copy_frames, described, frames, misuse};
use super::shared;
use crate::fault;

/// `MdlMappingNoExecute` of wdm.h.
const MDL_MAPPING_NO_EXECUTE: u32 = 0x4000_0000;

/// The system mappings of one machine, by where they begin.
#[derive(Default)]
struct Mappings {
    live: Mutex<BTreeMap<Va, Vec<usize>>>,
}

static MAPPINGS: PerMachine<Mappings> = PerMachine::new();

/// Reports what drivers left behind.
pub(super) fn inspect() {
    MAPPINGS.get().inspect();
}

impl Mappings {
    fn inspect(&self) {
        let left = self.live.lock().len();
        if left > 0 {
            let text = format!("{left} system mappings of MDLs were never undone");
            verifier::report(Finding::new("MappingLeak").text(text));
        }
    }
}

/// The number of the page frame that is mapped at page number `page` of the address space.
pub(super) fn frame_at(page: usize) -> usize {
    let mappings = MAPPINGS.get().live.lock();
    let below = mappings.range(..=Va::new(page * PAGE_SIZE)).next_back();
    below.and_then(|(base, frames)| frames.get(page - base.get() / PAGE_SIZE)).copied().unwrap_or(page)
}

/// Maps a list's pages; null if the host cannot.
///
/// # Safety
/// `mdl` is a list that the caller owns, with its frames filled in.
unsafe fn map(mdl: *mut MDL) -> *mut c_void {
    // SAFETY: the caller's contract.
    let frames = unsafe { frames(mdl) };
    let Some(base) = shared::map(&frames) else {
        verifier::report(Finding::new("MmMdl").text(format!(
            "the pages of the list at {mdl:p} are of the host's own memory, which ntsim cannot map again"
        )));
        return core::ptr::null_mut();
    };
    MAPPINGS.get().live.lock().insert(base, frames);
    // SAFETY: the caller's contract.
    let list = unsafe { &mut *mdl };
    list.MdlFlags |= MDL_MAPPED_TO_SYSTEM_VA;
    if list.MdlFlags & MDL_PARTIAL != 0 {
        list.MdlFlags |= MDL_PARTIAL_HAS_BEEN_MAPPED;
    }
    list.MappedSystemVa = (base + list.ByteOffset.to_usize()).ptr();
    list.MappedSystemVa
}

/// Undoes the mapping of a list that has one of its own.
///
/// # Safety
/// `mdl` is a list that the caller owns.
pub(super) unsafe fn unmap(mdl: *mut MDL) {
    // SAFETY: the caller's contract.
    let list = unsafe { &mut *mdl };
    let base = Va::of(list.MappedSystemVa).align_down(PAGE_SIZE);
    list.MdlFlags &= !(MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL_HAS_BEEN_MAPPED);
    list.MappedSystemVa = core::ptr::null_mut();
    let frames = MAPPINGS.get().live.lock().remove(&base);
    match frames {
        Some(frames) => shared::unmap(base, frames.len()),
        None => misuse("MmMdl", 0xB8, mdl, list.MdlFlags, "a mapping that was never made is undone"),
    }
}

/// Undoes the mapping that was made for a partial list, if one was, as IoFreeMdl does.
///
/// # Safety
/// `mdl` is a list that the caller owns.
pub(crate) unsafe fn unmap_part(mdl: *mut MDL) {
    // SAFETY: the caller's contract.
    if unsafe { (*mdl).MdlFlags } & MDL_PARTIAL_HAS_BEEN_MAPPED != 0 {
        // SAFETY: the caller's contract.
        unsafe { unmap(mdl) };
    }
}

exports! {
    "ntoskrnl.exe", signature;

    /// Maps locked pages and returns where.
    #[irql(PASSIVE..=DISPATCH)]
    fn MmMapLockedPagesSpecifyCache(
        mdl: *mut MDL,
        mode: KPROCESSOR_MODE,
        _cache: MEMORY_CACHING_TYPE,
        _requested: *mut c_void,
        bugcheck: u32,
        priority: u32,
    ) -> *mut c_void {
        // SAFETY: the driver passes a list that it owns.
        let list = unsafe { &mut *mdl };
        if bugcheck != 0 && mode == KernelMode {
            misuse(
                "MmMdl",
                0x82,
                mdl,
                list.MdlFlags,
                "MmMapLockedPagesSpecifyCache told to bug check on failure",
            );
        }
        if mode == KernelMode && priority & MDL_MAPPING_NO_EXECUTE == 0 {
            let text = format!("a mapping of the list at {mdl:p} that can be executed");
            let bugcheck = Bugcheck { code: 0xC4, parameters: [0x2002, 0, u64::from(priority), 0] };
            verifier::report(Finding::new("ExecutableMapping").bugcheck(bugcheck).text(text));
        }
        if list.MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL) != 0 {
            misuse(
                "MmMdl",
                0xB4,
                mdl,
                list.MdlFlags,
                "MmMapLockedPagesSpecifyCache on a list that has a mapping",
            );
        } else if list.MdlFlags & (MDL_PAGES_LOCKED | MDL_PARTIAL) == 0 {
            misuse(
                "MmMdl",
                0xB4,
                mdl,
                list.MdlFlags,
                "MmMapLockedPagesSpecifyCache on a list that is not locked",
            );
        }
        if fault::strikes() {
            return core::ptr::null_mut();
        }
        // SAFETY: the driver passes a list whose frames are filled in, as its pages are locked.
        unsafe { map(mdl) }
    }

    /// Undoes a mapping.
    #[irql(PASSIVE..=DISPATCH)]
    fn MmUnmapLockedPages(base: *mut c_void, mdl: *mut MDL) {
        // SAFETY: the driver passes a list that it owns.
        let list = unsafe { &mut *mdl };
        let inherited = list.MdlFlags & (MDL_PARTIAL | MDL_PARTIAL_HAS_BEEN_MAPPED) == MDL_PARTIAL;
        if list.MdlFlags & MDL_MAPPED_TO_SYSTEM_VA == 0 || list.MappedSystemVa != base || inherited {
            misuse(
                "MmMdl",
                0xB8,
                mdl,
                list.MdlFlags,
                "MmUnmapLockedPages of an address that is not the list's mapping",
            );
            return;
        }
        // SAFETY: as above.
        unsafe { unmap(mdl) };
    }

    /// Makes `target` describe a part of what `source` describes; length 0 means up to the end.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoBuildPartialMdl(source: *mut MDL, target: *mut MDL, address: *mut c_void, length: u32) {
        // SAFETY: the driver passes a list that it owns.
        let from = unsafe { source.read() };
        let whole = described(&from);
        let offset = Va::of(address).wrapping_offset_from(whole.start);
        let length = if length == 0 { whole.length.saturating_sub(offset) } else { length.to_usize() };
        let part = Range { start: Va::of(address), length };
        if offset > whole.length || length > whole.length - offset {
            misuse("IoBuildPartialMdl", 0, source, from.MdlFlags, "a part that reaches beyond its source");
            return;
        }
        // SAFETY: the driver passes a list that it owns.
        let list = unsafe { &mut *target };
        if list.MdlFlags & MDL_PARTIAL_HAS_BEEN_MAPPED != 0 {
            misuse(
                "IoBuildPartialMdl",
                0,
                target,
                list.MdlFlags,
                "a target that has a mapping: MmPrepareMdlForReuse was not called",
            );
        }
        if (usize::from(list.Size.cast_unsigned())) < part.list_size() {
            misuse(
                "IoBuildPartialMdl",
                0,
                target,
                list.MdlFlags,
                "a target without room for the part's pages",
            );
            return;
        }
        let inherited = MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL | MDL_IO_PAGE_READ;
        list.MdlFlags = list.MdlFlags & MDL_ALLOCATED_FIXED_SIZE | MDL_PARTIAL | from.MdlFlags & inherited;
        list.StartVa = part.start.align_down(PAGE_SIZE).ptr();
        list.ByteOffset = narrow(part.start.offset_in(PAGE_SIZE));
        list.ByteCount = narrow(part.length);
        list.Process = from.Process;
        list.MappedSystemVa = from.MappedSystemVa.wrapping_byte_add(offset);
        // SAFETY: the list was just checked to have room for the frames, and the part lies in its source.
        unsafe { copy_frames(source, target) };
    }
}

#[cfg(test)]
mod tests;
