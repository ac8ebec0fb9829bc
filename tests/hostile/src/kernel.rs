//! A kernel in which DPCs wait until [`pump`] is called, and timers until [`expire`] is.

use core::cell::RefCell;
use core::ffi::c_void;
use core::fmt;
use core::ptr::NonNull;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Mutex;

use provider::kernel::{Dpc, Event, Kernel, Mapping, Routine, Timer, Unmapped};
use sys::irql::PassiveLevel;
use sys::wdm::MDL;

pub(crate) struct Host;

thread_local! {
    static QUEUE: RefCell<VecDeque<(Routine, *mut c_void)>> = const { RefCell::new(VecDeque::new()) };
    static TIMERS: RefCell<Vec<(usize, Routine, *mut c_void)>> = const { RefCell::new(Vec::new()) };
}

/// Makes the DPCs that wait, and those that they queue.
pub(crate) fn pump() {
    while let Some((routine, context)) = QUEUE.with_borrow_mut(VecDeque::pop_front) {
        // SAFETY: queued with this context by `queue`, whose caller keeps the object.
        unsafe { routine(context) };
    }
}

/// Makes the oldest DPC that waits.
pub(crate) fn pump_one() {
    if let Some((routine, context)) = QUEUE.with_borrow_mut(VecDeque::pop_front) {
        // SAFETY: as above.
        unsafe { routine(context) };
    }
}

pub(crate) struct Queued(Mutex<Option<(Routine, usize)>>);

// SAFETY: each queueing leads to one call in `pump`, which does not touch the object.
unsafe impl Dpc for Queued {
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

    fn wait(&self, level: PassiveLevel) {
        assert!(self.wait_for(Duration::MAX, level), "a close would wait for ever");
    }

    /// The calls that will signal wait in this very thread; so nothing happens during a wait.
    fn wait_for(&self, _: Duration, _: PassiveLevel) -> bool {
        pump();
        *self.0.lock().unwrap()
    }
}

/// A mapping of memory at the address that its lists have already.
pub(crate) struct Pinned(NonNull<u8>);

// SAFETY: the pointer is to memory that every thread may access as raw bytes.
unsafe impl Send for Pinned {}
// SAFETY: as above.
unsafe impl Sync for Pinned {}

impl Pinned {
    /// Maps the first `length` bytes of a chain, whose lists must be contiguous by their system addresses, too.
    ///
    /// # Safety
    ///
    /// As for [`Kernel::map`].
    unsafe fn new(mdl: NonNull<MDL>, length: usize) -> Result<Self, Unmapped> {
        // SAFETY: the caller passes a live list.
        let first: *mut u8 = unsafe { mdl.as_ref() }.MappedSystemVa.cast();
        let (mut next, mut offset) = (Some(mdl), 0);
        while offset < length {
            // SAFETY: the caller passes a chain of so many bytes.
            let list = unsafe { next.ok_or(Unmapped::Scattered)?.as_ref() };
            if list.ByteCount != 0 && list.MappedSystemVa.cast() != first.wrapping_add(offset) {
                return Err(Unmapped::Scattered);
            }
            (next, offset) = (NonNull::new(list.Next), offset + list.ByteCount as usize);
        }
        NonNull::new(first).map(Self).ok_or(Unmapped::Resources)
    }
}

// SAFETY: the memory is the caller's, which keeps it for as long as the mapping.
unsafe impl Mapping for Pinned {
    fn start(&self) -> NonNull<u8> {
        self.0
    }
}

// SAFETY: the locks are parking_lot's; a mapping is what `MappedSystemVa` says.
unsafe impl Kernel for Host {
    type Lock = parking_lot::RawMutex;
    type Dpc = Queued;
    type Timer = Clocked;
    type Event = Signal;
    type Mapping = Pinned;

    unsafe fn map(mdl: NonNull<MDL>, length: usize) -> Result<Self::Mapping, Unmapped> {
        // SAFETY: the caller passes a live chain.
        unsafe { Pinned::new(mdl, length) }
    }

    /// A close that blocks traces why, and here it would do so for ever.
    fn trace(line: fmt::Arguments<'_>) {
        panic!("an adapter's close would wait for ever: {line}");
    }
}

/// The level of a thread of a test.
pub(crate) const fn passive() -> sys::irql::PassiveLevel {
    // SAFETY: a thread in user mode runs at PASSIVE_LEVEL.
    unsafe { sys::irql::PassiveLevel::assume() }
}
