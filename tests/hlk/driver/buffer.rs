//! Nonpaged memory with an MDL: what a consumer registers.

#![expect(unsafe_code, reason = "memory is given to the provider by its address")]

use alloc::alloc::{alloc_zeroed, dealloc};
use alloc::vec::Vec;
use core::alloc::Layout;
use core::ptr::NonNull;

use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER};
use sys::wdm::MDL;

use crate::kernel::{LockedMdl, PoolMdl};
use crate::number::usize_from;

/// A buffer in nonpaged pool, zero at first.
///
/// A provider reads and writes the memory while it is registered or posted, so there are no references to
/// it: bytes go in and out by copying.
pub(crate) struct Buffer {
    memory: NonNull<u8>,
    layout: Layout,
    length: u32,
    // Dropped after `Drop::drop` has freed the memory, which they only describe.
    mdl: PoolMdl,
    /// The rest of a chain.
    repeats: Vec<PoolMdl>,
    /// A list by which the pages are locked once more.
    locked: Option<LockedMdl>,
}

// SAFETY: the memory is accessed through raw copies only.
unsafe impl Send for Buffer {}
// SAFETY: as above.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// A buffer of `length` bytes, at least one.
    ///
    /// # Errors
    /// `STATUS_INSUFFICIENT_RESOURCES`.
    pub(crate) fn new(length: u32) -> Result<Self, NTSTATUS> {
        let layout =
            Layout::from_size_align(usize_from(length.max(1)), 16).map_err(|_| STATUS_INVALID_PARAMETER)?;
        // SAFETY: the layout's size is not zero.
        let memory = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        // SAFETY: the memory is nonpaged and freed after the MDL is out of use.
        match unsafe { PoolMdl::new(memory.as_ptr(), length.max(1)) } {
            Ok(mdl) => {
                Ok(Self { memory, layout, length: length.max(1), mdl, repeats: Vec::new(), locked: None })
            }
            Err(status) => {
                // SAFETY: the memory was just allocated with this layout.
                unsafe { dealloc(memory.as_ptr(), layout) };
                Err(status)
            }
        }
    }

    /// A buffer of `length` bytes, a multiple of the page size, whose MDL heads a chain that describes it so
    /// many times: as contiguous virtual addresses, which are an index only (WR-8), with the same memory behind.
    ///
    /// # Errors
    /// `STATUS_INSUFFICIENT_RESOURCES`.
    pub(crate) fn repeated(length: u32, times: u32) -> Result<Self, NTSTATUS> {
        let mut buffer = Self::new(length)?;
        let count = usize_from(times.saturating_sub(1));
        buffer.repeats.try_reserve_exact(count).map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
        let mut last = buffer.mdl.as_ptr();
        for _ in 0..count {
            // SAFETY: the memory is nonpaged and freed after the MDL is out of use.
            let next = unsafe { PoolMdl::new(buffer.memory.as_ptr(), length) }?;
            // SAFETY: the MDL is the buffer's own, and the chain is not shared yet.
            let before = unsafe { &mut *last };
            last = next.as_ptr();
            before.Next = last;
            // SAFETY: as above.
            unsafe { (*last).StartVa = before.StartVa.wrapping_byte_add(usize_from(length)) };
            buffer.repeats.push(next);
        }
        Ok(buffer)
    }

    /// A buffer of `length` bytes that has a locked list, too.
    ///
    /// # Errors
    /// `STATUS_INSUFFICIENT_RESOURCES`.
    pub(crate) fn locked(length: u32) -> Result<Self, NTSTATUS> {
        let mut buffer = Self::new(length)?;
        // SAFETY: the memory is nonpaged, and freed after the list.
        buffer.locked = Some(unsafe { LockedMdl::new(buffer.memory.as_ptr(), buffer.length) }?);
        Ok(buffer)
    }

    /// The list by which the pages are locked, and which has no mapping; that over the pool if there is none.
    pub(crate) fn locked_mdl(&self) -> *mut MDL {
        self.locked.as_ref().map_or(self.mdl(), LockedMdl::as_ptr)
    }

    pub(crate) const fn mdl(&self) -> *mut MDL {
        self.mdl.as_ptr()
    }

    /// Bytes.
    pub(crate) const fn length(&self) -> u32 {
        self.length
    }

    /// The address of the byte at `offset`, as SGEs name it.
    pub(crate) fn address(&self, offset: u32) -> usize {
        self.memory.as_ptr().wrapping_add(usize_from(offset)).addr()
    }

    /// The address of the memory.
    pub(crate) const fn as_ptr(&self) -> *mut u8 {
        self.memory.as_ptr()
    }

    /// Copies `bytes` to the start of the buffer, as many as fit.
    pub(crate) fn put(&self, bytes: &[u8]) {
        self.put_at(0, bytes);
    }

    /// Copies `bytes` to `offset`, as many as fit.
    pub(crate) fn put_at(&self, offset: u32, bytes: &[u8]) {
        let (place, room) = self.from(offset);
        // SAFETY: both sides are at least so many bytes, and a caller's slice is no part of the buffer.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len().min(room)) };
    }

    /// Sets the first `length` bytes to `value`.
    pub(crate) fn fill(&self, value: u8, length: u32) {
        // SAFETY: the buffer has so many bytes.
        unsafe { self.memory.as_ptr().write_bytes(value, usize_from(length.min(self.length))) };
    }

    /// Returns whether the first `length` bytes are `value`.
    pub(crate) fn holds(&self, value: u8, length: u32) -> bool {
        let places =
            (0..length.min(self.length)).map(|offset| self.memory.as_ptr().wrapping_add(usize_from(offset)));
        // SAFETY: the places lie within the buffer.
        places.into_iter().all(|place| unsafe { place.read_volatile() } == value)
    }

    /// Copies the start of the buffer to `bytes`.
    pub(crate) fn take(&self, bytes: &mut [u8]) {
        self.take_at(0, bytes);
    }

    /// Copies what is at `offset` to `bytes`.
    pub(crate) fn take_at(&self, offset: u32, bytes: &mut [u8]) {
        let (place, room) = self.from(offset);
        // SAFETY: both sides are at least so many bytes, and a caller's slice is no part of the buffer.
        unsafe { core::ptr::copy_nonoverlapping(place, bytes.as_mut_ptr(), bytes.len().min(room)) };
    }

    /// The address of the byte at `offset`, and the number of bytes from there on.
    fn from(&self, offset: u32) -> (*mut u8, usize) {
        let offset = offset.min(self.length);
        let room = self.length.saturating_sub(offset);
        (self.memory.as_ptr().wrapping_add(usize_from(offset)), usize_from(room))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.locked = None;
        // SAFETY: the memory was allocated with this layout, and its users are closed.
        unsafe { dealloc(self.memory.as_ptr(), self.layout) };
    }
}
