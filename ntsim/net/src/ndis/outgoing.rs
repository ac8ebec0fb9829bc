//! Frames to be sent, laid out in memory in the ways in which protocols do it.
//!
//! A net buffer's data is what a chain of MDLs describes, from an offset on; what comes before is room for headers,
//! and what comes after is not part of it
//! (<https://learn.microsoft.com/windows-hardware/drivers/network/net-buffer-data>). The pages of an MDL are locked,
//! but need not be mapped.

use core::ptr;

use nt::mm::{self, Block, Locked, Range};
use ntsim_core::address::Va;
use sys::ndis::NET_BUFFER_LIST;
use sys::wdm::MDL;

use super::{pool, variation};

/// Length of an Ethernet header, in bytes.
const HEADER: usize = 14;

/// Lists to be sent, with the memory that they describe.
pub(super) struct Outgoing {
    list: *mut NET_BUFFER_LIST,
    _parts: Vec<Part>,
}

/// The memory of a part of a frame, with its MDL.
enum Part {
    /// Nonpaged pool.
    Pool { _memory: Block, list: Block },
    /// Locked pages.
    Locked(Locked),
}

impl Part {
    fn pool(bytes: &[u8]) -> Option<Self> {
        let memory = Block::new(bytes.len().max(1))?;
        // SAFETY: the block is new and as long as the bytes.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), memory.as_ptr(), bytes.len()) };
        let range = Range { start: Va::of(memory.as_ptr::<u8>()), length: bytes.len() };
        let list = Block::new(range.list_size())?;
        // SAFETY: the block has the size that the list needs.
        unsafe { mm::describe(list.as_ptr(), range) };
        // SAFETY: the list was just filled in.
        unsafe { mm::build_for_nonpaged(list.as_ptr::<MDL>()) };
        Some(Self::Pool { _memory: memory, list })
    }

    fn locked(offset: usize, bytes: &[u8]) -> Option<Self> {
        Locked::new(offset, bytes).map(Self::Locked)
    }

    fn list(&self) -> *mut MDL {
        match self {
            Self::Pool { list, .. } => list.as_ptr(),
            Self::Locked(locked) => locked.list(),
        }
    }
}

impl Outgoing {
    /// One list with a net buffer for each frame; `None` if the host has no memory left.
    pub(super) fn new(frames: &[&[u8]]) -> Option<Self> {
        let mut list: *mut NET_BUFFER_LIST = ptr::null_mut();
        let mut all = Vec::new();
        for frame in frames {
            let (parts, offset) = lay_out(frame)?;
            for pair in parts.windows(2) {
                // SAFETY: the list of a part is its own, and not in use yet.
                unsafe { (*pair[0].list()).Next = pair[1].list() };
            }
            let chain = parts.first()?.list();
            if list.is_null() {
                // SAFETY: the chain is complete, and is kept as long as the list.
                list = unsafe { pool::make(Va::NULL, 0, chain, offset, frame.len()) }?;
            } else {
                // SAFETY: as above; the list was made just now.
                unsafe { pool::add_buffer(list, chain, offset, frame.len()) }?;
            }
            all.extend(parts);
        }
        (!list.is_null()).then_some(Self { list, _parts: all })
    }

    /// The list.
    pub(super) fn list(&self) -> *mut NET_BUFFER_LIST {
        self.list
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        pool::free(self.list);
    }
}

/// The parts of a frame, and the offset of its data in them.
fn lay_out(frame: &[u8]) -> Option<(Vec<Part>, u32)> {
    let (header, payload) = frame.split_at(HEADER.min(frame.len()));
    let room = [&[0xEE; 20], header].concat();
    Some(match variation::choose(4) {
        0 => (vec![Part::pool(frame)?], 0),
        // Headers in front of a program's data, with room for one more.
        1 => (vec![Part::pool(&room)?, Part::locked(0xFFC, payload)?], 20),
        // The room is an MDL of its own, which the data does not begin in.
        2 => (vec![Part::pool(&room[..20])?, Part::locked(0x123, frame)?], 20),
        // More memory than data, cut inside the header.
        _ => {
            let (begin, end) = frame.split_at(frame.len().min(5));
            (vec![Part::locked(0xFFE, begin)?, Part::pool(&[end, &[0xEE; 9]].concat())?], 0)
        }
    })
}
