//! Flat combining: one thread at a time runs the queue pair on behalf of all callers.
//!
//! A thread that finds the combiner busy sets the "run again" state and returns; the thread that holds the
//! combiner checks that state before it leaves. So no thread spins at DISPATCH_LEVEL while another copies a
//! megabyte, and a combiner that is preempted delays only the requests that it has taken.
//!
//! | state | meaning |
//! |---|---|
//! | IDLE | no thread holds the combiner |
//! | BUSY | one thread holds it |
//! | AGAIN | one thread holds it, and must run once more before it leaves |

#![expect(unsafe_code, reason = "the winner of an atomic owns what it guards")]

use crate::sync::{AtomicU32, Ordering, UnsafeCell};

const IDLE: u32 = 0;
const BUSY: u32 = 1;
const AGAIN: u32 = 2;

/// Owns the state of the work.
pub struct Combiner<T> {
    state: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by the one thread that brought the state from IDLE to BUSY.
unsafe impl<T: Send> Send for Combiner<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Combiner<T> {}

impl<T> Combiner<T> {
    /// Nothing is at work.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self { state: AtomicU32::new(IDLE), value: UnsafeCell::new(value) }
    }

    /// Runs `work`, here or in the thread that is at work already, at least once after this was called.
    /// All that the caller did before is visible to that run.
    pub fn run(&self, mut work: impl FnMut(&mut T)) {
        // One read-modify-write, so that a note is either left to a worker or makes one of the caller.
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let next = if state == IDLE { BUSY } else { AGAIN };
            match self.state.compare_exchange_weak(state, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(IDLE) => break,
                Ok(_) => return,
                Err(now) => state = now,
            }
        }
        loop {
            self.value.with_mut(|value| {
                // SAFETY: this thread alone brought the state from IDLE to BUSY and has not left it.
                work(unsafe { &mut *value });
            });
            if self.state.compare_exchange(BUSY, IDLE, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return;
            }
            // AGAIN: the note was read; what its writer did is acquired here.
            self.state.swap(BUSY, Ordering::AcqRel);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering as O};

    #[test]
    fn work_requested_inside_the_work_is_not_reentered() {
        let combiner = Combiner::new(0);
        let calls = AtomicU64::new(0);
        combiner.run(|value| {
            *value += 1;
            if calls.fetch_add(1, O::Relaxed) == 0 {
                combiner.run(|_: &mut i32| unreachable!("the outer call does it"));
            }
        });
        let mut done = 0;
        combiner.run(|value| done = *value);
        assert_eq!((done, calls.into_inner()), (2, 2));
    }

    #[test]
    fn run_requested_during_a_run_is_followed_by_another() {
        let (combiner, posted) = (Combiner::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        posted.fetch_add(1, O::SeqCst);
                        combiner.run(|seen| *seen = posted.load(O::SeqCst));
                    }
                });
            }
        });
        let mut last = 0;
        combiner.run(|seen| last = *seen);
        assert_eq!(last, 4000);
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use crate::loom_tests::explore;
    use loom::sync::Arc;
    use loom::thread;

    #[test]
    fn post_before_a_run_is_seen_by_some_run() {
        explore(None, || {
            let shared = Arc::new((Combiner::new(0), AtomicU32::new(0)));
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let shared = shared.clone();
                    thread::spawn(move || {
                        shared.1.fetch_add(1, Ordering::Relaxed);
                        shared.0.run(|seen| *seen = shared.1.load(Ordering::Relaxed));
                    })
                })
                .collect();
            for thread in threads {
                thread.join().unwrap();
            }
            let mut last = 0;
            shared.0.run(|seen| last = *seen);
            assert_eq!(last, 2);
        });
    }
}
