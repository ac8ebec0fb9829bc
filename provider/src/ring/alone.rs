//! Pushes and pops of a ring that its users serialise: a work queue is posted to by one thread at a time (WR-1) and taken
//! from by one, and a CQ is polled by one (CQ-1).
//!
//! No other thread competes for the position, so a load and a store claim it.

#![expect(unsafe_code, reason = "the slots of a ring are written and read by their place")]

use super::Ring;
use crate::sync::Ordering;

impl<T> Ring<T> {
    /// Appends the value that `make` makes for its position, in its place and without a locked instruction. `None` if
    /// the queue is full. For a ring that one thread at a time pushes to.
    ///
    /// The pusher before has happened before, so its store of `tail` is what is loaded here, and no claim competes with
    /// this one. Towards the pops nothing differs: the sequence number alone admits them, and admits this push.
    ///
    /// # Safety
    ///
    /// Each push of this ring happens before the next, and the ring is never sealed.
    #[inline(always)]
    pub(crate) unsafe fn push_alone(&self, make: impl FnOnce(u64) -> T) -> Option<u64> {
        let position = self.tail.load(Ordering::Relaxed);
        let slot = self.slot(position)?;
        if slot.sequence.load(Ordering::Acquire) != position {
            return None;
        }
        self.tail.store(position.wrapping_add(1), Ordering::Relaxed);
        // SAFETY: the position is this push's, as no other runs.
        unsafe { self.publish(slot, position, || make(position)) };
        Some(position)
    }

    /// As [`Ring::pop_with`], without a locked instruction, for a ring that one thread at a time pops from. As with
    /// [`Ring::push_alone`] no claim competes, and towards the pushes nothing differs.
    ///
    /// # Safety
    ///
    /// Each pop of this ring happens before the next.
    #[inline(always)]
    pub(crate) unsafe fn pop_alone<R>(&self, take: impl FnOnce(u64, T) -> R) -> Option<R> {
        let position = self.head.load(Ordering::Relaxed);
        let slot = self.slot(position)?;
        let next = position.wrapping_add(1);
        if slot.sequence.load(Ordering::Acquire) != next {
            return None;
        }
        self.head.store(next, Ordering::Relaxed);
        // SAFETY: the position is this pop's, as no other runs.
        unsafe { self.take(slot, position, take) }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn ring_used_by_one_at_a_time_is_a_bounded_queue() {
        let ring = Ring::new(2).unwrap();
        for round in 0..5 {
            // SAFETY: this thread alone uses the ring, which is not sealed.
            let pushed = [(); 3].map(|()| unsafe { ring.push_alone(|position| position) });
            assert_eq!(pushed, [Some(2 * round), Some(2 * round + 1), None]);
            // SAFETY: as above.
            let popped = [(); 3].map(|()| unsafe { ring.pop_alone(|position, value| (position, value)) });
            assert_eq!(popped, [Some((2 * round, 2 * round)), Some((2 * round + 1, 2 * round + 1)), None]);
        }
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use crate::loom_tests::explore;
    use loom::sync::Arc;
    use loom::thread;

    #[test]
    fn pushes_alone_against_pops_alone_keep_the_order() {
        explore(None, || {
            let ring = Arc::new(Ring::new(2).unwrap());
            let pusher = {
                let ring = ring.clone();
                // SAFETY: one thread pushes, and another pops; no thread seals.
                thread::spawn(move || {
                    (0..3_u32).filter(|value| unsafe { ring.push_alone(|_| *value) }.is_some()).count()
                })
            };
            // SAFETY: as above.
            let pop = || unsafe { ring.pop_alone(|_, value| value) };
            let mut seen: Vec<_> = [pop(), pop()].into_iter().flatten().collect();
            let pushed = pusher.join().unwrap();
            seen.extend(core::iter::from_fn(pop));
            assert!(pushed >= 2);
            assert_eq!(seen, (0..3).take(pushed).collect::<Vec<_>>());
        });
    }

    #[test]
    fn pushes_alone_of_successive_threads_follow_one_another() {
        explore(None, || {
            let ring = Arc::new(Ring::new(2).unwrap());
            let combiner = Arc::new(crate::combiner::Combiner::new(0_u32));
            let push = |ring: &Ring<u32>, combiner: &crate::combiner::Combiner<u32>| {
                combiner.run(|count| {
                    *count += 1;
                    // SAFETY: the combiner's runs happen one before another; no thread seals.
                    unsafe { ring.push_alone(|_| *count) };
                });
            };
            let other = {
                let (ring, combiner) = (ring.clone(), combiner.clone());
                thread::spawn(move || push(&ring, &combiner))
            };
            push(&ring, &combiner);
            other.join().unwrap();
            // SAFETY: the other thread has ended.
            let seen = [(); 2].map(|()| unsafe { ring.pop_alone(|_, value| value) });
            assert_eq!(seen, [Some(1), Some(2)]);
        });
    }
}
