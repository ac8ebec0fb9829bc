//! Serialises receive-queue delivery against flush: the results of a queue come in the order of its requests, and two
//! processors take requests off a receive queue, one to deliver the peer's messages, one to cancel.
//!
//! The holder keeps the lock until the results of all requests that it took are in the completion queue. A
//! processor that finds it locked sets the contended state and returns, as with a
//! [`Combiner`](crate::combiner::Combiner); the holder finds that when it unlocks, and resumes the other's
//! work.

#![forbid(unsafe_code)]

use crate::sync::{AtomicU32, Ordering};

const FREE: u32 = 0;
const LOCKED: u32 = 1;
/// Locked and contended.
const WANTED: u32 = 2;

/// See the module's head.
pub(in crate::queue_pair) struct DeliveryLock(AtomicU32);

impl DeliveryLock {
    pub(in crate::queue_pair) fn new() -> Self {
        Self(AtomicU32::new(FREE))
    }

    /// Tries to lock; if it is locked, sets the contended state.
    #[must_use]
    pub(in crate::queue_pair) fn try_lock(&self) -> bool {
        let next = |state| Some(if state == FREE { LOCKED } else { WANTED });
        self.0.fetch_update(Ordering::AcqRel, Ordering::Relaxed, next) == Ok(FREE)
    }

    /// Unlocks. Returns true if the contended state was set.
    #[must_use]
    pub(in crate::queue_pair) fn unlock(&self) -> bool {
        self.0.swap(FREE, Ordering::AcqRel) == WANTED
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
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
}
