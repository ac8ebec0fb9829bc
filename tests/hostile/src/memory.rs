//! The consumer's memory, and the bytes of it that a right to write was granted for.

use core::ptr::{from_mut, null_mut};

use sys::wdm::{MDL, MDL_SOURCE_IS_NONPAGED_POOL, PVOID};

/// Bytes of one block: a page and a bit, so that a block spans pages.
pub(crate) const SIZE: usize = 5000;
/// Bytes behind a block that are never to be written.
const TAIL: usize = 4096;
/// The number of blocks.
pub(crate) const BLOCKS: usize = 4;

/// One block with a list that describes it.
struct Block {
    bytes: Box<[u8]>,
    may_change: Box<[bool]>,
    mdl: Box<MDL>,
    first: u8,
}

/// The consumer's memory.
pub(crate) struct Memory {
    blocks: Vec<Block>,
}

impl Block {
    fn new(first: u8) -> Self {
        let mut bytes = vec![first; SIZE + TAIL].into_boxed_slice();
        let address = bytes.as_mut_ptr().expose_provenance();
        let mdl = Box::new(MDL {
            Next: null_mut(),
            Size: 0x38,
            MdlFlags: MDL_SOURCE_IS_NONPAGED_POOL,
            AllocationProcessorNumber: 0,
            Reserved: 0,
            Process: null_mut(),
            MappedSystemVa: bytes.as_mut_ptr().cast(),
            StartVa: core::ptr::without_provenance_mut(address & !0xFFF),
            ByteCount: SIZE as u32,
            ByteOffset: (address & 0xFFF) as u32,
        });
        Self { bytes, may_change: vec![false; SIZE + TAIL].into_boxed_slice(), mdl, first }
    }

    fn check(&self, number: usize) {
        let changed = |at: &usize| self.bytes[*at] != self.first && !self.may_change[*at];
        if let Some(at) = (0..SIZE + TAIL).find(changed) {
            panic!("byte {at} of block {number} has changed, which no granted right covers");
        }
    }
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self { blocks: (0..BLOCKS).map(|number| Block::new(0xA0 + number as u8)).collect() }
    }

    /// The list that describes a block.
    pub(crate) fn mdl(&mut self, block: usize) -> *mut MDL {
        from_mut(&mut *self.blocks[block % BLOCKS].mdl)
    }

    /// The address of a byte of a block; `at` may lie beyond its end.
    pub(crate) fn address(&self, block: usize, at: u16) -> PVOID {
        self.blocks[block % BLOCKS].bytes.as_ptr().cast_mut().wrapping_add(at.into()).cast()
    }

    /// From here on this range of a block may change.
    pub(crate) fn give(&mut self, block: usize, at: usize, length: usize) {
        self.blocks[block % BLOCKS].may_change[at..at + length].fill(true);
    }

    /// A range of a block that exists: what a consumer may name by the privileged token, or give inline.
    pub(crate) fn within(at: u16, length: u32) -> (u16, u32) {
        let at = at as usize % SIZE;
        (at as u16, length % (SIZE - at) as u32)
    }

    /// Nothing changed but what might.
    pub(crate) fn check(&self) {
        self.blocks.iter().enumerate().for_each(|(number, block)| block.check(number));
    }
}
