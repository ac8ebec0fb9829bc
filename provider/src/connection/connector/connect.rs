//! Connecting: from a local address or a shared endpoint to an offer at the peer's listener.

use core::net::SocketAddr;
use core::ptr::NonNull;

use sys::status::{
    STATUS_CONNECTION_ACTIVE, STATUS_CONNECTION_REFUSED, STATUS_HOST_UNREACHABLE, STATUS_INVALID_ADDRESS,
};

use super::{ConnectError, Connector, Link};
use crate::connection::endpoint::{Endpoint, Found};
use crate::connection::listener::Listener;
use crate::connection::private_data::PrivateData;
use crate::connection::session::Session;
use crate::connection::shared_endpoint::{Route, SharedEndpoint};
use crate::connection::state::{Limits, Side};
use crate::consumer::Request;
use crate::heap::Shared;
use crate::kernel::Kernel;
use crate::lifetime::Kind;
use crate::object::{Hold, Object};
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
    fn address(&self) -> SocketAddr {
        match self {
            Self::Address(address) => *address,
            Self::Shared(shared) => shared.endpoint().address(),
        }
    }
}

/// From where, and where to.
#[derive(Clone, Copy)]
pub(crate) struct Way<'a, K: Kernel> {
    pub(crate) source: Source<'a, K>,
    pub(crate) remote: SocketAddr,
}

/// A session, the listener that is to indicate it, and the connector that it indicates.
type Prepared<K> = (Shared<Session<K>>, Hold<K, Listener<K>>, NonNull<Object<K, Connector<K>>>);

impl<K: Kernel> Object<K, Connector<K>> {
    /// NdkConnect. On success the request is pending: it completes when the peer accepts, rejects or goes,
    /// possibly before this returns.
    ///
    /// # Errors
    ///
    /// The request is answered inline with this status.
    pub(crate) fn connect(
        &self,
        qp: &Object<K, Qp<K>>,
        way: Way<'_, K>,
        limits: Limits,
        data: PrivateData,
        request: Request<K, Connector<K>>,
    ) -> Result<(), ConnectError> {
        let outcome = self.offer(qp, way, limits, data, request);
        if let Err((request, error)) = outcome {
            self.adapter.port().counters().connect_failure();
            request.answered_inline();
            return Err(error);
        }
        Ok(())
    }

    fn offer(
        &self,
        qp: &Object<K, Qp<K>>,
        way: Way<'_, K>,
        limits: Limits,
        data: PrivateData,
        request: Request<K, Connector<K>>,
    ) -> Result<(), (Request<K, Connector<K>>, ConnectError)> {
        let prepared = self.prepare(qp, way, limits, data);
        let (session, listener, connector) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return Err((request, error)),
        };
        session.expect(Side::Active, request);
        match listener.offer(connector) {
            Ok(()) => Ok(()),
            Err(connector) => {
                // Nobody has seen the offer, so nobody else completes the request.
                let request = session.take_request(Side::Active);
                Connector::destroy(connector);
                self.forget();
                match request {
                    Some(request) => Err((request, ConnectError(STATUS_CONNECTION_REFUSED))),
                    None => Ok(()),
                }
            }
        }
    }

    /// All that can fail in a connect, undone by dropping if it does: endpoint, listener, session, and the
    /// connector for the other side.
    fn prepare(
        &self,
        qp: &Object<K, Qp<K>>,
        way: Way<'_, K>,
        limits: Limits,
        data: PrivateData,
    ) -> Result<Prepared<K>, ConnectError> {
        let port = self.adapter.port();
        let local = way.source.address();
        if local.is_ipv4() != way.remote.is_ipv4() || !port.is_local(local.ip()) {
            return Err(ConnectError(STATUS_INVALID_ADDRESS));
        }
        // A connect may be tried again, also inside the completion of the one that was refused.
        if self.session().is_some_and(|(session, side)| !session.is_refused(side)) {
            return Err(ConnectError(STATUS_CONNECTION_ACTIVE));
        }
        let listener = match port.segment().find(&way.remote) {
            Found::Listener(listener) => listener,
            Found::Nobody => return Err(ConnectError(STATUS_CONNECTION_REFUSED)),
            Found::NoHost => return Err(ConnectError(STATUS_HOST_UNREACHABLE)),
        };
        let (endpoint, route) = match way.source {
            Source::Address(address) => (Endpoint::bind(port.segment(), address)?, None),
            Source::Shared(shared) => {
                let route = Route::take(shared, way.remote)?;
                (shared.endpoint().clone(), Some(route))
            }
        };
        let active = self.hold(Kind::Request)?;
        let claimed = self.claim(qp)?;
        let local = endpoint.address();
        let made = Session::new(active, claimed.used, limits, data).map_err(ConnectError::from).and_then(
            |session| {
                let adapter = listener.adapter().hold(Kind::Successor)?;
                let tie = listener.keep(Kind::Successor)?;
                let body = Connector::offered(adapter, tie, session.clone(), local);
                let connector = listener.offer_of(body)?;
                // SAFETY: created just now, and nobody else knows it.
                session.attach(unsafe { connector.as_ref() }.hold(Kind::Request)?);
                Ok((session, connector))
            },
        );
        let (session, connector) = made.inspect_err(|_| qp.unclaim())?;
        let link = Link {
            session: Some((session.clone(), Side::Active)),
            endpoint: Some(endpoint),
            peer: Some(way.remote),
            route,
            qp: Some(claimed.tie),
        };
        let earlier = core::mem::replace(&mut *self.link.lock(), link);
        if let Some((refused, side)) = &earlier.session {
            refused.let_go(*side);
        }
        drop(earlier);
        Ok((session, listener, connector))
    }

    /// Lets go of a connection that did not come about: its endpoint is free, and connect may be tried
    /// again.
    pub(super) fn forget(&self) {
        let forgotten = {
            let mut link = self.link.lock();
            (link.endpoint.take(), link.route.take())
        };
        drop(forgotten);
    }
}
