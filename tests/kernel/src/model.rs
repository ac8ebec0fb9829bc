//! A kernel of loom's parts. Each thread is a processor: when it has done its work, it makes the deferred
//! calls that wait, its own and others'. Time passes when a thread lets it.

#![expect(unsafe_code, reason = "an implementation of the kernel makes promises")]

use std::cell::UnsafeCell;
use std::collections::VecDeque;
use std::fmt;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::time::Duration;

use loom::sync::{Condvar, Mutex, MutexGuard};
use softndk_kernel::{Event, Kernel, Mapping, Unmapped};
use sys::irql::PassiveLevel;
use sys::wdm::MDL;

use crate::call::{Call, Queues, Waiting};

/// The kernel of a model.
#[derive(Debug)]
pub struct Model;

loom::lazy_static! {
    static ref QUEUE: Mutex<VecDeque<Call<Model>>> = Mutex::new(VecDeque::new());
    static ref TIMERS: Mutex<Vec<Call<Model>>> = Mutex::new(Vec::new());
}

/// Makes the DPCs that wait, and those that they queue.
pub fn pump() {
    loop {
        let next = QUEUE.lock().unwrap().pop_front();
        let Some(call) = next else { return };
        call.make();
    }
}

/// The time of every timer that is set has come: makes their calls, as a processor.
pub fn expire() {
    let expired = std::mem::take(&mut *TIMERS.lock().unwrap());
    expired.into_iter().for_each(Call::make);
    pump();
}

/// Returns true if a timer is set.
pub fn is_ticking() -> bool {
    !TIMERS.lock().unwrap().is_empty()
}

impl Queues for Model {
    fn push(call: Call<Self>) {
        QUEUE.lock().unwrap().push_back(call);
    }

    fn set(call: Call<Self>, _: Duration) {
        TIMERS.lock().unwrap().push(call);
    }

    fn take_back(call: &Call<Self>) -> bool {
        let mut timers = TIMERS.lock().unwrap();
        let before = timers.len();
        timers.retain(|timer| timer != call);
        timers.len() != before
    }
}

/// A lock of loom's, made when it is first taken, as loom's can't be made by a constant.
pub struct Raw {
    mutex: OnceLock<Box<Mutex<()>>>,
    guard: UnsafeCell<Option<MutexGuard<'static, ()>>>,
}

// SAFETY: the guard is touched only by who holds the lock.
unsafe impl Send for Raw {}
// SAFETY: as above.
unsafe impl Sync for Raw {}

impl Raw {
    fn mutex(&self) -> &'static Mutex<()> {
        let mutex: *const Mutex<()> = &**self.mutex.get_or_init(Box::default);
        // SAFETY: the mutex stays where it is until the lock is dropped, and no thread holds it then.
        unsafe { &*mutex }
    }
}

// SAFETY: loom's mutex excludes.
unsafe impl lock_api::RawMutex for Raw {
    #[allow(clippy::declare_interior_mutable_const, reason = "what the trait asks for")]
    const INIT: Self = Self { mutex: OnceLock::new(), guard: UnsafeCell::new(None) };
    type GuardMarker = lock_api::GuardSend;

    fn lock(&self) {
        let guard = self.mutex().lock().unwrap();
        // SAFETY: the lock is this thread's.
        unsafe { *self.guard.get() = Some(guard) };
    }

    fn try_lock(&self) -> bool {
        let Ok(guard) = self.mutex().try_lock() else { return false };
        // SAFETY: the lock is this thread's.
        unsafe { *self.guard.get() = Some(guard) };
        true
    }

    unsafe fn unlock(&self) {
        // SAFETY: the caller holds the lock.
        let guard = unsafe { (*self.guard.get()).take() };
        drop(guard);
    }
}

/// An event that a thread of the model waits for.
#[derive(Debug)]
pub struct Signal(Mutex<bool>, Condvar);

impl Event for Signal {
    fn new() -> Self {
        Self(Mutex::new(false), Condvar::new())
    }

    fn initialise(&self) {}

    fn signal(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    fn wait(&self, _: PassiveLevel) {
        pump();
        let mut signalled = self.0.lock().unwrap();
        while !*signalled {
            signalled = self.1.wait(signalled).unwrap();
        }
    }

    /// Waits without a time limit: a loom model has no clock.
    fn wait_for(&self, _: Duration, level: PassiveLevel) -> bool {
        self.wait(level);
        true
    }
}

/// The mapping that there is none of.
pub enum Never {}

// SAFETY: there is no value of the type.
unsafe impl Mapping for Never {
    fn start(&self) -> NonNull<u8> {
        match *self {}
    }
}

// SAFETY: the locks are loom's; nothing is ever mapped.
unsafe impl Kernel for Model {
    type Lock = Raw;
    type Dpc = Waiting<Self>;
    type Timer = Waiting<Self>;
    type Event = Signal;
    type Mapping = Never;
    type Network = crate::network::InABox;

    unsafe fn map(_: NonNull<MDL>, _: usize) -> Result<Self::Mapping, Unmapped> {
        Err(Unmapped::Resources)
    }

    fn trace(_: fmt::Arguments<'_>) {}
}
