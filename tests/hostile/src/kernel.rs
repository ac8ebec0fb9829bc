//! A kernel in which deferred calls wait until [`pump`] is called, and timers until [`expire`] is.

use core::cell::RefCell;
use core::ffi::c_void;
use core::fmt;
use core::ptr::NonNull;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Mutex;

use provider::kernel::{Deferred, Event, Kernel, Routine, Timer};
use sys::wdm::MDL;

pub(crate) struct Host;

thread_local! {
    static QUEUE: RefCell<VecDeque<(Routine, *mut c_void)>> = const { RefCell::new(VecDeque::new()) };
    static TIMERS: RefCell<Vec<(usize, Routine, *mut c_void)>> = const { RefCell::new(Vec::new()) };
}

/// Makes the deferred calls that wait, and those that they queue.
pub(crate) fn pump() {
    while let Some((routine, context)) = QUEUE.with_borrow_mut(VecDeque::pop_front) {
        // SAFETY: queued with this context by `queue`, whose caller keeps the object.
        unsafe { routine(context) };
    }
}

/// Makes the oldest deferred call that waits.
pub(crate) fn pump_one() {
    if let Some((routine, context)) = QUEUE.with_borrow_mut(VecDeque::pop_front) {
        // SAFETY: as above.
        unsafe { routine(context) };
    }
}

pub(crate) struct Queued(Mutex<Option<(Routine, usize)>>);

// SAFETY: each queueing leads to one call in `pump`, which does not touch the object.
unsafe impl Deferred for Queued {
    fn new() -> Self {
        Self(Mutex::new(None))
    }

    unsafe fn initialise(this: NonNull<Self>, routine: Routine, context: *mut c_void) {
        // SAFETY: the caller passes a live object.
        *unsafe { this.as_ref() }.0.lock().unwrap() = Some((routine, context.expose_provenance()));
    }

    unsafe fn queue(this: NonNull<Self>) {
        // SAFETY: the caller passes a live object.
        let (routine, context) = unsafe { this.as_ref() }.0.lock().unwrap().expect("initialised");
        let context = core::ptr::with_exposed_provenance_mut(context);
        QUEUE.with_borrow_mut(|queue| queue.push_back((routine, context)));
    }
}

/// Lets the time of every timer that is set come.
pub(crate) fn expire() {
    for (_, routine, context) in TIMERS.take() {
        // SAFETY: set with this context by `set`, whose caller keeps the object.
        unsafe { routine(context) };
    }
}

pub(crate) struct Clocked(Mutex<Option<(Routine, usize)>>);

// SAFETY: a timer that is set is in the list once, until `expire` or `cancel` takes it out.
unsafe impl Timer for Clocked {
    fn new() -> Self {
        Self(Mutex::new(None))
    }

    unsafe fn initialise(this: NonNull<Self>, routine: Routine, context: *mut c_void) {
        // SAFETY: the caller passes a live object.
        *unsafe { this.as_ref() }.0.lock().unwrap() = Some((routine, context.expose_provenance()));
    }

    unsafe fn set(this: NonNull<Self>, _: Duration) {
        // SAFETY: the caller passes a live object.
        let (routine, context) = unsafe { this.as_ref() }.0.lock().unwrap().expect("initialised");
        let call = (this.as_ptr().addr(), routine, core::ptr::with_exposed_provenance_mut(context));
        TIMERS.with_borrow_mut(|timers| timers.push(call));
    }

    unsafe fn cancel(this: NonNull<Self>) -> bool {
        let timer = this.as_ptr().addr();
        TIMERS.with_borrow_mut(|timers| timers.extract_if(.., |(set, ..)| *set == timer).count() != 0)
    }

    fn lateness() -> Duration {
        Duration::ZERO
    }
}

pub(crate) struct Signal(Mutex<bool>);

impl Event for Signal {
    fn new() -> Self {
        Self(Mutex::new(false))
    }

    fn initialise(&self) {}

    fn signal(&self) {
        *self.0.lock().unwrap() = true;
    }

    fn wait(&self) {
        assert!(self.wait_for(Duration::MAX), "a close would wait for ever");
    }

    /// The calls that will signal wait in this very thread; so nothing happens during a wait.
    fn wait_for(&self, _: Duration) -> bool {
        pump();
        *self.0.lock().unwrap()
    }
}

// SAFETY: the locks are parking_lot's; a list's address is what `MappedSystemVa` says.
unsafe impl Kernel for Host {
    type Lock = parking_lot::RawMutex;
    type Deferred = Queued;
    type Timer = Clocked;
    type Event = Signal;

    unsafe fn system_address(mdl: NonNull<MDL>) -> *mut u8 {
        // SAFETY: the caller passes a live list.
        unsafe { mdl.as_ref() }.MappedSystemVa.cast()
    }

    /// A close that blocks traces why, and here it would do so for ever.
    fn trace(line: fmt::Arguments<'_>) {
        panic!("an adapter's close would wait for ever: {line}");
    }
}
