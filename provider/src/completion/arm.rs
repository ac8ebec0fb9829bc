//! Arming a completion queue: one notification for each arm that is satisfied (CQ-2 to CQ-4).
//!
//! The word is zero when unarmed; otherwise it holds what satisfies the arm, and the position up to which
//! the consumer had taken results when it armed: a result before that position can't satisfy it.
//!
//! ```text
//!  63 ...... 3       2        1 .. 0
//!  position taken   COALESCED   arm
//! ```
//!
//! Under interrupt moderation a satisfied arm stays in the word with COALESCED set, until the thread that
//! finds its notification due takes it out. Arms that come meanwhile merge with it: one notification answers
//! them.
//!
//! Both sides check for a satisfied arm, in an order that loses no wake-up: the pusher publishes its result,
//! then reads the word; the consumer writes the word, then reads the results. The side that sees both takes
//! the arm out of the word by compare-and-swap, in which only one of them succeeds.

#![forbid(unsafe_code)]

use sys::ndk::{NDK_CQ_NOTIFY_ERRORS, NDK_CQ_NOTIFY_SOLICITED};
use sys::wdm::ULONG;

use crate::sync::{AtomicU64, Ordering, fence, fence_after_rmw};

/// Notification class of a result. A class satisfies its own arm and every arm below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// An unsolicited success.
    Plain,
    /// A receive whose sender asked for a solicited event.
    Solicited,
    /// A failure.
    Error,
}

/// Armed notification type. Merging two arms takes the greater: ANY over SOLICITED over ERRORS (CQ-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Arm {
    Errors,
    Solicited,
    Any,
}

impl Arm {
    /// Converts the argument of NdkArmCq; ANY, and an unknown value too, arms for any result, so that no
    /// wake-up is lost.
    pub(crate) fn from_ndk(kind: ULONG) -> Self {
        match kind {
            NDK_CQ_NOTIFY_ERRORS => Self::Errors,
            NDK_CQ_NOTIFY_SOLICITED => Self::Solicited,
            _ => Self::Any,
        }
    }

    /// The least class that satisfies the arm. Errors satisfy every arm.
    pub(crate) fn needs(self) -> Class {
        match self {
            Self::Errors => Class::Error,
            Self::Solicited => Class::Solicited,
            Self::Any => Class::Plain,
        }
    }

    fn code(self) -> u64 {
        match self {
            Self::Errors => 1,
            Self::Solicited => 2,
            Self::Any => 3,
        }
    }

    fn from_code(code: u64) -> Option<Self> {
        match code {
            1 => Some(Self::Errors),
            2 => Some(Self::Solicited),
            3 => Some(Self::Any),
            _ => None,
        }
    }
}

/// Effect of a result on the arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Answer {
    /// There is no arm, or it waits for another class of result.
    Nothing,
    /// It satisfied the arm, which is taken out: the caller owes one notification.
    Notify,
    /// It satisfied the arm, whose notification is coalesced: the caller starts the moderation timer.
    Coalesce,
    /// The notification was coalesced before: the caller checks for it being due.
    Coalesced,
}

const COALESCED: u64 = 1 << 2;

/// See the module's head.
pub(crate) struct ArmWord(AtomicU64);

impl ArmWord {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Arms; `taken` is the position up to which results were taken. Arms and polls of one queue are
    /// serialised by the consumer (CQ-1). The caller then asks [`ArmWord::satisfy`] for what is present.
    pub(crate) fn arm(&self, arm: Arm, taken: u64) {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let merged = Arm::from_code(word & 3).map_or(arm, |earlier| earlier.max(arm));
            let next = (taken << 3) | (word & COALESCED) | merged.code();
            match self.0.compare_exchange_weak(word, next, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        fence(Ordering::SeqCst);
    }

    /// Applies a result of `class`, published at `position` before this call, to the arm. If the result
    /// satisfies the arm, `moderated` decides between notifying and coalescing.
    pub(crate) fn satisfy(&self, class: Class, position: u64, moderated: impl Fn() -> bool) -> Answer {
        fence(Ordering::SeqCst);
        self.satisfy_fenced(class, position, moderated)
    }

    /// As [`ArmWord::satisfy`], for a caller that has made a read-modify-write since it published the result.
    pub(crate) fn satisfy_after_rmw(
        &self,
        class: Class,
        position: u64,
        moderated: impl Fn() -> bool,
    ) -> Answer {
        fence_after_rmw();
        self.satisfy_fenced(class, position, moderated)
    }

    #[inline(always)]
    fn satisfy_fenced(&self, class: Class, position: u64, moderated: impl Fn() -> bool) -> Answer {
        let mut word = self.0.load(Ordering::SeqCst);
        while let Some(arm) = Arm::from_code(word & 3) {
            if word & COALESCED != 0 {
                return Answer::Coalesced;
            }
            if class < arm.needs() || position < word >> 3 {
                return Answer::Nothing;
            }
            let (next, answer) =
                if moderated() { (word | COALESCED, Answer::Coalesce) } else { (0, Answer::Notify) };
            match self.0.compare_exchange_weak(word, next, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return answer,
                Err(now) => word = now,
            }
        }
        Answer::Nothing
    }

    /// Takes out an arm whose notification is coalesced. Returns true if there was one: the caller owes the
    /// notification.
    #[must_use]
    pub(crate) fn flush_coalesced(&self) -> bool {
        let mut word = self.0.load(Ordering::SeqCst);
        while word & COALESCED != 0 {
            match self.0.compare_exchange_weak(word, 0, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const ARMS: [Arm; 3] = [Arm::Any, Arm::Errors, Arm::Solicited];

    #[test]
    fn second_arm_merges_as_documented() {
        use Arm::{Any, Errors, Solicited};
        let table = [[Any, Any, Any], [Any, Errors, Solicited], [Any, Solicited, Solicited]];
        for (row, first) in table.iter().zip(ARMS) {
            for (merged, second) in row.iter().zip(ARMS) {
                let word = ArmWord::new();
                word.arm(first, 0);
                word.arm(second, 0);
                for class in [Class::Plain, Class::Solicited, Class::Error] {
                    let probe = ArmWord::new();
                    probe.0.store(word.0.load(Ordering::SeqCst), Ordering::SeqCst);
                    let answer = probe.satisfy(class, 0, || false);
                    assert_eq!(
                        answer == Answer::Notify,
                        class >= merged.needs(),
                        "{first:?} {second:?} {class:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn arm_is_satisfied_once() {
        let word = ArmWord::new();
        word.arm(Arm::Any, 0);
        assert_eq!(word.satisfy(Class::Plain, 0, || false), Answer::Notify);
        assert_eq!(word.satisfy(Class::Error, 1, || false), Answer::Nothing);
    }

    #[test]
    fn unarmed_queue_is_never_satisfied() {
        assert_eq!(ArmWord::new().satisfy(Class::Error, 9, || true), Answer::Nothing);
    }

    #[test]
    fn completion_polled_before_the_arm_does_not_satisfy_it() {
        let word = ArmWord::new();
        word.arm(Arm::Any, 5);
        assert_eq!(word.satisfy(Class::Error, 4, || false), Answer::Nothing);
        assert_eq!(word.satisfy(Class::Plain, 5, || false), Answer::Notify);
    }

    #[test]
    fn coalesced_arm_is_flushed_once_with_merged_ones() {
        let word = ArmWord::new();
        word.arm(Arm::Errors, 0);
        assert!(!word.flush_coalesced(), "not satisfied yet");
        assert_eq!(word.satisfy(Class::Plain, 0, || true), Answer::Nothing);
        assert_eq!(word.satisfy(Class::Error, 1, || true), Answer::Coalesce);
        assert_eq!(word.satisfy(Class::Plain, 2, || true), Answer::Coalesced);
        word.arm(Arm::Any, 7);
        assert_eq!(word.satisfy(Class::Plain, 3, || false), Answer::Coalesced);
        assert!(word.flush_coalesced());
        assert!(!word.flush_coalesced());
        assert_eq!(word.satisfy(Class::Error, 9, || true), Answer::Nothing);
    }

    #[test]
    fn position_of_the_largest_ring_fits_beside_the_arm() {
        let (word, taken) = (ArmWord::new(), (18 << 56) | 0x00FF_FFFF_FFFF_FFFF);
        word.arm(Arm::Any, taken);
        assert_eq!(word.satisfy(Class::Error, taken - 1, || true), Answer::Nothing);
        assert_eq!(word.satisfy(Class::Plain, taken, || true), Answer::Coalesce);
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use crate::loom_tests::explore;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicUsize;
    use loom::thread;

    #[test]
    fn result_and_an_arm_that_race_give_exactly_one_notification() {
        race(|word, position| word.satisfy(Class::Plain, position, || false));
    }

    #[test]
    fn result_settled_after_a_combiner_was_left_gives_exactly_one_notification() {
        race(|word, position| {
            crate::combiner::Combiner::new(()).run(|()| {});
            word.satisfy_after_rmw(Class::Plain, position, || false)
        });
    }

    fn race(settle: fn(&ArmWord, u64) -> Answer) {
        explore(None, move || {
            let shared = Arc::new((ArmWord::new(), crate::ring::Ring::new(2).unwrap(), AtomicUsize::new(0)));
            let pusher = {
                let shared = shared.clone();
                thread::spawn(move || {
                    let position = shared.1.push(()).unwrap();
                    if settle(&shared.0, position) == Answer::Notify {
                        shared.2.fetch_add(1, Ordering::SeqCst);
                    }
                })
            };
            shared.0.arm(Arm::Any, shared.1.head());
            if shared.1.published(0) && shared.0.satisfy(Class::Plain, 0, || false) == Answer::Notify {
                shared.2.fetch_add(1, Ordering::SeqCst);
            }
            pusher.join().unwrap();
            assert_eq!(shared.2.load(Ordering::SeqCst), 1);
        });
    }
}
