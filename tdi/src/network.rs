//! The network below, as the transport needs it: listeners and links.
//!
//! A link carries one connection as a sequence of messages. What happens on it is noted by
//! [`Transport::note`](crate::Transport::note) and then asked for, so that one thread at a time works for
//! an endpoint. [`ndk`](crate::ndk) is the network over the provider's queue pairs.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::ops::Deref;

use provider::NoMemory;
use sys::irql::PassiveLevel;
use sys::status::NTSTATUS;

use crate::slab::Id;
use crate::system::System;

/// Names an RNIC of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RnicId(pub(crate) u64);

/// Errors of binding an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindError {
    /// No RNIC of the network has the address.
    NotLocal,
    /// Another listener has it.
    InUse,
    /// All ports for those who name none are in use.
    NoPort,
    /// Out of memory.
    NoMemory,
    /// The network failed.
    Failed,
}

impl From<NoMemory> for BindError {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

/// See the module's head. All functions are called up to DISPATCH_LEVEL and, unless they say otherwise, with
/// no lock held.
pub trait Network<S: System>: Send + Sync + 'static {
    /// A share of what takes connections at an address; dropping the last one ends that, as [`Network::close`] does.
    type Listener: Clone + Send + Sync;
    /// A connect request of a peer; dropping it refuses it.
    type ConnectRequest: Send;
    /// See [`Link`].
    type Link: Link;

    /// Listens, and waits until the network has the port. Connect requests come by
    /// [`Client::connect_event`](crate::system::Client::connect_event). Port 0 picks one.
    ///
    /// # Errors
    ///
    /// See [`BindError`]; the port is as free as before.
    fn listen(
        &self,
        client: &S::Client,
        at: SocketAddr,
        level: PassiveLevel,
    ) -> Result<(Self::Listener, SocketAddr), BindError>;

    /// Gives a share of a listener up: with the last one no connect request comes any more, and the port is about to be
    /// free. Does not wait. Once; what comes later changes nothing.
    fn close(listener: &mut Self::Listener);

    /// Waits until the port of a listener is free whose share was given up, and for no peer: returns at once if
    /// others share it, or connections that came in by it are left, which have the port too.
    fn wait_until_free(listener: &Self::Listener, level: PassiveLevel);

    /// Begins to connect for an endpoint, from an address of some RNIC if `from` is a wildcard:
    /// [`LinkEvents::CONNECTED`](crate::LinkEvents) or [`LinkEvents::LOST`](crate::LinkEvents) follows.
    ///
    /// # Errors
    ///
    /// The status for the client.
    fn connect(
        &self,
        client: &S::Client,
        endpoint: Id,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Result<Self::Link, NTSTATUS>;

    /// Accepts for an endpoint; the same events follow.
    ///
    /// # Errors
    ///
    /// The status for the client.
    fn accept(
        &self,
        client: &S::Client,
        endpoint: Id,
        connect_request: Self::ConnectRequest,
    ) -> Result<Self::Link, NTSTATUS>;

    /// Brings the addresses of all RNICs up to date with the host's. What runs over an address that has gone
    /// ends, see [`Client::on_adapter_removed`](crate::system::Client::on_adapter_removed).
    ///
    /// # Errors
    ///
    /// [`NoMemory`]; the addresses of some RNICs may be as before.
    fn refresh_addresses(&self, level: PassiveLevel) -> Result<(), NoMemory>;

    /// The addresses that the RNICs of the network have, of one family.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    fn hosts(&self, ipv4: bool) -> Result<Vec<IpAddr>, NoMemory>;

    /// Some address that an RNIC of the network has, of one family.
    fn host(&self, ipv4: bool) -> Option<IpAddr>;

    /// Returns whether the network has an RNIC of this name, and that RNIC has the address; either may go at
    /// any time. The transport's lock may be held.
    fn serves(&self, rnic: RnicId, address: IpAddr) -> bool;

    /// Returns whether some RNIC of the network has the address.
    fn is_local(&self, address: IpAddr) -> bool;

    /// The RNIC on which a listener is. The transport's lock may be held.
    fn rnic(listener: &Self::Listener) -> RnicId;

    /// The RNIC over which a connection is offered. The transport's lock may be held.
    fn requested_over(connect_request: &Self::ConnectRequest) -> RnicId;

    /// The address of the peer.
    fn peer(connect_request: &Self::ConnectRequest) -> SocketAddr;

    /// The local address.
    fn local(connect_request: &Self::ConnectRequest) -> SocketAddr;
}

/// In which of a connection's two streams data flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// In order with all else that is normal.
    Normal,
    /// In order with all else that is expedited, and apart from what is normal.
    Expedited,
}

impl Urgency {
    /// Both, the one that goes first in front.
    pub(crate) const ALL: [Self; 2] = [Self::Expedited, Self::Normal];
}

/// One of something for each [`Urgency`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByUrgency<T> {
    /// For what is normal.
    pub normal: T,
    /// For what is expedited.
    pub expedited: T,
}

impl<T> ByUrgency<T> {
    /// The one of an urgency.
    pub const fn of(&self, urgency: Urgency) -> &T {
        match urgency {
            Urgency::Normal => &self.normal,
            Urgency::Expedited => &self.expedited,
        }
    }

    /// The one of an urgency.
    pub const fn of_mut(&mut self, urgency: Urgency) -> &mut T {
        match urgency {
            Urgency::Normal => &mut self.normal,
            Urgency::Expedited => &mut self.expedited,
        }
    }

    /// Both, in the order of [`Urgency::ALL`].
    pub(crate) fn into_all(self) -> [T; 2] {
        [self.expedited, self.normal]
    }

    /// As [`ByUrgency::into_all`].
    pub(crate) const fn all_mut(&mut self) -> [&mut T; 2] {
        [&mut self.expedited, &mut self.normal]
    }
}

/// A number of messages of data.
pub type Credits = ByUrgency<u8>;

/// The kinds of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes of a stream.
    Data(Urgency),
    /// The sender's streams end.
    End,
    /// The sender grants so many more credits.
    Credits(Credits),
}

/// The completion of a send or a receive.
#[derive(Debug)]
pub enum Completion<D> {
    /// The message with this number has reached the peer, or was lost.
    Sent {
        /// As given to [`Link::send`].
        number: u64,
        /// Set if it has reached the peer.
        arrived: bool,
    },
    /// Data has come.
    Data(Urgency, D),
    /// [`Kind::End`] has come.
    End,
    /// [`Kind::Credits`] has come.
    Credits(Credits),
    /// Something came that is no message.
    Nonsense,
}

/// One connection. It is closed by [`Link::close`] once, after which [`LinkEvents::GONE`](crate::LinkEvents)
/// follows and nothing else does.
///
/// Messages arrive in their order, and each needs room at the other side. So that neither side's client, by
/// not taking its data, can hold up a message of another kind, a side sends no more data than the other one
/// has granted it credits for, beginning with [`Link::CREDITS`].
pub trait Link: Clone + Send + Sync + 'static {
    /// The bytes of a message that has come; they stay until it is given back.
    type Data: Deref<Target = [u8]> + Send;

    /// The messages of data that may be in flight from here at a time, besides one of each other kind.
    const DEPTH: usize;
    /// Messages of data that may come before one is given back.
    const CREDITS: Credits;
    /// The most bytes of one message.
    const PIECE: usize;

    /// Makes ready to receive, once connected.
    ///
    /// # Errors
    ///
    /// [`LinkBroken`].
    fn open(&self) -> Result<(), LinkBroken>;

    /// Sends a message of the bytes at a place.
    ///
    /// # Errors
    ///
    /// [`LinkBroken`]; nothing is sent.
    ///
    /// # Safety
    ///
    /// The bytes stay readable until the message has passed, or the link is gone.
    unsafe fn send(&self, number: u64, kind: Kind, place: *const u8, length: usize)
    -> Result<(), LinkBroken>;

    /// The next thing that has happened; `None` if that was all, and more will be noted as
    /// [`LinkEvents::COMPLETED`](crate::LinkEvents). One thread at a time.
    fn next(&self) -> Option<Completion<Self::Data>>;

    /// Makes room for one more message of data; that the peer is told so is the caller's business.
    ///
    /// # Errors
    ///
    /// [`LinkBroken`].
    fn give_back(&self, data: Self::Data) -> Result<(), LinkBroken>;

    /// Ends the connection behind all that was sent: the peer gets it, and then hears of the end. Returns true if
    /// [`LinkEvents::DISCONNECTED`](crate::LinkEvents) follows, when both sides are done; else there is no connection
    /// that could be ended. Once, unless it was closed before.
    fn disconnect(&self) -> bool;

    /// Ends the connection at once and tells the peer. What was sent and has not reached the peer is lost.
    fn close(&self);

    /// The address of the other end.
    fn peer(&self) -> SocketAddr;

    /// The RNIC over which it runs.
    fn rnic(&self) -> RnicId;

    /// The local address.
    fn local(&self) -> SocketAddr;
}

/// The connection is broken; [`LinkEvents::LOST`](crate::LinkEvents) has come or will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkBroken;
