//! Chains of net buffer lists, as they cross the NDIS interface.
//!
//! Members are reached one by one and never through a reference to the whole: how long a list is depends on
//! the Windows that allocates it.

#![expect(unsafe_code, reason = "net buffer lists are linked by their addresses")]

use core::ptr::{NonNull, null_mut};

use sys::ndis::NET_BUFFER_LIST;

/// Net buffer lists that are linked by their first member.
///
/// # Invariants
///
/// `head` leads through `length` lists, the last of which is `tail`; the chain's holder owns them all.
pub(crate) struct Chain {
    head: *mut NET_BUFFER_LIST,
    tail: *mut NET_BUFFER_LIST,
    length: u32,
}

// SAFETY: net buffer lists may be used on any thread; the chain's holder owns them.
unsafe impl Send for Chain {}

impl Chain {
    /// A chain of no list.
    pub(crate) const fn new() -> Self {
        Self { head: null_mut(), tail: null_mut(), length: 0 }
    }

    /// The chain that NDIS passed.
    ///
    /// # Safety
    ///
    /// `head` is null or leads through lists that now belong to the caller.
    pub(crate) unsafe fn from_head(head: *mut NET_BUFFER_LIST) -> Self {
        let mut chain = Self { head, tail: head, length: 0 };
        let mut next = head;
        while let Some(list) = NonNull::new(next) {
            chain.tail = list.as_ptr();
            chain.length = chain.length.wrapping_add(1);
            // SAFETY: the list belongs to the caller, and so to us.
            next = unsafe { (*list.as_ptr()).Next };
        }
        chain
    }

    /// The number of lists.
    pub(crate) const fn length(&self) -> u32 {
        self.length
    }

    /// The first list, for passing the chain on.
    pub(crate) const fn head(&self) -> *mut NET_BUFFER_LIST {
        self.head
    }

    /// The lists, one after the other.
    pub(crate) fn iter(&self) -> impl Iterator<Item = NonNull<NET_BUFFER_LIST>> {
        core::iter::successors(NonNull::new(self.head), |list| {
            // SAFETY: the list is one of this chain, which we own.
            NonNull::new(unsafe { (*list.as_ptr()).Next })
        })
    }

    /// Adds the lists of another chain at the end.
    pub(crate) fn append(&mut self, other: Self) {
        if let Some(tail) = NonNull::new(self.tail) {
            // SAFETY: the list is the last of this chain, which we own.
            unsafe { (*tail.as_ptr()).Next = other.head };
        } else {
            self.head = other.head;
        }
        if !other.tail.is_null() {
            self.tail = other.tail;
        }
        self.length = self.length.wrapping_add(other.length);
    }

    /// Adds one list at the end.
    ///
    /// # Safety
    ///
    /// The list belongs to the caller, who gives it up.
    pub(crate) unsafe fn push(&mut self, list: NonNull<NET_BUFFER_LIST>) {
        // SAFETY: the list belongs to the caller.
        unsafe { (*list.as_ptr()).Next = null_mut() };
        self.append(Self { head: list.as_ptr(), tail: list.as_ptr(), length: 1 });
    }

    /// Takes the first list.
    pub(crate) fn pop(&mut self) -> Option<NonNull<NET_BUFFER_LIST>> {
        let first = NonNull::new(self.head)?;
        // SAFETY: the list is the first of this chain, which we own.
        self.head = unsafe { (*first.as_ptr()).Next };
        if self.head.is_null() {
            self.tail = null_mut();
        }
        self.length = self.length.wrapping_sub(1);
        Some(first)
    }

    /// Takes all lists.
    pub(crate) const fn take(&mut self) -> Self {
        core::mem::replace(self, Self::new())
    }
}
