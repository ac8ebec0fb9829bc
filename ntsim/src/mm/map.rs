//! Mapping a list's pages into system space, and parts of a list.

use core::ffi::c_void;

use sys::wdm::{
    KPROCESSOR_MODE, KernelMode, MDL, MDL_ALLOCATED_FIXED_SIZE, MDL_IO_PAGE_READ, MDL_MAPPED_TO_SYSTEM_VA,
    MDL_PAGES_LOCKED, MDL_PARTIAL, MDL_PARTIAL_HAS_BEEN_MAPPED, MDL_SOURCE_IS_NONPAGED_POOL,
    MEMORY_CACHING_TYPE, PAGE_SIZE, signature,
};

use super::mdl::{Range, described, fill_frames, misuse};
use crate::export::exports;

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
        _priority: u32,
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
        list.MdlFlags |= MDL_MAPPED_TO_SYSTEM_VA;
        if list.MdlFlags & MDL_PARTIAL != 0 {
            list.MdlFlags |= MDL_PARTIAL_HAS_BEEN_MAPPED;
        }
        list.MappedSystemVa = described(list).start as *mut c_void;
        list.MappedSystemVa
    }

    /// Undoes a mapping.
    #[irql(PASSIVE..=DISPATCH)]
    fn MmUnmapLockedPages(base: *mut c_void, mdl: *mut MDL) {
        // SAFETY: the driver passes a list that it owns.
        let list = unsafe { &mut *mdl };
        if list.MdlFlags & MDL_MAPPED_TO_SYSTEM_VA == 0 || list.MappedSystemVa != base {
            misuse(
                "MmMdl",
                0xB8,
                mdl,
                list.MdlFlags,
                "MmUnmapLockedPages of an address that is not the list's mapping",
            );
            return;
        }
        list.MdlFlags &= !(MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL_HAS_BEEN_MAPPED);
        list.MappedSystemVa = core::ptr::null_mut();
    }

    /// Makes `target` describe a part of what `source` describes; length 0 means up to the end.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoBuildPartialMdl(source: *mut MDL, target: *mut MDL, address: *mut c_void, length: u32) {
        // SAFETY: the driver passes a list that it owns.
        let from = unsafe { source.read() };
        let whole = described(&from);
        let offset = (address as usize).wrapping_sub(whole.start);
        let length = if length == 0 { whole.length.saturating_sub(offset) } else { length as usize };
        let part = Range { start: address as usize, length };
        if offset > whole.length || length > whole.length - offset {
            misuse("IoBuildPartialMdl", 0, source, from.MdlFlags, "a part that reaches beyond its source");
        }
        // SAFETY: the driver passes a list that it owns.
        let list = unsafe { &mut *target };
        if (list.Size.cast_unsigned() as usize) < part.list_size() {
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
        list.StartVa = (part.start & !(PAGE_SIZE - 1)) as *mut c_void;
        list.ByteOffset = (part.start % PAGE_SIZE) as u32;
        list.ByteCount = part.length as u32;
        list.Process = from.Process;
        list.MappedSystemVa = from.MappedSystemVa.wrapping_byte_add(offset);
        // SAFETY: the list was just checked to have room for the frames.
        unsafe { fill_frames(target) };
    }
}

#[cfg(test)]
mod tests {
    use sys::wdm::LOCK_OPERATION;

    use super::*;
    use crate::Machine;
    use crate::mm::Block;
    use crate::mm::lock::{MmProbeAndLockPages, MmUnlockPages};
    use crate::mm::mdl::MmBuildMdlForNonPagedPool;
    use crate::mm::mdl::tests::list;

    #[test]
    fn a_locked_list_maps_once_and_unlocking_unmaps_it() {
        let machine = Machine::builder().boot();
        let memory = Block::new(64).unwrap();
        let (_block, mdl) = list(Range { start: memory.as_ptr::<u8>() as usize, length: 64 });
        unsafe {
            MmProbeAndLockPages(mdl, KernelMode, LOCK_OPERATION::IoWriteAccess);
            let at = MmMapLockedPagesSpecifyCache(
                mdl,
                KernelMode,
                MEMORY_CACHING_TYPE::MmCached,
                core::ptr::null_mut(),
                0,
                16,
            );
            assert_eq!((at, (*mdl).MappedSystemVa), (memory.as_ptr(), at));
            MmUnlockPages(mdl);
            assert_eq!((*mdl).MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_PAGES_LOCKED), 0);
        }
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn mapping_an_unlocked_list_is_found() {
        let machine = Machine::builder().boot();
        let memory = Block::new(64).unwrap();
        let (_block, mdl) = list(Range { start: memory.as_ptr::<u8>() as usize, length: 64 });
        unsafe {
            MmMapLockedPagesSpecifyCache(
                mdl,
                KernelMode,
                MEMORY_CACHING_TYPE::MmCached,
                core::ptr::null_mut(),
                0,
                16,
            )
        };
        assert_eq!(machine.shutdown().findings[0].bugcheck.unwrap().parameters[0], 0xB4);
    }

    #[test]
    fn unmapping_another_address_is_found() {
        let machine = Machine::builder().boot();
        let memory = Block::new(64).unwrap();
        let (_block, mdl) = list(Range { start: memory.as_ptr::<u8>() as usize, length: 64 });
        unsafe { MmUnmapLockedPages(memory.as_ptr(), mdl) };
        assert_eq!(machine.shutdown().findings[0].bugcheck.unwrap().parameters[0], 0xB8);
    }

    #[test]
    fn a_part_shares_its_sources_mapping() {
        let machine = Machine::builder().boot();
        let memory = Block::new(0x3000).unwrap();
        let start = memory.as_ptr::<u8>() as usize;
        let (_source, source) = list(Range { start, length: 0x3000 });
        let (_target, target) = list(Range { start, length: 0x3000 });
        unsafe {
            MmBuildMdlForNonPagedPool(source);
            IoBuildPartialMdl(source, target, (start + 0x1010) as *mut _, 0x20);
            assert_eq!((*target).MappedSystemVa as usize, start + 0x1010);
            assert_eq!((*target).ByteCount, 0x20);
        }
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn a_part_beyond_its_source_is_found() {
        let machine = Machine::builder().boot();
        let memory = Block::new(64).unwrap();
        let start = memory.as_ptr::<u8>() as usize;
        let (_source, source) = list(Range { start, length: 64 });
        let (_target, target) = list(Range { start, length: 64 });
        unsafe {
            MmBuildMdlForNonPagedPool(source);
            IoBuildPartialMdl(source, target, (start + 60) as *mut _, 8);
        }
        assert_eq!(machine.shutdown().findings[0].rule, "IoBuildPartialMdl");
    }
}
