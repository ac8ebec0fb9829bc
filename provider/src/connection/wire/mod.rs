//! A connection whose other end is another machine: iWARP over TCP.
//!
//! A [`Wire`] is one connection of TCP with the [engine](iwarp) that speaks over it, and the one end that this driver
//! has. It owns the TCP connection, and what that tells comes in here.
//!
//! | module | contents |
//! |---|---|
//! | this one | the connection, and what transfers use of it |
//! | `batches` | the batches of a connection |
//! | `stream` | the engine, in a place of its own |
//!
//! # Who refers to a wire
//!
//! | holder | why | lets go when |
//! |---|---|---|
//! | connector, by its link | its consumer asks | it is taken apart, or connects again |
//! | QP, by its link | posts, its death | it is taken apart; the attempt came to nothing |
//! | TCP's connection | calls up | `closed` |
//! | its timer, while it is set | the time that a peer is given | it has expired, or was cancelled |
//! | a port, while the request is awaited | to cut off what was not offered when it is closed | the request is there, or the connection over |
//!
//! # What a wire refers to
//!
//! | object | why | lets go when |
//! |---|---|---|
//! | connector (request) | callbacks that are owed | they were made, and the connection is over |
//! | QP (claim) | transfers | drained: no transfer runs, and TCP's connection is closed |
//! | QP and shared endpoint, as antecedents of the connector | OBJ-2 | the connector is taken apart |
//! | endpoint | its port | the connector is taken apart; at the end of an attempt that came to nothing |

#![expect(dead_code, reason = "no route leads here before the connection comes about")]

mod batches;
mod stream;

use core::net::SocketAddr;

use sys::status::{NTSTATUS, STATUS_CONNECTION_INVALID};

use super::call::{Accept, Disconnected, Side, StateError};
use super::claim::Claim;
use super::connector::Connector;
use super::departure::Departure;
use super::end::{AntecedentRefs, DisconnectEvent};
use super::private_data::PrivateData;
use crate::adapter::RnicState;
use crate::consumer::Request;
use crate::heap::Shared;
use crate::kernel::{Kernel, Lock, Network};
use crate::limits::ReadLimits;
use crate::object::{Id, Object, ObjectRef};
use crate::queue_pair::{Qp, WireTransfers};
use crate::rundown::{Drain, Pin, Rundown, Shard};
pub(crate) use batches::{BATCH, BATCHES, Batches};
pub(crate) use stream::{Engine, Stream};

/// A connection of TCP.
pub(crate) type Tcp<K> = <<K as Kernel>::Network as Network>::Connection;

/// A batch.
pub(crate) type Batch<K> = <<K as Kernel>::Network as Network>::Batch;

/// See the module's head.
pub(crate) struct Wire<K: Kernel> {
    rnic: Shared<RnicState<K>>,
    side: Side,
    remote: SocketAddr,
    tcp: Tcp<K>,
    /// The engine. The lock is held for one step or one cut, never while bytes of a message are moved.
    stream: Lock<K, Engine>,
    batches: Batches<K>,
    joined: Rundown<Joined<K>>,
    /// The transfers of the QP: of its module.
    transfers: WireTransfers<K>,
}

impl<K: Kernel> Wire<K> {
    /// Makes one or more steps of the engine, under its lock: nothing is called out of `step`, and no message's bytes
    /// are moved there.
    pub(crate) fn with_stream<R>(&self, step: impl FnOnce(&mut Stream) -> R) -> R {
        step(&mut self.stream.lock())
    }

    /// A batch that is not in flight, of no bytes; each is sent by [`Wire::send`] or put back.
    pub(crate) fn take_batch(&self) -> Option<Batch<K>> {
        self.batches.take()
    }

    /// Puts a batch back that is not to be sent.
    pub(crate) fn put_batch(&self, batch: Batch<K>) {
        self.batches.put(batch);
    }

    /// Sends a batch behind those before. Up to DISPATCH_LEVEL, no lock held; it may be back before this returns, and
    /// comes back in any case, by a call to [`WireTransfers`].
    pub(crate) fn send(&self, batch: Batch<K>) {
        K::Network::send(&self.tcp, batch);
    }

    /// Has the bytes of the peer that were not taken indicated again (RX-7). Up to DISPATCH_LEVEL, no lock held.
    pub(crate) fn resume(&self) {
        K::Network::resume(&self.tcp);
    }

    /// The QP, while the connection is not drained: for a transfer or for what arrives.
    pub(crate) fn joined(&self, shard: Shard) -> Option<Pin<'_, Joined<K>>> {
        self.joined.pin(shard)
    }

    /// The state of the transfers.
    pub(crate) fn transfers(&self) -> &WireTransfers<K> {
        &self.transfers
    }
}

impl<K: Kernel> Wire<K> {
    /// As [`Link::attach`](super::link::Link::attach).
    pub(super) fn attach(&self, passive: ObjectRef<K, Connector<K>>) {
        drop(passive);
    }

    /// As [`Link::local_address`](super::link::Link::local_address).
    pub(super) fn local_address(&self) -> Option<SocketAddr> {
        None
    }

    /// The peer's address.
    pub(super) fn peer_address(&self) -> SocketAddr {
        self.remote
    }

    /// As [`Link::addresses`](super::link::Link::addresses).
    pub(super) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        None
    }

    /// As [`Link::peer_data`](super::link::Link::peer_data).
    pub(super) fn peer_data(&self, own: ReadLimits) -> (ReadLimits, PrivateData) {
        (own, PrivateData::empty())
    }

    /// As [`Link::name_antecedents`](super::link::Link::name_antecedents).
    pub(super) fn name_antecedents(&self, _: &mut dyn FnMut(Id)) {}

    /// As [`Link::stands`](super::link::Link::stands).
    pub(super) fn stands(&self) {}

    /// As [`Link::withdraw`](super::link::Link::withdraw).
    pub(super) fn withdraw(&self) -> Option<Request<K, Connector<K>>> {
        None
    }

    /// As [`Link::accept`](super::link::Link::accept).
    pub(super) fn accept(_: &Shared<Self>, accept: Accept<K>) -> Result<(), StateError> {
        accept.request.answered_inline();
        Err(StateError)
    }

    /// As [`Link::reject`](super::link::Link::reject).
    pub(super) fn reject(_: &Shared<Self>, _: PrivateData) -> Result<(), StateError> {
        Err(StateError)
    }

    /// As [`Link::complete_connect`](super::link::Link::complete_connect).
    pub(super) fn complete_connect(_: &Shared<Self>, _: Option<DisconnectEvent>) -> Result<(), NTSTATUS> {
        Err(STATUS_CONNECTION_INVALID)
    }

    /// As [`Link::disconnect`](super::link::Link::disconnect).
    pub(super) fn disconnect(&self, request: Request<K, Connector<K>>) -> Result<Disconnected, StateError> {
        request.answered_inline();
        Err(StateError)
    }

    /// As [`Link::local_close`](super::link::Link::local_close).
    pub(super) fn local_close(&self) {}

    /// As [`Link::deliver`](super::link::Link::deliver).
    pub(super) fn deliver(&self) {}

    /// As [`Link::is_refused`](super::link::Link::is_refused).
    pub(super) fn is_refused(&self) -> bool {
        true
    }

    /// As [`Link::forget_connector`](super::link::Link::forget_connector).
    pub(super) fn forget_connector(&self) {}

    /// As [`Link::part`](super::link::Link::part).
    pub(super) fn part(&self) -> (Option<Departure<K>>, AntecedentRefs<K>) {
        (None, AntecedentRefs::none())
    }

    /// Returns true if the QP may post: the connection is established, and neither end has ended it.
    pub(crate) fn is_established(&self) -> bool {
        false
    }

    /// A transfer broke the connection: what it says to the peer is the engine's, whose stream has a fault.
    pub(crate) fn fail(&self) {}

    /// The QP has died.
    pub(crate) fn qp_died(&self) {}
}

/// The QP of a connection, until that is drained.
pub(crate) struct Joined<K: Kernel> {
    claim: Claim<K>,
    wire: Shared<Wire<K>>,
}

impl<K: Kernel> Joined<K> {
    /// The QP.
    pub(crate) fn qp(&self) -> &Object<K, Qp<K>> {
        &self.claim
    }
}

impl<K: Kernel> Drain for Joined<K> {
    fn drained(self) {
        drop((self.claim, self.wire));
    }
}
