//! Performance counters of an RNIC (NDIS-4).
//!
//! Messages are counted in stripes, each in a cache line of its own. One direction of a loopback connection has a stripe
//! to itself, as long as there are any: its one writer is the initiator's engine at its end, whose runs follow one
//! another ([`Combiner`](crate::combiner::Combiner)), so a load and a store count, without a locked instruction. Further
//! connections, and what goes over a network, count in stripes that they share.

use crate::heap::{NoMemory, Slice};
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

/// Number of stripes that are shared. One direction of a connection counts in one stripe of either RNIC, and the other
/// direction in the next, so that two processors at the ends of a connection do not share a cache line for them.
const SHARED: usize = 8;

/// Number of stripes that have one writer each: a bit of a word says which of them have one.
const OWNED: usize = 64;

#[derive(Debug, Default)]
struct MessageCounters {
    in_octets: AtomicU64,
    out_octets: AtomicU64,
    in_frames: AtomicU64,
    out_frames: AtomicU64,
}

/// The stripe of one direction of a connection, see [`Counters::claim`].
#[derive(Debug)]
pub(crate) enum Stripe {
    /// It has no other writer.
    Owned(usize),
    /// Others write to it too.
    Shared(usize),
}

/// The counters themselves.
pub(crate) struct Counters {
    connect: AtomicU64,
    accept: AtomicU64,
    connect_failure: AtomicU64,
    connection_error: AtomicU64,
    active_connection: AtomicU64,
    cq_error: AtomicU64,
    shared: [Line<MessageCounters>; SHARED],
    owned: Slice<Line<MessageCounters>>,
    /// The owned stripes that have a writer.
    claimed: AtomicU64,
}

impl Counters {
    /// Nothing was counted.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn new() -> Result<Self, NoMemory> {
        let [connect, accept, connect_failure, connection_error, active_connection, cq_error, claimed] =
            [0; 7].map(AtomicU64::new);
        Ok(Self {
            connect,
            accept,
            connect_failure,
            connection_error,
            active_connection,
            cq_error,
            shared: Default::default(),
            owned: Slice::new(OWNED, |_| Line::default())?,
            claimed,
        })
    }

    /// All of them; each is exact, together they may be some events apart.
    pub(crate) fn read(&self) -> Statistics {
        let one = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let sum = |counter: fn(&MessageCounters) -> &AtomicU64| {
            let stripes = self.shared.iter().chain(self.owned.iter());
            stripes.fold(0, |sum: u64, stripe| sum.wrapping_add(one(counter(stripe))))
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

    /// A message went out, in a stripe that others may write to.
    pub(crate) fn sent(&self, stripe: usize, bytes: u64) {
        if let Some(messages) = self.shared.get(stripe % SHARED) {
            messages.out_octets.fetch_add(bytes, Ordering::Relaxed);
            messages.out_frames.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Bytes of a message came in, which goes on, in a stripe that others may write to.
    pub(crate) fn received_in_part(&self, stripe: usize, bytes: u64) {
        if let Some(messages) = self.shared.get(stripe % SHARED) {
            messages.in_octets.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// A message came in, in a stripe that others may write to.
    pub(crate) fn received(&self, stripe: usize, bytes: u64) {
        if let Some(messages) = self.shared.get(stripe % SHARED) {
            messages.in_octets.fetch_add(bytes, Ordering::Relaxed);
            messages.in_frames.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A stripe for one direction of a connection, which is numbered: owned if there is one without a writer. The caller
    /// serialises what counts in it, and gives it back by [`Counters::unclaim`] when nothing does any more.
    pub(crate) fn claim(&self, direction: u64) -> Stripe {
        let next = |claimed: u64| Some(claimed | claimed.checked_add(1)?);
        // Acquires what an earlier writer of the stripe has counted, which `unclaim` released.
        match self.claimed.fetch_update(Ordering::AcqRel, Ordering::Relaxed, next) {
            Ok(before) => Stripe::Owned(usize::try_from(before.trailing_ones()).unwrap_or(0)),
            Err(_) => Stripe::Shared(usize::try_from(direction).unwrap_or(0)),
        }
    }

    /// Takes back a stripe, whose counts stay.
    pub(crate) fn unclaim(&self, stripe: Stripe) {
        if let Stripe::Owned(index) = stripe {
            let bit = u32::try_from(index).ok().and_then(|index| 1_u64.checked_shl(index)).unwrap_or(0);
            self.claimed.fetch_and(!bit, Ordering::AcqRel);
        }
    }

    /// A message went out in a direction that has claimed this stripe.
    pub(crate) fn sent_in(&self, stripe: &Stripe, bytes: u64) {
        match *stripe {
            Stripe::Owned(index) => {
                let Some(messages) = self.owned.get(index) else { return };
                add(&messages.out_octets, bytes);
                add(&messages.out_frames, 1);
            }
            Stripe::Shared(index) => self.sent(index, bytes),
        }
    }

    /// A message came in, likewise.
    pub(crate) fn received_in(&self, stripe: &Stripe, bytes: u64) {
        match *stripe {
            Stripe::Owned(index) => {
                let Some(messages) = self.owned.get(index) else { return };
                add(&messages.in_octets, bytes);
                add(&messages.in_frames, 1);
            }
            Stripe::Shared(index) => self.received(index, bytes),
        }
    }
}

/// Adds to a counter with one writer. A reader sees the sum before or after.
fn add(counter: &AtomicU64, value: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(value), Ordering::Relaxed);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::number::u64_from;

    #[test]
    fn counters_of_all_stripes_are_summed() {
        let counters = Counters::new().unwrap();
        for stripe in 0..2 * SHARED {
            counters.sent(stripe, 1 << stripe);
            counters.received(stripe, 2 << stripe);
        }
        let all = (1 << (2 * SHARED)) - 1;
        let read = counters.read();
        assert_eq!((read.out_octets, read.in_octets), (all, 2 * all));
        assert_eq!([read.out_frames, read.in_frames], [2 * u64_from(SHARED); 2]);
    }

    #[test]
    fn stripes_have_one_owner_each_and_then_are_shared() {
        let counters = Counters::new().unwrap();
        let mut stripes: Vec<_> = (0..=u64_from(OWNED)).map(|direction| counters.claim(direction)).collect();
        let owned: Vec<_> = (0..OWNED).collect();
        let index = |stripe: &Stripe| if let Stripe::Owned(index) = stripe { Some(*index) } else { None };
        assert_eq!(stripes.iter().filter_map(index).collect::<Vec<_>>(), owned);
        assert!(matches!(stripes.pop(), Some(Stripe::Shared(OWNED))));
        counters.sent_in(&stripes[5], 10);
        counters.received_in(&Stripe::Shared(OWNED), 20);
        counters.unclaim(stripes.swap_remove(5));
        let again = counters.claim(0);
        assert_eq!(index(&again), Some(5));
        counters.sent_in(&again, 30);
        let read = counters.read();
        assert_eq!([read.out_octets, read.out_frames, read.in_octets, read.in_frames], [40, 2, 20, 1]);
    }
}
