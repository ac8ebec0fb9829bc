//! Memory that drivers get by its list alone: its pages are locked, and not mapped yet.

use core::ptr;

use sys::wdm::MDL;

use super::{Block, Buffer, describe, lock_for_kernel, unlock_for_kernel};

/// A copy of some bytes in pages of its own, as those of a program are that a driver above has locked. What a
/// driver maps of it is unmapped when this is dropped, as MmUnlockPages does.
#[derive(Debug)]
pub struct Locked {
    list: Block,
    _buffer: Buffer,
}

impl Locked {
    /// A copy of `bytes`, which may be read; it begins at `offset` in its first page. `None` if the host has no
    /// memory left.
    pub fn new(offset: usize, bytes: &[u8]) -> Option<Self> {
        let buffer = Buffer::new(offset, bytes.len())?;
        // SAFETY: the buffer is new, and as long as the bytes.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), buffer.as_ptr(), bytes.len()) };
        let list = Block::new(buffer.range().list_size())?;
        // SAFETY: the block has the size that the list needs.
        unsafe { describe(list.as_ptr(), buffer.range()) };
        // SAFETY: the list is new, and nothing else has it.
        unsafe { lock_for_kernel(list.as_ptr(), false) };
        buffer.hide();
        Some(Self { list, _buffer: buffer })
    }

    /// The list.
    pub fn list(&self) -> *mut MDL {
        self.list.as_ptr()
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // SAFETY: the list is this one's own, which it locked.
        unsafe { unlock_for_kernel(self.list()) };
    }
}
