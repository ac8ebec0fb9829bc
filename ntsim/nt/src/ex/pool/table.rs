//! The blocks of a machine, live and freed.

use core::alloc::Layout;
use core::ffi::c_void;
use core::ptr;
use core::slice;
use std::collections::{HashMap, VecDeque};

use ntsim_core::Settings;
use ntsim_core::address::Va;
use ntsim_core::loader::Trace;
use ntsim_core::pageable;
use parking_lot::Mutex;

use super::arena::{Arena, PAGE, Place};
use super::{Kind, Request, Tag, check};

/// The pattern around a block, in memory that the block does not own.
pub(super) const AROUND: u8 = 0xB6;
/// The pattern in a freed block in the heap.
pub(super) const FREED: u8 = 0xD7;

/// Alignment of a block; also the length of the pattern on each side of one in the heap.
const ALIGNMENT: usize = 16;
/// Freed blocks in the heap that are kept back.
const QUARANTINE: usize = 4096;
/// Bytes of a large block that are filled with the pattern: touching it all would cost the host memory.
const FILL_LIMIT: usize = 1 << 20;

/// One block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    /// The number of blocks that were allocated before it.
    pub(crate) number: u64,
    pub(crate) address: Va,
    pub(crate) size: usize,
    pub(crate) tag: Tag,
    pub(crate) kind: Kind,
    pub(super) home: Home,
    pub(crate) allocated: Trace,
    pub(crate) freed: Option<Trace>,
}

/// The place of a block.
#[derive(Clone, Copy, Debug)]
pub(super) enum Home {
    /// In pages of its own.
    Special(Place),
    /// In the host's heap, between two patterns.
    Heap,
}

impl Block {
    /// The memory around the block that must not be written to: in front of it, and behind it.
    pub(super) fn surroundings(&self) -> [(Va, Va); 2] {
        let end = self.address + self.size;
        match self.home {
            Home::Special(place) => [(place.start, self.address), (end, place.end())],
            Home::Heap => [(self.address - ALIGNMENT, self.address), (end, end + ALIGNMENT)],
        }
    }

    fn heap_layout(&self) -> Layout {
        heap_layout(self.size).expect("the layout it was allocated with")
    }
}

/// The amount of pool in use.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// Blocks that were ever allocated.
    pub allocations: u64,
    /// Blocks that are live.
    pub blocks: usize,
    /// Bytes in live blocks, as they were asked for.
    pub bytes: usize,
}

#[derive(Default)]
struct Blocks {
    allocations: u64,
    live_bytes: usize,
    live: HashMap<Va, Block>,
    /// Freed blocks whose place is not in use again, by address.
    dead: HashMap<Va, Block>,
    quarantine: VecDeque<Block>,
    arena: Arena,
    special: usize,
    allocated: u64,
}

/// The pool of one machine.
pub(super) struct Pool {
    blocks: Mutex<Blocks>,
    special_limit: usize,
    fresh: u8,
}

impl Default for Pool {
    fn default() -> Self {
        let Settings { special_pool, fresh_pool, .. } = *Settings::current();
        Self { blocks: Mutex::default(), special_limit: special_pool, fresh: fresh_pool }
    }
}

impl Pool {
    /// Allocates a block; null if the host has no memory.
    pub(super) fn allocate(&self, request: Request, allocated: Trace) -> *mut c_void {
        let mut blocks = self.blocks.lock();
        let special = if blocks.special < self.special_limit { blocks.special(request.size) } else { None };
        let Some((address, home)) = special.or_else(|| heap(request.size)) else { return ptr::null_mut() };
        let Request { size, tag, kind, zeroed } = request;
        let number = blocks.allocated;
        blocks.allocated += 1;
        let block = Block { number, address, size, tag, kind, home, allocated, freed: None };
        blocks.special += usize::from(matches!(home, Home::Special(_)));
        blocks.live.insert(address, block);
        blocks.allocations += 1;
        blocks.live_bytes += size;
        drop(blocks);

        for (start, end) in block.surroundings() {
            // SAFETY: the surroundings of a new block are writable memory that is not in use.
            unsafe { ptr::write_bytes(start.ptr::<u8>(), AROUND, end - start) };
        }
        let (value, length) = match (zeroed, home) {
            (true, Home::Special(place)) if place.is_zero() => (0, 0),
            (true, _) => (0, size),
            (false, _) => (self.fresh, size.min(FILL_LIMIT)),
        };
        // SAFETY: the block is new, writable and at least this long.
        unsafe { ptr::write_bytes(address.ptr::<u8>(), value, length) };
        if let (Kind::Paged, Home::Special(place)) = (kind, home) {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            // SAFETY: the place is the pool's, and forgotten before it rests.
            unsafe { pageable::add(place.start, place.end() - place.start, access) };
        }
        address.ptr()
    }

    /// Takes the block that begins at `address` out of the table, to be released.
    pub(super) fn take(&self, address: Va) -> Option<Block> {
        let mut blocks = self.blocks.lock();
        let block = blocks.live.remove(&address)?;
        blocks.live_bytes -= block.size;
        Some(block)
    }

    /// See [`Usage`].
    pub(super) fn usage(&self) -> Usage {
        let blocks = self.blocks.lock();
        Usage { allocations: blocks.allocations, blocks: blocks.live.len(), bytes: blocks.live_bytes }
    }

    /// Frees the memory of a block that was taken.
    ///
    /// # Safety
    /// The block is not in use any more.
    pub(super) unsafe fn release(&self, mut block: Block, freed: Trace) {
        block.freed = Some(freed);
        let mut blocks = self.blocks.lock();
        blocks.dead.insert(block.address, block);
        if let Home::Special(place) = block.home {
            blocks.special -= 1;
            pageable::forget(&(place.start..place.end()));
            // SAFETY: the block's owner vouches that it is not in use.
            unsafe { blocks.arena.rest(place, block.address) };
            return;
        }
        // SAFETY: the block's memory is still allocated and, so its owner vouches, out of use.
        unsafe { ptr::write_bytes(block.address.ptr::<u8>(), FREED, block.size) };
        blocks.quarantine.push_back(block);
        if blocks.quarantine.len() > QUARANTINE
            && let Some(oldest) = blocks.quarantine.pop_front()
        {
            blocks.dead.remove(&oldest.address);
            drop(blocks);
            // SAFETY: the block has left the quarantine, so this is its only release.
            unsafe { release_heap(&oldest) };
        }
    }

    /// The live block that `address` lies in or just behind or before, in the pages of the same place.
    pub(super) fn find(&self, address: Va) -> Option<Block> {
        let blocks = self.blocks.try_lock_for(core::time::Duration::from_secs(1))?;
        let near = |map: &HashMap<Va, Block>| map.values().find(|block| block.is_near(address)).copied();
        near(&blocks.live).or_else(|| near(&blocks.dead))
    }

    /// The live blocks.
    pub(super) fn live(&self) -> Vec<Block> {
        self.blocks.lock().live.values().copied().collect()
    }

    /// Gives all memory back to the host, or keeps it for another machine.
    ///
    /// # Safety
    /// No block is in use any more, whether it was freed or not.
    pub(crate) unsafe fn clear(&self) {
        let blocks = core::mem::take(&mut *self.blocks.lock());
        let leaked = blocks.live.values().filter(|block| matches!(block.home, Home::Heap));
        for block in leaked {
            // SAFETY: the caller vouches that the block is out of use; it is in no list any more.
            unsafe { deallocate(block) };
        }
        for block in &blocks.quarantine {
            // SAFETY: as above.
            unsafe { release_heap(block) };
        }
        let leaked = blocks.live.values().filter_map(|block| match block.home {
            Home::Special(place) => Some((place, block.address)),
            Home::Heap => None,
        });
        // SAFETY: as above.
        unsafe { blocks.arena.leave(leaked) };
    }
}

impl Block {
    fn is_near(&self, address: Va) -> bool {
        let [(start, _), (_, end)] = self.surroundings();
        let guard = if matches!(self.home, Home::Special(_)) { PAGE } else { 0 };
        (start..end + guard).contains(&address)
    }
}

impl Blocks {
    /// Pages for a block: its end against the inaccessible page, as nearly as its alignment allows. One
    /// of a page or more begins on a page, as drivers may rely on.
    fn special(&mut self, size: usize) -> Option<(Va, Home)> {
        let place = self.arena.take(size.div_ceil(PAGE).max(1))?;
        let address = if size >= PAGE { place.start } else { place.end() - size.next_multiple_of(ALIGNMENT) };
        self.dead.remove(&place.former);
        // A block of no bytes still has an address of its own.
        Some((address.min(place.end() - ALIGNMENT), Home::Special(place)))
    }
}

/// Bytes in front of a block in the heap, and its alignment: one of a page or more begins on a page
/// (<https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-exallocatepool2>).
fn front(size: usize) -> usize {
    if size >= PAGE { PAGE } else { ALIGNMENT }
}

fn heap_layout(size: usize) -> Option<Layout> {
    let front = front(size);
    Layout::from_size_align(size.checked_add(front + ALIGNMENT)?, front).ok()
}

fn heap(size: usize) -> Option<(Va, Home)> {
    let layout = heap_layout(size)?;
    // SAFETY: the layout's size is not zero.
    let start = unsafe { std::alloc::alloc(layout) };
    (!start.is_null()).then_some((Va::of(start) + front(size), Home::Heap))
}

/// Checks that a freed block was not written to, then deallocates it.
///
/// # Safety
/// As for [`deallocate`].
unsafe fn release_heap(block: &Block) {
    // SAFETY: the block's memory is allocated until the end of this function.
    let content = unsafe { slice::from_raw_parts(block.address.ptr::<u8>(), block.size) };
    if let Some(at) = check::first_other(content, FREED) {
        check::written_after_free(block, at);
    }
    // SAFETY: the caller's promise.
    unsafe { deallocate(block) };
}

/// # Safety
/// The block lies in the heap, is in no list any more, and is not in use.
unsafe fn deallocate(block: &Block) {
    let start = (block.address - front(block.size)).ptr::<u8>();
    // SAFETY: this is where and how `heap` allocated it.
    unsafe { std::alloc::dealloc(start, block.heap_layout()) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ex::pool;

    #[test]
    fn block_of_a_page_or_more_in_the_heap_begins_on_a_page() {
        let machine = crate::testing::builder().special_pool(0).boot();
        for (size, alignment) in [(PAGE, PAGE), (PAGE + 1, PAGE), (3 * PAGE + 8, PAGE), (PAGE - 1, ALIGNMENT)]
        {
            let request = Request { size, tag: Tag(1), kind: Kind::NonPaged, zeroed: true };
            let block = pool::allocate(request);
            assert!(Va::of(block).is_multiple_of(alignment), "{size}: {block:?}");
            unsafe { pool::free(block, None) };
        }
        assert!(machine.shutdown().is_clean());
    }
}
