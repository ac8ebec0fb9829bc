//! How long a send waits for a receive at the other end (ndsendnoreceive).
//!
//! The documentation gives no time; its user-mode sibling's test expects ND_IO_TIMEOUT while the peer sleeps for
//! five seconds (microsoft/NetworkDirect, `src/unittests/ndmemorytest/ndsendnoreceive.cpp`). Here a send fails
//! with STATUS_IO_TIMEOUT when it has waited for three seconds at least, four at most, and the connection breaks.
//!
//! Nothing is added to a send that does not wait: the first that does sets the queue pair's alarm, for a
//! second, and each second that finds one waiting sets it again. Which send that is tells its place in the queue.

use core::time::Duration;

/// From one ring of the alarm to the next.
const PERIOD: Duration = Duration::from_secs(1);
/// So many rings are too many for one send. The first comes early, if the alarm was set for another send.
const RINGS: u32 = 4;

/// Kept by whoever runs the queue pair's engine.
#[derive(Default)]
pub(super) struct Patience {
    /// Which request waits, or waited last.
    place: u64,
    /// How often the alarm rang for it.
    rings: u32,
    /// The alarm is set.
    set: bool,
}

/// What becomes of a send that finds no receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It waits.
    Waits,
    /// It waits, and the alarm is to be set for it.
    WaitsFor(Duration),
    /// It has waited for too long.
    TimedOut,
}

impl Patience {
    /// The alarm rang.
    pub(super) fn ring(&mut self) {
        self.set = false;
        self.rings = self.rings.saturating_add(1);
    }

    /// The send at `place` of the queue finds no receive.
    pub(super) fn ask(&mut self, place: u64) -> Verdict {
        if self.place != place {
            *self = Self { place, rings: 0, set: self.set };
        }
        if self.rings >= RINGS {
            return Verdict::TimedOut;
        }
        if core::mem::replace(&mut self.set, true) { Verdict::Waits } else { Verdict::WaitsFor(PERIOD) }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_send_that_waits_sets_the_alarm_until_it_has_rung_too_often() {
        let mut patience = Patience::default();
        for _ in 0..RINGS {
            assert_eq!(patience.ask(1), Verdict::WaitsFor(PERIOD));
            assert_eq!(patience.ask(1), Verdict::Waits, "it is set");
            patience.ring();
        }
        assert_eq!(patience.ask(1), Verdict::TimedOut);
        assert_eq!(patience.ask(2), Verdict::WaitsFor(PERIOD), "the next one's time is its own");
    }

    #[test]
    fn an_alarm_that_is_set_serves_the_next_send_too() {
        let mut patience = Patience::default();
        assert_eq!(patience.ask(1), Verdict::WaitsFor(PERIOD));
        assert_eq!(patience.ask(2), Verdict::Waits);
        patience.ring();
        assert_eq!(patience.ask(2), Verdict::WaitsFor(PERIOD));
    }
}
