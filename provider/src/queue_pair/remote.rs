//! The remote end of a QP's connection: the only interface through which the engine reaches the peer.
//!
//! An operation of loopback is over when it returns, or waits with its request in the initiator for a receive or for
//! memory to drain. A remote over a network takes an operation and has its outcome later. That is one more outcome
//! of a [`Step`]: the engine puts the request into a ring of those in flight beside the send queue, as deep as that,
//! and begins the next; the remote reports outcomes in the order of the posts, each of which ends the oldest in the
//! ring as [`Initiator`](super::initiator::Initiator) ends its request now; and a flush cancels the ring before the
//! queue. The outcome is not declared before there is a remote that has it.

use super::Qp;
use super::initiator::{PendingInvalidate, Step};
use super::loopback::{self, Loopback};
use super::sgl::Sgl;
use super::wire::WireRemote;
use super::work::Flags;
use crate::connection::Link;
use crate::kernel::Kernel;
use crate::memory::Token;
use crate::object::Object;

/// The other end of an established connection, pinned: the connection does not end before this is dropped. In each
/// operation `qp` is the QP at this end.
pub(super) enum Remote<'c, K: Kernel> {
    /// A QP of this driver.
    Loopback(Loopback<'c, K>),
    /// A QP of another machine.
    Wire(WireRemote<'c, K>),
}

/// A message to be delivered.
#[derive(Clone, Copy)]
pub(super) struct Send<'a> {
    pub(super) data: &'a Sgl,
    pub(super) flags: Flags,
    /// The token of the peer's that its delivery invalidates.
    pub(super) invalidates: Option<Token>,
}

/// The memory of the peer's that a Write or a Read names.
#[derive(Clone, Copy)]
pub(super) struct RemoteMemory {
    pub(super) address: usize,
    pub(super) token: Token,
}

/// A message that has arrived at the other end, before its receive has a result there.
pub(super) enum Arrived<K: Kernel> {
    /// At a QP of this driver.
    Loopback(loopback::Arrived<K>),
}

impl<K: Kernel> Arrived<K> {
    /// Completes the receive.
    pub(super) fn complete(self) {
        match self {
            Self::Loopback(arrived) => arrived.complete(),
        }
    }

    /// Completes the receive as cancelled: the send is.
    pub(super) fn cancel(self) {
        match self {
            Self::Loopback(arrived) => arrived.cancel(),
        }
    }
}

impl<'c, K: Kernel> Remote<'c, K> {
    /// The other end of `link`, if the connection is established.
    pub(super) fn pin(link: &'c Link<K>) -> Option<Self> {
        match link {
            Link::Loopback(connection, side) => Loopback::pin(connection, *side).map(Self::Loopback),
            Link::Wire(wire) => WireRemote::pin(wire).map(Self::Wire),
        }
    }
}

impl<K: Kernel> Remote<'_, K> {
    /// Delivers a message into the peer's next receive.
    ///
    /// # Errors
    ///
    /// The outcome of a send that failed at this end.
    pub(super) fn send(
        &self,
        qp: &Object<K, Qp<K>>,
        send: Send<'_>,
        pending_invalidate: &mut Option<PendingInvalidate<K>>,
    ) -> Result<Step, Step> {
        match self {
            Self::Loopback(loopback) => loopback.send(qp, send, pending_invalidate),
            Self::Wire(wire) => wire.send(qp, send, pending_invalidate),
        }
    }

    /// Places the bytes of `source` in the peer's memory.
    ///
    /// # Errors
    ///
    /// The outcome of a write that either end refused.
    pub(super) fn write(&self, qp: &Object<K, Qp<K>>, source: &Sgl, to: RemoteMemory) -> Result<Step, Step> {
        match self {
            Self::Loopback(loopback) => loopback.write(qp, source, to),
            Self::Wire(wire) => wire.write(qp, source, to),
        }
    }

    /// Fills `sink` from the peer's memory.
    ///
    /// # Errors
    ///
    /// The outcome of a read that either end refused.
    pub(super) fn read(&self, qp: &Object<K, Qp<K>>, sink: &Sgl, from: RemoteMemory) -> Result<Step, Step> {
        match self {
            Self::Loopback(loopback) => loopback.read(qp, sink, from),
            Self::Wire(wire) => wire.read(qp, sink, from),
        }
    }

    /// Resumes a message of the peer that found no receive at this end, or found the delivery locked by a
    /// flush.
    pub(super) fn resume(&self) {
        match self {
            Self::Loopback(loopback) => loopback.resume(),
            Self::Wire(wire) => wire.resume(),
        }
    }
}
