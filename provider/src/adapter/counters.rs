//! Performance counters of an RNIC (NDIS-4).

use crate::sync::{AtomicU64, Line, Ordering};

/// The counters of an RNIC at one moment, named as in NDIS_NDK_PERFORMANCE_COUNTERS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Connections established by connecting.
    pub connect: u64,
    /// Connections established by accepting.
    pub accept: u64,
    /// Connect attempts that failed.
    pub connect_failure: u64,
    /// Connections that broke.
    pub connection_error: u64,
    /// Connections that exist now.
    pub active_connection: u64,
    /// Completion queues that overflowed.
    pub cq_error: u64,
    /// Bytes received by this RNIC.
    pub in_octets: u64,
    /// Bytes sent by this RNIC.
    pub out_octets: u64,
    /// Messages received by this RNIC.
    pub in_frames: u64,
    /// Messages sent by this RNIC.
    pub out_frames: u64,
}

/// Number of stripes of the message counters.
const STRIPES: usize = 8;

/// Counters of messages. One direction of a connection counts in one stripe of either RNIC, and the other
/// direction in the next, so that two processors at the ends of a connection do not share a cache line for
/// them.
#[derive(Debug, Default)]
struct MessageCounters {
    in_octets: AtomicU64,
    out_octets: AtomicU64,
    in_frames: AtomicU64,
    out_frames: AtomicU64,
}

/// The counters themselves.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    connect: AtomicU64,
    accept: AtomicU64,
    connect_failure: AtomicU64,
    connection_error: AtomicU64,
    active_connection: AtomicU64,
    cq_error: AtomicU64,
    messages: [Line<MessageCounters>; STRIPES],
}

impl Counters {
    /// All of them; each is exact, together they may be some events apart.
    pub(crate) fn read(&self) -> Statistics {
        let one = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let sum = |counter: fn(&MessageCounters) -> &AtomicU64| {
            self.messages.iter().fold(0, |sum: u64, stripe| sum.wrapping_add(one(counter(stripe))))
        };
        Statistics {
            connect: one(&self.connect),
            accept: one(&self.accept),
            connect_failure: one(&self.connect_failure),
            connection_error: one(&self.connection_error),
            active_connection: one(&self.active_connection),
            cq_error: one(&self.cq_error),
            in_octets: sum(|messages| &messages.in_octets),
            out_octets: sum(|messages| &messages.out_octets),
            in_frames: sum(|messages| &messages.in_frames),
            out_frames: sum(|messages| &messages.out_frames),
        }
    }

    /// Says which connection it is, in the order of all that this RNIC made.
    pub(crate) fn connected(&self) -> u64 {
        self.active_connection.fetch_add(1, Ordering::Relaxed);
        self.connect.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn accepted(&self) {
        self.accept.fetch_add(1, Ordering::Relaxed);
        self.active_connection.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn disconnected(&self) {
        self.active_connection.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn connect_failure(&self) {
        self.connect_failure.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connection_error(&self) {
        self.connection_error.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn cq_error(&self) {
        self.cq_error.fetch_add(1, Ordering::Relaxed);
    }

    /// A message went out, in the stripe of its direction.
    pub(crate) fn sent(&self, stripe: usize, bytes: u64) {
        if let Some(messages) = self.messages.get(stripe % STRIPES) {
            messages.out_octets.fetch_add(bytes, Ordering::Relaxed);
            messages.out_frames.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Bytes of a message came in, which goes on, in the stripe of its direction.
    pub(crate) fn received_in_part(&self, stripe: usize, bytes: u64) {
        if let Some(messages) = self.messages.get(stripe % STRIPES) {
            messages.in_octets.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// A message came in, in the stripe of its direction.
    pub(crate) fn received(&self, stripe: usize, bytes: u64) {
        if let Some(messages) = self.messages.get(stripe % STRIPES) {
            messages.in_octets.fetch_add(bytes, Ordering::Relaxed);
            messages.in_frames.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::number::u64_from;

    #[test]
    fn counters_of_all_stripes_are_summed() {
        let counters = Counters::default();
        for stripe in 0..2 * STRIPES {
            counters.sent(stripe, 1 << stripe);
            counters.received(stripe, 2 << stripe);
        }
        let all = (1 << (2 * STRIPES)) - 1;
        let read = counters.read();
        assert_eq!((read.out_octets, read.in_octets), (all, 2 * all));
        assert_eq!([read.out_frames, read.in_frames], [2 * u64_from(STRIPES); 2]);
    }
}
