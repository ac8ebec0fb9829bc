//! The bytes behind a net buffer.

use core::ffi::c_void;
use core::ptr;

use nt::mm::MmMapLockedPagesSpecifyCache;
use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::number::{ToUsize, narrow};
use sys::ndis::*;
use sys::status::{NDIS_STATUS, NDIS_STATUS_SUCCESS};
use sys::wdm::{KernelMode, MDL, MDL_MAPPED_TO_SYSTEM_VA, MDL_SOURCE_IS_NONPAGED_POOL, MEMORY_CACHING_TYPE};

/// `NormalPagePriority | MdlMappingNoExecute` of wdm.h.
const PRIORITY: u32 = 16 | 0x4000_0000;

/// A run of bytes of a net buffer that lies in one piece.
struct Piece {
    start: *mut u8,
    length: usize,
}

/// The pieces of a net buffer's data, from an offset into the data on.
///
/// # Safety
/// `buffer` is a valid net buffer.
unsafe fn pieces(buffer: *const NET_BUFFER, offset: usize) -> impl Iterator<Item = Piece> {
    // SAFETY: the caller's contract.
    let buffer = unsafe { &*buffer };
    let mut skip = buffer.CurrentMdlOffset.to_usize() + offset;
    let mut left = buffer.DataLength.saturating_sub(offset);
    let mut mdl: *mut MDL = buffer.CurrentMdl;
    core::iter::from_fn(move || {
        while left > 0 {
            // SAFETY: the caller's contract: the chain has as many bytes as the buffer says.
            let list = unsafe { mdl.as_ref() }?;
            let this = core::mem::replace(&mut mdl, list.Next);
            let count = list.ByteCount.to_usize();
            if skip >= count {
                skip -= count;
                continue;
            }
            let length = (count - skip).min(left);
            let mapped = system_address(this);
            if mapped.is_null() {
                return None;
            }
            let start = mapped.wrapping_add(skip);
            (skip, left) = (0, left - length);
            return Some(Piece { start, length });
        }
        None
    })
}

/// The system address of a list's memory. Maps it if that was not done yet, as NdisGetDataBuffer does, until its owner
/// unlocks it.
fn system_address(mdl: *mut MDL) -> *mut u8 {
    // SAFETY: the caller's list is valid.
    let list = unsafe { &*mdl };
    if list.MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL) != 0 {
        return list.MappedSystemVa.cast();
    }
    let (none, cached) = (ptr::null_mut(), MEMORY_CACHING_TYPE::MmCached);
    // SAFETY: the pages of a net buffer's lists are locked.
    unsafe { MmMapLockedPagesSpecifyCache(mdl, KernelMode, cached, none, 0, PRIORITY) }.cast()
}

/// Copies a net buffer's data.
///
/// # Safety
/// `buffer` is a valid net buffer.
pub(super) unsafe fn data(buffer: *const NET_BUFFER) -> Vec<u8> {
    let mut bytes = Vec::new();
    // SAFETY: the caller's contract.
    for piece in unsafe { pieces(buffer, 0) } {
        // SAFETY: the piece is memory of the buffer's chain.
        bytes.extend_from_slice(unsafe { core::slice::from_raw_parts(piece.start, piece.length) });
    }
    bytes
}

exports! {
    "ndis.sys", signature;

    /// The first bytes of a buffer in one piece: where they lie, or copied to the driver's storage.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisGetDataBuffer(
        buffer: *mut NET_BUFFER,
        needed: u32,
        storage: *mut c_void,
        align: u32,
        align_offset: u32,
    ) -> *mut c_void {
        let needed = needed.to_usize();
        // SAFETY: the driver passes a valid buffer.
        if unsafe { (*buffer).DataLength } < needed {
            return ptr::null_mut();
        }
        // SAFETY: as above.
        let mut pieces = unsafe { pieces(buffer, 0) }.peekable();
        if let Some(first) = pieces.peek() {
            let aligned = Va::of(first.start)
                .wrapping_offset_from(Va::new(align_offset.to_usize()))
                .is_multiple_of(align.max(1).to_usize());
            if first.length >= needed && aligned {
                return first.start.cast();
            }
        }
        if storage.is_null() {
            return ptr::null_mut();
        }
        let mut done = 0;
        for piece in pieces {
            let length = piece.length.min(needed - done);
            // SAFETY: the piece is memory of the buffer, and the driver's storage has room for all of it.
            unsafe { ptr::copy_nonoverlapping(piece.start, storage.cast::<u8>().wrapping_add(done), length) };
            done += length;
        }
        if done < needed {
            return ptr::null_mut();
        }
        storage
    }

    /// Copies from one buffer's data to another's.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisCopyFromNetBufferToNetBuffer(
        to: *mut NET_BUFFER,
        to_offset: u32,
        length: u32,
        from: *const NET_BUFFER,
        from_offset: u32,
        copied: *mut u32,
    ) -> NDIS_STATUS {
        // SAFETY: the driver passes a valid buffer.
        let mut sources = unsafe { pieces(from, from_offset.to_usize()) };
        // SAFETY: as above.
        let mut targets = unsafe { pieces(to, to_offset.to_usize()) };
        let (mut source, mut target) = (sources.next(), targets.next());
        let mut left = length.to_usize();
        while let (Some(s), Some(t)) = (&mut source, &mut target) {
            let step = s.length.min(t.length).min(left);
            // SAFETY: both pieces are memory of their buffers and at least this long.
            unsafe { ptr::copy(s.start, t.start, step) };
            left -= step;
            if left == 0 {
                break;
            }
            source = s.rest(step).or_else(|| sources.next());
            target = t.rest(step).or_else(|| targets.next());
        }
        // SAFETY: the driver passes room for the count.
        unsafe { copied.write(length - narrow::<u32, _>(left)) };
        NDIS_STATUS_SUCCESS
    }
}

impl Piece {
    /// Returns the piece behind the first `taken` bytes, if anything is left.
    fn rest(&self, taken: usize) -> Option<Self> {
        (taken < self.length)
            .then(|| Self { start: self.start.wrapping_add(taken), length: self.length - taken })
    }
}

#[cfg(test)]
mod tests {
    use nt::mm::{Block, Range, build_for_nonpaged, describe};

    use super::*;

    /// A buffer over two pieces of memory, of which the first five bytes are skipped.
    fn buffer(memory: &[Block; 2], lists: &[Block; 2]) -> NET_BUFFER {
        for (memory, list) in memory.iter().zip(lists) {
            unsafe { describe(list.as_ptr(), Range { start: Va::of(memory.as_ptr::<u8>()), length: 8 }) };
            unsafe { build_for_nonpaged(list.as_ptr()) };
        }
        let (first, second) = (lists[0].as_ptr::<MDL>(), lists[1].as_ptr::<MDL>());
        unsafe { (*first).Next = second };
        let mut buffer: NET_BUFFER = unsafe { core::mem::MaybeUninit::zeroed().assume_init() };
        buffer.MdlChain = first;
        buffer.CurrentMdl = first;
        buffer.CurrentMdlOffset = 5;
        buffer.DataLength = 9;
        buffer
    }

    #[test]
    fn bytes_in_two_pieces_are_copied_only_when_they_must_be() {
        let machine = crate::testing::builder().boot();
        let memory = [b"?????abc", b"defghi??"].map(|bytes| {
            let block = Block::new(8).unwrap();
            unsafe { ptr::copy(bytes.as_ptr(), block.as_ptr(), 8) };
            block
        });
        let lists = [(); 2].map(|()| Block::new(256).unwrap());
        let mut buffer = buffer(&memory, &lists);
        let mut storage = [0u8; 9];
        unsafe {
            assert_eq!(data(&buffer), b"abcdefghi");
            let at = NdisGetDataBuffer(&mut buffer, 3, ptr::null_mut(), 1, 0);
            assert_eq!(Va::of(at), Va::of(memory[0].as_ptr::<u8>()) + 5);
            assert!(NdisGetDataBuffer(&mut buffer, 4, ptr::null_mut(), 1, 0).is_null());
            assert!(NdisGetDataBuffer(&mut buffer, 10, storage.as_mut_ptr().cast(), 1, 0).is_null());
            NdisGetDataBuffer(&mut buffer, 9, storage.as_mut_ptr().cast(), 1, 0);
        }
        assert_eq!(&storage, b"abcdefghi");
        assert!(machine.shutdown().is_clean());
    }
}
