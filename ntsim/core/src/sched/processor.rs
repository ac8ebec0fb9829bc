//! Virtual processors: at most one thread at a time runs on each at DISPATCH_LEVEL.
//!
//! A thread below that level runs freely; its processor is only a number. Raising takes the processor's
//! lock, lowering gives it back, so what Windows achieves by not switching threads holds here too:
//! code at DISPATCH_LEVEL on one processor never overlaps, DPCs included.

use core::ffi::c_void;
use core::ops::Range;
use core::time::Duration;
use std::sync::OnceLock;

use parking_lot::lock_api::RawMutex as _;

use super::dpc_queue::{DpcQueue, Importance};
use super::local::Local;
use super::{Irql, Thread, Wait, local};
use crate::address::Va;
use crate::number::{ToUsize, narrow};
use crate::per_machine::{PerMachine, Stopping};
use crate::sched;
use crate::sched::Settings;

/// A DPC: a call at DISPATCH_LEVEL on one processor.
#[derive(Clone, Copy)]
pub struct Dpc {
    /// The routine to call.
    pub routine: unsafe fn(*mut c_void),
    /// The argument of the routine.
    pub context: *mut c_void,
}

// SAFETY: the code that defers a call vouches that its context may be used on another thread.
unsafe impl Send for Dpc {}

/// The number of times that a thread lets others run before it sleeps until its processor is free.
const YIELDS: u32 = 10;

/// One virtual processor.
pub struct Processor {
    owner: parking_lot::RawMutex,
    queue: DpcQueue,
    /// Runs what others queue; set once it does.
    server: OnceLock<&'static Thread>,
}

impl Processor {
    /// An idle processor.
    pub(crate) fn new() -> Self {
        Self { owner: parking_lot::RawMutex::INIT, queue: DpcQueue::default(), server: OnceLock::new() }
    }

    /// Takes back the calls with this context; returns how many there were.
    pub fn cancel(&self, context: *mut c_void) -> usize {
        self.queue.cancel(context)
    }

    /// Returns whether a call with this context is queued.
    pub fn has_queued(&self, context: *mut c_void) -> bool {
        self.queue.has(context)
    }

    /// Takes back the calls whose contexts lie in `range`; returns these.
    pub fn take(&self, range: &Range<Va>) -> Vec<Va> {
        self.queue.take_within(range)
    }

    /// Wakes the service thread, if there is one yet: it looks before it waits.
    pub(crate) fn kick(&self) {
        if let Some(server) = self.server.get() {
            sched::wake(server);
        }
    }
}

/// The processors of a machine.
struct Processors(Box<[Processor]>);

impl Default for Processors {
    fn default() -> Self {
        Self((0..Settings::current().processors).map(|_| Processor::new()).collect())
    }
}

static PROCESSORS: PerMachine<Processors> = PerMachine::new();

/// The processors of the running machine, by number.
#[inline]
pub fn all() -> &'static [Processor] {
    &PROCESSORS.get().0
}

/// Returns the number of processors of the running machine.
pub fn count() -> usize {
    all().len()
}

/// Starts the service thread of each processor.
pub(crate) fn start() {
    for number in 0..Settings::current().processors {
        let stopping = Stopping::current();
        sched::spawn(format!("processor {number}"), move || serve(number, stopping))
            .expect("the host has threads for the machine's processors");
    }
}

/// Wakes every service thread.
pub(crate) fn wake_all() {
    all().iter().for_each(Processor::kick);
}

/// Queues `dpc` for processor `target`, or the caller's own.
///
/// If that begins the processing of the queue (see `dpc_queue`), it runs before this
/// returns where the processor is the caller's own and the caller is below DISPATCH_LEVEL, and when the level is
/// lowered if it is not; on another processor, its service thread runs it. The service thread also runs what is
/// deferred, when it is due.
pub fn defer(target: Option<u32>, dpc: Dpc, importance: Importance) {
    let old = sched::raise(Irql::DISPATCH);
    let own = sched::processor();
    let number = target.unwrap_or(own);
    let processor = &all()[number.to_usize()];
    let at_once = processor.queue.push(dpc, importance, number == own);
    if number != own || !at_once {
        processor.kick();
    }
    sched::lower(old);
}

/// Queues `dpc` for the service thread of processor `number`, in whose clock interrupt it became due.
pub fn post(number: u32, dpc: Dpc, importance: Importance) {
    let processor = &all()[number.to_usize()];
    processor.queue.push_in_processing(dpc, importance);
    processor.kick();
}

/// Notes that the calling thread waits: its processor is idle, which does not defer any longer what is queued.
///
/// With a schedule the seed says when that is, see [`dpc_queue`](super::dpc_queue).
pub(super) fn goes_idle(thread: &'static Thread) {
    let processor = &all()[sched::processor().to_usize()];
    if processor.queue.is_empty() || processor.queue.is_requested() {
        return;
    }
    if processor.server.get().is_some_and(|server| server.id != thread.id) {
        processor.queue.request();
        processor.kick();
    }
}

/// Waits until what is queued on every processor has run. The caller is below DISPATCH_LEVEL.
pub fn flush() {
    let own = sched::processor();
    for (number, processor) in (0..).zip(all()) {
        while !processor.owner.try_lock() {
            sched::spin_wait(Wait::Processor(number));
        }
        local::with(|local| {
            local.processor.set(number);
            processor.queue.request();
            let old = local.irql.replace(Irql::DISPATCH);
            release_cpu(local, old);
        });
    }
    local::with(|local| local.processor.set(own));
}

/// Takes the processor of the calling thread, or another that is free, and notes it as the thread's.
#[inline]
pub(super) fn acquire_cpu(local: &Local) {
    let processors = all();
    let own = local.processor.get().to_usize();
    if processors[own].owner.try_lock() {
        return;
    }
    for (number, processor) in (0..).zip(processors) {
        if local.thread.get().is_some_and(|thread| thread.may_run_on(number)) && processor.owner.try_lock() {
            local.processor.set(number);
            return;
        }
    }
    // Each is occupied by a thread at DISPATCH_LEVEL; that does not take long.
    let mut yields = 0;
    while yields < YIELDS || local.turns.get().is_some() {
        sched::spin_wait(Wait::Processor(narrow(own)));
        if processors[own].owner.try_lock() {
            return;
        }
        yields += 1;
    }
    processors[own].owner.lock();
}

/// Runs what was deferred to the thread's processor, then gives the processor back and lowers to `to`.
#[inline]
pub(super) fn release_cpu(local: &Local, to: Irql) {
    let processor = &all()[local.processor.get().to_usize()];
    loop {
        if !local.in_dpc.get() {
            local.in_dpc.set(true);
            while let Some(dpc) = processor.queue.pop() {
                // SAFETY: the code that deferred the call vouched for it, and this thread owns the processor.
                unsafe { (dpc.routine)(dpc.context) };
            }
            local.in_dpc.set(false);
        }
        local.irql.set(to);
        // SAFETY: this thread took the lock in `acquire_cpu` when it came to DISPATCH_LEVEL.
        unsafe { processor.owner.unlock() };
        sched::released(Wait::Processor(local.processor.get()));
        // A call that was queued by another thread after the last look must not wait for the next raise.
        if !processor.queue.is_requested() || local.in_dpc.get() || !processor.owner.try_lock() {
            return;
        }
        local.irql.set(Irql::DISPATCH);
    }
}

/// Body of a processor's service thread: runs what other threads and timers defer to it.
fn serve(number: u32, stopping: &Stopping) {
    let Some(thread) = sched::current() else { return };
    thread.set_affinity(1 << number);
    local::with(|local| local.processor.set(number));
    let processor = &all()[number.to_usize()];
    let _ = processor.server.set(thread);
    loop {
        let left = processor.queue.due().map(|due| due.saturating_sub(sched::elapsed()));
        if left == Some(Duration::ZERO) || left.is_some() && stopping.is_set() {
            processor.queue.request();
        }
        if processor.queue.is_requested() {
            let old = sched::raise(Irql::DISPATCH);
            sched::lower(old);
        } else if stopping.is_set() {
            return;
        } else {
            sched::block(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::sync::Arc;

    use super::*;

    #[test]
    fn processor_has_one_thread_at_dispatch_level_at_a_time() {
        let machine = crate::testing::builder().processors(2).boot();
        let inside: Arc<[AtomicU32; 2]> = Arc::default();
        let work = {
            let inside = Arc::clone(&inside);
            move || {
                for _ in 0..2000 {
                    let old = sched::raise(Irql::DISPATCH);
                    let count = &inside[sched::processor().to_usize()];
                    assert_eq!(count.fetch_add(1, Ordering::AcqRel), 0);
                    count.fetch_sub(1, Ordering::AcqRel);
                    sched::lower(old);
                }
            }
        };
        let threads: Vec<_> = (0..4).map(|_| sched::spawn("worker", work.clone()).unwrap()).collect();
        while !threads.iter().all(|thread| thread.ended()) {
            std::thread::yield_now();
        }
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn thread_whose_processor_is_taken_moves_to_a_free_one_unless_it_must_not() {
        static GO: AtomicBool = AtomicBool::new(false);
        static PLACE: AtomicU32 = AtomicU32::new(u32::MAX);
        let machine = crate::testing::builder().processors(2).boot();
        for (mask, expected) in [(u64::MAX, true), (0, false)] {
            GO.store(false, Ordering::Release);
            PLACE.store(u32::MAX, Ordering::Release);
            let old = sched::raise(Irql::DISPATCH);
            let own = sched::processor();
            sched::spawn("other", move || {
                local::with(|local| local.processor.set(own));
                sched::current().unwrap().set_affinity(if mask == 0 { 1 << own } else { mask });
                let old = sched::raise(Irql::DISPATCH);
                PLACE.store(sched::processor(), Ordering::Release);
                sched::lower(old);
                GO.store(true, Ordering::Release);
            })
            .unwrap();
            if expected {
                while !GO.load(Ordering::Acquire) {
                    std::thread::yield_now();
                }
                assert_eq!(PLACE.load(Ordering::Acquire), 1 - own);
            }
            sched::lower(old);
            while !GO.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            assert_eq!(PLACE.load(Ordering::Acquire) == own, !expected);
        }
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn deferred_call_below_dispatch_level_runs_at_once_in_the_callers_thread() {
        unsafe fn note(context: *mut c_void) {
            let noted = context.cast::<(Irql, u64)>();
            unsafe { noted.write((sched::irql(), sched::current().unwrap().id)) };
        }
        let machine = crate::testing::builder().boot();
        let mut noted = (Irql::PASSIVE, 0);
        defer(None, Dpc { routine: note, context: (&raw mut noted).cast() }, Importance::Medium);
        assert_eq!(noted, (Irql::DISPATCH, sched::current().unwrap().id));
        assert!(machine.shutdown().is_clean());
    }
}
