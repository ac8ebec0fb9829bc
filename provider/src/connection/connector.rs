//! Connectors: one end of a connection, as the consumer holds it.

mod attempts;
mod connect;
mod layout;

use core::net::SocketAddr;

use sys::ndk::NDK_OBJECT_TYPE;
use sys::status::{
    NTSTATUS, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_INVALID, STATUS_DELETE_PENDING,
    STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SHARING_VIOLATION,
    STATUS_TOO_MANY_ADDRESSES,
};

use self::attempts::Attempts;
pub(crate) use self::attempts::Turn;
pub(crate) use self::connect::{AddressPair, Origin, Source};
pub use self::layout::ConnectorLayout;

use super::call::{Accept, ConnectCompleted, Disconnected};
use super::claim::Claim;
use super::end::{AntecedentRefs, DisconnectEvent};
use super::endpoint::{BindError, Endpoint};
use super::link::Link;
use super::listener::Listener;
use super::private_data::PrivateData;
use crate::adapter::Adapter;
use crate::consumer::Request;
use crate::heap::{NoMemory, Shared};
use crate::kernel::{Kernel, Lock};
use crate::lifetime::{AcquireError, Kind};
use crate::limits::{READ_LIMITS, ReadLimits};
use crate::object::{Id, Object, ObjectRef, ObjectType, OnNetwork, Registry};

use crate::adapter::RnicState;
use crate::queue_pair::Qp;

/// Event bit: the connection owes callbacks.
const OWED: u32 = 1;

/// An error of a request on a connector: the status that the documentation gives for it (CM-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectError(pub(crate) NTSTATUS);

impl From<NoMemory> for ConnectError {
    fn from(_: NoMemory) -> Self {
        Self(STATUS_INSUFFICIENT_RESOURCES)
    }
}

impl From<AcquireError> for ConnectError {
    fn from(refused: AcquireError) -> Self {
        match refused {
            AcquireError::Closing => Self(STATUS_DELETE_PENDING),
            AcquireError::Full => Self(STATUS_INSUFFICIENT_RESOURCES),
        }
    }
}

impl From<BindError> for ConnectError {
    fn from(error: BindError) -> Self {
        match error {
            BindError::InUse => Self(STATUS_SHARING_VIOLATION),
            BindError::NoPort => Self(STATUS_TOO_MANY_ADDRESSES),
            BindError::NoMemory => Self(STATUS_INSUFFICIENT_RESOURCES),
        }
    }
}

/// Role of a connector, which never changes. A debugger reads it, by its [layout].
#[repr(C, u8)]
enum Role<K: Kernel> {
    /// Created by the consumer: it may connect, again and again until a connection is established.
    Active(Lock<K, Attempts<K>>) = 0,
    /// A listener indicated it, for this attempt of a peer. It never connects.
    Passive(Indicated<K>) = 1,
}

/// The parts of a connector that a listener indicated.
struct Indicated<K: Kernel> {
    listener: ObjectRef<K, Listener<K>>,
    /// The listener's, which it inherits (CL-12).
    endpoint: Option<Shared<Endpoint<K>>>,
    link: Link<K>,
}

/// Type-specific state of a connector.
pub(crate) struct Connector<K: Kernel> {
    adapter: ObjectRef<K, Adapter<K>>,
    role: Role<K>,
}

impl<K: Kernel> Connector<K> {
    /// A connector that can connect.
    pub(crate) fn new(adapter: ObjectRef<K, Adapter<K>>) -> Self {
        Self { adapter, role: Role::Active(Lock::<K, _>::new(Attempts::default())) }
    }

    /// The RNIC of the adapter that it belongs to.
    pub(crate) fn rnic(&self) -> &Shared<RnicState<K>> {
        self.adapter.rnic()
    }

    /// The connector that a listener indicates for a peer's attempt.
    pub(super) fn requested(
        adapter: ObjectRef<K, Adapter<K>>,
        listener: ObjectRef<K, Listener<K>>,
        link: Link<K>,
    ) -> Self {
        let endpoint = listener.endpoint();
        Self { adapter, role: Role::Passive(Indicated { listener, endpoint, link }) }
    }

    /// The last attempt to connect.
    pub(crate) fn link(&self) -> Option<Link<K>> {
        match &self.role {
            Role::Active(attempts) => attempts.lock().last.clone(),
            Role::Passive(indicated) => Some(indicated.link.clone()),
        }
    }

    /// The local address, once it has one.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        self.link()?.local_address()
    }

    /// The peer's address, once it has one.
    pub(crate) fn peer_address(&self) -> Option<SocketAddr> {
        Some(self.link()?.peer_address())
    }

    /// The local and the peer's address, while it is connected.
    pub(crate) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.link()?.addresses()
    }

    /// Read limits as they hold, and the peer's private data.
    pub(crate) fn peer_data(&self) -> Option<(ReadLimits, PrivateData)> {
        Some(self.link()?.peer_data(READ_LIMITS))
    }

    /// Returns true if the queue pair is of the same RNIC. It may be of another NDK adapter object of that
    /// RNIC: no page asks for more.
    fn shares_port_with(&self, qp: &Object<K, Qp<K>>) -> bool {
        self.adapter.rnic().same(qp.pd().adapter().rnic())
    }
}

/// A queue pair for a connection: for the attempt, and as the connector's antecedent.
type Claimed<K> = (Claim<K>, ObjectRef<K, Qp<K>>);

impl<K: Kernel> Object<K, Connector<K>> {
    /// Something is to be delivered.
    pub(super) fn wake(&self) {
        self.post(OWED);
    }

    /// Takes a queue pair for a connection.
    fn claim(&self, qp: &Object<K, Qp<K>>) -> Result<Claimed<K>, ConnectError> {
        if !self.shares_port_with(qp) {
            return Err(ConnectError(STATUS_INVALID_PARAMETER));
        }
        Ok((Claim::take(qp)?, qp.try_acquire(Kind::Successor)?))
    }

    /// NdkAccept. On success the request is pending until the peer completes its connect, or goes, possibly
    /// before this returns. An accept that fails has taken nothing: the queue pair is as it was.
    ///
    /// # Errors
    ///
    /// The request is answered inline with this status: STATUS_CONNECTION_INVALID if the connector was not
    /// offered, STATUS_CONNECTION_ABORTED if its connect request does not stand (any more),
    /// STATUS_CONNECTION_ACTIVE if the queue pair is taken.
    pub(crate) fn accept(
        &self,
        qp: &Object<K, Qp<K>>,
        limits: ReadLimits,
        data: PrivateData,
        event: Option<DisconnectEvent>,
        request: Request<K, Connector<K>>,
    ) -> Result<(), ConnectError> {
        let Role::Passive(Indicated { link, .. }) = &self.role else {
            request.answered_inline();
            return Err(ConnectError(STATUS_CONNECTION_INVALID));
        };
        // The consumer may close the connector before the link's call returns.
        let link = link.clone();
        let (claim, tie) = self.claim(qp)?;
        claim.bind(link.clone());
        let accept = Accept { claim, tie, limits, data, event, request };
        link.accept(accept).map_err(ConnectError)
    }

    /// NdkReject.
    ///
    /// # Errors
    ///
    /// STATUS_CONNECTION_ABORTED if the peer has gone, or there is nothing to reject.
    pub(crate) fn reject(&self, data: PrivateData) -> Result<(), ConnectError> {
        let link = self.link().ok_or(ConnectError(STATUS_CONNECTION_INVALID))?;
        link.reject(data).map_err(|_| ConnectError(STATUS_CONNECTION_ABORTED))
    }

    /// NdkCompleteConnect. Once it has failed, NdkConnect may be called again with the same QP; until that is given back, which
    /// over a network is when TCP's connection is closed, the request pends.
    ///
    /// # Errors
    ///
    /// STATUS_CONNECTION_INVALID before the peer accepted; STATUS_CONNECTION_ABORTED if it has gone. Answered inline.
    pub(crate) fn complete_connect(
        &self,
        event: Option<DisconnectEvent>,
        request: Request<K, Connector<K>>,
    ) -> Result<ConnectCompleted, ConnectError> {
        let link = match &self.role {
            Role::Active(attempts) => attempts.lock().last.clone(),
            Role::Passive(_) => None,
        };
        match link {
            Some(link) => link.complete_connect(event, request).map_err(ConnectError),
            None => {
                request.answered_inline();
                Err(ConnectError(STATUS_CONNECTION_INVALID))
            }
        }
    }

    /// NdkDisconnect: pending while transfers drain.
    ///
    /// # Errors
    ///
    /// STATUS_CONNECTION_INVALID if the connection was never established, or an earlier disconnect of this
    /// connector is pending: it is disconnected already, and that request is what tells when. Answered
    /// inline.
    pub(crate) fn disconnect(&self, request: Request<K, Connector<K>>) -> Result<Disconnected, ConnectError> {
        let Some(link) = self.link() else {
            request.answered_inline();
            return Err(ConnectError(STATUS_CONNECTION_INVALID));
        };
        link.disconnect(request).map_err(|_| ConnectError(STATUS_CONNECTION_INVALID))
    }
}

impl<K: Kernel> ObjectType<K> for Connector<K> {
    const TYPE: NDK_OBJECT_TYPE = NDK_OBJECT_TYPE::NdkObjectTypeConnector;

    const REFERENCES: [usize; 3] = [Object::<K, Self>::at(core::mem::offset_of!(Self, adapter)), 0, 0];

    type Antecedents = (Option<ObjectRef<K, Listener<K>>>, AntecedentRefs<K>, ObjectRef<K, Adapter<K>>);

    fn registry(&self) -> &Registry<K> {
        self.adapter.registry()
    }

    /// Takes the lock of the connection with that of the attempts held: the latter keeps the link, which must
    /// not be dropped here.
    fn antecedents(&self, name: &mut dyn FnMut(Id)) {
        name(Id::of(&self.adapter));
        match &self.role {
            Role::Active(attempts) => {
                if let Some(link) = &attempts.lock().last {
                    link.name_antecedents(name);
                }
            }
            Role::Passive(Indicated { listener, link, .. }) => {
                name(Id::of(listener));
                link.name_antecedents(name);
            }
        }
    }

    /// Takes the lock of the attempts.
    fn on_network(&self) -> Option<OnNetwork> {
        match &self.role {
            Role::Active(attempts) => attempts.lock().last.as_ref()?.wire()?.on_network(),
            Role::Passive(Indicated { link, .. }) => link.wire()?.on_network(),
        }
    }

    /// A pending request is cancelled; a connection ends, without waiting for the peer's consumer.
    fn start_close(object: &Object<K, Self>) {
        if let Some(link) = object.link() {
            link.local_close();
        }
    }

    /// Releases the endpoint, before the close completion: its port is free by then (CL-12).
    fn into_antecedents(self) -> Self::Antecedents {
        let (listener, endpoint, link) = match self.role {
            Role::Active(attempts) => (None, None, attempts.into_inner().last),
            Role::Passive(Indicated { listener, endpoint, link }) => (Some(listener), endpoint, Some(link)),
        };
        drop(endpoint);
        let ties = link.map_or_else(AntecedentRefs::none, |link| {
            let (departure, ties) = link.part();
            drop(departure);
            ties
        });
        (listener, ties, self.adapter)
    }

    /// An event names no attempt. It needs none: only the last attempt can owe anything, as a connector
    /// connects again when its consumer has been told of all that came of the attempt before; and what is
    /// delivered is what the connection owes, by its own state.
    fn deliver(object: &Object<K, Self>, _: u32) {
        if let Some(link) = object.link() {
            link.deliver();
        }
    }
}
