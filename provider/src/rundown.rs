//! Rundown protection of a value, a registration or a connection: it is in use until it is closed and
//! unpinned.
//!
//! Its users come from two sides, each of which counts in a lane of its own, so that two processors which use
//! the same value all the time do not hand each other a cache line for it:
//!
//! ```text
//!  63      62 ......... 0
//! OPEN          pins
//! ```
//!
//! A pin is taken only while OPEN is set; closing clears it. "Not open and no pins" therefore comes about
//! once per lane and value, in one read-modify-write, whose thread counts the lane as over. The thread that
//! counts the last lane takes the value out: the closer, or the last pin, which passes it to
//! [`Drain::drained`].

use core::ops::Deref;

use crate::sync::{AtomicU32, AtomicU64, Line, Ordering, UnsafeCell};

const OPEN: u64 = 1 << 63;
const PINS: u64 = OPEN.wrapping_sub(1);
const LANES: u32 = 2;

/// Disposal of a value after its rundown.
pub(crate) trait Drain {
    /// Called once, wherever the last pin was given back: up to DISPATCH_LEVEL, no lock held.
    fn drained(self);
}

/// From which side a user comes. It decides nothing but which cache line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Near,
    Far,
}

/// See the module's head.
pub(crate) struct Rundown<T: Drain> {
    near: Line<AtomicU64>,
    far: Line<AtomicU64>,
    /// Lanes that are open or have pins.
    lanes: AtomicU32,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the value is written before OPEN is set, read under pins, and taken out by the one thread that
// brought about "not open and no pins" in the last lane.
unsafe impl<T: Drain + Send + Sync> Send for Rundown<T> {}
// SAFETY: as above.
unsafe impl<T: Drain + Send + Sync> Sync for Rundown<T> {}

/// Use of an open value.
pub(crate) struct Pin<'r, T: Drain> {
    rundown: &'r Rundown<T>,
    word: &'r AtomicU64,
    value: &'r T,
}

impl<T: Drain> Rundown<T> {
    /// Without a value.
    pub(crate) fn new() -> Self {
        let [near, far] = [0, 0].map(|word| Line(AtomicU64::new(word)));
        Self { near, far, lanes: AtomicU32::new(0), value: UnsafeCell::new(None) }
    }

    /// Opens with `value`.
    ///
    /// # Safety
    ///
    /// No other call of this function or of [`Rundown::close`] runs for the same rundown, and an earlier value
    /// was taken out.
    pub(crate) unsafe fn open(&self, value: T) {
        self.value.with_mut(|cell| {
            // SAFETY: neither open nor pinned, so there is no reader; and the caller is the only writer.
            unsafe { *cell = Some(value) };
        });
        self.lanes.store(LANES, Ordering::Relaxed);
        for word in [&self.far, &self.near] {
            word.fetch_or(OPEN, Ordering::AcqRel);
        }
    }

    /// Returns true if the value is open: a pin would succeed now.
    pub(crate) fn is_open(&self) -> bool {
        self.near.load(Ordering::Acquire) & OPEN != 0
    }

    /// Uses the value, if it is open.
    pub(crate) fn pin(&self, lane: Lane) -> Option<Pin<'_, T>> {
        let lane: &AtomicU64 = match lane {
            Lane::Near => &self.near,
            Lane::Far => &self.far,
        };
        let mut word = lane.load(Ordering::Relaxed);
        loop {
            if word & OPEN == 0 || word & PINS == PINS {
                return None;
            }
            let pinned = word.wrapping_add(1);
            match lane.compare_exchange_weak(word, pinned, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        // SAFETY: pinned, so there is no writer until the pin is released.
        let value = self.value.with(|cell| unsafe { (*cell).as_ref() });
        value.map(|value| Pin { rundown: self, word: lane, value })
    }

    /// Refuses new pins. Returns the value if it is not pinned: the caller then calls [`Drain::drained`] or
    /// does the equivalent. Returns `None` if it is in use, or was not open.
    #[must_use]
    pub(crate) fn close(&self) -> Option<T> {
        let mut value = None;
        for word in [&self.near, &self.far] {
            if word.fetch_and(!OPEN, Ordering::AcqRel) == OPEN {
                value = self.end_lane().or(value);
            }
        }
        value
    }

    /// A lane is neither open nor pinned any more. Gives out the value with the last one.
    fn end_lane(&self) -> Option<T> {
        if self.lanes.fetch_sub(1, Ordering::AcqRel) != 1 {
            return None;
        }
        self.value.with_mut(|cell| {
            // SAFETY: this thread brought about "not open and no pins" in the last lane, which happens once.
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
        let word = self.word.fetch_sub(1, Ordering::AcqRel);
        if word == 1
            && let Some(value) = self.rundown.end_lane()
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
        // SAFETY: not shared with another thread yet.
        unsafe { rundown.open(Probe(drained.clone())) };
        (rundown, drained)
    }

    #[test]
    fn the_closer_gets_a_value_that_nobody_uses() {
        let (rundown, drained) = opened();
        assert!(rundown.close().is_some());
        assert!(rundown.pin(Lane::Near).is_none() && rundown.pin(Lane::Far).is_none());
        assert!(rundown.close().is_none());
        assert_eq!(drained.load(std::sync::atomic::Ordering::SeqCst), 0);
    }

    #[test]
    fn the_last_pin_drains_a_closed_value_whatever_its_lane() {
        use Lane::{Far, Near};
        for lanes in [[Near, Near], [Near, Far], [Far, Near], [Far, Far]] {
            let (rundown, drained) = opened();
            let [a, b] = lanes.map(|lane| rundown.pin(lane).unwrap());
            assert!(rundown.close().is_none());
            assert!(lanes.iter().all(|lane| rundown.pin(*lane).is_none()), "in use, and closed all the same");
            drop(a);
            assert_eq!(drained.load(std::sync::atomic::Ordering::SeqCst), 0);
            drop(b);
            assert_eq!(drained.load(std::sync::atomic::Ordering::SeqCst), 1);
        }
    }

    #[test]
    fn no_more_pins_are_given_than_can_be_counted() {
        let (rundown, _) = opened();
        rundown.far.store(OPEN | (PINS - 1), Ordering::Relaxed);
        let last = rundown.pin(Lane::Far);
        assert!(last.is_some() && rundown.pin(Lane::Far).is_none());
        drop(last);
        rundown.far.store(OPEN, Ordering::Relaxed);
    }

    #[test]
    fn a_rundown_can_be_opened_again_once_its_value_is_out() {
        let (rundown, drained) = opened();
        drop(rundown.close());
        // SAFETY: not shared with another thread, and the value was taken out.
        unsafe { rundown.open(Probe(drained)) };
        assert!(rundown.is_open());
        assert!(rundown.pin(Lane::Near).is_some() && rundown.pin(Lane::Far).is_some());
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use crate::loom_tests::explore;
    use loom::thread;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering as O};

    fn close_against_two_users(lanes: [Lane; 2]) {
        explore(None, move || {
            let drained = Arc::new(AtomicUsize::new(0));
            let rundown = loom::sync::Arc::new(Rundown::new());
            // SAFETY: not shared with another thread yet.
            unsafe { rundown.open(Probe(drained.clone())) };
            let users = lanes.map(|lane| {
                let rundown = rundown.clone();
                thread::spawn(move || drop(rundown.pin(lane)))
            });
            if let Some(value) = rundown.close() {
                value.drained();
            }
            for user in users {
                user.join().unwrap();
            }
            assert_eq!(drained.load(O::SeqCst), 1);
        });
    }

    #[test]
    fn close_against_two_users_of_one_lane_takes_the_value_out_once() {
        close_against_two_users([Lane::Near; 2]);
    }

    #[test]
    fn close_against_users_of_both_lanes_takes_the_value_out_once() {
        close_against_two_users([Lane::Near, Lane::Far]);
    }

    #[test]
    fn two_closes_against_a_user_take_the_value_out_once() {
        explore(None, || {
            let drained = Arc::new(AtomicUsize::new(0));
            let rundown = loom::sync::Arc::new(Rundown::new());
            // SAFETY: not shared with another thread yet.
            unsafe { rundown.open(Probe(drained.clone())) };
            let close = |rundown: &Rundown<Probe>| rundown.close().into_iter().for_each(Drain::drained);
            let other = {
                let rundown = rundown.clone();
                thread::spawn(move || close(&rundown))
            };
            let user = {
                let rundown = rundown.clone();
                thread::spawn(move || drop(rundown.pin(Lane::Far)))
            };
            close(&rundown);
            for thread in [other, user] {
                thread.join().unwrap();
            }
            assert_eq!(drained.load(O::SeqCst), 1);
        });
    }
}
