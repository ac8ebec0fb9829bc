//! The remote end of a QP's connection: the only interface through which the engine reaches the peer.
//!
//! An operation of loopback is over when it returns, or waits with its request in the initiator for a receive or for
//! memory to drain. Over a network an operation is taken, and has its outcome later ([`Step::Sent`]): the request is then
//! one of those on their way, beside the send queue, whose outcomes are reported in the order of the posts.

#![expect(unsafe_code, reason = "the engine has a lease of its connection")]

use super::Qp;
use super::initiator::{PendingInvalidate, Step};
use super::loopback::{self, Loopback};
use super::sgl::Sgl;
use super::work::Flags;
use crate::connection::{Link, Wire};
use crate::kernel::Kernel;
use crate::memory::Token;
use crate::object::Object;

/// The other end of a connection. In each operation `qp` is the QP at this end.
pub(super) enum Remote<'c, K: Kernel> {
    /// A QP of this driver, of which the engine has a lease: the connection does not drain before this is dropped.
    Loopback(Loopback<'c, K>),
    /// Another machine. The connection may end at any time, and takes nothing then.
    Wire(&'c Wire<K>),
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
    ///
    /// # Safety
    ///
    /// A run of the combiner of this end's engine calls this, and uses what it returns until its next call at most.
    pub(super) unsafe fn leased(link: &'c Link<K>) -> Option<Self> {
        match link {
            Link::Loopback(connection, side) => {
                // SAFETY: as the caller promises.
                let established = unsafe { connection.leased(*side) }?;
                Some(Self::Loopback(Loopback::new(established, *side)))
            }
            Link::Wire(wire) => Some(Self::Wire(wire)),
        }
    }
}

impl<K: Kernel> Remote<'_, K> {
    /// Gives up, between two requests, what the engine keeps of a peer that wants it.
    #[inline(always)]
    pub(super) fn give_up_if_wanted(&self) {
        match self {
            Self::Loopback(loopback) => loopback.give_up_if_wanted(),
            Self::Wire(_) => {}
        }
    }

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
            Self::Wire(wire) => wire.transfers().send(qp, wire, send),
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
            Self::Wire(wire) => wire.transfers().write(qp, wire, source, to),
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
            Self::Wire(wire) => wire.transfers().read(qp, wire, sink, from),
        }
    }
}

/// Resumes a message of the peer at the other end of `link` that found no receive at this end, or found the delivery locked
/// by a flush. `qp` is the QP at this end.
pub(super) fn resume<K: Kernel>(link: &Link<K>, qp: &Object<K, Qp<K>>) {
    match link {
        Link::Loopback(..) => run_peer(link),
        Link::Wire(wire) => wire.transfers().resume(qp, wire),
    }
}

/// Runs the engine at the other end of `link`, if that is a QP of this driver and the connection is established.
pub(super) fn run_peer<K: Kernel>(link: &Link<K>) {
    if let Link::Loopback(connection, side) = link
        && let Some(established) = connection.transfer(*side)
    {
        established.peer_of(*side).progress();
    }
}
