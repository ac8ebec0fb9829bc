//! The part of an established connection that transfers use.

#![forbid(unsafe_code)]

use super::call::Side;
use super::claim::Claim;
use super::link::Link;
use super::loopback::Connection;
use crate::adapter::{Counters, Stripe};
use crate::heap::Shared;
use crate::kernel::Kernel;
use crate::object::Object;
use crate::queue_pair::Qp;
use crate::rundown::Drain;

/// Both queue pairs of an established connection, while transfers may run between them.
pub(crate) struct Established<K: Kernel> {
    active: Claim<K>,
    passive: Claim<K>,
    /// The stripes of what each side's requests move, the active side's first.
    counts: [Counts; 2],
    connection: Shared<Connection<K>>,
}

/// The stripes in which the requests of one side count, of its own RNIC and of the peer's.
struct Counts {
    own: Stripe,
    peer: Stripe,
}

impl Counts {
    fn claim(own: &Counters, peer: &Counters, direction: u64) -> Self {
        Self { own: own.claim(direction), peer: peer.claim(direction) }
    }
}

/// The way that the bytes of a request go, seen from the side that initiates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Out,
    In,
}

impl<K: Kernel> Established<K> {
    pub(super) fn new(
        mut active: Claim<K>,
        mut passive: Claim<K>,
        connection: &Shared<Connection<K>>,
    ) -> Self {
        let number = counters(&active).connected();
        counters(&passive).accepted();
        active.keep_for_good();
        passive.keep_for_good();
        active.join(Link::Loopback(connection.clone(), Side::Active));
        passive.join(Link::Loopback(connection.clone(), Side::Passive));
        // Differs between the two directions, and between connections.
        let direction = number.wrapping_shl(1);
        let counts = [
            Counts::claim(counters(&active), counters(&passive), direction),
            Counts::claim(counters(&passive), counters(&active), direction | 1),
        ];
        Self { active, passive, counts, connection: connection.clone() }
    }

    /// Counts the bytes that a request of `side` has moved. Only the engine of that side's initiator calls this, so that
    /// the stripes have one writer.
    #[inline(always)]
    pub(crate) fn count(&self, side: Side, direction: Direction, bytes: u64) {
        let [active, passive] = &self.counts;
        let (qp, peer, Counts { own, peer: at_peer }) = match side {
            Side::Active => (&self.active, &self.passive, active),
            Side::Passive => (&self.passive, &self.active, passive),
        };
        match direction {
            Direction::Out => {
                counters(qp).sent_in(own, bytes);
                counters(peer).received_in(at_peer, bytes);
            }
            Direction::In => {
                counters(peer).sent_in(at_peer, bytes);
                counters(qp).received_in(own, bytes);
            }
        }
    }

    /// Runs both engines.
    pub(super) fn progress(&self) {
        self.active.progress();
        self.passive.progress();
    }

    /// The engine of `side` ends its lease: it gives up what it keeps of its peer.
    pub(super) fn leave(&self, side: Side) {
        self.peer_of(side).give_up_deliveries();
    }

    /// The queue pair at the other end from `side`.
    pub(crate) fn peer_of(&self, side: Side) -> &Object<K, Qp<K>> {
        match side {
            Side::Active => &self.passive,
            Side::Passive => &self.active,
        }
    }
}

fn counters<K: Kernel>(qp: &Object<K, Qp<K>>) -> &Counters {
    qp.pd().adapter().rnic().counters()
}

impl<K: Kernel> Drain for Established<K> {
    fn drained(self) {
        let [active, passive] = self.counts;
        for (qp, own, peer) in
            [(&self.active, active.own, passive.peer), (&self.passive, passive.own, active.peer)]
        {
            counters(qp).unclaim(own);
            counters(qp).unclaim(peer);
        }
        let flush = self.connection.drained();
        for (qp, flush) in [&self.active, &self.passive].into_iter().zip(flush) {
            counters(qp).disconnected();
            if flush {
                qp.kill();
            }
        }
    }
}
