//! Memory descriptor lists: what they describe, and building them over memory that needs no locking.

use core::mem::size_of;

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::number::{Low, ToUsize, narrow};
use ntsim_core::pageable;
use ntsim_core::sched;
use ntsim_core::verifier::{self, Finding};
use sys::wdm::{
    MDL, MDL_MAPPED_TO_SYSTEM_VA, MDL_PAGES_LOCKED, MDL_PARTIAL, MDL_SOURCE_IS_NONPAGED_POOL, PAGE_SIZE,
    signature,
};

use super::map;

/// A range of virtual addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Range {
    /// Its first address.
    pub start: Va,
    /// Its length, in bytes.
    pub length: usize,
}

impl Range {
    /// The number of pages that it touches.
    pub(crate) fn pages(self) -> usize {
        (self.start.offset_in(PAGE_SIZE) + self.length).div_ceil(PAGE_SIZE)
    }

    /// Bytes of a list that describes it.
    pub fn list_size(self) -> usize {
        size_of::<MDL>() + self.pages() * size_of::<usize>()
    }

    /// Returns whether it can be read: its first and its last byte are tried, and what is between them must at
    /// least be mapped.
    pub(crate) fn is_readable(self) -> bool {
        let Some(last) = self.length.checked_sub(1).and_then(|length| self.start.checked_add(length)) else {
            return self.length == 0;
        };
        self.is_mapped() && bytes_readable([self.start, last])
    }

    fn is_mapped(self) -> bool {
        let mut resident = vec![0u8; self.pages()];
        let first = self.start.align_down(PAGE_SIZE).ptr();
        // SAFETY: the host writes one byte per page into the vector, which has as many.
        unsafe { libc::mincore(first, self.pages() * PAGE_SIZE, resident.as_mut_ptr()) == 0 }
    }
}

/// Returns whether two bytes can be read, found out without touching them in this process.
fn bytes_readable(addresses: [Va; 2]) -> bool {
    let mut read = [0u8; 2];
    let local = libc::iovec { iov_base: read.as_mut_ptr().cast(), iov_len: read.len() };
    let remote = addresses.map(|at| libc::iovec { iov_base: at.ptr::<_>(), iov_len: 1 });
    let own = std::process::id() as libc::pid_t;
    // SAFETY: the host copies into `read` only, and reports addresses that it cannot read from.
    let done = unsafe { libc::process_vm_readv(own, &local, 1, remote.as_ptr(), 2, 0) };
    usize::try_from(done) == Ok(read.len())
}

/// The range that a list describes.
pub fn described(mdl: &MDL) -> Range {
    Range { start: Va::of(mdl.StartVa) + mdl.ByteOffset.to_usize(), length: mdl.ByteCount.to_usize() }
}

/// Fills in a list for `range`, as `MmInitializeMdl` does.
///
/// # Safety
/// `mdl` has room for [`Range::list_size`] bytes.
pub unsafe fn describe(mdl: *mut MDL, range: Range) {
    let list = MDL {
        Next: core::ptr::null_mut(),
        Size: range.list_size().low_u16().cast_signed(),
        MdlFlags: 0,
        AllocationProcessorNumber: 0,
        Reserved: 0,
        Process: core::ptr::null_mut(),
        MappedSystemVa: core::ptr::null_mut(),
        StartVa: range.start.align_down(PAGE_SIZE).ptr(),
        ByteCount: narrow(range.length),
        ByteOffset: narrow(range.start.offset_in(PAGE_SIZE)),
    };
    // SAFETY: the caller's contract.
    unsafe { mdl.write(list) };
}

/// The page frame numbers of a list: behind it, in its own allocation.
fn frames_of(mdl: *mut MDL) -> *mut usize {
    mdl.wrapping_add(1).cast()
}

/// Writes the page frame numbers behind the list: the number of a page is that of its own address, whatever
/// mapping the list describes it by.
///
/// # Safety
/// `mdl` is a list with room for the frames of what it describes.
pub(super) unsafe fn fill_frames(mdl: *mut MDL) {
    // SAFETY: the caller's contract.
    let range = described(unsafe { &*mdl });
    for page in 0..range.pages() {
        let frame = map::frame_at(range.start.get() / PAGE_SIZE + page);
        // SAFETY: `page` is below the number of frames that the list has room for.
        unsafe { frames_of(mdl).wrapping_add(page).write(frame) };
    }
}

/// The page frame numbers of a list.
///
/// # Safety
/// `mdl` is a list whose frames were filled in.
pub(super) unsafe fn frames(mdl: *mut MDL) -> Vec<usize> {
    // SAFETY: the caller's contract.
    let range = described(unsafe { &*mdl });
    // SAFETY: so many frames follow the list.
    (0..range.pages()).map(|page| unsafe { frames_of(mdl).wrapping_add(page).read() }).collect()
}

/// Copies the frames of what `target` describes from a list that describes more of the same range.
///
/// # Safety
/// Both are lists with room for their frames; those of `source` were filled in.
pub unsafe fn copy_frames(source: *mut MDL, target: *mut MDL) {
    // SAFETY: the caller's contract.
    let whole = Va::of(unsafe { (*source).StartVa });
    // SAFETY: the caller's contract.
    let part = described(unsafe { &*target });
    let from = frames_of(source)
        .wrapping_add(part.start.align_down(PAGE_SIZE).wrapping_offset_from(whole) / PAGE_SIZE);
    // SAFETY: the frames of a part are among those of the whole.
    unsafe { frames_of(target).copy_from(from, part.pages()) };
}

/// Fills in a list over nonpaged memory.
///
/// # Safety
/// `mdl` is a list with room for its frames, which the caller owns.
pub unsafe fn build_for_nonpaged(mdl: *mut MDL) {
    // SAFETY: the caller's contract.
    let list = unsafe { &mut *mdl };
    let wrong = MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL;
    if list.MdlFlags & wrong != 0 {
        misuse("MmMdl", 0xB0, mdl, list.MdlFlags, "MmBuildMdlForNonPagedPool on a list that is in use");
    }
    let range = described(list);
    if !range.is_readable() {
        misuse("MmMdl", 0x7F, mdl, list.MdlFlags, "MmBuildMdlForNonPagedPool over memory that is not there");
    }
    if pageable::contains(range.start) {
        misuse("MmMdl", 0x7F, mdl, list.MdlFlags, "MmBuildMdlForNonPagedPool over paged pool");
    } else if sched::on_own_stack(range.start) {
        // "This is because kernel stack pages can be traded unless they are probe-and-locked."
        misuse("MmMdl", 0x140, mdl, list.MdlFlags, "MmBuildMdlForNonPagedPool over a kernel stack");
    }
    list.MdlFlags |= MDL_SOURCE_IS_NONPAGED_POOL;
    list.MappedSystemVa = range.start.ptr::<_>();
    // SAFETY: the caller's contract.
    unsafe { fill_frames(mdl) };
}

/// Reports a misuse of a list, bug check 0xC4.
#[cold]
pub(super) fn misuse(rule: &'static str, code: u64, mdl: *const MDL, flags: i16, text: &str) {
    let parameters = [code, Va::of(mdl).bits(), u64::from(flags.cast_unsigned()), 0];
    verifier::report(
        Finding::new(rule)
            .bugcheck(Bugcheck { code: 0xC4, parameters })
            .text(format!("{text} (list at {mdl:p}, flags {flags:#06x})")),
    );
}

exports! {
    "ntoskrnl.exe", signature;

    /// Fills in a list over nonpaged memory, which needs neither locking nor mapping.
    #[irql(PASSIVE..=DISPATCH)]
    fn MmBuildMdlForNonPagedPool(mdl: *mut MDL) {
        // SAFETY: the driver passes a list that it owns.
        unsafe { build_for_nonpaged(mdl) };
    }

    /// Bytes of a list that describes a range.
    #[irql(PASSIVE..=HIGH)]
    fn MmSizeOfMdl(base: *mut core::ffi::c_void, length: usize) -> usize {
        Range { start: Va::of(base), length }.list_size()
    }

    /// Returns whether an address can be read without a page fault.
    #[irql(PASSIVE..=DISPATCH)]
    fn MmIsAddressValid(address: *mut core::ffi::c_void) -> u8 {
        u8::from(Range { start: Va::of(address), length: 1 }.is_readable())
    }

    /// The physical address of a virtual one: the same number here.
    #[irql(PASSIVE..=HIGH)]
    fn MmGetPhysicalAddress(address: *mut core::ffi::c_void) -> i64 {
        Va::of(address).bits().cast_signed()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::mm::Block;

    /// A list over `range`, in memory of its own.
    pub(in crate::mm) fn list(range: Range) -> (Block, *mut MDL) {
        let block = Block::new(range.list_size()).unwrap();
        let mdl = block.as_ptr::<MDL>();
        // SAFETY: the block has the size that the list needs.
        unsafe { describe(mdl, range) };
        (block, mdl)
    }

    #[test]
    fn list_over_nonpaged_memory_maps_the_memory_itself() {
        let machine = crate::testing::builder().boot();
        let memory = Block::new(3 * PAGE_SIZE).unwrap();
        let range = Range { start: Va::of(memory.as_ptr::<u8>()) + 100, length: 2 * PAGE_SIZE };
        let (_block, mdl) = list(range);
        assert_eq!(range.pages(), 3);
        unsafe {
            MmBuildMdlForNonPagedPool(mdl);
            assert_eq!(Va::of((*mdl).MappedSystemVa), range.start);
            assert_eq!(mdl.add(1).cast::<usize>().add(2).read(), range.start.get() / PAGE_SIZE + 2);
        }
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn building_a_list_twice_is_found() {
        let machine = crate::testing::builder().boot();
        let memory = Block::new(64).unwrap();
        let (_block, mdl) = list(Range { start: Va::of(memory.as_ptr::<u8>()), length: 64 });
        unsafe {
            MmBuildMdlForNonPagedPool(mdl);
            MmBuildMdlForNonPagedPool(mdl);
        }
        assert_eq!(machine.shutdown().findings[0].rule, "MmMdl");
    }

    #[test]
    fn address_of_nothing_is_not_valid() {
        let machine = crate::testing::builder().boot();
        let here = 0u8;
        unsafe {
            assert_eq!(MmIsAddressValid((&raw const here).cast_mut().cast()), 1);
            assert_eq!(MmIsAddressValid(16 as *mut _), 0);
        }
        assert!(machine.shutdown().is_clean());
    }
}
