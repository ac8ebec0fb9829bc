//! A kernel for storms: deferred calls are made at once, by threads of their own.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Condvar, LazyLock, Mutex};
use std::time::Duration;

use sys::wdm::MDL;

use crate::kernel::{Deferred, Event, Kernel, Routine, Timer};

pub(super) struct Threads;

struct Call(Routine, *mut c_void);

// SAFETY: a deferred call may be made by any thread.
unsafe impl Send for Call {}

/// Three processors that make deferred calls.
static PROCESSORS: LazyLock<Mutex<Sender<Call>>> = LazyLock::new(|| {
    let (sender, receiver) = channel::<Call>();
    let receiver = std::sync::Arc::new(Mutex::new(receiver));
    for _ in 0..3 {
        let receiver = receiver.clone();
        std::thread::spawn(move || {
            loop {
                let Ok(Call(routine, context)) = receiver.lock().unwrap().recv() else { return };
                // SAFETY: queued with this context; the caller of `queue` keeps the object.
                unsafe { routine(context) };
            }
        });
    }
    Mutex::new(sender)
});

pub(super) struct Queued(Mutex<Option<(Routine, usize)>>);

// SAFETY: each queueing sends one call, and the object is not touched after that.
unsafe impl Deferred for Queued {
    fn new() -> Self {
        Self(Mutex::new(None))
    }

    unsafe fn initialise(this: NonNull<Self>, routine: Routine, context: *mut c_void) {
        // SAFETY: the caller passes a live object.
        *unsafe { this.as_ref() }.0.lock().unwrap() = Some((routine, context as usize));
    }

    unsafe fn queue(this: NonNull<Self>) {
        // SAFETY: the caller passes a live object; the lock is released before the call is sent.
        let (routine, context) = unsafe { *this.as_ref().0.lock().unwrap() }.expect("initialised");
        PROCESSORS.lock().unwrap().send(Call(routine, context as *mut c_void)).unwrap();
    }
}

/// A timer of a machine whose time stands still: what is set goes by being cancelled.
pub(super) struct Stopped(Mutex<bool>);

// SAFETY: no call is ever made, so a set ends with its cancel.
unsafe impl Timer for Stopped {
    fn new() -> Self {
        Self(Mutex::new(false))
    }

    unsafe fn initialise(_: NonNull<Self>, _: Routine, _: *mut c_void) {}

    unsafe fn set(this: NonNull<Self>, _: Duration) {
        // SAFETY: the caller passes a live object.
        let was_set = std::mem::replace(&mut *unsafe { this.as_ref() }.0.lock().unwrap(), true);
        assert!(!was_set, "a timer is set twice");
    }

    unsafe fn cancel(this: NonNull<Self>) -> bool {
        // SAFETY: the caller passes a live object.
        std::mem::take(&mut *unsafe { this.as_ref() }.0.lock().unwrap())
    }

    fn lateness() -> Duration {
        Duration::ZERO
    }
}

pub(super) struct Signal(Mutex<bool>, Condvar);

impl Event for Signal {
    fn new() -> Self {
        Self(Mutex::new(false), Condvar::new())
    }

    fn initialise(&self) {}

    /// The waiter may go on at once, and the event with it; so the lock is kept until all is done.
    fn signal(&self) {
        let mut signalled = self.0.lock().unwrap();
        *signalled = true;
        self.1.notify_all();
    }

    fn wait_for(&self, limit: Duration) -> bool {
        let signalled = self.0.lock().unwrap();
        *self.1.wait_timeout_while(signalled, limit, |signalled| !*signalled).unwrap().0
    }

    fn wait(&self) {
        let mut signalled = self.0.lock().unwrap();
        while !*signalled {
            signalled = self.1.wait(signalled).unwrap();
        }
    }
}

// SAFETY: the locks are parking_lot's; a list's address is what `MappedSystemVa` says.
unsafe impl Kernel for Threads {
    type Lock = parking_lot::RawMutex;
    type Deferred = Queued;
    type Timer = Stopped;
    type Event = Signal;

    unsafe fn system_address(mdl: NonNull<MDL>) -> *mut u8 {
        // SAFETY: the caller passes a live list.
        unsafe { mdl.as_ref() }.MappedSystemVa.cast()
    }

    fn trace(line: std::fmt::Arguments<'_>) {
        eprintln!("{line}");
    }
}
