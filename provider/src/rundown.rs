//! A value that is in use until it is closed and the last user has gone: a registration, a connection.
//!
//! ```text
//!  63      62 ......... 0
//! OPEN          pins
//! ```
//!
//! A pin is taken only while OPEN is set; closing clears it. "Not open and no pins" therefore comes about
//! once per value, in one read-modify-write, and whoever brings it about takes the value out: the closer,
//! or the last pin, which hands it to [`Drain::drained`].

use core::ops::Deref;

use crate::sync::{AtomicU64, Ordering, UnsafeCell};

const OPEN: u64 = 1 << 63;
const PINS: u64 = OPEN.wrapping_sub(1);

/// What becomes of a value whose last user has gone.
pub(crate) trait Drain {
    /// Called once, wherever the last pin was given back: up to DISPATCH_LEVEL, no lock held.
    fn drained(self);
}

/// See the module's head.
pub(crate) struct Rundown<T: Drain> {
    word: AtomicU64,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the value is written before OPEN is set, read under pins, and taken out by the one thread that
// brought about "not open and no pins".
unsafe impl<T: Drain + Send + Sync> Send for Rundown<T> {}
// SAFETY: as above.
unsafe impl<T: Drain + Send + Sync> Sync for Rundown<T> {}

/// Use of an open value.
pub(crate) struct Pin<'r, T: Drain> {
    rundown: &'r Rundown<T>,
    value: &'r T,
}

impl<T: Drain> Rundown<T> {
    /// Without a value.
    pub(crate) fn new() -> Self {
        Self { word: AtomicU64::new(0), value: UnsafeCell::new(None) }
    }

    /// Opens with `value`.
    ///
    /// # Safety
    ///
    /// No other call of this function runs for the same rundown, and an earlier value was taken out.
    pub(crate) unsafe fn open(&self, value: T) {
        self.value.with_mut(|cell| {
            // SAFETY: neither open nor pinned, so nobody reads; and the caller is the only writer.
            unsafe { *cell = Some(value) };
        });
        self.word.fetch_or(OPEN, Ordering::AcqRel);
    }

    /// Whether a pin would be given now.
    pub(crate) fn is_open(&self) -> bool {
        self.word.load(Ordering::Acquire) & OPEN != 0
    }

    /// Uses the value, if it is open.
    pub(crate) fn pin(&self) -> Option<Pin<'_, T>> {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & OPEN == 0 || word & PINS == PINS {
                return None;
            }
            let pinned = word.wrapping_add(1);
            match self.word.compare_exchange_weak(word, pinned, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        // SAFETY: pinned, so nobody writes until the pin is given back.
        let value = self.value.with(|cell| unsafe { (*cell).as_ref() });
        value.map(|value| Pin { rundown: self, value })
    }

    /// Refuses new pins. `Some` is the value, if nobody uses it: the caller owes its [`Drain::drained`], or
    /// what takes that place. `None` if it is in use, or was not open.
    #[must_use]
    pub(crate) fn close(&self) -> Option<T> {
        let word = self.word.fetch_and(!OPEN, Ordering::AcqRel);
        if word == OPEN { self.take() } else { None }
    }

    fn take(&self) -> Option<T> {
        self.value.with_mut(|cell| {
            // SAFETY: this thread brought about "not open and no pins", which admits nobody else.
            unsafe { (*cell).take() }
        })
    }
}

impl<T: Drain> Deref for Pin<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value
    }
}

impl<T: Drain> Drop for Pin<'_, T> {
    fn drop(&mut self) {
        let word = self.rundown.word.fetch_sub(1, Ordering::AcqRel);
        if word == 1
            && let Some(value) = self.rundown.take()
        {
            value.drained();
        }
    }
}

#[cfg(test)]
struct Probe(std::sync::Arc<std::sync::atomic::AtomicUsize>);

#[cfg(test)]
impl Drain for Probe {
    fn drained(self) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    fn opened() -> (Rundown<Probe>, Arc<AtomicUsize>) {
        let (rundown, drained) = (Rundown::new(), Arc::new(AtomicUsize::new(0)));
        // SAFETY: nobody else knows it.
        unsafe { rundown.open(Probe(drained.clone())) };
        (rundown, drained)
    }

    #[test]
    fn the_closer_gets_a_value_that_nobody_uses() {
        let (rundown, drained) = opened();
        assert!(rundown.close().is_some());
        assert!(rundown.pin().is_none() && rundown.close().is_none());
        assert_eq!(drained.load(std::sync::atomic::Ordering::SeqCst), 0);
    }

    #[test]
    fn the_last_pin_drains_a_closed_value() {
        let (rundown, drained) = opened();
        let (a, b) = (rundown.pin().unwrap(), rundown.pin().unwrap());
        assert!(rundown.close().is_none());
        assert!(rundown.pin().is_none(), "in use, and closed all the same");
        drop(a);
        assert_eq!(drained.load(std::sync::atomic::Ordering::SeqCst), 0);
        drop(b);
        assert_eq!(drained.load(std::sync::atomic::Ordering::SeqCst), 1);
    }

    #[test]
    fn no_more_pins_are_given_than_can_be_counted() {
        let (rundown, _) = opened();
        rundown.word.store(OPEN | (PINS - 1), Ordering::Relaxed);
        let last = rundown.pin();
        assert!(last.is_some() && rundown.pin().is_none());
        drop(last);
        rundown.word.store(OPEN, Ordering::Relaxed);
    }

    #[test]
    fn a_rundown_can_be_opened_again_once_its_value_is_out() {
        let (rundown, drained) = opened();
        drop(rundown.close());
        // SAFETY: nobody else knows it, and the value was taken out.
        unsafe { rundown.open(Probe(drained)) };
        assert!(rundown.is_open() && rundown.pin().is_some());
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use crate::interleavings::explore;
    use loom::thread;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering as O};

    #[test]
    fn close_against_two_users_takes_the_value_out_once() {
        explore(None, || {
            let drained = Arc::new(AtomicUsize::new(0));
            let rundown = loom::sync::Arc::new(Rundown::new());
            // SAFETY: nobody else knows it yet.
            unsafe { rundown.open(Probe(drained.clone())) };
            let users: Vec<_> = (0..2)
                .map(|_| {
                    let rundown = rundown.clone();
                    thread::spawn(move || drop(rundown.pin()))
                })
                .collect();
            if let Some(value) = rundown.close() {
                value.drained();
            }
            for user in users {
                user.join().unwrap();
            }
            assert_eq!(drained.load(O::SeqCst), 1);
        });
    }
}
