//! The part of an established connection that transfers use.

#![forbid(unsafe_code)]

use super::call::Side;
use super::claim::Claim;
use super::link::Link;
use super::loopback::Connection;
use crate::heap::Shared;
use crate::kernel::Kernel;
use crate::object::Object;
use crate::queue_pair::Qp;
use crate::rundown::Drain;

/// Both queue pairs of an established connection, while transfers may run between them.
pub(crate) struct Established<K: Kernel> {
    active: Claim<K>,
    passive: Claim<K>,
    /// Differs between connections.
    number: u64,
    connection: Shared<Connection<K>>,
}

impl<K: Kernel> Established<K> {
    pub(super) fn new(
        mut active: Claim<K>,
        mut passive: Claim<K>,
        connection: &Shared<Connection<K>>,
    ) -> Self {
        let number = active.pd().adapter().rnic().counters().connected();
        passive.pd().adapter().rnic().counters().accepted();
        active.keep_for_good();
        passive.keep_for_good();
        active.join(Link::Loopback(connection.clone(), Side::Active));
        passive.join(Link::Loopback(connection.clone(), Side::Passive));
        Self { active, passive, number, connection: connection.clone() }
    }

    /// Numbers the direction from `side`: differs between the two directions, and between connections.
    pub(crate) fn direction(&self, side: Side) -> u64 {
        self.number.wrapping_shl(1) | u64::from(side == Side::Passive)
    }

    /// The queue pair at the other end from `side`.
    pub(crate) fn peer_of(&self, side: Side) -> &Object<K, Qp<K>> {
        match side {
            Side::Active => &self.passive,
            Side::Passive => &self.active,
        }
    }
}

impl<K: Kernel> Drain for Established<K> {
    fn drained(self) {
        let flush = self.connection.drained();
        for (qp, flush) in [&self.active, &self.passive].into_iter().zip(flush) {
            qp.pd().adapter().rnic().counters().disconnected();
            if flush {
                qp.kill();
            }
        }
    }
}
