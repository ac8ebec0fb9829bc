//! Processors, levels, threads, time.
//!
//! Everything that may switch threads goes through here, so that a scheduler which chooses the next
//! thread itself needs one seam: [`schedule_point`], passed at every entry into the kernel; [`block`] and [`wake`],
//! through which every wait goes, those of the simulator's own threads too; and `spin_wait`, passed by a
//! thread that spins for a lock or a processor.
//!
//! For the layers above, of which it knows none (they install [`hooks`]):
//!
//! - [`irql`](fn@irql), [`raise`], [`lower`]: the calling thread's level;
//! - [`spawn`]: a thread of the machine, at PASSIVE_LEVEL;
//! - [`attach`]: makes a host thread one of the machine's;
//! - [`block`], [`wake`]: waiting (dispatcher objects are built on these; see `ke`);
//! - [`now`], [`system_time`]: simulated time in units of 100 ns.
//!
//! Without a [`Schedule`] the host's scheduler decides, and the seam costs next to nothing; with one,
//! `explore` does.

mod alternate_stack;
mod depth;
mod dpc_queue;
pub(crate) mod explore;
mod held;
pub mod hooks;
mod irql;
pub mod local;
pub mod overrun;
pub mod processor;
mod settings;
mod sockets;
mod thread;
pub mod time;
mod watchdog;

pub(crate) use depth::Depth;
pub use dpc_queue::Importance;
pub use explore::{Atomics, Digest, Event, Played, Points, Schedule, Strategy, Trace};
pub use explore::{Place, Turns, Wait, What};
pub(crate) use held::HeldLocks;
pub(crate) use hooks::Hooks;
pub use irql::{Irql, irql, lower, raise};
pub(crate) use overrun::Watchdog;
pub use processor::flush as flush_dpcs;
pub(crate) use processor::{start as start_processors, wake_all as wake_processors};
pub use settings::Settings;
pub use sockets::{CaptureFile, SocketFaults, Sockets, Transport};
pub(crate) use thread::join as join_threads;
pub use thread::{Attached, Thread, attach, block, current, for_each_thread, spawn, wake};
pub use time::{duration, elapsed, now, system_time, units};

use crate::address::Va;
use crate::per_machine::PerMachine;

static TURNS: PerMachine<Slot> = PerMachine::new();

/// The turns of a machine, if it has a schedule.
struct Slot(Option<Turns>);

impl Default for Slot {
    fn default() -> Self {
        Self(Settings::current().schedule.map(Turns::new))
    }
}

/// Makes the state that is there from a machine's first moment.
pub(crate) fn boot() {
    time::start();
    TURNS.get();
}

/// The turns of the running machine, if there is one and it has a schedule.
pub fn schedule() -> Option<&'static Turns> {
    TURNS.made()?.0.as_ref()
}

/// Returns the outcome of the run so far, where the machine has a schedule.
pub(crate) fn played() -> Option<Played> {
    schedule().map(Turns::played)
}

/// The number of the processor that the calling thread runs on.
#[inline]
pub fn processor() -> u32 {
    local::with(|local| local.processor.get())
}

/// Returns whether `address` lies on the calling thread's stack.
pub fn on_own_stack(address: Va) -> bool {
    current().is_some_and(|thread| thread.stack_contains(address))
}

/// Passed at every entry into the kernel: the place where a scheduler may switch threads.
#[inline]
pub fn schedule_point() {
    schedule_point_at(|| What::Point);
}

/// As [`schedule_point`], where the thread does something that a trace should tell.
#[inline]
pub(crate) fn schedule_point_at(what: impl FnOnce() -> What) {
    if let Some((turns, thread)) = turns() {
        turns.point(thread, what);
    }
}

/// Passed by code of an image at `address`, before or behind an instruction that is a point.
pub(crate) fn reached(place: Place, address: Va) {
    if let Some((turns, thread)) = turns() {
        turns.reached(thread, place, address);
    }
}

/// Adds the result of the call named `call` to the digest of the run, where it is a status.
#[inline]
pub fn answered<R: 'static>(call: &str, result: &R) {
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
pub fn spin_wait(what: Wait) {
    match turns() {
        Some((turns, thread)) => turns.wait(thread, what),
        None => std::thread::yield_now(),
    }
}

/// Says that `what` threads may spin for was given back.
#[inline]
pub fn released(what: Wait) {
    if let Some((turns, _)) = turns() {
        turns.release(what);
    }
}

/// The schedule of the calling thread, if its machine has one.
#[inline]
fn turns() -> Option<(&'static Turns, &'static Thread)> {
    local::with(|local| Some((local.turns.get()?, local.thread.get()?)))
}
