//! A kernel for stress tests: DPCs are made at once, by threads of their own.

#![expect(unsafe_code, reason = "an implementation of the kernel makes promises")]

use std::ptr::NonNull;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Condvar, LazyLock, Mutex};
use std::time::Duration;

use softndk_kernel::{Event, Kernel, NoNetwork, Unmapped};
use sys::irql::PassiveLevel;
use sys::wdm::MDL;

use crate::call::{Call, Queues, Waiting};
use crate::mapping::Pinned;

/// A kernel whose DPCs run at once, on threads of their own.
#[derive(Debug)]
pub struct Threaded;

/// Three processors that make DPCs.
static PROCESSORS: LazyLock<Mutex<Sender<Call<Threaded>>>> = LazyLock::new(|| {
    let (sender, receiver) = channel::<Call<Threaded>>();
    let receiver = std::sync::Arc::new(Mutex::new(receiver));
    for _ in 0..3 {
        let receiver = receiver.clone();
        std::thread::spawn(move || {
            loop {
                let Ok(call) = receiver.lock().unwrap().recv() else { return };
                call.make();
            }
        });
    }
    Mutex::new(sender)
});

/// Time stands still: what is set goes by being cancelled.
impl Queues for Threaded {
    fn push(call: Call<Self>) {
        PROCESSORS.lock().unwrap().send(call).unwrap();
    }

    fn set(_: Call<Self>, _: Duration) {}

    fn take_back(_: &Call<Self>) -> bool {
        true
    }
}

/// An event that a thread waits for.
#[derive(Debug)]
pub struct Signal(Mutex<bool>, Condvar);

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

    fn wait_for(&self, limit: Duration, _: PassiveLevel) -> bool {
        let signalled = self.0.lock().unwrap();
        *self.1.wait_timeout_while(signalled, limit, |signalled| !*signalled).unwrap().0
    }

    fn wait(&self, _: PassiveLevel) {
        let mut signalled = self.0.lock().unwrap();
        while !*signalled {
            signalled = self.1.wait(signalled).unwrap();
        }
    }
}

// SAFETY: the locks are parking_lot's; a mapping is what `MappedSystemVa` says.
unsafe impl Kernel for Threaded {
    type Lock = parking_lot::RawMutex;
    type Dpc = Waiting<Self>;
    type Timer = Waiting<Self>;
    type Event = Signal;
    type Mapping = Pinned;
    type Network = NoNetwork;

    unsafe fn map(mdl: NonNull<MDL>, length: usize) -> Result<Self::Mapping, Unmapped> {
        // SAFETY: the caller passes a live chain.
        unsafe { Pinned::new(mdl, length) }
    }

    fn trace(line: std::fmt::Arguments<'_>) {
        eprintln!("{line}");
    }
}
