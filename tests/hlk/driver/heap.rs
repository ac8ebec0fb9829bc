//! Fallible allocation, and the list in which the harness keeps its records.

#![expect(unsafe_code, reason = "the allocator is called")]

use alloc::alloc::alloc;
use alloc::boxed::Box;
use core::alloc::Layout;
use core::sync::atomic::{AtomicPtr, Ordering};

use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};

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
