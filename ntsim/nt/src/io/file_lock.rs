//! The lock of a file that was opened for synchronous I/O: one request at a time.
//!
//! "File handles are synchronous by default … all operations on a synchronous file handle are serialized", controls
//! among them (devblogs.microsoft.com/oldnewthing/20130822-00/?p=3433). A request that waits for the one before has not
//! reached the driver; if the one before can't end without it, neither ever does.

#![forbid(unsafe_code)]

use std::collections::VecDeque;

use ntsim_core::sched::{self, Thread};
use parking_lot::Mutex;

/// The lock of one file.
#[derive(Default)]
pub(super) struct FileLock(Mutex<Held>);

#[derive(Default)]
struct Held {
    busy: bool,
    waiting: VecDeque<&'static Thread>,
}

/// The right to send a request; it ends when this is dropped.
#[must_use]
pub(super) struct Turn<'a>(&'a FileLock);

impl FileLock {
    /// Waits until no other request of the file is under way. The caller is a thread of the machine.
    pub(super) fn acquire(&self) -> Turn<'_> {
        let thread = sched::current();
        loop {
            let mut held = self.0.lock();
            if !held.busy {
                held.busy = true;
                held.waiting.retain(|waiting| thread.is_none_or(|thread| !core::ptr::eq(*waiting, thread)));
                return Turn(self);
            }
            if let Some(thread) = thread
                && !held.waiting.iter().any(|waiting| core::ptr::eq(*waiting, thread))
            {
                held.waiting.push_back(thread);
            }
            drop(held);
            sched::block(None);
        }
    }

    /// The number of threads that wait.
    pub(super) fn waiting(&self) -> usize {
        self.0.lock().waiting.len()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut held = self.0.0.lock();
        held.busy = false;
        if let Some(next) = held.waiting.pop_front() {
            sched::wake(next);
        }
    }
}
