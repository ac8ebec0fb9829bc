//! The entries of a completion queue, in a chain of rings, each replaced by a larger one on resize (CQ-7).
//!
//! Each ring has twice the room of the one below it, or more, so all that were outgrown take less than the
//! present one, and stay until the queue goes: a pusher may still be in one. A ring that is outgrown is
//! sealed: no result goes in any more, and when the last has been taken, the poller goes on to the next.
//! So results of one queue pair, which pushes one after another, stay in their order.
//!
//! A position says both the ring and the place in it:
//!
//! ```text
//!  61 .. 56   55 ......... 0
//!   level        in ring
//! ```

#![expect(unsafe_code, reason = "the consumer serialises polls")]

use super::Cqe;
use crate::heap::{NoMemory, Once, Shared};
use crate::number::usize_from;
use crate::ring::{Full, Ring};
use crate::sync::{AtomicU32, Ordering};

/// A ring of level `n` has room for 2^n results.
const LEVELS: usize = 19;
/// The level above all rings.
const END: u32 = 19;

/// See the module's head.
pub(super) struct Entries {
    rings: [Once<Ring<Cqe>>; LEVELS],
    /// The level of the ring that results are pushed to.
    pushing: AtomicU32,
    /// The level of the ring that they are popped from.
    popping: AtomicU32,
}

/// The level of the ring for this depth.
fn level(depth: u32) -> Result<u32, NoMemory> {
    let level = depth.max(2).checked_next_power_of_two().ok_or(NoMemory)?.trailing_zeros();
    if usize_from(level) < LEVELS { Ok(level) } else { Err(NoMemory) }
}

fn position(level: u32, within: u64) -> u64 {
    (u64::from(level) << 56) | within
}

impl Entries {
    /// Room for `depth` results, at most 2^18.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(super) fn new(depth: u32) -> Result<Self, NoMemory> {
        let level = level(depth)?;
        let results = Self {
            rings: [const { Once::new() }; LEVELS],
            pushing: AtomicU32::new(level),
            popping: AtomicU32::new(level),
        };
        results.add(level, depth)?;
        Ok(results)
    }

    fn add(&self, level: u32, depth: u32) -> Result<(), NoMemory> {
        if let Some(place) = self.rings.get(usize_from(level)) {
            place.set(Shared::new(Ring::new(depth)?)?);
        }
        Ok(())
    }

    fn ring(&self, level: u32) -> Option<&Ring<Cqe>> {
        self.rings.get(usize_from(level))?.value()
    }

    /// Makes room for `depth` results; never takes any away, so that no result is lost. May run
    /// concurrently with everything, itself too.
    ///
    /// # Errors
    ///
    /// [`NoMemory`], and nothing has changed.
    pub(super) fn grow(&self, depth: u32) -> Result<(), NoMemory> {
        let level = level(depth)?;
        if level <= self.pushing.load(Ordering::Acquire) {
            return Ok(());
        }
        self.add(level, depth)?;
        // From here on pushers find the new ring; one that found the outgrown one before may push to it until
        // the poller seals that.
        self.pushing.fetch_max(level, Ordering::AcqRel);
        Ok(())
    }

    /// Appends a result and returns its position. Positions of one queue pair's results ascend.
    ///
    /// # Errors
    ///
    /// [`Full`] gives the result back.
    #[inline(always)]
    pub(super) fn push(&self, result: Cqe) -> Result<u64, Full<Cqe>> {
        let mut result = result;
        loop {
            let level = self.pushing.load(Ordering::Acquire);
            let Some(ring) = self.ring(level) else { return Err(Full(result)) };
            match ring.push(result) {
                Ok(within) => return Ok(position(level, within)),
                // There is a larger ring by now, and a thread that sees the seal sees that too, so the loop
                // ends.
                Err(Full(back)) if ring.is_sealed() || level != self.pushing.load(Ordering::Acquire) => {
                    result = back;
                }
                Err(full) => return Err(full),
            }
        }
    }

    /// Refuses further results; those that are there stay to be taken out. A push that found its ring before
    /// this may succeed yet.
    #[cold]
    pub(super) fn end(&self) {
        // No ring is there: neither a pusher nor a growth goes past it.
        self.pushing.fetch_max(END, Ordering::AcqRel);
    }

    /// A result is to come soon.
    pub(super) fn expect_push(&self) {
        self.ring(self.pushing.load(Ordering::Acquire)).into_iter().for_each(Ring::expect_push);
    }

    /// Removes the oldest result. Not concurrently with itself (CQ-1).
    #[inline(always)]
    pub(super) fn pop(&self) -> Option<Cqe> {
        // SAFETY: each poll of a CQ happens before the next, as the consumer serialises them (CQ-1) and the edge relies on.
        let pop = |ring: &Ring<Cqe>| unsafe { ring.pop_alone(|_, result| result) };
        loop {
            let level = self.popping.load(Ordering::Relaxed);
            let ring = self.ring(level)?;
            if let Some(result) = pop(ring) {
                return Some(result);
            }
            if level == self.pushing.load(Ordering::Acquire) {
                return None;
            }
            ring.seal();
            if !ring.is_exhausted() {
                // A result came before the seal; it may not be published yet.
                return pop(ring);
            }
            self.popping.store(self.next(level)?, Ordering::Release);
        }
    }

    /// The level of the next larger ring.
    fn next(&self, level: u32) -> Option<u32> {
        (level.checked_add(1)?..=self.pushing.load(Ordering::Acquire)).find(|next| self.ring(*next).is_some())
    }

    /// The position that the next pop takes, unless it goes on to a larger ring.
    pub(super) fn head(&self) -> u64 {
        let level = self.popping.load(Ordering::Acquire);
        position(level, self.ring(level).map_or(0, Ring::head))
    }

    /// The position that the next push takes, unless it goes on to a larger ring.
    pub(super) fn tail(&self) -> u64 {
        let level = self.pushing.load(Ordering::Acquire);
        position(level, self.ring(level).map_or(0, Ring::tail))
    }

    /// The position of the oldest result, if one is published.
    pub(super) fn oldest(&self) -> Option<u64> {
        let levels = self.popping.load(Ordering::Acquire)..=self.pushing.load(Ordering::Acquire);
        levels.into_iter().find_map(|level| {
            let ring = self.ring(level)?;
            let head = ring.head();
            ring.published(head).then_some(position(level, head))
        })
    }
}

#[cfg(test)]
fn result(number: u32) -> Cqe {
    use crate::consumer::Opaque;
    let none = Opaque(core::ptr::null_mut());
    Cqe {
        status: 0,
        bytes: number,
        qp_context: none,
        request_context: none,
        operation: sys::ndk::NDK_OPERATION_TYPE::NdkOperationTypeSend,
        invalidated: 0,
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    proptest! {
        #[test]
        fn entries_grown_under_load_keep_all_completions_in_order(
            depth in 1_u32..5,
            steps in prop::collection::vec(prop_oneof![
                4 => Just(None),
                4 => Just(Some(0)),
                1 => (1_u32..40).prop_map(Some),
            ], 0..200),
        ) {
            let results = Entries::new(depth).unwrap();
            let (mut model, mut number, mut room, mut last) = (VecDeque::new(), 0, depth, None);
            for step in steps {
                match step {
                    None => prop_assert_eq!(results.pop().map(|result| result.bytes), model.pop_front()),
                    Some(0) => match results.push(result(number)) {
                        Ok(position) => {
                            prop_assert!(last.is_none_or(|last| position > last));
                            last = Some(position);
                            model.push_back(number);
                            number += 1;
                        }
                        Err(_) => prop_assert!(model.len() >= usize_from(room)),
                    },
                    Some(depth) => {
                        results.grow(depth).unwrap();
                        room = room.max(depth);
                    }
                }
                prop_assert_eq!(results.oldest().is_some(), !model.is_empty());
                prop_assert!(results.head() <= results.tail());
            }
        }
    }

    #[test]
    fn result_fills_one_cache_line_of_its_queue() {
        assert_eq!(Ring::<Cqe>::SLOT, 64);
    }

    #[test]
    fn ring_above_the_largest_is_refused() {
        let results = Entries::new(2).unwrap();
        assert_eq!(results.grow((1 << 18) + 1), Err(NoMemory));
        assert!(Entries::new(u32::MAX).is_err());
    }

    #[test]
    fn pushers_that_race_with_growth_keep_their_own_order() {
        const EACH: u32 = 2000;
        let results = Entries::new(2).unwrap();
        std::thread::scope(|scope| {
            for pusher in 0..3_u32 {
                let results = &results;
                scope.spawn(move || {
                    for number in 0..EACH {
                        while results.push(result(pusher << 16 | number)).is_err() {
                            std::thread::yield_now();
                        }
                    }
                });
            }
            scope.spawn(|| {
                for level in 1..12 {
                    results.grow(1 << level).unwrap();
                    std::thread::yield_now();
                }
            });
            let mut next = [0; 3];
            while next != [EACH; 3] {
                let Some(result) = results.pop() else {
                    std::thread::yield_now();
                    continue;
                };
                let (pusher, number) = (usize_from(result.bytes) >> 16, result.bytes & 0xFFFF);
                assert_eq!(next[pusher], number);
                next[pusher] += 1;
            }
        });
        assert!(results.pop().is_none());
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use crate::loom_tests::explore;
    use loom::sync::Arc;
    use loom::thread;

    #[test]
    fn results_pushed_during_growth_are_all_taken_in_their_order() {
        explore(None, || {
            let results = Arc::new(Entries::new(2).unwrap());
            let pusher = {
                let results = results.clone();
                thread::spawn(move || (0..2).all(|number| results.push(result(number)).is_ok()))
            };
            results.grow(4).unwrap();
            let mut taken: Vec<_> = results.pop().into_iter().collect();
            assert!(pusher.join().unwrap());
            while let Some(result) = results.pop() {
                taken.push(result);
            }
            assert_eq!(taken.iter().map(|result| result.bytes).collect::<Vec<_>>(), [0, 1]);
        });
    }
}
