//! A bounded queue without a lock: the work queues of a QP and the results of a CQ.
//!
//! Any number of threads may push and pop. Every slot carries a sequence number that admits one push or one
//! pop, so only one thread at a time accesses the slot:
//!
//! | sequence of slot `p % capacity` | meaning |
//! |---|---|
//! | `p` | free: the push for position `p` may write |
//! | `p + 1` | full: the pop for position `p` may read |
//!
//! A thread that is preempted between claiming a position and publishing it delays what comes after
//! it in this queue, and nothing else; no thread ever waits here. (The scheme is D. Vyukov's bounded
//! MPMC queue.)
//!
//! A ring that one thread at a time pushes to, or pops from, needs no locked instruction for that: see `alone`.
//!
//! Pushes and pops are inlined into the code that makes or uses the value: passed through memory, a small
//! value is read back in wider pieces than it was written in, and each such read waits for the writes.

#![expect(unsafe_code, reason = "the slots of a ring are written and read by their place")]

mod alone;

use crate::heap::{NoMemory, Slice};
use crate::number::u64_from;
use crate::sync::{AtomicU64, Line, Ordering, UnsafeCell, expect_to_read, expect_to_write};

/// Set in the tail of a sealed queue: no slot's sequence number is as great, so no push finds one free.
const SEALED: u64 = 1 << 63;

/// In cache lines of its own, as the next one may be written at the other end meanwhile.
#[repr(align(64))]
struct Slot<T> {
    sequence: AtomicU64,
    value: UnsafeCell<Option<T>>,
}

/// The queue is full; the value comes back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full<T>(pub(crate) T);

/// See the module's head.
pub(crate) struct Ring<T> {
    slots: Slice<Slot<T>>,
    mask: u64,
    tail: Line<AtomicU64>,
    head: Line<AtomicU64>,
}

// SAFETY: a slot's value is touched only by the thread that its sequence number admits; the number is
// released after the access and acquired before the next.
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> Ring<T> {
    /// Bytes of a slot.
    #[cfg(all(test, not(loom)))]
    pub(crate) const SLOT: usize = size_of::<Slot<T>>();

    /// A queue for at least `depth` values (at most 2^31); its capacity is the next power of two, and at
    /// least two: with one slot, "full" for a position and "free" for the next would be the same number.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn new(depth: u32) -> Result<Self, NoMemory> {
        let capacity = u64::from(depth.max(2)).checked_next_power_of_two().ok_or(NoMemory)?;
        let length = usize::try_from(capacity).map_err(|_| NoMemory)?;
        let slots = Slice::new(length, |index| Slot {
            sequence: AtomicU64::new(u64_from(index)),
            value: UnsafeCell::new(None),
        })?;
        let (tail, head) = (Line(AtomicU64::new(0)), Line(AtomicU64::new(0)));
        Ok(Self { slots, mask: capacity.wrapping_sub(1), tail, head })
    }

    fn slot(&self, position: u64) -> Option<&Slot<T>> {
        self.slots.get(usize::try_from(position & self.mask).ok()?)
    }

    /// Appends a value and returns its position (0, 1, 2, … in the order of the queue).
    ///
    /// # Errors
    ///
    /// [`Full`] gives the value back.
    #[inline(always)]
    pub(crate) fn push(&self, value: T) -> Result<u64, Full<T>> {
        match self.claim() {
            Some((slot, position)) => {
                // SAFETY: the claim was made just now.
                unsafe { self.publish(slot, position, || value) };
                Ok(position)
            }
            None => Err(Full(value)),
        }
    }

    /// A push is to come soon.
    pub(crate) fn expect_push(&self) {
        self.slot(self.tail.load(Ordering::Relaxed)).into_iter().for_each(expect_to_write);
    }

    /// A pop is to come soon.
    pub(crate) fn expect_pop(&self) {
        self.slot(self.head.load(Ordering::Relaxed)).into_iter().for_each(expect_to_write);
    }

    /// Another pop is to come, but not soon: the value may not be pushed yet.
    pub(crate) fn expect_another(&self) {
        self.slot(self.head.load(Ordering::Relaxed)).into_iter().for_each(expect_to_read);
    }

    /// Claims the next position; the caller publishes it.
    fn claim(&self) -> Option<(&Slot<T>, u64)> {
        let mut position = self.tail.load(Ordering::Relaxed);
        loop {
            let slot = self.slot(position)?;
            let sequence = slot.sequence.load(Ordering::Acquire);
            if sequence == position {
                let next = position.wrapping_add(1);
                match self.tail.compare_exchange_weak(position, next, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => return Some((slot, position)),
                    Err(now) => position = now,
                }
            } else if sequence < position {
                return None;
            } else {
                position = self.tail.load(Ordering::Relaxed);
            }
        }
    }

    /// # Safety
    ///
    /// The caller claimed `position`, whose slot this is, and publishes it once.
    #[inline(always)]
    unsafe fn publish(&self, slot: &Slot<T>, position: u64, make: impl FnOnce() -> T) {
        slot.value.with_mut(|cell| {
            // SAFETY: the sequence number was the caller's, and the claim of `tail` took it: no other thread
            // touches the slot until the store below. What was there was taken out.
            unsafe { cell.write(Some(make())) };
        });
        slot.sequence.store(position.wrapping_add(1), Ordering::Release);
    }

    /// Removes the oldest published value.
    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<T> {
        self.pop_with(|_, value| value)
    }

    /// Removes the oldest published value, and gives it with its position to `take` before the slot is free
    /// for the next push. What was written for this position before its push may be read there.
    #[inline(always)]
    pub(crate) fn pop_with<R>(&self, take: impl FnOnce(u64, T) -> R) -> Option<R> {
        let mut position = self.head.load(Ordering::Relaxed);
        loop {
            let slot = self.slot(position)?;
            let sequence = slot.sequence.load(Ordering::Acquire);
            let next = position.wrapping_add(1);
            if sequence == next {
                match self.head.compare_exchange_weak(position, next, Ordering::Relaxed, Ordering::Relaxed) {
                    // SAFETY: the claim was made just now.
                    Ok(_) => return unsafe { self.take(slot, position, take) },
                    Err(now) => position = now,
                }
            } else if sequence < next {
                return None;
            } else {
                position = self.head.load(Ordering::Relaxed);
            }
        }
    }

    /// # Safety
    ///
    /// The caller claimed `position`, whose slot this is and which is published, and takes it once.
    #[inline(always)]
    unsafe fn take<R>(&self, slot: &Slot<T>, position: u64, take: impl FnOnce(u64, T) -> R) -> Option<R> {
        let value = slot.value.with_mut(|cell| {
            // SAFETY: the sequence number was the caller's, and the claim of `head` took it: no other
            // thread touches the slot until the store below.
            let value = unsafe { cell.read() };
            // SAFETY: as above; what was there was moved out just now.
            unsafe { cell.write(None) };
            value.map(|value| take(position, value))
        });
        slot.sequence.store(position.wrapping_add(1).wrapping_add(self.mask), Ordering::Release);
        value
    }

    /// Returns the number of slots; positions that are so many apart share a slot.
    pub(crate) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// The position that the next pop takes.
    pub(crate) fn head(&self) -> u64 {
        self.head.load(Ordering::SeqCst)
    }

    /// Returns true if the value for `position`, which no pop has taken yet, is published.
    pub(crate) fn published(&self, position: u64) -> bool {
        let next = position.wrapping_add(1);
        self.slot(position).is_some_and(|slot| slot.sequence.load(Ordering::SeqCst) == next)
    }

    /// The position that the next push takes; values before it may not be published yet.
    pub(crate) fn tail(&self) -> u64 {
        self.tail.load(Ordering::SeqCst) & !SEALED
    }

    /// Lets nothing in any more: every push finds the queue full.
    pub(crate) fn seal(&self) {
        self.tail.fetch_or(SEALED, Ordering::SeqCst);
    }

    /// Returns true if the ring was sealed. The caller then sees all writes made before the seal.
    pub(crate) fn is_sealed(&self) -> bool {
        self.tail.load(Ordering::SeqCst) & SEALED != 0
    }

    /// Returns true if the ring was sealed and the last value was taken: it stays empty.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.tail.load(Ordering::SeqCst) == self.head() | SEALED
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::number::usize_from;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::sync::atomic::{AtomicU64 as Sum, Ordering as O};

    #[test]
    fn ring_is_never_smaller_than_its_depth() {
        for depth in [0, 1, 2, 3, 5, 64, 100] {
            let ring = Ring::new(depth).unwrap();
            for value in 0..depth.max(1) {
                assert_eq!(ring.push(value), Ok(u64::from(value)));
            }
        }
    }

    #[test]
    fn push_to_a_full_ring_returns_the_value() {
        let ring = Ring::new(2).unwrap();
        ring.push('a').unwrap();
        ring.push('b').unwrap();
        assert_eq!(ring.push('c'), Err(Full('c')));
        assert_eq!(ring.pop(), Some('a'));
        assert_eq!(ring.push('c'), Ok(2));
    }

    #[test]
    fn sealed_ring_gives_out_what_it_has_and_takes_nothing() {
        let ring = Ring::new(4).unwrap();
        ring.push('a').unwrap();
        ring.seal();
        assert_eq!(ring.push('b'), Err(Full('b')));
        assert!(!ring.is_exhausted());
        assert_eq!((ring.tail(), ring.pop(), ring.pop()), (1, Some('a'), None));
        assert!(ring.is_exhausted());
    }

    proptest! {
        #[test]
        fn ring_is_a_bounded_queue(depth in 1_u32..9, steps in prop::collection::vec(any::<Option<u8>>(), 0..200)) {
            let ring = Ring::new(depth).unwrap();
            let capacity = usize_from(depth.max(2).next_power_of_two());
            let mut model = VecDeque::new();
            for step in steps {
                match step {
                    Some(value) if model.len() < capacity => {
                        prop_assert!(ring.push(value).is_ok());
                        model.push_back(value);
                    }
                    Some(value) => prop_assert_eq!(ring.push(value), Err(Full(value))),
                    None => prop_assert_eq!(ring.pop(), model.pop_front()),
                }
                prop_assert_eq!(ring.tail() - ring.head(), u64_from(model.len()));
            }
        }
    }

    #[test]
    fn values_pushed_by_many_threads_are_popped_once() {
        let ring = Ring::new(8).unwrap();
        let (sum, left) = (Sum::new(0), Sum::new(4000));
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let ring = &ring;
                scope.spawn(move || {
                    for value in 0..1000 {
                        while ring.push(thread * 1000 + value).is_err() {
                            std::thread::yield_now();
                        }
                    }
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    while left.load(O::Relaxed) > 0 {
                        match ring.pop() {
                            Some(value) => {
                                sum.fetch_add(value, O::Relaxed);
                                left.fetch_sub(1, O::Relaxed);
                            }
                            None => std::thread::yield_now(),
                        }
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), (0..4000).sum());
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use crate::loom_tests::explore;
    use loom::sync::Arc;
    use loom::thread;

    #[test]
    fn two_pushes_and_a_pop_lose_nothing() {
        explore(None, || {
            let ring = Arc::new(Ring::new(2).unwrap());
            let pushers: Vec<_> = [1_u32, 2]
                .into_iter()
                .map(|value| {
                    let ring = ring.clone();
                    thread::spawn(move || ring.push(value).is_ok())
                })
                .collect();
            let mut seen: Vec<_> = ring.pop().into_iter().collect();
            for pusher in pushers {
                assert!(pusher.join().unwrap());
            }
            while let Some(value) = ring.pop() {
                seen.push(value);
            }
            seen.sort_unstable();
            assert_eq!(seen, [1, 2]);
        });
    }

    #[test]
    fn pops_never_take_one_value_twice() {
        explore(None, || {
            let ring = Arc::new(Ring::new(2).unwrap());
            ring.push(7_u32).unwrap();
            let others: Vec<_> = (0..2)
                .map(|_| {
                    let ring = ring.clone();
                    thread::spawn(move || ring.pop())
                })
                .collect();
            let mut taken: Vec<_> = ring.pop().into_iter().collect();
            taken.extend(others.into_iter().filter_map(|other| other.join().unwrap()));
            assert_eq!(taken, [7]);
        });
    }
}
