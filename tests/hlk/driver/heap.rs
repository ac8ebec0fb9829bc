//! Fallible allocation, and the lists in which the harness keeps its records.

#![expect(unsafe_code, reason = "the allocator is called")]

use alloc::alloc::{alloc, alloc_zeroed, dealloc};
use alloc::boxed::Box;
use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};

use crate::number::usize_from;

/// `value` in nonpaged pool.
///
/// # Errors
/// `STATUS_INSUFFICIENT_RESOURCES`.
pub(crate) fn try_box<T>(value: T) -> Result<Box<T>, NTSTATUS> {
    const { assert!(size_of::<T>() != 0) };
    // SAFETY: the layout's size is not zero, as asserted.
    let memory = unsafe { alloc(Layout::new::<T>()) }.cast::<T>();
    if memory.is_null() {
        return Err(STATUS_INSUFFICIENT_RESOURCES);
    }
    // SAFETY: `memory` was just allocated with the layout of T.
    unsafe { memory.write(value) };
    // SAFETY: `memory` came from the global allocator with the layout of T, and holds a T.
    Ok(unsafe { Box::from_raw(memory) })
}

/// A list that only grows, from any thread and at any IRQL up to DISPATCH_LEVEL, and is freed as a whole.
pub(crate) struct List<T> {
    head: AtomicPtr<Node<T>>,
}

struct Node<T> {
    value: T,
    next: *mut Node<T>,
}

// SAFETY: nodes are immutable once they are in the list, and hand out shared references only.
unsafe impl<T: Sync + Send> Sync for List<T> {}
// SAFETY: the list owns its nodes.
unsafe impl<T: Send> Send for List<T> {}

impl<T> List<T> {
    pub(crate) const fn new() -> Self {
        Self { head: AtomicPtr::new(core::ptr::null_mut()) }
    }

    /// Puts `value` at the head.
    ///
    /// # Errors
    /// `STATUS_INSUFFICIENT_RESOURCES`; then the value is dropped.
    pub(crate) fn push(&self, value: T) -> Result<&T, NTSTATUS> {
        let node = Box::into_raw(try_box(Node { value, next: core::ptr::null_mut() })?);
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: the node is not in the list yet, so no other thread can reach it.
            unsafe { (*node).next = head };
            match self.head.compare_exchange_weak(head, node, Ordering::Release, Ordering::Relaxed) {
                // SAFETY: nodes live as long as the list.
                Ok(_) => return Ok(unsafe { &(*node).value }),
                Err(other) => head = other,
            }
        }
    }

    /// From the newest to the oldest.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        let mut next = self.head.load(Ordering::Acquire).cast_const();
        core::iter::from_fn(move || {
            // SAFETY: the pointer is null or that of a node, which lives as long as the list.
            let node = unsafe { next.as_ref() }?;
            next = node.next;
            Some(&node.value)
        })
    }
}

impl<T> Drop for List<T> {
    fn drop(&mut self) {
        let mut next = *self.head.get_mut();
        while !next.is_null() {
            // SAFETY: the node was boxed by `push`, and no reference to it is left.
            let node = unsafe { Box::from_raw(next) };
            next = node.next;
        }
    }
}

/// Values in a block of a [`Log`].
const SLOTS: usize = 32;

/// A list that only grows, as [`List`], for records of which there are very many: an allocation holds [`SLOTS`] of them.
pub(crate) struct Log<T> {
    head: AtomicPtr<Block<T>>,
}

struct Block<T> {
    next: *mut Self,
    /// Slots that were given out, and tries to get one after the last.
    given: AtomicU32,
    slots: [Slot<T>; SLOTS],
}

struct Slot<T> {
    /// Set once the value is there.
    filled: AtomicBool,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: a slot is written once, before it is marked as filled; after that it hands out shared references only.
unsafe impl<T: Sync + Send> Sync for Log<T> {}
// SAFETY: the log owns its blocks.
unsafe impl<T: Send> Send for Log<T> {}

impl<T> Log<T> {
    pub(crate) const fn new() -> Self {
        Self { head: AtomicPtr::new(null_mut()) }
    }

    /// Adds `value`.
    ///
    /// # Errors
    /// `STATUS_INSUFFICIENT_RESOURCES`; then the value is dropped.
    pub(crate) fn push(&self, mut value: T) -> Result<&T, NTSTATUS> {
        loop {
            let head = self.head.load(Ordering::Acquire);
            // SAFETY: the pointer is null or that of a block, which lives as long as the log.
            if let Some(block) = unsafe { head.as_ref() } {
                match block.put(value) {
                    Ok(value) => return Ok(value),
                    Err(back) => value = back,
                }
            }
            self.add_block(head)?;
        }
    }

    /// Puts an empty block before `head`, unless another thread has put one there.
    fn add_block(&self, head: *mut Block<T>) -> Result<(), NTSTATUS> {
        let layout = Layout::new::<Block<T>>();
        // SAFETY: a block has slots, so its size is not zero.
        let block = unsafe { alloc_zeroed(layout) }.cast::<Block<T>>();
        // SAFETY: null, or memory of the layout of a block, of which zero is a valid value; no other thread has it.
        let Some(added) = (unsafe { block.as_mut() }) else { return Err(STATUS_INSUFFICIENT_RESOURCES) };
        added.next = head;
        if self.head.compare_exchange(head, block, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            // SAFETY: it was allocated above with this layout, and no other thread has seen it.
            unsafe { dealloc(block.cast(), layout) };
        }
        Ok(())
    }

    /// All values, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        let mut next = self.head.load(Ordering::Acquire).cast_const();
        let blocks = core::iter::from_fn(move || {
            // SAFETY: the pointer is null or that of a block, which lives as long as the log.
            let block = unsafe { next.as_ref() }?;
            next = block.next;
            Some(block)
        });
        blocks.flat_map(|block: &Block<T>| block.slots.iter().filter_map(Slot::value))
    }
}

impl<T> Block<T> {
    /// Puts a value into the next slot; it comes back if there is none.
    fn put(&self, value: T) -> Result<&T, T> {
        let index = usize_from(self.given.fetch_add(1, Ordering::Relaxed));
        let Some(slot) = self.slots.get(index) else { return Err(value) };
        // SAFETY: the slot was given to this call alone, and is not read before it is marked.
        let place = unsafe { &mut *slot.value.get() };
        let value = place.write(value);
        slot.filled.store(true, Ordering::Release);
        Ok(value)
    }
}

impl<T> Slot<T> {
    fn value(&self) -> Option<&T> {
        if !self.filled.load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: a slot that is filled is not written any more.
        let place = unsafe { &*self.value.get() };
        // SAFETY: as above; it has its value.
        Some(unsafe { place.assume_init_ref() })
    }
}

impl<T> Drop for Log<T> {
    fn drop(&mut self) {
        let mut next = *self.head.get_mut();
        // SAFETY: the pointer is null or that of a block, to which no reference is left.
        while let Some(block) = unsafe { next.as_mut() } {
            for slot in &mut block.slots {
                if *slot.filled.get_mut() {
                    // SAFETY: a slot that is filled has its value.
                    unsafe { slot.value.get_mut().assume_init_drop() };
                }
            }
            let freed = core::mem::replace(&mut next, block.next);
            // SAFETY: the block was allocated with this layout, and is in the log no more.
            unsafe { dealloc(freed.cast(), Layout::new::<Block<T>>()) };
        }
    }
}
