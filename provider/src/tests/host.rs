//! A kernel for tests: DPCs wait in the thread that queued them until it calls [`pump`], and timers
//! until it calls [`expire`].

mod atomics;
mod points;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::ptr::NonNull;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use sys::irql::PassiveLevel;
use sys::wdm::MDL;

use crate::kernel::{Event, Kernel, Unmapped};
use crate::tests::allocations::spared;
use crate::tests::pinned::Pinned;
use crate::waiting::{Call, Processors, Waiting};

pub(crate) use self::atomics::{AtomicBool, AtomicU32, AtomicU64};
pub(crate) use self::points::{Point, at_atomics, at_each, held, nested, reach};

pub(crate) struct Host;

thread_local! {
    static QUEUE: RefCell<VecDeque<Call<Host>>> = const { RefCell::new(VecDeque::new()) };
    static TIMERS: RefCell<Vec<(Duration, Call<Host>)>> = const { RefCell::new(Vec::new()) };
    static SINGLE: Cell<bool> = const { Cell::new(false) };
    static TRACE: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static ON_TRACE: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// Makes the DPCs that wait, and those that they queue. Returns how many.
pub(crate) fn pump() -> usize {
    let mut calls = 0;
    while QUEUE.with_borrow(|queue| !queue.is_empty()) {
        reach(Point::Dpc);
        // What was done at that point may have made the call.
        let Some(call) = QUEUE.with_borrow_mut(VecDeque::pop_front) else { break };
        call.make();
        calls += 1;
    }
    calls
}

const FOR_EVER: &str = "the adapter's close would wait for ever";

/// Has `action` run once while a close waits, after it has traced what for.
pub(crate) fn on_trace(action: impl FnOnce() + 'static) {
    ON_TRACE.set(Some(Box::new(action)));
}

/// Takes the lines that were traced since the last call.
pub(crate) fn traced() -> Vec<String> {
    TRACE.take()
}

/// Makes the calls of all timers that are set, and the DPCs. Returns after what time each was set to
/// be made.
pub(crate) fn expire() -> Vec<Duration> {
    let made = ring();
    pump();
    made
}

/// Makes the calls of the timers that are set now. Returns after what time each was set to be made.
pub(crate) fn ring() -> Vec<Duration> {
    let count = TIMERS.with_borrow(Vec::len);
    let mut made = Vec::new();
    for _ in 0..count {
        // One by one: a timer that was cancelled meanwhile is not there any more.
        let first = |timers: &mut Vec<_>| if timers.is_empty() { None } else { Some(timers.remove(0)) };
        let Some((after, call)) = TIMERS.with_borrow_mut(first) else { break };
        call.make();
        made.push(after);
    }
    made
}

/// Forgets the calls that wait: a test has failed, and their objects stay as they are.
pub(crate) fn abandon() {
    drop((QUEUE.take(), TIMERS.take(), TRACE.take()));
}

/// Gives back the memory of the queues, which are empty.
pub(crate) fn forget_queues() {
    let left = (QUEUE.take(), TIMERS.take(), TRACE.take());
    assert!(left.0.is_empty() && left.1.is_empty(), "calls wait");
}

/// Leaves the machine one processor.
pub(crate) fn have_single_processor() {
    SINGLE.set(true);
}

/// Returns true if a timer is set.
pub(crate) fn is_ticking() -> bool {
    TIMERS.with_borrow(|timers| !timers.is_empty())
}

impl Processors for Host {
    fn push(call: Call<Self>) {
        spared(|| QUEUE.with_borrow_mut(|queue| queue.push_back(call)));
    }

    fn is_single() -> bool {
        SINGLE.get()
    }

    fn set(call: Call<Self>, after: Duration) {
        points::atomic(Point::Atomic);
        spared(|| TIMERS.with_borrow_mut(|timers| timers.push((after, call))));
    }

    fn take_back(call: &Call<Self>) -> bool {
        TIMERS.with_borrow_mut(|timers| timers.extract_if(.., |(_, timer)| *timer == *call).count() != 0)
    }
}

pub(crate) struct HostEvent(Mutex<bool>, Condvar);

impl Event for HostEvent {
    fn new() -> Self {
        Self(Mutex::new(false), Condvar::new())
    }

    fn initialise(&self) {}

    fn signal(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    /// The calls that will signal may wait in this very thread.
    fn wait(&self, _: PassiveLevel) {
        pump();
        assert!(*self.0.lock().unwrap(), "{FOR_EVER}");
    }

    fn wait_for(&self, _: Duration, _: PassiveLevel) -> bool {
        pump();
        let signalled = *self.0.lock().unwrap();
        // What the test does when it has waited for long; without it nothing would ever happen.
        let action = if TRACE.with_borrow(Vec::is_empty) { None } else { ON_TRACE.take() };
        assert!(signalled || action.is_some() || ON_TRACE.with_borrow(Option::is_some), "{FOR_EVER}");
        if let Some(action) = action {
            action();
        }
        signalled
    }
}

// SAFETY: the locks are parking_lot's, with a count; a mapping is what `MappedSystemVa` says.
unsafe impl Kernel for Host {
    type Lock = points::HostLock;
    type Dpc = Waiting<Self>;
    type Timer = Waiting<Self>;
    type Event = HostEvent;
    type Mapping = Pinned;

    unsafe fn map(mdl: NonNull<MDL>, length: usize) -> Result<Self::Mapping, Unmapped> {
        // SAFETY: the caller passes a live chain.
        unsafe { Pinned::new(mdl, length) }
    }

    fn trace(line: fmt::Arguments<'_>) {
        TRACE.with_borrow_mut(|lines| lines.push(line.to_string()));
    }
}
