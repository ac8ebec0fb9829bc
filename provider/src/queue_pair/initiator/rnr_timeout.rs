//! The receiver-not-ready (RNR) timeout: the time that a send waits for a receive at the other end (ndsendnoreceive).
//!
//! The documentation gives no time; its user-mode sibling's test expects ND_IO_TIMEOUT while the peer sleeps for
//! five seconds (microsoft/NetworkDirect, `src/unittests/ndmemorytest/ndsendnoreceive.cpp`). Here a send fails
//! with STATUS_IO_TIMEOUT when it has waited for three seconds at least, four at most, and the connection breaks.
//!
//! A send that finds a receive costs nothing more: the first that does not sets the QP's timer, for a second,
//! and the timer is set again each second while a send waits. A send is identified by its place in the queue.
//!
//! Over a wire it is the receiver that waits so long, with the bytes of the message (TM-7): see `wire::arrive`.

use core::time::Duration;

/// Interval between two expirations of the timer.
const PERIOD: Duration = Duration::from_secs(1);
/// Number of expirations after which a send fails. The first comes early if the timer was set for another
/// send.
const EXPIRATIONS: u32 = 4;

/// The wait of the send in flight; part of the engine's state.
#[derive(Default)]
pub(in crate::queue_pair) struct RnrTimeout {
    /// The place in the queue of the request that waits, or waited last.
    place: u64,
    /// Expirations of the timer since it waits.
    expirations: u32,
    /// The timer is set.
    set: bool,
}

/// The state of a send that finds no receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::queue_pair) enum Rnr {
    /// RNR pending: the send waits.
    Waits,
    /// RNR pending, and the timer is to be set for it.
    WaitsFor(Duration),
    /// The RNR timeout has expired.
    TimedOut,
}

impl RnrTimeout {
    /// Counts an expiration of the timer.
    pub(in crate::queue_pair) fn on_timer(&mut self) {
        self.set = false;
        self.expirations = self.expirations.saturating_add(1);
    }

    /// Determines the RNR state of the send at `place` of the queue, which finds no receive.
    pub(in crate::queue_pair) fn check(&mut self, place: u64) -> Rnr {
        if self.place != place {
            *self = Self { place, expirations: 0, set: self.set };
        }
        if self.expirations >= EXPIRATIONS {
            return Rnr::TimedOut;
        }
        if core::mem::replace(&mut self.set, true) { Rnr::Waits } else { Rnr::WaitsFor(PERIOD) }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn rnr_timer_of_a_send_set_until_the_timeout() {
        let mut rnr_timeout = RnrTimeout::default();
        for _ in 0..EXPIRATIONS {
            assert_eq!(rnr_timeout.check(1), Rnr::WaitsFor(PERIOD));
            assert_eq!(rnr_timeout.check(1), Rnr::Waits, "it is set");
            rnr_timeout.on_timer();
        }
        assert_eq!(rnr_timeout.check(1), Rnr::TimedOut);
        assert_eq!(rnr_timeout.check(2), Rnr::WaitsFor(PERIOD), "the next one's time is its own");
    }

    #[test]
    fn rnr_timer_set_serves_the_next_send() {
        let mut rnr_timeout = RnrTimeout::default();
        assert_eq!(rnr_timeout.check(1), Rnr::WaitsFor(PERIOD));
        assert_eq!(rnr_timeout.check(2), Rnr::Waits);
        rnr_timeout.on_timer();
        assert_eq!(rnr_timeout.check(2), Rnr::WaitsFor(PERIOD));
    }
}
