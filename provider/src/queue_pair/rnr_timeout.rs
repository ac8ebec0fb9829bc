//! The receiver-not-ready (RNR) timeout: the time that a send waits for a receive at the other end (ndsendnoreceive).
//!
//! The documentation gives no time; its user-mode sibling's test expects ND_IO_TIMEOUT while the peer sleeps for
//! five seconds (microsoft/NetworkDirect, `src/unittests/ndmemorytest/ndsendnoreceive.cpp`). Here a send fails
//! with STATUS_IO_TIMEOUT when it has waited for three seconds at least, four at most, and the connection breaks.
//!
//! Nothing is added to a send that does not wait: the first that does sets the QP's timer, for a second, and each
//! second that finds one waiting sets it again. A send is known by its place in the queue.

use core::time::Duration;

/// From one expiration of the timer to the next.
const PERIOD: Duration = Duration::from_secs(1);
/// So many expirations are too many for one send. The first comes early, if the timer was set for another send.
const EXPIRATIONS: u32 = 4;

/// The wait of the send in flight; part of the engine's state.
#[derive(Default)]
pub(super) struct RnrTimeout {
    /// The place in the queue of the request that waits, or waited last.
    place: u64,
    /// Expirations of the timer since it waits.
    expirations: u32,
    /// The timer is set.
    set: bool,
}

/// The state of a send that finds no receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rnr {
    /// It waits.
    Waits,
    /// It waits, and the timer is to be set for it.
    WaitsFor(Duration),
    /// It has waited for too long.
    TimedOut,
}

impl RnrTimeout {
    /// Counts an expiration of the timer.
    pub(super) fn on_timer(&mut self) {
        self.set = false;
        self.expirations = self.expirations.saturating_add(1);
    }

    /// Judges the send at `place` of the queue, which finds no receive.
    pub(super) fn check(&mut self, place: u64) -> Rnr {
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
