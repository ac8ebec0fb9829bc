//! The way to the other end of a connection that is to be made.

#![forbid(unsafe_code)]

use core::net::SocketAddr;

use sys::status::{STATUS_CONNECTION_REFUSED, STATUS_HOST_UNREACHABLE};

use super::call::Connect;
use super::connect_request::ConnectRequest;
use super::connector::{ConnectError, Connector};
use super::endpoint::{FabricState, Found};
use super::link::Link;
use super::listener::Listener;
use crate::heap::NoMemory;
use crate::kernel::Kernel;
use crate::lifetime::Kind;
use crate::object::ObjectRef;

/// See the module's head. The variants are those of [`Link`].
pub(super) enum Route<K: Kernel> {
    /// A listener of this driver is there.
    Loopback(ObjectRef<K, Listener<K>>),
}

impl<K: Kernel> Route<K> {
    /// The route to `remote`.
    ///
    /// # Errors
    ///
    /// STATUS_CONNECTION_REFUSED if there is no listener; STATUS_HOST_UNREACHABLE if it is an address of no RNIC.
    pub(super) fn to(remote: &SocketAddr, fabric: &FabricState<K>) -> Result<Self, ConnectError> {
        match fabric.find(remote) {
            Found::Listener(listener) => Ok(Self::Loopback(listener)),
            Found::NoListener => Err(ConnectError(STATUS_CONNECTION_REFUSED)),
            Found::NoHost => Err(ConnectError(STATUS_HOST_UNREACHABLE)),
        }
    }

    /// An attempt by this route: the link of the side that connects.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]; all that was passed is dropped, and so given back.
    pub(super) fn connect(&self, connect: Connect<K>) -> Result<Link<K>, NoMemory> {
        match self {
            Self::Loopback(_) => Link::loopback(connect),
        }
    }

    /// The connect request of an attempt by this route.
    ///
    /// # Errors
    ///
    /// STATUS_DELETE_PENDING if the other end is being closed; STATUS_INSUFFICIENT_RESOURCES.
    pub(super) fn connect_request(&self, link: &Link<K>) -> Result<ConnectRequest<K>, ConnectError> {
        let Self::Loopback(listener) = self;
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
        Ok(connect_request)
    }

    /// Hands a connect request over to the other end, whose answer may come before this returns.
    ///
    /// # Errors
    ///
    /// Gives it back if the other end does not take it.
    pub(super) fn offer(&self, connect_request: ConnectRequest<K>) -> Result<(), ConnectRequest<K>> {
        match self {
            Self::Loopback(listener) => listener.enqueue(connect_request),
        }
    }
}
