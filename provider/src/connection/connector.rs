//! Connectors: one end of a connection, as the consumer holds it.

mod connect;

use core::net::SocketAddr;
use core::ptr::NonNull;

use sys::ndk::NDK_OBJECT_TYPE;
use sys::status::{
    NTSTATUS, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_ACTIVE, STATUS_CONNECTION_INVALID,
    STATUS_DELETE_PENDING, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SHARING_VIOLATION,
    STATUS_TOO_MANY_ADDRESSES,
};

pub(crate) use self::connect::{Source, Way};

use super::endpoint::{BindError, Endpoint};
use super::listener::Listener;
use super::private_data::PrivateData;
use super::session::{Disconnected, Session};
use super::shared_endpoint::{Route, SharedEndpoint};
use super::state::{DisconnectEvent, Limits, Side};
use crate::adapter::Adapter;
use crate::consumer::Request;
use crate::heap::{NoMemory, Shared};
use crate::kernel::{Kernel, Lock};
use crate::lifetime::{Kind, Refused};
use crate::object::{Body, Hold, Id, Object, Registry};
use crate::port::LIMITS;
use crate::queue_pair::Qp;

/// Event bit: the session owes callbacks.
const SESSION: u32 = 1;

/// Why a request on a connector failed: the status that the documentation gives for it (CM-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectError(pub(crate) NTSTATUS);

impl From<NoMemory> for ConnectError {
    fn from(_: NoMemory) -> Self {
        Self(STATUS_INSUFFICIENT_RESOURCES)
    }
}

impl From<Refused> for ConnectError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Closing => Self(STATUS_DELETE_PENDING),
            Refused::Full => Self(STATUS_INSUFFICIENT_RESOURCES),
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

/// What a connector has of its connection.
struct Link<K: Kernel> {
    session: Option<(Shared<Session<K>>, Side)>,
    endpoint: Option<Shared<Endpoint<K>>>,
    peer: Option<SocketAddr>,
    /// The antecedent shared endpoint, from connect on.
    route: Option<Route<K>>,
    /// The antecedent queue pair, from connect or accept on (OBJ-2).
    qp: Option<Hold<K, Qp<K>>>,
}

/// What a connector is beyond an object.
pub(crate) struct Connector<K: Kernel> {
    adapter: Hold<K, Adapter<K>>,
    /// The listener that indicated it.
    listener: Option<Hold<K, Listener<K>>>,
    link: Lock<K, Link<K>>,
}

impl<K: Kernel> Connector<K> {
    /// A connector that can connect.
    pub(crate) fn new(adapter: Hold<K, Adapter<K>>) -> Self {
        let link = Link { session: None, endpoint: None, peer: None, route: None, qp: None };
        Self { adapter, listener: None, link: Lock::<K, _>::new(link) }
    }

    /// The connector that a listener indicates for a session.
    fn offered(
        adapter: Hold<K, Adapter<K>>,
        listener: Hold<K, Listener<K>>,
        session: Shared<Session<K>>,
        peer: SocketAddr,
    ) -> Self {
        let endpoint = listener.endpoint();
        let session = Some((session, Side::Passive));
        let link = Link { session, endpoint, peer: Some(peer), route: None, qp: None };
        Self { adapter, listener: Some(listener), link: Lock::<K, _>::new(link) }
    }

    fn session(&self) -> Option<(Shared<Session<K>>, Side)> {
        self.link.lock().session.clone()
    }

    /// The local address, once it has one.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        self.link.lock().endpoint.as_ref().map(|endpoint| endpoint.address())
    }

    /// The peer's address, once it has one.
    pub(crate) fn peer_address(&self) -> Option<SocketAddr> {
        self.link.lock().peer
    }

    /// The local and the peer's address, while it is connected.
    pub(crate) fn connection(&self) -> Option<(SocketAddr, SocketAddr)> {
        let (session, _) = self.session()?;
        let addresses = self.local_address()?;
        session.is_established().then_some((addresses, self.peer_address()?))
    }

    /// Read limits as they hold, and the peer's private data.
    pub(crate) fn peer_data(&self) -> Option<(Limits, PrivateData)> {
        self.session().map(|(session, side)| session.peer_data(side, LIMITS))
    }

    fn same_adapter(&self, qp: &Object<K, Qp<K>>) -> bool {
        self.adapter.same(qp.pd().adapter())
    }
}

/// A queue pair that a connector has taken: the tie of the connector, and the hold of the session.
struct Claimed<K: Kernel> {
    tie: Hold<K, Qp<K>>,
    used: Hold<K, Qp<K>>,
}

impl<K: Kernel> Object<K, Connector<K>> {
    /// Something is to be delivered.
    pub(super) fn wake(&self) {
        self.post(SESSION);
    }

    fn claim(&self, qp: &Object<K, Qp<K>>) -> Result<Claimed<K>, ConnectError> {
        if !self.same_adapter(qp) {
            return Err(ConnectError(STATUS_INVALID_PARAMETER));
        }
        let claimed = Claimed { tie: qp.hold(Kind::Successor)?, used: qp.hold(Kind::Request)? };
        if qp.claim() { Ok(claimed) } else { Err(ConnectError(STATUS_CONNECTION_ACTIVE)) }
    }

    /// NdkAccept. On success the request is pending until the peer completes its connect, or goes.
    ///
    /// # Errors
    ///
    /// The request is answered inline with this status.
    pub(crate) fn accept(
        &self,
        qp: &Object<K, Qp<K>>,
        limits: Limits,
        data: PrivateData,
        event: Option<DisconnectEvent>,
        request: Request<K, Connector<K>>,
    ) -> Result<(), ConnectError> {
        let claimed =
            self.session().ok_or(ConnectError(STATUS_CONNECTION_INVALID)).and_then(|(session, side)| {
                match side {
                    Side::Passive => Ok((session, self.claim(qp)?)),
                    Side::Active => Err(ConnectError(STATUS_CONNECTION_INVALID)),
                }
            });
        let (session, claimed) = match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                request.answered_inline();
                return Err(error);
            }
        };
        let earlier = self.link.lock().qp.replace(claimed.tie);
        drop(earlier);
        session
            .accept(claimed.used, limits, data, event, request)
            .map_err(|_| ConnectError(STATUS_CONNECTION_ABORTED))
    }

    /// NdkReject.
    ///
    /// # Errors
    ///
    /// STATUS_CONNECTION_ABORTED if the peer has gone, or there is nothing to reject.
    pub(crate) fn reject(&self, data: PrivateData) -> Result<(), ConnectError> {
        let (session, side) = self.session().ok_or(ConnectError(STATUS_CONNECTION_INVALID))?;
        session.reject(side, data).map_err(|_| ConnectError(STATUS_CONNECTION_ABORTED))
    }

    /// NdkCompleteConnect, always inline.
    ///
    /// # Errors
    ///
    /// STATUS_CONNECTION_INVALID before the peer accepted; STATUS_CONNECTION_ABORTED if it has gone.
    pub(crate) fn complete_connect(&self, event: Option<DisconnectEvent>) -> Result<(), ConnectError> {
        match self.session() {
            Some((session, Side::Active)) => Session::complete_connect(&session, event).map_err(ConnectError),
            Some((_, Side::Passive)) | None => Err(ConnectError(STATUS_CONNECTION_INVALID)),
        }
    }

    /// NdkDisconnect: pending while transfers drain.
    ///
    /// # Errors
    ///
    /// STATUS_CONNECTION_INVALID if the connection was never established; answered inline.
    pub(crate) fn disconnect(&self, request: Request<K, Connector<K>>) -> Result<Disconnected, ConnectError> {
        let Some((session, side)) = self.session() else {
            request.answered_inline();
            return Err(ConnectError(STATUS_CONNECTION_INVALID));
        };
        let outcome = session.disconnect(side, request);
        if let Ok(Disconnected::Done) = outcome {
            self.flush();
        }
        outcome.map_err(|_| ConnectError(STATUS_CONNECTION_INVALID))
    }

    /// The implicit flush at the end of a disconnect, when the connection had ended before.
    fn flush(&self) {
        let qp = self.link.lock().qp.as_ref().and_then(|qp| qp.keep(Kind::Request).ok());
        if let Some(qp) = qp {
            qp.disconnected(true);
        }
    }
}

impl<K: Kernel> Connector<K> {
    /// Ends a connector that no consumer has seen; the peer finds its connect refused.
    pub(super) fn destroy(connector: NonNull<Object<K, Self>>) {
        // SAFETY: it was created for an offer that nobody took, so it is ours to close.
        unsafe { Object::close(connector, None, core::ptr::null_mut()) };
    }
}

impl<K: Kernel> Body<K> for Connector<K> {
    const TYPE: NDK_OBJECT_TYPE = NDK_OBJECT_TYPE::NdkObjectTypeConnector;

    type Ties = (
        Option<Hold<K, Listener<K>>>,
        Option<Hold<K, SharedEndpoint<K>>>,
        Option<Hold<K, Qp<K>>>,
        Hold<K, Adapter<K>>,
    );

    fn registry(&self) -> &Registry<K> {
        self.adapter.registry()
    }

    fn antecedents(&self, name: &mut dyn FnMut(Id)) {
        name(Id::of(&self.adapter));
        if let Some(listener) = &self.listener {
            name(Id::of(listener));
        }
        let link = self.link.lock();
        if let Some(shared) = link.route.as_ref().and_then(Route::shared) {
            name(Id::of(shared));
        }
        if let Some(qp) = &link.qp {
            name(Id::of(qp));
        }
    }

    /// A pending request is cancelled; a connection ends, without waiting for the peer's consumer.
    fn start_close(object: &Object<K, Self>) {
        if let Some((session, side)) = object.session() {
            session.leave(side);
        }
    }

    /// The endpoint is let go here, before the completion: its port is free by then (CL-12).
    fn dismantle(self) -> Self::Ties {
        let Link { session, endpoint, peer: _, route, qp } = self.link.into_inner();
        drop(endpoint);
        drop(session);
        (self.listener, route.and_then(Route::leave), qp, self.adapter)
    }

    fn deliver(object: &Object<K, Self>, _: u32) {
        let Some((session, side)) = object.session() else { return };
        if side == Side::Active && session.never_came_about() {
            object.forget();
        }
        session.deliver(side);
    }
}
