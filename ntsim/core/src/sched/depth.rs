//! The depth of a thread in its stack, as far as its drivers took it there.

#![forbid(unsafe_code)]

use core::cell::Cell;

/// A thread's use of stack by drivers.
pub(crate) struct Depth {
    /// The stack pointer at the innermost call into a driver; 0 outside.
    base: Cell<u64>,
    /// Bytes used by calls further out.
    outer: Cell<u64>,
    deepest: Cell<u64>,
}

impl Depth {
    /// No use yet.
    pub(crate) const fn new() -> Self {
        Self { base: Cell::new(0), outer: Cell::new(0), deepest: Cell::new(0) }
    }

    /// Notes that a driver called the kernel with its stack pointer at `sp`; the depth, if it never was as deep.
    #[inline]
    pub(crate) fn entered(&self, sp: u64) -> Option<u64> {
        let depth = self.at(sp);
        if depth <= self.deepest.get() {
            return None;
        }
        self.deepest.set(depth);
        Some(depth)
    }

    /// Notes that the kernel calls a driver from below `base`, out of a call that came with its stack pointer at `sp`;
    /// returns what [`leave`](Self::leave) puts back.
    #[inline]
    pub(crate) fn enter(&self, base: u64, sp: Option<u64>) -> (u64, u64) {
        let outer = self.outer.get();
        if let Some(sp) = sp {
            self.outer.set(self.at(sp));
        }
        (self.base.replace(base), outer)
    }

    /// Notes that the driver has returned.
    #[inline]
    pub(crate) fn leave(&self, (base, outer): (u64, u64)) {
        self.base.set(base);
        self.outer.set(outer);
    }

    /// Does not count that many bytes that the driver's frames will lie below.
    pub(crate) fn skip(&self, bytes: u64) {
        self.base.set(self.base.get().saturating_sub(bytes));
    }

    fn at(&self, sp: u64) -> u64 {
        self.outer.get() + self.base.get().saturating_sub(sp)
    }
}
