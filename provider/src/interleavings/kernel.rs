//! A kernel of loom's parts. Each thread is a processor: when it has done its work, it makes the deferred
//! calls that wait, its own and others'. Time passes when a thread lets it.

use std::cell::UnsafeCell;
use std::collections::VecDeque;
use std::ffi::c_void;
use std::fmt;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::time::Duration;

use loom::sync::{Condvar, Mutex, MutexGuard};
use sys::wdm::MDL;

use crate::kernel::{Deferred, Event, Kernel, Routine, Timer};

pub(super) struct Machine;

struct Call(Routine, *mut c_void);

// SAFETY: a deferred call may be made on any processor.
unsafe impl Send for Call {}

loom::lazy_static! {
    static ref QUEUE: Mutex<VecDeque<Call>> = Mutex::new(VecDeque::new());
    static ref TIMERS: Mutex<Vec<(usize, Call)>> = Mutex::new(Vec::new());
}

/// Makes the deferred calls that wait, and those that they queue.
pub(super) fn pump() {
    loop {
        let next = QUEUE.lock().unwrap().pop_front();
        let Some(Call(routine, context)) = next else { return };
        // SAFETY: queued with this context by `queue`, whose caller keeps the object.
        unsafe { routine(context) };
    }
}

pub(super) struct Queued(OnceLock<(Routine, usize)>);

// SAFETY: each queueing leads to one call in `pump`, which does not touch the object.
unsafe impl Deferred for Queued {
    fn new() -> Self {
        Self(OnceLock::new())
    }

    unsafe fn initialise(this: NonNull<Self>, routine: Routine, context: *mut c_void) {
        // SAFETY: the caller passes a live object.
        let _ = unsafe { this.as_ref() }.0.set((routine, context as usize));
    }

    unsafe fn queue(this: NonNull<Self>) {
        // SAFETY: the caller passes a live object.
        let (routine, context) = *unsafe { this.as_ref() }.0.get().expect("initialised");
        QUEUE.lock().unwrap().push_back(Call(routine, context as *mut c_void));
    }
}

/// The time of every timer that is set has come: makes their calls, as a processor.
pub(super) fn expire() {
    let expired = std::mem::take(&mut *TIMERS.lock().unwrap());
    for (_, Call(routine, context)) in expired {
        // SAFETY: set with this context by `set`, whose caller keeps the object.
        unsafe { routine(context) };
    }
    pump();
}

/// Whether a timer is set.
pub(super) fn is_ticking() -> bool {
    !TIMERS.lock().unwrap().is_empty()
}

pub(super) struct Clocked(OnceLock<(Routine, usize)>);

// SAFETY: a timer that is set is in the list once, until `expire` or `cancel` takes it out.
unsafe impl Timer for Clocked {
    fn new() -> Self {
        Self(OnceLock::new())
    }

    unsafe fn initialise(this: NonNull<Self>, routine: Routine, context: *mut c_void) {
        // SAFETY: the caller passes a live object.
        let _ = unsafe { this.as_ref() }.0.set((routine, context as usize));
    }

    unsafe fn set(this: NonNull<Self>, _: Duration) {
        // SAFETY: the caller passes a live object.
        let (routine, context) = *unsafe { this.as_ref() }.0.get().expect("initialised");
        let (timer, call) = (this.as_ptr() as usize, Call(routine, context as *mut c_void));
        let mut timers = TIMERS.lock().unwrap();
        assert!(timers.iter().all(|(set, _)| *set != timer), "a timer is set twice");
        timers.push((timer, call));
    }

    unsafe fn cancel(this: NonNull<Self>) -> bool {
        let mut timers = TIMERS.lock().unwrap();
        let before = timers.len();
        timers.retain(|(set, _)| *set != this.as_ptr() as usize);
        timers.len() != before
    }

    fn lateness() -> Duration {
        Duration::ZERO
    }
}

/// A lock of loom's, made when it is first taken, as loom's can't be made by a constant.
pub(super) struct Raw {
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
        // SAFETY: the mutex stays where it is until the lock is dropped, which nobody holds then.
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

pub(super) struct Signal(Mutex<bool>, Condvar);

impl Event for Signal {
    fn new() -> Self {
        Self(Mutex::new(false), Condvar::new())
    }

    fn initialise(&self) {}

    fn signal(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    fn wait(&self) {
        pump();
        let mut signalled = self.0.lock().unwrap();
        while !*signalled {
            signalled = self.1.wait(signalled).unwrap();
        }
    }

    /// There is no time here: nobody waits for long.
    fn wait_for(&self, _: Duration) -> bool {
        self.wait();
        true
    }
}

// SAFETY: the locks are loom's; no list is ever mapped.
unsafe impl Kernel for Machine {
    type Lock = Raw;
    type Deferred = Queued;
    type Timer = Clocked;
    type Event = Signal;

    unsafe fn system_address(_: NonNull<MDL>) -> *mut u8 {
        std::ptr::null_mut()
    }

    fn trace(_: fmt::Arguments<'_>) {}
}
