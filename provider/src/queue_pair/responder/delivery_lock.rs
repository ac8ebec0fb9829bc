//! Serialises receive-queue delivery against flush: the results of a queue come in the order of its requests, and two
//! processors take requests off a receive queue, one to deliver the peer's messages, one to cancel.
//!
//! The holder keeps the lock until the results of all requests that it took are in the completion queue. A
//! processor that finds it locked sets the contended state and returns, as with a
//! [`Combiner`](crate::combiner::Combiner); the holder finds that when it unlocks, and resumes the other's
//! work.
//!
//! The engine of a peer by loopback keeps the lock from one delivery to the next, so that a delivery needs no locked
//! instruction. It gives the lock up when it finds the contended state, at the beginning of each run and after each
//! request, and when the connection ends. So a flush that has set the contended state runs that engine: the combiner sees to
//! it that a run begins after the state was set.

#![cfg_attr(not(all(test, loom)), forbid(unsafe_code))]

use crate::sync::{AtomicBool, AtomicU32, Ordering};

const FREE: u32 = 0;
const LOCKED: u32 = 1;
/// Locked and contended.
const WANTED: u32 = 2;

/// See the module's head.
pub(in crate::queue_pair) struct DeliveryLock {
    state: AtomicU32,
    /// The peer's engine keeps it. Only that engine's runs, one after another, read or write this.
    kept: AtomicBool,
}

impl DeliveryLock {
    pub(in crate::queue_pair) fn new() -> Self {
        Self { state: AtomicU32::new(FREE), kept: AtomicBool::new(false) }
    }

    /// Tries to lock; if it is locked, sets the contended state.
    #[must_use]
    pub(in crate::queue_pair) fn try_lock(&self) -> bool {
        let next = |state| Some(if state == FREE { LOCKED } else { WANTED });
        self.state.fetch_update(Ordering::AcqRel, Ordering::Relaxed, next) == Ok(FREE)
    }

    /// Unlocks. Returns true if the contended state was set.
    #[must_use]
    pub(in crate::queue_pair) fn unlock(&self) -> bool {
        self.state.swap(FREE, Ordering::AcqRel) == WANTED
    }

    /// Locks for a delivery of the peer's engine, which keeps it then; as [`DeliveryLock::try_lock`] if it does not yet.
    #[must_use]
    #[inline(always)]
    pub(in crate::queue_pair) fn try_lock_and_keep(&self) -> bool {
        self.kept.load(Ordering::Relaxed) || self.begin_to_keep()
    }

    #[cold]
    fn begin_to_keep(&self) -> bool {
        let locked = self.try_lock();
        self.kept.store(locked, Ordering::Relaxed);
        locked
    }

    /// Returns true if the peer's engine keeps it and the contended state is set.
    #[inline(always)]
    pub(in crate::queue_pair) fn is_kept_and_wanted(&self) -> bool {
        self.kept.load(Ordering::Relaxed) && self.state.load(Ordering::Acquire) == WANTED
    }

    /// The peer's engine keeps it no longer, if it did. Returns true if it was locked for that, and the caller now has it.
    pub(in crate::queue_pair) fn keep_no_more(&self) -> bool {
        let kept = self.kept.load(Ordering::Relaxed);
        self.kept.store(false, Ordering::Relaxed);
        kept
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use crate::combiner::Combiner;
    use crate::loom_tests::explore;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicUsize;
    use loom::thread;

    #[test]
    fn contended_delivery_is_resumed_on_release() {
        loom::model(|| {
            let shared = Arc::new((DeliveryLock::new(), AtomicUsize::new(0), AtomicUsize::new(0)));
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let shared = shared.clone();
                    thread::spawn(move || {
                        let (lock, inside, notes) = &*shared;
                        if !lock.try_lock() {
                            return 1;
                        }
                        assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                        inside.fetch_sub(1, Ordering::Relaxed);
                        notes.fetch_add(lock.unlock().into(), Ordering::Relaxed);
                        0
                    })
                })
                .collect();
            let refused: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
            assert_eq!(shared.2.load(Ordering::Relaxed), refused);
            assert!(shared.0.try_lock());
        });
    }

    /// The deliveries of a peer's engine, and a flush: two combiners, as in two QPs.
    struct Queue {
        lock: DeliveryLock,
        /// Owned by the holder of the lock.
        taken: UnsafeCell<usize>,
        engine: Combiner<()>,
        flush: Combiner<()>,
        flushed: AtomicUsize,
    }

    impl Queue {
        fn take(&self) {
            self.taken.with_mut(|taken| {
                // SAFETY: the lock is held; loom finds two accesses at once.
                unsafe { *taken += 1 };
            });
        }

        /// A run of the engine, with a request or without one.
        fn deliver(&self, request: bool) {
            self.engine.run(|()| {
                self.give_up_if_wanted();
                if request && self.lock.try_lock_and_keep() {
                    self.take();
                    self.give_up_if_wanted();
                }
            });
        }

        fn give_up_if_wanted(&self) {
            if self.lock.is_kept_and_wanted() && self.lock.keep_no_more() && self.lock.unlock() {
                self.flush_once();
            }
        }

        /// A run of the flush, which is wanted until it has happened.
        fn flush_once(&self) {
            self.flush.run(|()| {
                if self.flushed.load(Ordering::Relaxed) == 1 {
                    return;
                }
                if self.lock.try_lock() {
                    self.take();
                    self.flushed.store(1, Ordering::Relaxed);
                    if self.lock.unlock() {
                        self.deliver(false);
                    }
                } else {
                    self.deliver(false);
                }
            });
        }
    }

    #[test]
    fn flush_gets_the_lock_that_an_engine_keeps() {
        explore(Some(3), || {
            let queue = Arc::new(Queue {
                lock: DeliveryLock::new(),
                taken: UnsafeCell::new(0),
                engine: Combiner::new(()),
                flush: Combiner::new(()),
                flushed: AtomicUsize::new(0),
            });
            let engine = {
                let queue = queue.clone();
                thread::spawn(move || {
                    queue.deliver(true);
                    queue.deliver(true);
                })
            };
            queue.flush_once();
            engine.join().unwrap();
            assert_eq!(queue.flushed.load(Ordering::Relaxed), 1, "whatever the engine does later");
            if queue.lock.keep_no_more() {
                assert!(!queue.lock.unlock(), "no flush waits");
            }
            assert!(queue.lock.try_lock());
        });
    }
}
