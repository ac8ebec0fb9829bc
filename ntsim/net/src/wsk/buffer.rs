//! Buffers that drivers pass: parts of MDL chains.

use core::hash::Hasher;
use std::collections::hash_map::DefaultHasher;

use nt::mm;
use ntsim_core::address::Va;
use ntsim_core::number::ToUsize;
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER};
use sys::wdm::{MDL, MDL_MAPPED_TO_SYSTEM_VA, MDL_PAGES_LOCKED, MDL_PARTIAL, MDL_SOURCE_IS_NONPAGED_POOL};
use sys::wsk::WSK_BUF;

use super::client::found;

/// The memory that a buffer describes, in pieces.
#[derive(Default)]
pub(super) struct Pieces {
    /// Address and length of each.
    pieces: Vec<(Va, usize)>,
    /// The bytes of all.
    pub(super) length: usize,
    /// The first piece that is not used up.
    at: usize,
    /// The bytes of that piece that are.
    used: usize,
}

impl Pieces {
    /// Reads what a driver passed to `function`; an empty buffer needs no chain.
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER with a finding, if the chain is too short or its memory not locked.
    ///
    /// # Safety
    /// `buffer` is null or describes a chain of the driver's.
    pub(super) unsafe fn read(buffer: *const WSK_BUF, function: &'static str) -> Result<Self, NTSTATUS> {
        // SAFETY: the caller's contract.
        let Some(buffer) = (unsafe { buffer.as_ref() }) else { return Err(STATUS_INVALID_PARAMETER) };
        let mut this = Self { length: buffer.Length, ..Self::default() };
        let (mut list, mut skipped, mut left) = (buffer.Mdl, buffer.Offset.to_usize(), buffer.Length);
        while left > 0 {
            // SAFETY: the chain is the driver's.
            let Some(mdl) = (unsafe { list.as_ref() }) else {
                let text =
                    format!("{function} got a chain that ends {left} bytes before its {}", buffer.Length);
                found("WskBufferShort", text);
                return Err(STATUS_INVALID_PARAMETER);
            };
            let room = mdl.ByteCount.to_usize();
            if skipped > room {
                let text = format!("{function} got an offset of {skipped} in a first list of {room} bytes");
                found("WskBufferShort", text);
                return Err(STATUS_INVALID_PARAMETER);
            }
            let length = (room - skipped).min(left);
            if length > 0 {
                this.pieces.push((memory(mdl, function)? + skipped, length));
            }
            (list, skipped, left) = (mdl.Next, 0, left - length);
        }
        Ok(this)
    }

    /// The bytes that are not used up.
    pub(super) fn left(&self) -> usize {
        let rest: usize = self.pieces[self.at..].iter().map(|piece| piece.1).sum();
        rest - self.used
    }

    /// The pieces that are not used up, at most `most` of them.
    pub(super) fn rest(&self, most: usize) -> impl Iterator<Item = (Va, usize)> {
        let used = self.used;
        let pieces = self.pieces[self.at..].iter().take(most).enumerate();
        pieces.map(
            move |(index, &(start, length))| {
                if index == 0 { (start + used, length - used) } else { (start, length) }
            },
        )
    }

    /// Uses up so many bytes.
    pub(super) fn advance(&mut self, mut bytes: usize) {
        while bytes > 0 {
            let left = self.pieces[self.at].1 - self.used;
            if bytes < left {
                self.used += bytes;
                return;
            }
            bytes -= left;
            (self.at, self.used) = (self.at + 1, 0);
        }
    }

    /// Copies bytes into what is not used up, and uses it up; returns how many there was room for.
    pub(super) fn fill(&mut self, bytes: &[u8]) -> usize {
        let mut copied = 0;
        while copied < bytes.len() && self.at < self.pieces.len() {
            let (start, length) = self.pieces[self.at];
            let now = (length - self.used).min(bytes.len() - copied);
            let part = &bytes[copied..copied + now];
            // SAFETY: the driver keeps the memory locked until its request is completed.
            unsafe { (start + self.used).ptr::<u8>().copy_from(part.as_ptr(), now) };
            self.advance(now);
            copied += now;
        }
        copied
    }

    /// A digest of the contents.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for &(start, length) in &self.pieces {
            // SAFETY: the driver keeps the memory locked until its request is completed.
            hasher.write(unsafe { core::slice::from_raw_parts(start.ptr::<u8>(), length) });
        }
        hasher.finish()
    }
}

/// A copy of the first bytes of pieces that the caller keeps.
pub(super) fn copy(pieces: &[libc::iovec], length: usize) -> Vec<u8> {
    let mut copied = Vec::with_capacity(length);
    for piece in pieces {
        let now = piece.iov_len.min(length - copied.len());
        // SAFETY: the driver keeps the memory locked until its request is completed.
        copied.extend_from_slice(unsafe { core::slice::from_raw_parts(piece.iov_base.cast::<u8>(), now) });
    }
    copied
}

/// The address of the memory that a list describes.
fn memory(mdl: &MDL, function: &'static str) -> Result<Va, NTSTATUS> {
    if mdl.MdlFlags & (MDL_PAGES_LOCKED | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL) == 0 {
        let text =
            format!("{function} got a list with the flags {:#x}, whose pages are not locked", mdl.MdlFlags);
        found("WskBufferUnlocked", text);
        return Err(STATUS_INVALID_PARAMETER);
    }
    let mapped = mdl.MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL) != 0;
    Ok(if mapped { Va::of(mdl.MappedSystemVa) } else { mm::described(mdl).start })
}
