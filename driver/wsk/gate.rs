//! The sockets of an adapter that exist: its halt waits until there are none.

use core::time::Duration;

use lock_api::RawMutex as _;
use provider::Kernel;
use provider::kernel::Event as _;
use sys::irql::PassiveLevel;

use crate::kernel::{Event, Lock, SpinLock, Windows};

/// The time after which a wait is traced, again and again.
const TRACE_AFTER: Duration = Duration::from_secs(5);

/// Counts sockets from their beginning to the completion of their close.
pub(super) struct Gate {
    sockets: Lock<lifecycle::Gate>,
    /// Signalled while there are none.
    idle: Event,
}

impl Gate {
    /// Without sockets.
    pub(super) fn new() -> Self {
        Self { sockets: Lock::const_new(SpinLock::INIT, lifecycle::Gate::default()), idle: Event::new() }
    }

    /// Makes it ready, in the place where it stays.
    pub(super) fn initialise(&self) {
        self.idle.initialise();
        self.idle.signal();
    }

    /// A socket begins. Up to DISPATCH_LEVEL.
    pub(super) fn enter(&self) {
        let mut sockets = self.sockets.lock();
        sockets.enter();
        self.idle.clear();
    }

    /// A socket is closed. Up to DISPATCH_LEVEL.
    pub(super) fn leave(&self) {
        let mut sockets = self.sockets.lock();
        if sockets.leave() {
            self.idle.signal();
        }
    }

    /// Waits until there are none. None begins any more.
    pub(super) fn wait(&self, level: PassiveLevel) {
        while !self.idle.wait_for(TRACE_AFTER, level) {
            let sockets = self.sockets.lock().sockets();
            <Windows as Kernel>::trace(format_args!("halt waits for the close of {sockets} sockets"));
        }
        // The signal was given under the lock, which has to be free before the gate may go.
        drop(self.sockets.lock());
    }
}
