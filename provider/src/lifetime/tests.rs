//! The word alone: in sequence here, in every interleaving under loom (`--cfg loom`).

use super::{CloseStatus, Kind, Lifetime, Released};

#[cfg(not(loom))]
mod sequence {
    use super::*;
    use crate::lifetime::AcquireError;

    const KINDS: [Kind; 3] = [Kind::Successor, Kind::Request, Kind::Callback];

    #[test]
    fn object_without_holds_closes_inline() {
        let word = Lifetime::new();
        word.close().unwrap();
        assert_eq!(word.finish_close(), CloseStatus::Closed);
    }

    #[test]
    fn each_kind_of_hold_makes_the_close_pend_and_its_release_is_the_last() {
        for kind in KINDS {
            let word = Lifetime::new();
            word.try_acquire(kind).unwrap();
            word.close().unwrap();
            assert_eq!(word.finish_close(), CloseStatus::Pending);
            assert_eq!(word.release(kind), Released::Last);
        }
    }

    #[test]
    fn last_release_before_the_close_decides_leaves_the_object_to_the_closer() {
        let word = Lifetime::new();
        word.try_acquire(Kind::Request).unwrap();
        word.close().unwrap();
        assert_eq!(word.release(Kind::Request), Released::Held);
        assert_eq!(word.finish_close(), CloseStatus::Closed);
    }

    #[test]
    fn closing_object_refuses_try_acquire_and_admits_acquire() {
        let word = Lifetime::new();
        word.try_acquire(Kind::Request).unwrap();
        word.close().unwrap();
        assert_eq!(word.try_acquire(Kind::Callback), Err(AcquireError::Closing));
        word.acquire(Kind::Callback).unwrap();
        assert_eq!(word.finish_close(), CloseStatus::Pending);
        assert_eq!(word.release(Kind::Request), Released::Held);
        assert_eq!(word.release(Kind::Callback), Released::Last);
    }

    #[test]
    fn second_close_changes_nothing() {
        let word = Lifetime::new();
        word.try_acquire(Kind::Successor).unwrap();
        word.close().unwrap();
        let before = word.holds();
        assert!(word.close().is_err());
        assert_eq!(word.holds(), before);
    }

    #[test]
    fn releases_on_an_open_object_are_never_the_last() {
        let word = Lifetime::new();
        for kind in KINDS {
            word.try_acquire(kind).unwrap();
            assert_eq!(word.release(kind), Released::Held);
        }
    }

    #[test]
    fn full_count_refuses_and_leaves_its_neighbours_alone() {
        for kind in [Kind::Request, Kind::Callback] {
            let word = Lifetime::new();
            for _ in 0..kind.limit() {
                word.try_acquire(kind).unwrap();
            }
            let before = word.holds();
            assert_eq!(word.try_acquire(kind), Err(AcquireError::Full));
            assert_eq!(word.acquire(kind), Err(AcquireError::Full));
            assert_eq!(word.holds(), before);
        }
    }

    #[test]
    fn holds_are_counted_by_kind() {
        let word = Lifetime::new();
        word.try_acquire(Kind::Successor).unwrap();
        word.try_acquire(Kind::Successor).unwrap();
        word.try_acquire(Kind::Request).unwrap();
        word.close().unwrap();
        let holds = word.holds();
        assert!(holds.closing && holds.close_call);
        assert_eq!((holds.successors, holds.requests, holds.callbacks), (2, 1, 0));
    }
}

#[cfg(loom)]
mod model {
    use super::*;
    use crate::loom_tests::{self, explore};
    use core::sync::atomic::{AtomicUsize, Ordering};
    use loom::sync::Arc;

    /// An object whose fate is counted: it must be freed once, by a close that was inline or by the one
    /// release that was the last. The counts are plain atomics: they are not what is to be explored.
    #[derive(Default)]
    struct Fate {
        word: Lifetime,
        inline: AtomicUsize,
        completed: AtomicUsize,
    }

    impl Fate {
        fn release(&self, kind: Kind) {
            if self.word.release(kind) == Released::Last {
                self.completed.fetch_add(1, Ordering::SeqCst);
            }
        }

        fn close(&self) {
            if self.word.close().is_ok() && self.word.finish_close() == CloseStatus::Closed {
                self.inline.fetch_add(1, Ordering::SeqCst);
            }
        }

        fn freed(&self) -> usize {
            self.inline.load(Ordering::SeqCst) + self.completed.load(Ordering::SeqCst)
        }
    }

    type Action = fn(&Fate);

    /// Does each of the actions in a thread of its own, on an object with these holds.
    fn race(bound: Option<usize>, holds: &'static [Kind], actions: [Action; 3]) {
        explore(bound, move || {
            let object = Arc::new(Fate::default());
            for kind in holds {
                object.word.try_acquire(*kind).unwrap();
            }
            let threads = actions.into_iter().map(|action| -> Box<dyn FnOnce() + Send> {
                let object = object.clone();
                Box::new(move || action(&object))
            });
            loom_tests::race(threads.collect());
            assert_eq!(object.freed(), 1, "freed {} times", object.freed());
        });
    }

    #[test]
    fn close_against_the_last_request_completion_and_a_callback_frees_once() {
        race(
            None,
            &[Kind::Request, Kind::Callback],
            [Fate::close, |object| object.release(Kind::Request), |object| object.release(Kind::Callback)],
        );
    }

    #[test]
    fn close_inside_a_callback_is_completed_by_its_return_or_after_it() {
        race(
            None,
            &[Kind::Request, Kind::Callback, Kind::Successor],
            [
                |object| {
                    object.close();
                    assert_eq!(object.inline.load(Ordering::SeqCst), 0, "closed while its callback runs");
                    object.release(Kind::Callback);
                },
                |object| object.release(Kind::Request),
                |object| object.release(Kind::Successor),
            ],
        );
    }

    #[test]
    fn two_closes_race_and_one_is_refused() {
        race(Some(3), &[Kind::Request], [Fate::close, Fate::close, |object| object.release(Kind::Request)]);
    }

    #[test]
    fn create_against_the_close_of_the_parent_is_refused_or_waited_for() {
        race(
            Some(3),
            &[Kind::Successor],
            [
                Fate::close,
                |object| object.release(Kind::Successor),
                |object| {
                    if object.word.try_acquire(Kind::Successor).is_ok() {
                        assert_eq!(object.freed(), 0, "freed under a hold");
                        object.release(Kind::Successor);
                    }
                },
            ],
        );
    }

    #[test]
    fn keeper_outlives_the_close() {
        race(
            Some(3),
            &[Kind::Request, Kind::Request],
            [
                Fate::close,
                |object| object.release(Kind::Request),
                |object| {
                    object.word.acquire(Kind::Callback).unwrap();
                    object.release(Kind::Request);
                    assert_eq!(object.freed(), 0, "freed under a hold");
                    object.release(Kind::Callback);
                },
            ],
        );
    }

    #[test]
    fn antecedent_goes_after_its_last_successor_has_gone() {
        explore(None, || {
            let parent = Arc::new(Fate::default());
            let children = [(); 2].map(|()| Arc::new(Fate::default()));
            for child in &children {
                parent.word.try_acquire(Kind::Successor).unwrap();
                child.word.try_acquire(Kind::Request).unwrap();
            }
            let gone = |parent: &Fate| {
                assert_eq!(parent.freed(), 0, "the antecedent went first");
                parent.release(Kind::Successor);
            };
            let closes = |child: &Arc<Fate>| -> Box<dyn FnOnce() + Send> {
                let (parent, child) = (parent.clone(), child.clone());
                Box::new(move || {
                    child.close();
                    assert_eq!(child.inline.load(Ordering::SeqCst), 0);
                    if child.word.release(Kind::Request) == Released::Last {
                        child.completed.fetch_add(1, Ordering::SeqCst);
                        gone(&parent);
                    }
                })
            };
            let closing = parent.clone();
            loom_tests::race(vec![
                Box::new(move || closing.close()),
                closes(&children[0]),
                closes(&children[1]),
            ]);
            assert_eq!(parent.freed(), 1);
            assert!(children.iter().all(|child| child.freed() == 1));
        });
    }
}
