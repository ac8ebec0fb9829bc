//! Mappings and parts of lists.

use ntsim_core::address::Va;
use sys::wdm::{LOCK_OPERATION, MDL_PAGES_LOCKED};

use super::*;
use crate::io::{IoAllocateMdl, IoFreeMdl};
use crate::mm::lock::{MmProbeAndLockPages, MmUnlockPages};
use crate::mm::mdl::MmBuildMdlForNonPagedPool;
use crate::mm::mdl::tests::list;
use crate::mm::{Block, Buffer};

/// `NormalPagePriority | MdlMappingNoExecute` of wdm.h.
const PRIORITY: u32 = 16 | MDL_MAPPING_NO_EXECUTE;

fn locked(buffer: &Buffer) -> (Block, *mut MDL) {
    let (block, mdl) = list(buffer.range());
    unsafe { MmProbeAndLockPages(mdl, KernelMode, LOCK_OPERATION::IoWriteAccess) };
    (block, mdl)
}

fn map_list(mdl: *mut MDL) -> *mut u8 {
    let cached = MEMORY_CACHING_TYPE::MmCached;
    unsafe { MmMapLockedPagesSpecifyCache(mdl, KernelMode, cached, core::ptr::null_mut(), 0, PRIORITY) }
        .cast()
}

fn is_readable(at: *mut u8) -> bool {
    Range { start: Va::of(at), length: 1 }.is_readable()
}

#[test]
fn locked_list_maps_elsewhere_and_unlocking_unmaps_it() {
    let machine = crate::testing::builder().boot();
    let buffer = Buffer::new(0x40, 64).unwrap();
    let (_block, mdl) = locked(&buffer);
    unsafe {
        let at = map_list(mdl);
        assert_eq!((*mdl).MappedSystemVa.cast(), at);
        assert_ne!(at, buffer.as_ptr());
        assert_eq!(Va::of(at).offset_in(PAGE_SIZE), 0x40);
        buffer.as_ptr().write(9);
        assert_eq!(at.read(), 9);
        MmUnlockPages(mdl);
        assert_eq!((*mdl).MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_PAGES_LOCKED), 0);
        assert!(!is_readable(at));
    }
    assert!(machine.shutdown().is_clean());
}

#[test]
fn mapping_that_is_undone_is_inaccessible() {
    let machine = crate::testing::builder().boot();
    let buffer = Buffer::new(0, 64).unwrap();
    let (_block, mdl) = locked(&buffer);
    unsafe {
        let at = map_list(mdl);
        MmUnmapLockedPages(at.cast(), mdl);
        assert!(!is_readable(at));
        let again = map_list(mdl);
        assert_ne!(at, again, "the address is not used again at once");
        MmUnlockPages(mdl);
    }
    assert!(machine.shutdown().is_clean());
}

#[test]
fn mapping_a_list_twice_is_found() {
    let machine = crate::testing::builder().boot();
    let buffer = Buffer::new(0, 64).unwrap();
    let (_block, mdl) = locked(&buffer);
    unsafe {
        let first = map_list(mdl);
        map_list(mdl);
        MmUnlockPages(mdl);
        (*mdl).MdlFlags |= MDL_MAPPED_TO_SYSTEM_VA;
        (*mdl).MappedSystemVa = first.cast();
        MmUnmapLockedPages(first.cast(), mdl);
    }
    let report = machine.shutdown();
    assert_eq!(report.findings[0].bugcheck.unwrap().parameters[0], 0xB4);
    assert_eq!(report.findings.len(), 1, "{report}");
}

#[test]
fn mapping_never_undone_is_found_at_shutdown() {
    let machine = crate::testing::builder().boot();
    let buffer = Buffer::new(0, 64).unwrap();
    let (_source, source) = locked(&buffer);
    let (_target, target) = list(buffer.range());
    unsafe {
        IoBuildPartialMdl(source, target, buffer.as_ptr().cast(), 64);
        map_list(target);
        MmUnlockPages(source);
    }
    assert_eq!(machine.shutdown().findings[0].rule, "MappingLeak");
}

#[test]
fn parts_that_meet_inside_a_page_map_apart() {
    let machine = crate::testing::builder().boot();
    let buffer = Buffer::new(0, 2 * PAGE_SIZE).unwrap();
    let (_source, source) = locked(&buffer);
    let (_first, first) = list(Range { length: 300, ..buffer.range() });
    let (_second, second) = list(Range { start: buffer.range().start + 300, length: PAGE_SIZE });
    unsafe {
        IoBuildPartialMdl(source, first, buffer.as_ptr().cast(), 300);
        IoBuildPartialMdl(source, second, buffer.as_ptr().wrapping_add(300).cast(), PAGE_SIZE as u32);
        let (one, two) = (map_list(first), map_list(second));
        assert_ne!(one.wrapping_add(300), two);
        two.write(3);
        assert_eq!(one.add(300).read(), 3, "they share the page");
        MmUnmapLockedPages(one.cast(), first);
        MmUnmapLockedPages(two.cast(), second);
        MmUnlockPages(source);
    }
    assert!(machine.shutdown().is_clean());
}

#[test]
fn freeing_a_partial_list_unmaps_it() {
    let machine = crate::testing::builder().boot();
    let buffer = Buffer::new(0, 64).unwrap();
    let (_source, source) = locked(&buffer);
    unsafe {
        let part = IoAllocateMdl(buffer.as_ptr().cast(), 64, 0, 0, core::ptr::null_mut());
        IoBuildPartialMdl(source, part, buffer.as_ptr().cast(), 64);
        let at = map_list(part);
        assert!(is_readable(at));
        IoFreeMdl(part);
        assert!(!is_readable(at));
        MmUnlockPages(source);
    }
    assert!(machine.shutdown().is_clean());
}

#[test]
fn part_of_a_mapped_list_has_no_mapping_to_undo() {
    let machine = crate::testing::builder().boot();
    let buffer = Buffer::new(0, 64).unwrap();
    let (_source, source) = locked(&buffer);
    let (_target, target) = list(buffer.range());
    unsafe {
        let at = map_list(source);
        IoBuildPartialMdl(source, target, buffer.as_ptr().wrapping_add(8).cast(), 8);
        assert_eq!((*target).MappedSystemVa.cast(), at.wrapping_add(8));
        MmUnmapLockedPages((*target).MappedSystemVa, target);
        assert!(is_readable(at));
        MmUnlockPages(source);
    }
    assert_eq!(machine.shutdown().findings[0].bugcheck.unwrap().parameters[0], 0xB8);
}

#[test]
fn list_over_a_mapping_describes_the_pages_behind_it() {
    let machine = crate::testing::builder().boot();
    let buffer = Buffer::new(0, PAGE_SIZE).unwrap();
    let (_block, mdl) = locked(&buffer);
    unsafe {
        let at = map_list(mdl);
        let (_other, other) = list(Range { start: Va::of(at), length: PAGE_SIZE });
        MmBuildMdlForNonPagedPool(other);
        assert_eq!(frames(other), frames(mdl));
        MmUnlockPages(mdl);
    }
    assert!(machine.shutdown().is_clean());
}

#[test]
fn building_a_part_into_a_mapped_list_is_found() {
    let machine = crate::testing::builder().boot();
    let buffer = Buffer::new(0, 64).unwrap();
    let (_source, source) = locked(&buffer);
    let (_target, target) = list(buffer.range());
    unsafe {
        IoBuildPartialMdl(source, target, buffer.as_ptr().cast(), 64);
        let at = map_list(target);
        let before = target.read();
        IoBuildPartialMdl(source, target, buffer.as_ptr().cast(), 32);
        target.write(before);
        MmUnmapLockedPages(at.cast(), target);
        MmUnlockPages(source);
    }
    let report = machine.shutdown();
    assert_eq!(report.findings[0].rule, "IoBuildPartialMdl");
    assert_eq!(report.findings.len(), 1, "{report}");
}
#[test]
fn mapping_an_unlocked_list_is_found() {
    let machine = crate::testing::builder().boot();
    let memory = Block::new(64).unwrap();
    let (_block, mdl) = list(Range { start: Va::of(memory.as_ptr::<u8>()), length: 64 });
    unsafe {
        MmMapLockedPagesSpecifyCache(
            mdl,
            KernelMode,
            MEMORY_CACHING_TYPE::MmCached,
            core::ptr::null_mut(),
            0,
            PRIORITY,
        )
    };
    assert_eq!(machine.shutdown().findings[0].bugcheck.unwrap().parameters[0], 0xB4);
}

#[test]
fn unmapping_another_address_is_found() {
    let machine = crate::testing::builder().boot();
    let memory = Block::new(64).unwrap();
    let (_block, mdl) = list(Range { start: Va::of(memory.as_ptr::<u8>()), length: 64 });
    unsafe { MmUnmapLockedPages(memory.as_ptr(), mdl) };
    assert_eq!(machine.shutdown().findings[0].bugcheck.unwrap().parameters[0], 0xB8);
}

#[test]
fn part_shares_its_sources_mapping() {
    let machine = crate::testing::builder().boot();
    let memory = Block::new(0x3000).unwrap();
    let start = Va::of(memory.as_ptr::<u8>());
    let (_source, source) = list(Range { start, length: 0x3000 });
    let (_target, target) = list(Range { start, length: 0x3000 });
    unsafe {
        MmBuildMdlForNonPagedPool(source);
        IoBuildPartialMdl(source, target, (start + 0x1010).ptr::<_>(), 0x20);
        assert_eq!(Va::of((*target).MappedSystemVa), start + 0x1010);
        assert_eq!((*target).ByteCount, 0x20);
    }
    assert!(machine.shutdown().is_clean());
}

#[test]
fn part_beyond_its_source_is_found() {
    let machine = crate::testing::builder().boot();
    let memory = Block::new(64).unwrap();
    let start = Va::of(memory.as_ptr::<u8>());
    let (_source, source) = list(Range { start, length: 64 });
    let (_target, target) = list(Range { start, length: 64 });
    unsafe {
        MmBuildMdlForNonPagedPool(source);
        IoBuildPartialMdl(source, target, (start + 60).ptr::<_>(), 8);
    }
    assert_eq!(machine.shutdown().findings[0].rule, "IoBuildPartialMdl");
}

#[test]
fn mapping_that_can_be_executed_is_found() {
    let machine = crate::testing::builder().boot();
    let buffer = Buffer::new(0, 64).unwrap();
    let (_block, mdl) = locked(&buffer);
    let cached = MEMORY_CACHING_TYPE::MmCached;
    unsafe { MmMapLockedPagesSpecifyCache(mdl, KernelMode, cached, core::ptr::null_mut(), 0, 16) };
    unsafe { MmUnlockPages(mdl) };
    let report = machine.shutdown();
    assert_eq!((report.rules(), report.codes()), (vec!["ExecutableMapping"], vec![0x2002]));
}

#[test]
fn building_a_list_over_paged_pool_or_a_stack_is_found() {
    let machine = crate::testing::builder().boot();
    let on_stack = [0_u8; 64];
    unsafe {
        let paged = crate::ex::ExAllocatePool2(0x100, 64, 0x3130_3030);
        let stack = (&raw const on_stack).cast_mut().cast();
        for memory in [paged, stack] {
            let mdl = IoAllocateMdl(memory, 64, 0, 0, core::ptr::null_mut());
            MmBuildMdlForNonPagedPool(mdl);
            IoFreeMdl(mdl);
        }
        crate::ex::ExFreePool(paged);
    }
    assert_eq!(machine.shutdown().codes(), [0x7F, 0x140]);
}
