//! How much kernel stack drivers use.
//!
//! Windows gives a thread 24 KiB of kernel stack on x64 ("Using the kernel stack" in the driver design
//! guide), shared by everything on the way to a driver and below it. Here threads have much more, so that
//! what would overflow there has to be measured: the driver's own frames count, the simulator's do not.

use core::cell::Cell;
use core::sync::atomic::Ordering;

use super::local::{self, Local};
use crate::machine;
use crate::verifier::{self, Bugcheck, Finding};

/// Bytes of its stack that a thread's drivers may use together; the rest is for the kernel's own frames.
const ALLOWED: u64 = 16 * 1024;

/// A thread's use of stack by drivers.
pub(crate) struct Depth {
    /// Where the innermost call into a driver began; 0 outside.
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

    /// Notes that a driver called the kernel with its stack pointer at `sp`.
    #[inline]
    pub(crate) fn entered(&self, sp: u64) {
        let depth = self.at(sp);
        if depth > self.deepest.get() {
            self.deepest.set(depth);
            deeper(depth);
        }
    }

    /// Does not count that many bytes that the driver's frames will lie below.
    pub(crate) fn skip(&self, bytes: u64) {
        self.base.set(self.base.get().saturating_sub(bytes));
    }

    fn at(&self, sp: u64) -> u64 {
        self.outer.get() + self.base.get().saturating_sub(sp)
    }
}

#[cold]
fn deeper(depth: u64) {
    let before = machine::current().deepest_stack.fetch_max(depth, Ordering::Relaxed);
    if depth > ALLOWED && before <= ALLOWED {
        // 8: double fault, which is what running out of kernel stack leads to.
        let bugcheck = Bugcheck { code: 0x7F, parameters: [8, 0, 0, 0] };
        let text = format!("drivers use {depth} bytes of a stack; {ALLOWED} are allowed");
        verifier::report(Finding::new("StackUsage").bugcheck(bugcheck).text(text));
    }
}

/// Runs a call into a driver.
#[inline]
pub(super) fn within<R>(call: impl FnOnce() -> R) -> R {
    let mark = 0_u8;
    let here = (&raw const mark) as u64;
    let (base, outer) = local::with(|local: &Local| {
        let depth = &local.depth;
        let outer = depth.outer.get();
        if let Some(entry) = local::innermost() {
            depth.outer.set(depth.at(entry.sp));
        }
        (depth.base.replace(here), outer)
    });
    let result = call();
    local::with(|local| {
        local.depth.base.set(base);
        local.depth.outer.set(outer);
    });
    result
}

#[cfg(test)]
mod tests {
    use crate::Machine;
    use crate::ke::KeGetCurrentIrql;
    use crate::sched;

    /// Calls the kernel from below `size` more bytes of stack.
    fn sink(size: usize) {
        let room = [0_u8; 1024];
        if size > room.len() {
            sink(size - core::hint::black_box(room).len());
        } else {
            unsafe { KeGetCurrentIrql() };
        }
    }

    #[test]
    fn a_deep_stack_is_found_and_frames_of_the_simulator_do_not_count() {
        let machine = Machine::builder().boot();
        sched::call_driver("Shallow", || sink(1024));
        sink(100 * 1024);
        let shallow = machine.shutdown();
        assert!(shallow.is_clean() && shallow.deepest_stack >= 1024, "{shallow}");
        let machine = Machine::builder().boot();
        sched::call_driver("Deep", || sink(20 * 1024));
        assert_eq!(machine.shutdown().findings[0].rule, "StackUsage");
    }
}
