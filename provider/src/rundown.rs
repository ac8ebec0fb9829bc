//! Rundown protection of a value, a registration or a connection: it is in use until it is closed and
//! unpinned.
//!
//! Its users come from two sides, each of which counts in a shard of its own, so that two processors which use
//! the same value all the time do not hand each other a cache line for it:
//!
//! ```text
//!  63     62     61 ......... 0
//! OPEN   LEASED      pins
//! ```
//!
//! A pin is taken only while OPEN is set; closing clears it. LEASED is set together with OPEN, or not at all: see `lease`.
//! "Not open, no lease and no pins" therefore comes about once per shard and value, in one read-modify-write, whose thread
//! counts the shard as over. The thread that counts the last shard takes the value out: the closer, or the last pin or
//! lease, which passes it to [`Drain::drained`].

#![expect(unsafe_code, reason = "a slot is freed when no thread is in it")]

mod lease;

use core::ops::Deref;

use crate::sync::{AtomicU32, AtomicU64, Line, Ordering, UnsafeCell};

const OPEN: u64 = 1 << 63;
const LEASED: u64 = 1 << 62;
const PINS: u64 = LEASED.wrapping_sub(1);
const SHARDS: u32 = 2;

/// Disposal of a value after its rundown.
pub trait Drain {
    /// Called once, wherever the last pin was given back: up to DISPATCH_LEVEL, no lock held.
    fn drained(self);
}

/// From which side a user comes. It decides nothing but which cache line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shard {
    /// The side that begins a transfer, and the owner of the value.
    Initiator,
    /// The side whose memory or queue a transfer names.
    Target,
}

/// See the module's head.
pub struct Rundown<T: Drain> {
    initiator: Line<AtomicU64>,
    target: Line<AtomicU64>,
    /// Shards that are open or have pins.
    shards: AtomicU32,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the value is written before OPEN is set, read under pins, and taken out by the one thread that
// brought about "not open and no pins" in the last shard.
unsafe impl<T: Drain + Send + Sync> Send for Rundown<T> {}
// SAFETY: as above.
unsafe impl<T: Drain + Send + Sync> Sync for Rundown<T> {}

/// Use of an open value, which ends when this is dropped.
pub struct Pin<'r, T: Drain> {
    rundown: &'r Rundown<T>,
    word: &'r AtomicU64,
    value: &'r T,
}

impl<T: Drain> Rundown<T> {
    /// The offsets of the words of the two shards, for a debugger: the initiator's first.
    pub(crate) const WORDS: [usize; 2] =
        [core::mem::offset_of!(Self, initiator), core::mem::offset_of!(Self, target)];

    /// The offset of the value, for a debugger: there is one if a shard is open or has pins.
    pub(crate) const VALUE: usize = {
        assert!(size_of::<Option<T>>() == size_of::<T>(), "a value lies where the option does");
        core::mem::offset_of!(Self, value)
    };

    /// Without a value.
    #[must_use]
    pub fn new() -> Self {
        let [initiator, target] = [0, 0].map(|word| Line(AtomicU64::new(word)));
        Self { initiator, target, shards: AtomicU32::new(0), value: UnsafeCell::new(None) }
    }

    /// Opens with `value`.
    ///
    /// # Safety
    ///
    /// No other call of this function or of [`Rundown::close`] runs for the same rundown, and an earlier value
    /// was taken out.
    pub unsafe fn open(&self, value: T) {
        // SAFETY: as the caller promises.
        unsafe { self.open_with(value, OPEN) };
    }

    /// Opens with `value` and these bits of either shard.
    ///
    /// # Safety
    ///
    /// As for [`Rundown::open`].
    unsafe fn open_with(&self, value: T, bits: u64) {
        self.value.with_mut(|cell| {
            // SAFETY: neither open nor pinned, so there is no reader; and the caller is the only writer.
            unsafe { *cell = Some(value) };
        });
        self.shards.store(SHARDS, Ordering::Relaxed);
        for word in [&self.target, &self.initiator] {
            word.fetch_or(bits, Ordering::AcqRel);
        }
    }

    /// Returns true if the value is open in `shard`: a pin of it would succeed now.
    ///
    /// A user looks at the shard that it pins, whose cache line is its own: the other's is written by the other side, for
    /// each of its pins. [`Rundown::open`] stores the value before it releases OPEN into either shard, so each of them
    /// shows the value. While it opens or closes, one shard is open an instant before or after the other; a user that
    /// looks meanwhile has its pin given, which the drain waits for, or refused, as if it had looked before.
    #[must_use]
    pub fn is_open(&self, shard: Shard) -> bool {
        self.shard(shard).load(Ordering::Acquire) & OPEN != 0
    }

    /// Uses the value, if it is open.
    #[must_use]
    pub fn pin(&self, shard: Shard) -> Option<Pin<'_, T>> {
        let shard = self.shard(shard);
        let mut word = shard.load(Ordering::Relaxed);
        loop {
            if word & OPEN == 0 || word & PINS == PINS {
                return None;
            }
            let pinned = word.wrapping_add(1);
            match shard.compare_exchange_weak(word, pinned, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        // SAFETY: pinned, so there is no writer until the pin is released.
        let value = self.value.with(|cell| unsafe { (*cell).as_ref() });
        value.map(|value| Pin { rundown: self, word: shard, value })
    }

    /// Refuses new pins. Returns the value if it is not pinned: the caller then calls [`Drain::drained`] or
    /// does the equivalent. Returns `None` if it is in use, or was not open.
    #[must_use]
    pub fn close(&self) -> Option<T> {
        let mut value = None;
        for word in [&self.initiator, &self.target] {
            if word.fetch_and(!OPEN, Ordering::AcqRel) == OPEN {
                value = self.end_shard().or(value);
            }
        }
        value
    }

    /// Ends a pin of `shard` that was left, see [`Pin::leave`]. Calls [`Drain::drained`] if it was the last of a closed
    /// rundown. Up to DISPATCH_LEVEL, no lock held.
    ///
    /// # Safety
    ///
    /// A pin of this shard was left and not ended yet.
    pub unsafe fn unpin(&self, shard: Shard) {
        let word = self.shard(shard);
        if word.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(value) = self.end_shard()
        {
            value.drained();
        }
    }

    fn shard(&self, shard: Shard) -> &AtomicU64 {
        match shard {
            Shard::Initiator => &self.initiator,
            Shard::Target => &self.target,
        }
    }

    /// A shard is neither open nor pinned any more. Gives out the value with the last one.
    fn end_shard(&self) -> Option<T> {
        if self.shards.fetch_sub(1, Ordering::AcqRel) != 1 {
            return None;
        }
        self.value.with_mut(|cell| {
            // SAFETY: this thread brought about "not open and no pins" in the last shard, which happens once.
            unsafe { (*cell).take() }
        })
    }
}

impl<T: Drain> Default for Rundown<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Drain> Pin<'_, T> {
    /// Leaves the pin to an operation that goes on after its caller has returned, which ends it by [`Rundown::unpin`].
    pub const fn leave(self) {
        core::mem::forget(self);
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
            && let Some(value) = self.rundown.end_shard()
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
    fn close_of_an_unpinned_rundown_returns_the_value() {
        let (rundown, drained) = opened();
        assert!(rundown.close().is_some());
        assert!(rundown.pin(Shard::Initiator).is_none() && rundown.pin(Shard::Target).is_none());
        assert!(rundown.close().is_none());
        assert_eq!(drained.load(std::sync::atomic::Ordering::SeqCst), 0);
    }

    #[test]
    fn last_pin_of_either_shard_drains_a_closed_rundown() {
        use Shard::{Initiator, Target};
        for shards in [[Initiator, Initiator], [Initiator, Target], [Target, Initiator], [Target, Target]] {
            let (rundown, drained) = opened();
            let [a, b] = shards.map(|shard| rundown.pin(shard).unwrap());
            assert!(rundown.close().is_none());
            assert!(
                shards.iter().all(|shard| rundown.pin(*shard).is_none()),
                "in use, and closed all the same"
            );
            drop(a);
            assert_eq!(drained.load(std::sync::atomic::Ordering::SeqCst), 0);
            drop(b);
            assert_eq!(drained.load(std::sync::atomic::Ordering::SeqCst), 1);
        }
    }

    #[test]
    fn pin_left_to_an_operation_keeps_a_closed_rundown() {
        let (rundown, drained) = opened();
        rundown.pin(Shard::Target).unwrap().leave();
        assert!(rundown.close().is_none());
        assert_eq!(drained.load(std::sync::atomic::Ordering::SeqCst), 0);
        // SAFETY: the pin was left above.
        unsafe { rundown.unpin(Shard::Target) };
        assert_eq!(drained.load(std::sync::atomic::Ordering::SeqCst), 1);
    }

    #[test]
    fn pin_beyond_the_count_is_refused() {
        let (rundown, _) = opened();
        rundown.target.store(OPEN | (PINS - 1), Ordering::Relaxed);
        let last = rundown.pin(Shard::Target);
        assert!(last.is_some() && rundown.pin(Shard::Target).is_none());
        drop(last);
        rundown.target.store(OPEN, Ordering::Relaxed);
    }

    #[test]
    fn rundown_can_be_opened_again_once_its_value_is_out() {
        let (rundown, drained) = opened();
        drop(rundown.close());
        // SAFETY: not shared with another thread, and the value was taken out.
        unsafe { rundown.open(Probe(drained)) };
        assert!(rundown.is_open(Shard::Initiator) && rundown.is_open(Shard::Target));
        assert!(rundown.pin(Shard::Initiator).is_some() && rundown.pin(Shard::Target).is_some());
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use crate::loom_tests::explore;
    use loom::thread;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering as O};

    fn close_against_two_users(shards: [Shard; 2]) {
        explore(None, move || {
            let drained = Arc::new(AtomicUsize::new(0));
            let rundown = loom::sync::Arc::new(Rundown::new());
            // SAFETY: not shared with another thread yet.
            unsafe { rundown.open(Probe(drained.clone())) };
            let users = shards.map(|shard| {
                let rundown = rundown.clone();
                thread::spawn(move || drop(rundown.pin(shard)))
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
    fn close_against_two_users_of_one_shard_takes_the_value_out_once() {
        close_against_two_users([Shard::Initiator; 2]);
    }

    #[test]
    fn close_against_users_of_both_shards_takes_the_value_out_once() {
        close_against_two_users([Shard::Initiator, Shard::Target]);
    }

    #[test]
    fn open_shard_shows_the_value_to_its_users() {
        for shard in [Shard::Initiator, Shard::Target] {
            explore(None, move || {
                let rundown = loom::sync::Arc::new(Rundown::new());
                let opener = {
                    let rundown = rundown.clone();
                    // SAFETY: this is the one call, and nothing closes.
                    thread::spawn(move || unsafe { rundown.open(Probe(Arc::default())) })
                };
                if rundown.is_open(shard) {
                    assert!(rundown.pin(shard).is_some());
                }
                opener.join().unwrap();
                assert!(rundown.is_open(shard));
            });
        }
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
                thread::spawn(move || drop(rundown.pin(Shard::Target)))
            };
            close(&rundown);
            for thread in [other, user] {
                thread.join().unwrap();
            }
            assert_eq!(drained.load(O::SeqCst), 1);
        });
    }
}
