//! Rendezvous of a transmit and a collect that move a chunk without NDK.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

use sys::status::{NTSTATUS, STATUS_IO_TIMEOUT};

use crate::call_log::WAIT_TIMEOUT;
use crate::kernel::{Event, Reset};

/// One offer at a time.
pub(super) struct Rendezvous {
    memory: AtomicPtr<u8>,
    offered: Event,
    taken: Event,
}

impl Rendezvous {
    /// To be [placed](Self::place) where it stays.
    pub(super) const fn unplaced() -> Self {
        Self { memory: AtomicPtr::new(null_mut()), offered: Event::unplaced(), taken: Event::unplaced() }
    }

    pub(super) fn place(&self) {
        self.offered.place(Reset::ByWait);
        self.taken.place(Reset::ByWait);
    }

    /// Offers `memory`, and waits until it was used.
    pub(super) fn offer(&self, memory: *mut u8) -> Result<(), NTSTATUS> {
        self.memory.store(memory, Ordering::Release);
        self.offered.set();
        if self.taken.wait(WAIT_TIMEOUT) {
            return Ok(());
        }
        if self.memory.swap(null_mut(), Ordering::AcqRel).is_null() {
            // Another thread has just taken it, and is using it.
            while !self.taken.wait(WAIT_TIMEOUT) {}
            return Ok(());
        }
        Err(STATUS_IO_TIMEOUT)
    }

    /// Waits for an offer and uses it.
    pub(super) fn take(&self, with: impl FnOnce(*mut u8)) -> Result<(), NTSTATUS> {
        for _ in 0..2 {
            if !self.offered.wait(WAIT_TIMEOUT) {
                break;
            }
            // An offer that was withdrawn leaves its signal behind.
            let memory = self.memory.swap(null_mut(), Ordering::AcqRel);
            if !memory.is_null() {
                with(memory);
                self.taken.set();
                return Ok(());
            }
        }
        Err(STATUS_IO_TIMEOUT)
    }
}
