//! Connection state of a QP: the connection attempt that has claimed it, and the connection once established.

use super::loopback::Loopback;
use super::remote::Remote;
use crate::connection::{Connection, Link, Side};
use crate::heap::{Once, Shared};
use crate::kernel::{Kernel, Lock};
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// See the module's head. A QP connects once (CM-3).
pub(super) struct Attachment<K: Kernel> {
    /// A connector has the QP.
    claimed: AtomicBool,
    /// The attempt, then the connection, of the connector: it is notified when the QP enters its error state.
    bound: Lock<K, Option<Link<K>>>,
    /// Once established, if the peer is a QP of this driver.
    loopback: Once<Connection<K>>,
    /// The connection's number, doubled, and one more on the passive side; once established.
    direction: AtomicU64,
}

impl<K: Kernel> Attachment<K> {
    /// Not connected.
    pub(super) fn new() -> Self {
        Self {
            claimed: AtomicBool::new(false),
            bound: Lock::<K, _>::new(None),
            loopback: Once::new(),
            direction: AtomicU64::new(0),
        }
    }

    /// Claims the QP for an attempt. Returns true if no other attempt has it.
    pub(super) fn claim(&self) -> bool {
        !self.claimed.swap(true, Ordering::AcqRel)
    }

    /// Sets the attempt to notify when the QP enters its error state.
    pub(super) fn bind(&self, link: Link<K>) {
        let earlier = self.bound.lock().replace(link);
        drop(earlier);
    }

    /// Releases the claim, as the attempt failed.
    pub(super) fn unclaim(&self) {
        let link = self.bound.lock().take();
        drop(link);
        self.claimed.store(false, Ordering::Release);
    }

    /// Its attempt or connection, if there is one.
    pub(super) fn link(&self) -> Option<Link<K>> {
        self.bound.lock().clone()
    }

    /// Records the established connection, with a QP of this driver at the other end. `number` is the same at
    /// both ends.
    pub(super) fn join(&self, connection: Shared<Connection<K>>, side: Side, number: u64) {
        let passive = u64::from(side == Side::Passive);
        self.direction.store(number.wrapping_shl(1) | passive, Ordering::Relaxed);
        self.loopback.set(connection);
    }

    /// Returns true if the connection is established: the QP accepts initiator requests.
    pub(super) fn is_established(&self) -> bool {
        self.loopback.value().is_some_and(Connection::is_established)
    }

    /// The other end, pinned for one request or more, if the connection is established.
    pub(super) fn remote(&self) -> Option<Remote<'_, K>> {
        let connection = self.loopback.value()?;
        let direction = self.direction.load(Ordering::Relaxed);
        let side = if direction & 1 != 0 { Side::Passive } else { Side::Active };
        Some(Remote::Loopback(Loopback::new(connection.transfer(side)?, side, direction)))
    }

    /// Returns true if a connection is, or was, established.
    pub(super) fn is_joined(&self) -> bool {
        self.loopback.value().is_some()
    }

    /// Breaks an established connection.
    pub(super) fn fail(&self) {
        if let Some(connection) = self.loopback.value() {
            connection.fail();
        }
    }
}
