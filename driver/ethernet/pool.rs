//! The buffers into which a port receives.

#![expect(unsafe_code, reason = "NDIS is called, and passes addresses")]

use alloc::boxed::Box;
use core::ptr::NonNull;

use provider::number::usize_from;
use sys::irql::PassiveLevel;
use sys::ndis::{self, NDIS_HANDLE, NET_BUFFER_LIST};
use sys::status::NDIS_STATUS_SUCCESS;
use sys::wdm::MDL;
use vswitch::LONGEST;

use super::chain::Chain;
use super::frame::Frame;
use crate::heap;
use crate::identity::{POOL_TAG, header};
use crate::nt;

/// The number of frames that a port can hold until the protocols above have dealt with them.
pub(crate) const BUFFERS: u32 = 128;

/// The length of a buffer: that of the longest frame, rounded up so that each buffer begins on a cache line.
const BUFFER_LENGTH: usize = usize_from(LONGEST).next_multiple_of(64);

/// The length of all buffers.
const POOL_LENGTH: usize = BUFFER_LENGTH.strict_mul(usize_from(BUFFERS));

/// Buffers with their net buffer lists, which are all made in advance: receiving allocates nothing.
///
/// # Invariants
///
/// The memory does not move while lists describe it.
pub(crate) struct Pool {
    handle: NDIS_HANDLE,
    memory: Box<[u8; POOL_LENGTH]>,
    /// The lists that are not in use. All of them are back when the pool goes.
    free: Chain,
}

// SAFETY: a pool's handle may be used on any thread.
unsafe impl Send for Pool {}

impl Pool {
    /// A pool for an adapter. `None` if there is not enough memory.
    pub(crate) fn new(adapter: NDIS_HANDLE, _: PassiveLevel) -> Option<Self> {
        let memory = heap::zeroed()?;
        let parameters = ndis::NET_BUFFER_LIST_POOL_PARAMETERS {
            Header: header(
                ndis::NDIS_OBJECT_TYPE_DEFAULT,
                ndis::NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
                ndis::NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
            ),
            ProtocolId: ndis::NDIS_PROTOCOL_ID_DEFAULT,
            fAllocateNetBuffer: sys::wdm::TRUE,
            ContextSize: 0,
            PoolTag: POOL_TAG,
            DataSize: 0,
        };
        // SAFETY: the parameters are complete; the handle is that of an adapter.
        let handle = unsafe { ndis::NdisAllocateNetBufferListPool(adapter, &raw const parameters) };
        if handle.is_null() {
            return None;
        }
        let mut pool = Self { handle, memory, free: Chain::new() };
        pool.fill(adapter)?;
        Some(pool)
    }

    /// Makes a list for each buffer.
    fn fill(&mut self, adapter: NDIS_HANDLE) -> Option<()> {
        for buffer in self.memory.chunks_exact_mut(BUFFER_LENGTH) {
            let mdl = describe(buffer)?;
            // SAFETY: the pool gives out net buffers with its lists.
            let list =
                unsafe { ndis::NdisAllocateNetBufferAndNetBufferList(self.handle, 0, 0, mdl.as_ptr(), 0, 0) };
            let Some(list) = NonNull::new(list) else {
                // SAFETY: no list has taken it.
                unsafe { nt::IoFreeMdl(mdl.as_ptr().cast()) };
                return None;
            };
            // SAFETY: the list is fresh and ours.
            unsafe { (*list.as_ptr()).SourceHandle = adapter };
            // SAFETY: as above.
            unsafe { self.free.push(list) };
        }
        Some(())
    }

    /// Copies a frame into a free list; `None` if there is none, or the frame could not be copied.
    pub(crate) fn receive(&mut self, frame: &Frame) -> Option<NonNull<NET_BUFFER_LIST>> {
        let list = self.free.pop()?;
        // SAFETY: the list was in the pool, so it is ours.
        let filled = unsafe { fill(list, frame) };
        if filled.is_none() {
            // SAFETY: as above.
            unsafe { self.free.push(list) };
        }
        filled.map(|()| list)
    }

    /// Takes lists back that are not in use any more.
    pub(crate) fn return_nbls(&mut self, lists: Chain) {
        self.free.append(lists);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        while let Some(list) = self.free.pop() {
            // SAFETY: the list was in the pool, so it is ours, and has one net buffer.
            let buffer = unsafe { (*list.as_ptr()).FirstNetBuffer };
            // SAFETY: as above; the net buffer has one memory list.
            let mdl = unsafe { buffer.as_ref() }.map(|buffer| buffer.MdlChain);
            // SAFETY: as above; freeing the list frees its net buffer.
            unsafe { ndis::NdisFreeNetBufferList(list.as_ptr()) };
            if let Some(mdl) = mdl {
                // SAFETY: `describe` made it, and the list that described it is gone.
                unsafe { nt::IoFreeMdl(mdl.cast()) };
            }
        }
        // SAFETY: no list of the pool is left.
        unsafe { ndis::NdisFreeNetBufferListPool(self.handle) };
    }
}

/// Copies a frame into a list of the pool.
///
/// # Safety
///
/// The list is one of the pool, and the caller owns it.
unsafe fn fill(list: NonNull<NET_BUFFER_LIST>, frame: &Frame) -> Option<()> {
    // SAFETY: the caller owns the list.
    let buffer = unsafe { (*list.as_ptr()).FirstNetBuffer };
    // SAFETY: the list has a net buffer of its own.
    let buffer = unsafe { buffer.as_mut() }?;
    // SAFETY: the net buffer has one memory list, over a buffer of the pool.
    let memory = unsafe { buffer.MdlChain.as_mut() }?;
    let address = NonNull::new(memory.MappedSystemVa.cast::<u8>())?;
    let room = NonNull::slice_from_raw_parts(address, usize_from(frame.length()));
    // SAFETY: the buffer has room for the longest frame, is initialised, and is not in use.
    frame.copy(unsafe { { room }.as_mut() })?;
    // SAFETY: the caller owns the list.
    unsafe { reset(list) };
    // A protocol above may have advanced over what it had read.
    buffer.CurrentMdl = buffer.MdlChain;
    buffer.CurrentMdlOffset = 0;
    buffer.DataOffset = 0;
    buffer.DataLength = usize_from(frame.length());
    memory.ByteCount = frame.length();
    Some(())
}

/// Clears what a list says of one frame; drivers above may have written to it while they had the list.
///
/// # Safety
///
/// The caller owns the list.
unsafe fn reset(list: NonNull<NET_BUFFER_LIST>) {
    // SAFETY: as the caller promises.
    let list = unsafe { &mut *list.as_ptr() };
    list.NblFlags = 0;
    list.Status = NDIS_STATUS_SUCCESS;
    list.NetBufferListInfo.fill(core::ptr::null_mut());
}

/// A memory list over one of the pool's buffers.
fn describe(buffer: &mut [u8]) -> Option<NonNull<MDL>> {
    // SAFETY: the list is not part of a request, and its length that of the longest frame.
    let mdl = unsafe {
        nt::IoAllocateMdl(buffer.as_mut_ptr().cast(), LONGEST, nt::FALSE, nt::FALSE, core::ptr::null_mut())
    };
    let mdl = NonNull::new(mdl)?;
    // SAFETY: the buffer is nonpaged, as everything that the driver allocates, and stays where it is.
    unsafe { nt::MmBuildMdlForNonPagedPool(mdl.as_ptr()) };
    Some(mdl.cast())
}
