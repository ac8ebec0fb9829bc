//! Clones of net buffer lists: further lists over the same bytes.

use core::ptr;

use nt::fault;
use nt::mm::{self, Block};
use ntsim_core::address::Va;
use ntsim_core::exports;
use sys::ndis::*;
use sys::wdm::{MDL, MDL_MAPPED_TO_SYSTEM_VA, MDL_PARTIAL, MDL_SOURCE_IS_NONPAGED_POOL};

use super::{pool, violation};

/// `NDIS_CLONE_FLAGS_USE_ORIGINAL_MDLS`: the clone has no MDLs of its own.
const USE_ORIGINAL_MDLS: u32 = 2;

exports! {
    "ndis.sys", signature;

    /// Makes a list over the bytes of another one, which must outlive it.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisAllocateCloneNetBufferList(
        original: *mut NET_BUFFER_LIST,
        pool: NDIS_HANDLE,
        _buffer_pool: NDIS_HANDLE,
        flags: u32,
    ) -> *mut NET_BUFFER_LIST {
        if fault::strikes() {
            return ptr::null_mut();
        }
        // SAFETY: the driver passes a valid list.
        unsafe { clone(original, pool, flags & USE_ORIGINAL_MDLS != 0) }.unwrap_or(ptr::null_mut())
    }

    /// Frees a clone, before its original.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisFreeCloneNetBufferList(clone: *mut NET_BUFFER_LIST, _flags: u32) {
        let original = pool::parent(clone);
        if !original.is_some_and(pool::exists) {
            let text = format!("{clone:p} is no clone, or its original {original:?} was freed before it");
            violation("NdisFreeCloneNetBufferList", [0x06, 0, Va::of(clone).bits(), 0], text);
        }
        pool::free(clone);
    }
}

/// # Safety
/// `original` is a valid list that outlives the clone.
unsafe fn clone(
    original: *mut NET_BUFFER_LIST,
    pool: NDIS_HANDLE,
    share: bool,
) -> Option<*mut NET_BUFFER_LIST> {
    let mut memory = Vec::new();
    let mut first: *mut NET_BUFFER = ptr::null_mut();
    let mut link = &raw mut first;
    // SAFETY: the caller's contract.
    let mut next = unsafe { (*original).FirstNetBuffer };
    // SAFETY: the buffers of a valid list are valid.
    while let Some(buffer) = unsafe { next.as_ref() } {
        // SAFETY: as above; the chain of a valid buffer is valid.
        let copy = unsafe { copy(buffer, share, &mut memory) }?;
        // SAFETY: the link is this function's own, or that of a copy.
        unsafe { link.write(copy) };
        // SAFETY: the copy was just made.
        link = unsafe { &raw mut (*copy).Next };
        next = buffer.Next;
    }
    pool::make_clone(Va::of(pool), original, first, memory)
}

/// A buffer over the bytes of another one.
///
/// # Safety
/// `buffer` is valid, and its chain is.
unsafe fn copy(buffer: &NET_BUFFER, share: bool, memory: &mut Vec<Block>) -> Option<*mut NET_BUFFER> {
    let block = Block::new(size_of::<NET_BUFFER>())?;
    let copy = block.as_ptr::<NET_BUFFER>();
    memory.push(block);
    let chain = if share {
        buffer.MdlChain
    } else {
        // SAFETY: the caller's contract.
        unsafe { copy_chain(buffer.MdlChain, memory) }?
    };
    // SAFETY: the offset lies within the chain, which has as many bytes as the original's.
    let (current, offset) = unsafe { pool::locate(chain, buffer.DataOffset) };
    let made = NET_BUFFER {
        Next: ptr::null_mut(),
        MdlChain: chain,
        CurrentMdl: current,
        CurrentMdlOffset: offset,
        ..*buffer
    };
    // SAFETY: the block has room for a buffer.
    unsafe { copy.write(made) };
    Some(copy)
}

/// MDLs that describe what those of a chain do.
///
/// # Safety
/// The chain is valid.
unsafe fn copy_chain(chain: *mut MDL, memory: &mut Vec<Block>) -> Option<*mut MDL> {
    let mut first: *mut MDL = ptr::null_mut();
    let mut link = &raw mut first;
    let mut next = chain;
    // SAFETY: the caller's contract.
    while let Some(list) = unsafe { next.as_ref() } {
        let range = mm::described(list);
        let block = Block::new(range.list_size())?;
        let copy = block.as_ptr::<MDL>();
        memory.push(block);
        // SAFETY: the block has the size that the list needs.
        unsafe { mm::describe(copy, range) };
        // SAFETY: as above; both describe the same range.
        unsafe { mm::copy_frames(ptr::from_ref(list).cast_mut(), copy) };
        // SAFETY: the list was just filled in.
        let made = unsafe { &mut *copy };
        made.MdlFlags = MDL_PARTIAL | list.MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL);
        made.MappedSystemVa = list.MappedSystemVa;
        // SAFETY: the link is this function's own, or that of a copy.
        unsafe { link.write(copy) };
        link = &raw mut made.Next;
        next = list.Next;
    }
    Some(first)
}
