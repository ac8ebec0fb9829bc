//! A connector's or a QP's reference to a connection attempt and the connection that it becomes: the only
//! interface to it, for a local or a remote peer.

use core::net::SocketAddr;

use sys::status::{NTSTATUS, STATUS_CONNECTION_ABORTED};

use super::call::{Accept, Connect, ConnectCompleted, Disconnected, Side, StateError};
use super::connector::Connector;
use super::departure::Departure;
use super::end::{AntecedentRefs, DisconnectEvent};
use super::loopback::Connection;
use super::private_data::PrivateData;
use super::wire::Wire;
use crate::adapter::RnicState;
use crate::consumer::Request;
use crate::heap::{NoMemory, Shared};
use crate::kernel::Kernel;
use crate::limits::ReadLimits;
use crate::object::{Id, ObjectRef};

/// One side of an attempt. Nothing here calls a consumer but [`Link::deliver`]; all of it may be called up to
/// DISPATCH_LEVEL, with no lock held unless it says so.
///
/// A debugger reads it, by [`layout`](super::layout): a kind of remotes that it does not know it shows by its number.
#[repr(C, u8)]
pub(crate) enum Link<K: Kernel> {
    /// Both sides are connectors of this driver.
    Loopback(Shared<Connection<K>>, Side) = 1,
    /// The other side is another machine's.
    Wire(Shared<Wire<K>>) = 2,
}

impl<K: Kernel> Clone for Link<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Loopback(connection, side) => Self::Loopback(connection.clone(), *side),
            Self::Wire(wire) => Self::Wire(wire.clone()),
        }
    }
}

impl<K: Kernel> Link<K> {
    /// An attempt to connect to a listener of this driver: the active side.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]; all that was passed is dropped, and so given back.
    pub(super) fn loopback(connect: Connect<K>) -> Result<Self, NoMemory> {
        Ok(Self::Loopback(Connection::new(connect)?, Side::Active))
    }

    /// An attempt to connect to another machine.
    ///
    /// # Errors
    ///
    /// STATUS_INSUFFICIENT_RESOURCES, or the network's status; all that was passed is dropped.
    pub(super) fn over_network(rnic: &Shared<RnicState<K>>, connect: Connect<K>) -> Result<Self, NTSTATUS> {
        Ok(Self::Wire(Wire::connect(rnic, connect)?))
    }

    /// The same attempt, for the connector that is indicated to its listener.
    pub(super) fn passive(&self) -> Self {
        match self {
            Self::Loopback(connection, _) => Self::Loopback(connection.clone(), Side::Passive),
            Self::Wire(wire) => Self::Wire(wire.clone()),
        }
    }

    /// Sets the connector of the listener's side, before it is indicated to a consumer.
    pub(super) fn attach(&self, passive: ObjectRef<K, Connector<K>>) {
        match self {
            Self::Loopback(connection, _) => connection.attach(passive),
            Self::Wire(wire) => wire.attach(passive),
        }
    }

    /// This side's address, once it has one.
    pub(super) fn local_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Loopback(connection, Side::Active) => {
                connection.has_departure().then(|| connection.source())
            }
            Self::Loopback(connection, Side::Passive) => Some(connection.destination()),
            Self::Wire(wire) => wire.local_address(),
        }
    }

    /// The peer's address.
    pub(super) fn peer_address(&self) -> SocketAddr {
        match self {
            Self::Loopback(connection, Side::Active) => connection.destination(),
            Self::Loopback(connection, Side::Passive) => connection.source(),
            Self::Wire(wire) => wire.peer_address(),
        }
    }

    /// The local and the peer's address, while it is established.
    pub(super) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        match self {
            Self::Loopback(connection, side) => {
                let (source, destination) = (connection.source(), connection.destination());
                connection.is_established(*side).then_some(match side {
                    Side::Active => (source, destination),
                    Side::Passive => (destination, source),
                })
            }
            Self::Wire(wire) => wire.addresses(),
        }
    }

    /// Read limits as they hold between the sides, and the peer's private data.
    pub(super) fn peer_data(&self, own: ReadLimits) -> (ReadLimits, PrivateData) {
        match self {
            Self::Loopback(connection, side) => connection.peer_data(*side, own),
            Self::Wire(wire) => wire.peer_data(own),
        }
    }

    /// Names the antecedents that the connector of this side has by the attempt. Also with the lock of the
    /// connector's attempts held.
    pub(super) fn name_antecedents(&self, name: &mut dyn FnMut(Id)) {
        match self {
            Self::Loopback(connection, side) => connection.name_antecedents(*side, name),
            Self::Wire(wire) => wire.name_antecedents(name),
        }
    }

    /// Has the network connect. By loopback the connect request does.
    pub(super) fn begin(&self) {
        match self {
            Self::Loopback(..) => {}
            Self::Wire(wire) => Wire::begin(wire),
        }
    }

    /// The connect request was taken, and NdkConnect answers STATUS_PENDING.
    pub(super) fn stands(&self) {
        match self {
            Self::Loopback(connection, _) => connection.stands(),
            Self::Wire(wire) => wire.stands(),
        }
    }

    /// The connect request was not taken: takes the attempt back, and with it the request, which is answered
    /// inline.
    pub(super) fn withdraw(&self) -> Option<Request<K, Connector<K>>> {
        match self {
            Self::Loopback(connection, _) => connection.withdraw(),
            Self::Wire(wire) => wire.withdraw(),
        }
    }

    /// NdkAccept.
    ///
    /// # Errors
    ///
    /// STATUS_CONNECTION_ABORTED if the connect request does not stand (any more); STATUS_INSUFFICIENT_RESOURCES.
    pub(super) fn accept(&self, accept: Accept<K>) -> Result<(), NTSTATUS> {
        match self {
            Self::Loopback(connection, _) => {
                connection.accept(accept).map_err(|StateError| STATUS_CONNECTION_ABORTED)
            }
            Self::Wire(wire) => Wire::accept(wire, accept),
        }
    }

    /// NdkReject.
    ///
    /// # Errors
    ///
    /// [`StateError`] if there is nothing to reject.
    pub(super) fn reject(&self, data: PrivateData) -> Result<(), StateError> {
        match self {
            Self::Loopback(connection, side) => connection.reject(*side, data),
            Self::Wire(wire) => Wire::reject(wire, &data),
        }
    }

    /// NdkCompleteConnect, on the active side.
    ///
    /// # Errors
    ///
    /// Those of [`Connection::complete_connect`].
    pub(super) fn complete_connect(
        &self,
        event: Option<DisconnectEvent>,
        request: Request<K, Connector<K>>,
    ) -> Result<ConnectCompleted, NTSTATUS> {
        match self {
            Self::Loopback(connection, _) => Connection::complete_connect(connection, event, request),
            Self::Wire(wire) => Wire::complete_connect(wire, event, request),
        }
    }

    /// NdkDisconnect.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the connection was never established, or the disconnect of this side is pending.
    pub(super) fn disconnect(&self, request: Request<K, Connector<K>>) -> Result<Disconnected, StateError> {
        match self {
            Self::Loopback(connection, side) => connection.disconnect(*side, request),
            Self::Wire(wire) => Wire::disconnect(wire, request),
        }
    }

    /// The consumer closes the connector of this side.
    pub(super) fn local_close(&self) {
        match self {
            Self::Loopback(connection, side) => connection.local_close(*side),
            Self::Wire(wire) => wire.local_close(),
        }
    }

    /// Makes the callbacks that are owed to this side, in the connector's DPC.
    pub(super) fn deliver(&self) {
        match self {
            Self::Loopback(connection, side) => connection.deliver(*side),
            Self::Wire(wire) => wire.deliver(),
        }
    }

    /// Returns true if the attempt has failed, and this side's request was completed.
    pub(super) fn is_refused(&self) -> bool {
        match self {
            Self::Loopback(connection, side) => connection.is_refused(*side),
            Self::Wire(wire) => wire.is_refused(),
        }
    }

    /// Detaches the connector of this side, which connects again, from this attempt, which was refused.
    pub(super) fn forget_connector(&self) {
        match self {
            Self::Loopback(connection, side) => connection.forget_connector(*side),
            Self::Wire(wire) => wire.forget_connector(),
        }
    }

    /// Takes out what the connector of this side has by the attempt: its address, and its antecedents.
    pub(super) fn part(&self) -> (Option<Departure<K>>, AntecedentRefs<K>) {
        match self {
            Self::Loopback(connection, side) => connection.part(*side),
            Self::Wire(wire) => wire.part(),
        }
    }

    /// Returns true if the connection is established: transfers of this side may begin.
    pub(crate) fn is_established(&self) -> bool {
        match self {
            Self::Loopback(connection, side) => connection.is_established(*side),
            Self::Wire(wire) => wire.is_established(),
        }
    }

    /// The connection, if it goes over a network.
    pub(crate) fn wire(&self) -> Option<&Wire<K>> {
        match self {
            Self::Loopback(..) => None,
            Self::Wire(wire) => Some(wire),
        }
    }

    /// A transfer broke the connection.
    pub(crate) fn fail(&self) {
        match self {
            Self::Loopback(connection, _) => connection.fail(),
            Self::Wire(wire) => wire.fail(),
        }
    }

    /// The QP of this side has died: its attempt or its connection ends.
    pub(crate) fn qp_died(&self) {
        match self {
            Self::Loopback(connection, _) => connection.qp_died(),
            Self::Wire(wire) => wire.qp_died(),
        }
    }
}
