//! A kernel for tests: deferred calls wait in the thread that queued them until it calls [`pump`], and timers
//! until it calls [`expire`].

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::c_void;
use std::fmt;
use std::ptr::NonNull;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use sys::wdm::MDL;

use crate::kernel::{Deferred, Event, Kernel, Routine, Timer};

pub(crate) struct Host;

thread_local! {
    static QUEUE: RefCell<VecDeque<NonNull<HostDeferred>>> = const { RefCell::new(VecDeque::new()) };
    static TIMERS: RefCell<Vec<(Duration, NonNull<HostTimer>)>> = const { RefCell::new(Vec::new()) };
    static TRACE: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static ON_TRACE: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// Makes the deferred calls that wait, and those that they queue. Returns how many.
pub(crate) fn pump() -> usize {
    let mut calls = 0;
    while let Some(deferred) = QUEUE.with_borrow_mut(VecDeque::pop_front) {
        // SAFETY: queued by `queue`, whose caller keeps the object until the routine begins.
        let (routine, context) = unsafe { deferred.as_ref() }.begin();
        // SAFETY: this is the call that `queue` stands for.
        unsafe { routine(context) };
        calls += 1;
    }
    calls
}

const FOR_EVER: &str = "the adapter's close would wait for ever";

/// Has `action` run once while a close waits, after it has traced what for.
pub(crate) fn on_trace(action: impl FnOnce() + 'static) {
    ON_TRACE.set(Some(Box::new(action)));
}

/// What was traced since the last call.
pub(crate) fn traced() -> Vec<String> {
    TRACE.take()
}

/// What to call and with what, once it is initialised, and whether it is queued.
pub(crate) struct HostDeferred(Mutex<(Option<(Routine, usize)>, bool)>);

impl HostDeferred {
    /// It is not queued any more; what to call.
    fn begin(&self) -> (Routine, *mut c_void) {
        let mut state = self.0.lock().unwrap();
        state.1 = false;
        let (routine, context) = state.0.expect("initialised");
        (routine, context as *mut c_void)
    }
}

// SAFETY: each queueing leads to one call in `pump`, which does not touch the object.
unsafe impl Deferred for HostDeferred {
    fn new() -> Self {
        Self(Mutex::new((None, false)))
    }

    unsafe fn initialise(this: NonNull<Self>, routine: Routine, context: *mut c_void) {
        // SAFETY: the caller passes a live object.
        unsafe { this.as_ref() }.0.lock().unwrap().0 = Some((routine, context as usize));
    }

    unsafe fn queue(this: NonNull<Self>) {
        // SAFETY: the caller passes a live object.
        let queued = core::mem::replace(&mut unsafe { this.as_ref() }.0.lock().unwrap().1, true);
        assert!(!queued, "a deferred call is queued twice");
        QUEUE.with_borrow_mut(|queue| queue.push_back(this));
    }
}

/// Makes the calls of all timers that are set, and the deferred calls. Returns after what time each was set to
/// be made.
pub(crate) fn expire() -> Vec<Duration> {
    let expired = TIMERS.take();
    for (_, timer) in &expired {
        // SAFETY: set by `set`, whose caller keeps the object until the routine begins.
        let (routine, context) = unsafe { timer.as_ref() }.call();
        // SAFETY: this is the call that `set` stands for.
        unsafe { routine(context) };
    }
    pump();
    expired.into_iter().map(|(after, _)| after).collect()
}

/// Whether a timer is set.
pub(crate) fn is_ticking() -> bool {
    TIMERS.with_borrow(|timers| !timers.is_empty())
}

pub(crate) struct HostTimer(Mutex<Option<(Routine, usize)>>);

impl HostTimer {
    fn call(&self) -> (Routine, *mut c_void) {
        let (routine, context) = self.0.lock().unwrap().expect("initialised");
        (routine, context as *mut c_void)
    }
}

// SAFETY: a timer that is set is in the list once, until `expire` calls it or `cancel` takes it out.
unsafe impl Timer for HostTimer {
    fn new() -> Self {
        Self(Mutex::new(None))
    }

    unsafe fn initialise(this: NonNull<Self>, routine: Routine, context: *mut c_void) {
        // SAFETY: the caller passes a live object.
        *unsafe { this.as_ref() }.0.lock().unwrap() = Some((routine, context as usize));
    }

    unsafe fn set(this: NonNull<Self>, after: Duration) {
        TIMERS.with_borrow_mut(|timers| {
            assert!(timers.iter().all(|(_, timer)| *timer != this), "a timer is set twice");
            timers.push((after, this));
        });
    }

    unsafe fn cancel(this: NonNull<Self>) -> bool {
        TIMERS.with_borrow_mut(|timers| timers.extract_if(.., |(_, timer)| *timer == this).count() != 0)
    }

    /// Time is what the test says it is.
    fn lateness() -> Duration {
        Duration::ZERO
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
    fn wait(&self) {
        pump();
        assert!(*self.0.lock().unwrap(), "{FOR_EVER}");
    }

    fn wait_for(&self, _: Duration) -> bool {
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

// SAFETY: the locks are parking_lot's; a list's address is what `MappedSystemVa` says.
unsafe impl Kernel for Host {
    type Lock = parking_lot::RawMutex;
    type Deferred = HostDeferred;
    type Timer = HostTimer;
    type Event = HostEvent;

    unsafe fn system_address(mdl: NonNull<MDL>) -> *mut u8 {
        // SAFETY: the caller passes a live list.
        unsafe { mdl.as_ref() }.MappedSystemVa.cast()
    }

    fn trace(line: fmt::Arguments<'_>) {
        TRACE.with_borrow_mut(|lines| lines.push(line.to_string()));
    }
}
