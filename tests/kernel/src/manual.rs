//! A kernel that does nothing by itself: DPCs wait until [`pump`], and timers until [`pass`] or [`expire`] moves its
//! virtual time.
//!
//! Its state is a thread's own, so that tests run beside each other. The processors of [`preempted`](crate::preempted)
//! share that of the thread that started them.

#![expect(unsafe_code, reason = "an implementation of the kernel makes promises")]

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Mutex;
use std::time::Duration;

use softndk_kernel::event::Event as TraceEvent;
use softndk_kernel::{Event, Kernel, Unmapped};
use sys::irql::PassiveLevel;
use sys::wdm::MDL;

use crate::allocations::spared;
use crate::call::{Call, Queues, Waiting};
use crate::mapping::Pinned;
use crate::network::{self, InABox};
use crate::points::{ManualLock, Point, atomic, reach};
use crate::processors::Processors;

/// The kernel whose state is the calling thread's.
#[derive(Debug)]
pub struct Manual;

/// Something that a processor is to do soon.
enum Queued {
    Dpc(Call<Manual>),
    /// Likewise, of the test's own: a cancel routine that is on its way, for example.
    Work(Box<dyn FnOnce()>),
}

struct SetTimer {
    due: Duration,
    after: Duration,
    call: Call<Manual>,
}

/// The state of a kernel.
#[derive(Default)]
pub(crate) struct State {
    queue: RefCell<VecDeque<Queued>>,
    timers: RefCell<Vec<SetTimer>>,
    now: Cell<Duration>,
    single: Cell<bool>,
    traced: RefCell<Vec<String>>,
    /// The events since a session began to listen.
    events: RefCell<Option<Vec<TraceEvent>>>,
    on_trace: RefCell<Option<Box<dyn FnOnce()>>>,
    processors: RefCell<Option<Rc<Processors>>>,
    shared: RefCell<Option<Rc<dyn Any>>>,
}

thread_local! {
    static STATE: RefCell<Rc<State>> = RefCell::new(spared(Rc::default));
}

/// The state of the calling thread's kernel.
pub(crate) fn state() -> Rc<State> {
    STATE.with_borrow(Rc::clone)
}

/// Makes `state` that of the calling thread's kernel.
pub(crate) fn install(state: Rc<State>) {
    let earlier = STATE.replace(state);
    drop(earlier);
}

impl State {
    pub(crate) fn processors(&self) -> Option<Rc<Processors>> {
        self.processors.borrow().clone()
    }

    pub(crate) fn set_processors(&self, processors: Option<Rc<Processors>>) {
        let earlier = self.processors.replace(processors);
        drop(earlier);
    }

    fn push(&self, item: Queued) {
        spared(|| self.queue.borrow_mut().push_back(item));
    }

    /// Takes the timer that expires first, if it does so at `limit` or before.
    fn next_timer(&self, limit: Duration) -> Option<SetTimer> {
        let mut timers = self.timers.borrow_mut();
        let first = (0..timers.len()).min_by_key(|index| timers[*index].due)?;
        (timers[first].due <= limit).then(|| timers.remove(first))
    }

    /// Makes the call of a timer at its time.
    fn expire(&self, timer: SetTimer) -> Duration {
        self.now.set(self.now.get().max(timer.due));
        timer.call.make();
        timer.after
    }
}

/// The state that a test keeps for itself, one of a type `T`: the processors of a test share it.
///
/// # Panics
///
/// If the test keeps state of another type.
#[must_use]
pub fn shared<T: Default + 'static>() -> Rc<T> {
    let shared = state().shared.borrow_mut().get_or_insert_with(|| Rc::<T>::default()).clone();
    shared.downcast().expect("a test keeps state of one type")
}

/// Queues `work` behind the DPCs that wait.
pub fn enqueue(work: impl FnOnce() + 'static) {
    state().push(Queued::Work(Box::new(work)));
}

/// Does what has waited longest, a DPC or other work, or else lets the network do something if that is left to it.
/// Returns true if there was something.
pub fn pump_once() -> bool {
    let next = state().queue.borrow_mut().pop_front();
    match next {
        None => return network::run_once(),
        Some(Queued::Dpc(call)) => call.make(),
        Some(Queued::Work(work)) => work(),
    }
    true
}

/// Makes the DPCs that wait, and those that they queue. Returns their number.
pub fn pump() -> usize {
    let (state, mut calls) = (state(), 0);
    while !state.queue.borrow().is_empty() || network::is_due() {
        reach(Point::Dpc);
        // An interruption at that point may have made the call.
        if !pump_once() {
            break;
        }
        calls += 1;
    }
    calls
}

/// The virtual time since the start of the test.
#[must_use]
pub fn now() -> Duration {
    state().now.get()
}

/// Lets so much time pass: makes the calls of the timers that are due until then, in their order.
pub fn pass(time: Duration) {
    let state = state();
    let end = state.now.get() + time;
    while let Some(timer) = state.next_timer(end) {
        state.expire(timer);
    }
    state.now.set(end);
}

/// Lets the time of all timers that are set now come, and makes their calls. Returns after what time each was
/// set to be made.
pub fn expire_timers() -> Vec<Duration> {
    let state = state();
    let count = state.timers.borrow().len();
    // One by one: a timer that was cancelled meanwhile is not there any more.
    (0..count).map_while(|_| state.next_timer(Duration::MAX).map(|timer| state.expire(timer))).collect()
}

/// Lets the time of all timers that are set come, and makes their calls and the DPCs. Returns after what time each
/// was set to be made.
pub fn expire() -> Vec<Duration> {
    let made = expire_timers();
    pump();
    made
}

/// Returns true if a timer is set.
#[must_use]
pub fn is_ticking() -> bool {
    !state().timers.borrow().is_empty()
}

/// Leaves the machine one processor.
pub fn have_single_processor() {
    state().single.set(true);
}

/// Has `action` run once while a thread waits, after it has traced what for.
pub fn on_trace(action: impl FnOnce() + 'static) {
    state().on_trace.replace(Some(Box::new(action)));
}

/// Begins to listen to events.
pub fn listen_to_events() {
    *state().events.borrow_mut() = Some(Vec::new());
}

/// Takes the events that were written since [`listen_to_events`], and listens no longer.
pub fn take_events() -> Vec<TraceEvent> {
    state().events.take().unwrap_or_default()
}

/// Takes the lines that were traced since the last call.
#[must_use]
pub fn traced() -> Vec<String> {
    state().traced.take()
}

/// Forgets what waits: a test has failed, and its objects stay as they are.
pub fn forget() {
    let state = state();
    state.queue.take().into_iter().for_each(std::mem::forget);
    network::forget();
    drop((state.timers.take(), state.traced.take()));
}

/// Frees the memory of the queues.
///
/// # Panics
///
/// If something waits in them.
pub fn free_queues() {
    let state = state();
    let left = (state.queue.take(), state.timers.take(), state.traced.take());
    assert!(left.0.is_empty() && left.1.is_empty(), "calls wait");
}

impl Queues for Manual {
    fn push(call: Call<Self>) {
        state().push(Queued::Dpc(call));
    }

    fn is_single() -> bool {
        state().single.get()
    }

    fn set(call: Call<Self>, after: Duration) {
        atomic(Point::Atomic);
        let state = state();
        let due = state.now.get() + after;
        spared(|| state.timers.borrow_mut().push(SetTimer { due, after, call }));
    }

    fn take_back(call: &Call<Self>) -> bool {
        state().timers.borrow_mut().extract_if(.., |timer| timer.call == *call).count() != 0
    }
}

/// An event that is signalled by what the waiting thread does meanwhile, or by another processor.
#[derive(Debug)]
pub struct ManualEvent(Mutex<bool>);

const FOR_EVER: &str = "this would wait for ever";

impl ManualEvent {
    pub(crate) fn is_signalled(&self) -> bool {
        *self.0.lock().unwrap()
    }
}

impl Event for ManualEvent {
    fn new() -> Self {
        Self(Mutex::new(false))
    }

    fn initialise(&self) {}

    fn signal(&self) {
        *self.0.lock().unwrap() = true;
    }

    /// The calls that will signal wait in this very thread, or another processor makes them.
    fn wait(&self, _: PassiveLevel) {
        if let Some(processors) = state().processors() {
            return processors.wait(self);
        }
        pump();
        assert!(self.is_signalled(), "{FOR_EVER}");
    }

    /// Returns without the event at once if nothing is left that could signal it but the test's action.
    fn wait_for(&self, _: Duration, _: PassiveLevel) -> bool {
        let state = state();
        if let Some(processors) = state.processors() {
            processors.wait(self);
            return true;
        }
        pump();
        if self.is_signalled() {
            return true;
        }
        // The first wait traces, the second one does what the test does when it has waited for long.
        if !state.traced.borrow().is_empty() {
            let action = state.on_trace.take();
            action.expect(FOR_EVER)();
            pump();
            return self.is_signalled();
        }
        assert!(state.on_trace.borrow().is_some(), "{FOR_EVER}");
        false
    }
}

// SAFETY: the locks are parking_lot's, with a count; a mapping is what `MappedSystemVa` says.
unsafe impl Kernel for Manual {
    type Lock = ManualLock;
    type Dpc = Waiting<Self>;
    type Timer = Waiting<Self>;
    type Event = ManualEvent;
    type Mapping = Pinned;
    type Network = InABox;

    unsafe fn map(mdl: NonNull<MDL>, length: usize) -> Result<Self::Mapping, Unmapped> {
        // SAFETY: the caller passes a live chain.
        unsafe { Pinned::new(mdl, length) }
    }

    fn trace(line: fmt::Arguments<'_>) {
        state().traced.borrow_mut().push(line.to_string());
    }

    fn is_traced() -> bool {
        state().events.borrow().is_some()
    }

    fn write_event(event: &TraceEvent) {
        if let Some(events) = state().events.borrow_mut().as_mut() {
            events.push(*event);
        }
    }

    fn event_time() -> u64 {
        u64::try_from(state().now.get().as_nanos() / 100).unwrap_or(u64::MAX)
    }
}
