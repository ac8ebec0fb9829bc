//! The way to the other end of a connection that is to be made.

#![forbid(unsafe_code)]

use core::net::SocketAddr;

use sys::status::{STATUS_CONNECTION_REFUSED, STATUS_HOST_UNREACHABLE};

use super::call::Connect;
use super::connect_request::ConnectRequest;
use super::connector::{ConnectError, Connector};
use super::departure::Departure;
use super::endpoint::{Endpoint, Found};
use super::link::Link;
use super::listener::Listener;
use crate::adapter::RnicState;
use crate::heap::Shared;
use crate::kernel::Kernel;
use crate::lifetime::Kind;
use crate::object::ObjectRef;

/// See the module's head. The variants are those of [`Link`].
pub(super) enum Route<K: Kernel> {
    /// A listener of this driver is there.
    Loopback(ObjectRef<K, Listener<K>>),
    /// It is another machine's, or may be: by the network of this RNIC.
    Wire(Shared<RnicState<K>>),
}

impl<K: Kernel> Route<K> {
    /// The route to `remote`.
    ///
    /// # Errors
    ///
    /// STATUS_CONNECTION_REFUSED if there is no listener; STATUS_HOST_UNREACHABLE if it is an address of no RNIC, and
    /// this one has no network.
    pub(super) fn to(remote: &SocketAddr, rnic: &Shared<RnicState<K>>) -> Result<Self, ConnectError> {
        if rnic.forces_wire() {
            return Ok(Self::Wire(rnic.clone()));
        }
        match rnic.fabric().find(remote) {
            Found::Listener(listener) => Ok(Self::Loopback(listener)),
            Found::NoListener => Err(ConnectError(STATUS_CONNECTION_REFUSED)),
            Found::NoHost if rnic.network().is_some() => Ok(Self::Wire(rnic.clone())),
            Found::NoHost => Err(ConnectError(STATUS_HOST_UNREACHABLE)),
        }
    }

    /// The local end of an attempt by this route, from `address`.
    ///
    /// # Errors
    ///
    /// Those of [`Endpoint::bind`].
    pub(super) fn depart(
        &self,
        address: SocketAddr,
        rnic: &RnicState<K>,
    ) -> Result<Departure<K>, ConnectError> {
        match self {
            Self::Wire(_) if address.port() == 0 => Ok(Departure::Sought(address)),
            Self::Loopback(_) | Self::Wire(_) => Ok(Departure::Own(Endpoint::bind(rnic.fabric(), address)?)),
        }
    }

    /// An attempt by this route: the link of the side that connects.
    ///
    /// # Errors
    ///
    /// STATUS_INSUFFICIENT_RESOURCES, or the network's status; all that was passed is dropped, and so given back.
    pub(super) fn connect(&self, connect: Connect<K>) -> Result<Link<K>, ConnectError> {
        match self {
            Self::Loopback(_) => Ok(Link::loopback(connect)?),
            Self::Wire(rnic) => Link::over_network(rnic, connect).map_err(ConnectError),
        }
    }

    /// The connect request of an attempt by this route, if its other end is in this driver.
    ///
    /// # Errors
    ///
    /// STATUS_DELETE_PENDING if the other end is being closed; STATUS_INSUFFICIENT_RESOURCES.
    pub(super) fn connect_request(&self, link: &Link<K>) -> Result<Option<ConnectRequest<K>>, ConnectError> {
        let listener = match self {
            Self::Loopback(listener) => listener,
            Self::Wire(_) => return Ok(None),
        };
        let adapter = listener.adapter().try_acquire(Kind::Successor)?;
        let tie = listener.acquire(Kind::Successor)?;
        let connect_request =
            listener.connect_request_of(Connector::requested(adapter, tie, link.passive()))?;
        match connect_request.connector().try_acquire(Kind::Request) {
            Ok(passive) => link.attach(passive),
            Err(refused) => {
                // Before the connect request goes, which would complete the request.
                drop(link.withdraw());
                return Err(refused.into());
            }
        }
        Ok(Some(connect_request))
    }

    /// Hands a connect request over to the other end, or has the network connect: the answer may come before this
    /// returns.
    ///
    /// # Errors
    ///
    /// Gives it back if the other end does not take it.
    pub(super) fn offer(
        &self,
        link: &Link<K>,
        connect_request: Option<ConnectRequest<K>>,
    ) -> Result<(), ConnectRequest<K>> {
        if let (Self::Loopback(listener), Some(connect_request)) = (self, connect_request) {
            return listener.enqueue(connect_request);
        }
        link.begin();
        Ok(())
    }
}
