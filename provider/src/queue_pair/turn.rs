//! Whose turn it is to take receives: the results of a queue come in the order of its requests, and two
//! processors take requests off a receive queue, one to deliver the peer's messages, one to cancel.
//!
//! Whoever takes the turn keeps it until the results of all that it took are in the completion queue. Who finds
//! it taken leaves a note and goes on, as with a [`Combiner`](crate::combiner::Combiner); whoever gives the
//! turn back finds the note, and sees to it that the other goes on.

use crate::sync::{AtomicU32, Ordering};

const FREE: u32 = 0;
const TAKEN: u32 = 1;
/// Taken, and there is a note.
const WANTED: u32 = 2;

/// See the module's head.
pub(super) struct Turn(AtomicU32);

impl Turn {
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(FREE))
    }

    /// Takes the turn; if it is taken, leaves a note.
    #[must_use]
    pub(super) fn take(&self) -> bool {
        let next = |turn| Some(if turn == FREE { TAKEN } else { WANTED });
        self.0.fetch_update(Ordering::AcqRel, Ordering::Relaxed, next) == Ok(FREE)
    }

    /// Gives the turn back. Says whether there was a note.
    #[must_use]
    pub(super) fn give_back(&self) -> bool {
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
    fn who_finds_the_turn_taken_is_told_when_it_is_given_back() {
        loom::model(|| {
            let shared = Arc::new((Turn::new(), AtomicUsize::new(0), AtomicUsize::new(0)));
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let shared = shared.clone();
                    thread::spawn(move || {
                        let (turn, inside, notes) = &*shared;
                        if !turn.take() {
                            return 1;
                        }
                        assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                        inside.fetch_sub(1, Ordering::Relaxed);
                        notes.fetch_add(turn.give_back().into(), Ordering::Relaxed);
                        0
                    })
                })
                .collect();
            let refused: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
            assert_eq!(shared.2.load(Ordering::Relaxed), refused);
            assert!(shared.0.take());
        });
    }
}
