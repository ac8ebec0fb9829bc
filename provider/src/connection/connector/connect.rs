//! Connecting: from a local address or a shared endpoint to a connect request at the peer's listener.

use core::net::SocketAddr;

use sys::status::{STATUS_CONNECTION_ACTIVE, STATUS_CONNECTION_REFUSED, STATUS_INVALID_ADDRESS};

use super::attempts::Turn;
use super::{ConnectError, Connector, Role};
use crate::connection::call::Connect;
use crate::connection::connect_request::ConnectRequest;
use crate::connection::departure::{Departure, Destination};
use crate::connection::end::AntecedentRefs;
use crate::connection::link::Link;
use crate::connection::private_data::PrivateData;
use crate::connection::route::Route;
use crate::connection::shared_endpoint::SharedEndpoint;
use crate::consumer::Request;
use crate::kernel::Kernel;
use crate::lifetime::{AcquireError, Kind};
use crate::limits::ReadLimits;
use crate::object::{Object, ObjectRef};
use crate::queue_pair::Qp;

/// From where to connect.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a, K: Kernel> {
    /// An address, and a port or 0.
    Address(SocketAddr),
    /// An endpoint that several connectors share.
    Shared(&'a Object<K, SharedEndpoint<K>>),
}

impl<K: Kernel> Source<'_, K> {
    /// The local address.
    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Self::Address(address) => *address,
            Self::Shared(shared) => shared.address(),
        }
    }

    /// The same, to be kept.
    ///
    /// # Errors
    ///
    /// Those of the hold on the endpoint.
    pub(crate) fn keep(&self) -> Result<Origin<K>, AcquireError> {
        Ok(match self {
            Self::Address(address) => Origin::Address(*address),
            Self::Shared(shared) => Origin::Shared(shared.try_acquire(Kind::Request)?),
        })
    }
}

/// The two addresses of an attempt: its source and its destination.
#[derive(Clone, Copy)]
pub(crate) struct AddressPair<'a, K: Kernel> {
    pub(crate) source: Source<'a, K>,
    pub(crate) remote: SocketAddr,
}

/// The source of a connect that waits.
pub(crate) enum Origin<K: Kernel> {
    /// An address, and a port or 0.
    Address(SocketAddr),
    /// An endpoint that several connectors share.
    Shared(ObjectRef<K, SharedEndpoint<K>>),
}

impl<K: Kernel> Origin<K> {
    /// The source address that it names.
    pub(crate) fn source(&self) -> Source<'_, K> {
        match self {
            Self::Address(address) => Source::Address(*address),
            Self::Shared(shared) => Source::Shared(shared),
        }
    }
}

/// An attempt that has all it needs, and the connect request of it.
struct Prepared<K: Kernel> {
    link: Link<K>,
    route: Route<K>,
    connect_request: Option<ConnectRequest<K>>,
}

impl<K: Kernel> Object<K, Connector<K>> {
    /// NdkConnect. On success the request is pending: it completes when the peer accepts, rejects or goes,
    /// possibly before this returns. A connect that fails inline has taken nothing, and the connector is as
    /// it was.
    ///
    /// # Errors
    ///
    /// The request is answered inline with this status. STATUS_CONNECTION_ACTIVE if the connector is or was
    /// connected, connects, or was offered by a listener, or if the queue pair is taken.
    pub(crate) fn connect(
        &self,
        qp: &Object<K, Qp<K>>,
        addresses: AddressPair<'_, K>,
        limits: ReadLimits,
        data: PrivateData,
        request: Request<K, Connector<K>>,
    ) -> Result<(), ConnectError> {
        let turn = self.take_turn().inspect_err(|_| self.adapter.rnic().counters().connect_failure())?;
        self.connect_in_turn(turn, qp, addresses, limits, data, request)
    }

    /// The same for a connect that has its turn already.
    ///
    /// # Errors
    ///
    /// Those of [`Self::connect`].
    pub(crate) fn connect_in_turn(
        &self,
        turn: Turn<K>,
        qp: &Object<K, Qp<K>>,
        addresses: AddressPair<'_, K>,
        limits: ReadLimits,
        data: PrivateData,
        request: Request<K, Connector<K>>,
    ) -> Result<(), ConnectError> {
        let outcome = self.try_connect(turn, qp, addresses, limits, data, request);
        if outcome.is_err() {
            self.adapter.rnic().counters().connect_failure();
        }
        outcome
    }

    fn try_connect(
        &self,
        turn: Turn<K>,
        qp: &Object<K, Qp<K>>,
        addresses: AddressPair<'_, K>,
        limits: ReadLimits,
        data: PrivateData,
        request: Request<K, Connector<K>>,
    ) -> Result<(), ConnectError> {
        let rnic = self.adapter.rnic();
        let local = addresses.source.address();
        if local.is_ipv4() != addresses.remote.is_ipv4() || !rnic.is_local(local.ip()) {
            return Err(ConnectError(STATUS_INVALID_ADDRESS));
        }
        let Role::Active(attempts) = &self.role else { return Err(ConnectError(STATUS_CONNECTION_ACTIVE)) };
        let Prepared { link, route, connect_request } = self.prepare(qp, addresses, limits, data, request)?;
        let replaced = attempts.lock().last.replace(link.clone());
        if let Some(replaced) = &replaced {
            replaced.forget_connector();
        }
        // The consumer may connect again inside the completion, which may come as soon as the peer has the
        // connect request.
        drop(turn);
        if let Err(connect_request) = route.offer(&link, connect_request) {
            // No consumer has seen the connect request: the attempt is taken back, and the connector is as it
            // was.
            let withdrawn = core::mem::replace(&mut attempts.lock().last, replaced);
            drop((link.withdraw(), withdrawn, connect_request));
            return Err(ConnectError(STATUS_CONNECTION_REFUSED));
        }
        // From here on the consumer may close the connector: `self` is not used any more.
        link.stands();
        if let Some(replaced) = replaced {
            drop(replaced.part());
        }
        Ok(())
    }

    /// All that can fail in a connect, undone by dropping if it does: route, endpoint, connection, and the
    /// connector for the other side.
    fn prepare(
        &self,
        qp: &Object<K, Qp<K>>,
        addresses: AddressPair<'_, K>,
        limits: ReadLimits,
        data: PrivateData,
        request: Request<K, Connector<K>>,
    ) -> Result<Prepared<K>, ConnectError> {
        let rnic = self.adapter.rnic();
        let route = Route::to(&addresses.remote, rnic)?;
        let (departure, shared) = match addresses.source {
            Source::Address(address) => (route.depart(address, rnic)?, None),
            Source::Shared(shared) => {
                let tie = shared.try_acquire(Kind::Successor)?;
                (Departure::Shared(Destination::take(shared.outlet(), addresses.remote)?), Some(tie))
            }
        };
        let connector = self.try_acquire(Kind::Request)?;
        let (claim, tie) = self.claim(qp)?;
        let ties = AntecedentRefs { shared, qp: Some(tie) };
        let remote = addresses.remote;
        let link =
            route.connect(Connect { connector, ties, claim, departure, remote, limits, data, request })?;
        qp.bind(link.clone());
        let connect_request = route.connect_request(&link).inspect_err(|_| drop(link.withdraw()))?;
        Ok(Prepared { link, route, connect_request })
    }
}
