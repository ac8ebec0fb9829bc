//! Processors, levels, threads, time.
//!
//! Everything that may switch threads goes through here, so that a scheduler which chooses the next
//! thread itself needs one seam: [`point`], passed at every entry into the kernel; [`block`] and [`wake`],
//! through which every wait goes, those of the simulator's own threads too; and `contended`, passed by a
//! thread that spins for a lock or a processor.
//!
//! For the rest of the simulator:
//!
//! - [`irql`], [`raise`], [`lower`]: the calling thread's level;
//! - [`call_driver`]: around every call from the simulator into driver code;
//! - [`spawn`]: a thread of the machine, at PASSIVE_LEVEL;
//! - [`attach`]: makes a host thread one of the machine's;
//! - [`block`], [`wake`]: waiting (dispatcher objects are built on these; see `ke`);
//! - [`now`], [`system_time`]: simulated time in units of 100 ns.
//!
//! Without a [`Schedule`] the host's scheduler decides, and the seam costs next to nothing; with one,
//! `explore` does.

mod call;
mod depth;
mod dpc_queue;
pub(crate) mod explore;
mod held;
mod irql;
pub(crate) mod local;
pub(crate) mod overrun;
pub(crate) mod processor;
mod thread;
pub(crate) mod time;
pub(crate) mod watchdog;

pub(crate) use call::COMPLETION;
pub use call::call_driver;
pub(crate) use depth::Depth;
pub(crate) use dpc_queue::{DpcOrder, Importance};
pub use explore::{Atomics, Digest, Event, Played, Schedule, Strategy, Trace};
pub(crate) use explore::{Place, Turns, Wait, What};
pub(crate) use held::HeldLocks;
pub use irql::{Irql, irql, lower, raise};
pub(crate) use thread::Threads;
pub use thread::{Attached, Thread, attach, block, current, spawn, wake};
pub use time::{duration, elapsed, now, system_time};

/// The number of the processor that the calling thread runs on.
#[inline]
pub fn processor() -> u32 {
    local::with(|local| local.processor.get())
}

/// Whether `address` lies on the calling thread's stack.
pub(crate) fn on_own_stack(address: u64) -> bool {
    current().is_some_and(|thread| thread.stack_contains(address))
}

/// Passed at every entry into the kernel: the place where a scheduler may switch threads.
#[inline]
pub fn point() {
    point_at(|| What::Point);
}

/// As [`point`], where the thread does something that a trace should tell.
#[inline]
pub(crate) fn point_at(what: impl FnOnce() -> What) {
    if let Some((turns, thread)) = turns() {
        turns.point(thread, what);
    }
}

/// Passed by code of an image at `address`, before or behind an instruction that is a point.
pub(crate) fn reached(place: Place, address: u64) {
    if let Some((turns, thread)) = turns() {
        turns.reached(thread, place, address);
    }
}

/// Adds the result of the call named `call` to the digest of the run, where it is a status.
#[inline]
pub(crate) fn answered<R: 'static>(call: &str, result: &R) {
    if let Some((turns, thread)) = turns()
        && let Some(status) = explore::status(result)
    {
        turns.answered(thread, call, status);
    }
}

/// Adds to the trace.
pub(crate) fn note(what: impl FnOnce() -> What) {
    if let Some((turns, thread)) = turns() {
        turns.note(thread, what);
    }
}

/// Passed again and again by a thread that spins for `what` while another one has it: lets that one run.
pub(crate) fn contended(what: Wait) {
    match turns() {
        Some((turns, thread)) => turns.wait(thread, what),
        None => std::thread::yield_now(),
    }
}

/// Says that `what` threads may spin for was given back.
#[inline]
pub(crate) fn given_back(what: Wait) {
    if let Some((turns, _)) = turns() {
        turns.release(what);
    }
}

/// Where the calling thread has its turns from, if its machine has a schedule.
#[inline]
fn turns() -> Option<(&'static Turns, &'static Thread)> {
    local::with(|local| Some((local.turns.get()?, local.thread.get()?)))
}
