//! Measures the kernel stack that drivers use.
//!
//! Windows gives a thread 24 KiB of kernel stack on x64 ("Using the kernel stack" in the driver design
//! guide), shared by everything on the way to a driver and below it. Here threads have much more, so that
//! what would overflow there has to be measured: the driver's own frames count, the simulator's do not.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::address::Va;
use crate::bugcheck::Bugcheck;
use crate::per_machine::PerMachine;
use crate::sched::local;
use crate::verifier::{self, Finding};

/// Bytes of its stack that a thread's drivers may use together; the rest is for the kernel's own frames.
const ALLOWED: u64 = 16 * 1024;

/// The bytes of stack that drivers of the machine used at most.
static DEEPEST: PerMachine<AtomicU64> = PerMachine::new();

/// Bytes of stack that drivers used at most, as far as they called the kernel from there.
pub fn deepest_stack() -> u64 {
    DEEPEST.get().load(Ordering::Relaxed)
}

/// Notes that drivers use `depth` bytes of a stack.
#[cold]
pub(super) fn deeper(depth: u64) {
    let before = DEEPEST.get().fetch_max(depth, Ordering::Relaxed);
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
    let here = Va::of(&raw const mark).bits();
    let before = local::with(|local| local.depth.enter(here, local::innermost().map(|entry| entry.sp)));
    let result = call();
    local::with(|local| local.depth.leave(before));
    result
}

#[cfg(test)]
mod tests {
    use crate::testing::KeDoNothing;

    /// Calls the kernel from below `size` more bytes of stack.
    fn sink(size: usize) {
        let room = [0_u8; 1024];
        if size > room.len() {
            sink(size - core::hint::black_box(room).len());
        } else {
            unsafe { KeDoNothing() };
        }
    }

    #[test]
    fn deep_stack_is_found_and_frames_of_the_simulator_do_not_count() {
        let machine = crate::testing::builder().boot();
        crate::boundary::call_driver("Shallow", || sink(1024));
        sink(100 * 1024);
        let shallow = machine.shutdown();
        assert!(shallow.is_clean() && shallow.deepest_stack >= 1024, "{shallow}");
        let machine = crate::testing::builder().boot();
        crate::boundary::call_driver("Deep", || sink(20 * 1024));
        assert_eq!(machine.shutdown().findings[0].rule, "StackUsage");
    }
}
