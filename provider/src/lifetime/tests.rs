//! The word alone: in sequence here, in every interleaving under loom (`--cfg loom`).

use super::{Kind, Lifetime, Released, Verdict};

#[cfg(not(loom))]
mod sequence {
    use super::*;
    use crate::lifetime::Refused;

    const KINDS: [Kind; 3] = [Kind::Successor, Kind::Request, Kind::Callback];

    #[test]
    fn an_object_without_holds_closes_inline() {
        let word = Lifetime::new();
        word.close().unwrap();
        assert_eq!(word.decide(), Verdict::Closed);
    }

    #[test]
    fn each_kind_of_hold_makes_the_close_pend_and_its_release_is_the_last() {
        for kind in KINDS {
            let word = Lifetime::new();
            word.hold(kind).unwrap();
            word.close().unwrap();
            assert_eq!(word.decide(), Verdict::Pending);
            assert_eq!(word.release(kind), Released::Last);
        }
    }

    #[test]
    fn a_release_before_the_verdict_leaves_the_object_to_the_closer() {
        let word = Lifetime::new();
        word.hold(Kind::Request).unwrap();
        word.close().unwrap();
        assert_eq!(word.release(Kind::Request), Released::Held);
        assert_eq!(word.decide(), Verdict::Closed);
    }

    #[test]
    fn nothing_new_is_held_once_closing_but_an_owner_may_keep() {
        let word = Lifetime::new();
        word.hold(Kind::Request).unwrap();
        word.close().unwrap();
        assert_eq!(word.hold(Kind::Callback), Err(Refused::Closing));
        word.keep(Kind::Callback).unwrap();
        assert_eq!(word.decide(), Verdict::Pending);
        assert_eq!(word.release(Kind::Request), Released::Held);
        assert_eq!(word.release(Kind::Callback), Released::Last);
    }

    #[test]
    fn a_second_close_changes_nothing() {
        let word = Lifetime::new();
        word.hold(Kind::Successor).unwrap();
        word.close().unwrap();
        let before = word.holds();
        assert!(word.close().is_err());
        assert_eq!(word.holds(), before);
    }

    #[test]
    fn releases_on_an_open_object_are_never_the_last() {
        let word = Lifetime::new();
        for kind in KINDS {
            word.hold(kind).unwrap();
            assert_eq!(word.release(kind), Released::Held);
        }
    }

    #[test]
    fn a_full_count_refuses_and_leaves_its_neighbours_alone() {
        for kind in [Kind::Request, Kind::Callback] {
            let word = Lifetime::new();
            for _ in 0..kind.limit() {
                word.hold(kind).unwrap();
            }
            let before = word.holds();
            assert_eq!(word.hold(kind), Err(Refused::Full));
            assert_eq!(word.keep(kind), Err(Refused::Full));
            assert_eq!(word.holds(), before);
        }
    }

    #[test]
    fn the_word_says_what_holds_the_object() {
        let word = Lifetime::new();
        word.hold(Kind::Successor).unwrap();
        word.hold(Kind::Successor).unwrap();
        word.hold(Kind::Request).unwrap();
        word.close().unwrap();
        let holds = word.holds();
        assert!(holds.closing && holds.close_call);
        assert_eq!((holds.successors, holds.requests, holds.callbacks), (2, 1, 0));
    }
}

#[cfg(loom)]
mod model {
    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicUsize, Ordering};
    use loom::thread;

    /// An object whose fate is counted: it must be freed once, by a close that was inline or by the one
    /// release that was the last.
    #[derive(Default)]
    struct Fate {
        word: Lifetime,
        inline: AtomicUsize,
        completed: AtomicUsize,
    }

    impl Fate {
        fn release(&self, kind: Kind) {
            if self.word.release(kind) == Released::Last {
                self.completed.fetch_add(1, Ordering::Relaxed);
            }
        }

        fn close(&self) {
            if self.word.close().is_ok() && self.word.decide() == Verdict::Closed {
                self.inline.fetch_add(1, Ordering::Relaxed);
            }
        }

        fn freed(&self) -> usize {
            self.inline.load(Ordering::Relaxed) + self.completed.load(Ordering::Relaxed)
        }
    }

    fn race(threads: impl Fn(&Arc<Fate>) -> Vec<thread::JoinHandle<()>> + Sync + Send + 'static) {
        loom::model(move || {
            let object = Arc::new(Fate::default());
            for thread in threads(&object) {
                thread.join().unwrap();
            }
            assert_eq!(object.freed(), 1, "freed {} times", object.freed());
        });
    }

    #[test]
    fn close_against_the_last_request_completion_and_a_callback_frees_once() {
        race(|object| {
            object.word.hold(Kind::Request).unwrap();
            object.word.hold(Kind::Callback).unwrap();
            let (a, b, c) = (object.clone(), object.clone(), object.clone());
            vec![
                thread::spawn(move || a.close()),
                thread::spawn(move || b.release(Kind::Request)),
                thread::spawn(move || c.release(Kind::Callback)),
            ]
        });
    }

    #[test]
    fn close_inside_a_callback_is_completed_by_its_return() {
        race(|object| {
            object.word.hold(Kind::Request).unwrap();
            object.word.hold(Kind::Callback).unwrap();
            let (a, b) = (object.clone(), object.clone());
            vec![
                thread::spawn(move || {
                    a.close();
                    a.release(Kind::Callback);
                }),
                thread::spawn(move || b.release(Kind::Request)),
            ]
        });
    }

    #[test]
    fn two_closes_race_and_one_is_refused() {
        race(|object| {
            object.word.hold(Kind::Request).unwrap();
            let (a, b, c) = (object.clone(), object.clone(), object.clone());
            vec![
                thread::spawn(move || a.close()),
                thread::spawn(move || b.close()),
                thread::spawn(move || c.release(Kind::Request)),
            ]
        });
    }

    #[test]
    fn create_against_the_close_of_the_parent_is_refused_or_waited_for() {
        race(|object| {
            object.word.hold(Kind::Successor).unwrap();
            let (a, b, c) = (object.clone(), object.clone(), object.clone());
            vec![
                thread::spawn(move || a.close()),
                thread::spawn(move || b.release(Kind::Successor)),
                thread::spawn(move || {
                    if c.word.hold(Kind::Successor).is_ok() {
                        c.release(Kind::Successor);
                    }
                }),
            ]
        });
    }

    #[test]
    fn a_keeper_outlives_the_close() {
        race(|object| {
            object.word.hold(Kind::Request).unwrap();
            let (a, b) = (object.clone(), object.clone());
            vec![
                thread::spawn(move || a.close()),
                thread::spawn(move || {
                    b.word.keep(Kind::Callback).unwrap();
                    b.release(Kind::Request);
                    b.release(Kind::Callback);
                }),
            ]
        });
    }

    #[test]
    fn an_antecedent_goes_after_its_successor_has_gone() {
        loom::model(|| {
            let parent = Arc::new(Fate::default());
            let child = Arc::new(Fate::default());
            parent.word.hold(Kind::Successor).unwrap();
            child.word.hold(Kind::Request).unwrap();
            let closer = {
                let (parent, child) = (parent.clone(), child.clone());
                thread::spawn(move || {
                    parent.close();
                    child.close();
                    if child.inline.load(Ordering::Relaxed) == 1 {
                        parent.release(Kind::Successor);
                    }
                })
            };
            let finisher = {
                let (parent, child) = (parent.clone(), child.clone());
                thread::spawn(move || {
                    if child.word.release(Kind::Request) == Released::Last {
                        assert_eq!(parent.freed(), 0);
                        child.completed.fetch_add(1, Ordering::Relaxed);
                        parent.release(Kind::Successor);
                    }
                })
            };
            closer.join().unwrap();
            finisher.join().unwrap();
            assert_eq!((parent.freed(), child.freed()), (1, 1));
        });
    }
}
