//! The network over the provider: a consumer of NDK like any other.
//!
//! A connection is a queue pair with a completion queue of its own. Its messages (`message`) are sends of one
//! byte and up to 16 KiB of a stream, straight from the client's memory. The other side has a few buffers
//! posted, and is sent no more data than it has room for; so what waits in the provider waits for a buffer
//! that the other side's drive loop is about to post, and never for a client. Memory is named by the
//! privileged token, as it is the kernel's own.
//!
//! # Names
//!
//! An address object has its port by a listener, so it conflicts with NDK consumers as they do with each
//! other. A connection that goes out has a port of its own below; which address object it comes from stands
//! in its private data, of which the peer believes the port and not the host:
//!
//! ```text
//! 0 1 2 3  4        5 6
//! T D I    version  port, in network byte order
//! ```
//!
//! A peer without that is no client, and is refused.
//!
//! # Holders
//!
//! | holder | holds |
//! |---|---|
//! | each NDK object of a link, until its close has completed | the link's state, as the context of its callbacks |
//! | each listener, until its close has completed, and its NdkListen until it is answered | its port, as the context of its callbacks |
//! | an address object | a share of the listener |
//! | a connect request, and the link that is made of it | the port, of which it is a connection until its close begins |
//! | a link's state, a port | its RNIC's use |
//! | the use of an RNIC | that the RNIC's removal waits |

mod call;
mod callback;
mod establish;
mod link;
mod listener;
pub(crate) mod message;
mod passive;
mod port;
mod refresh;
mod rnic;
mod sockaddr;

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use provider::NoMemory;
use sys::irql::PassiveLevel;
use sys::status::{
    NTSTATUS, STATUS_ADDRESS_CLOSED, STATUS_BAD_NETWORK_PATH, STATUS_CONNECTION_REFUSED,
    STATUS_HOST_UNREACHABLE, STATUS_NETWORK_UNREACHABLE, STATUS_REMOTE_NOT_LISTENING,
};

pub use link::{Data, NdkLink};
pub use listener::Listener;
pub use passive::ConnectRequest;
pub use refresh::{Refresh, RefreshFunction};
pub use rnic::{LostAddresses, Ndk};

pub use crate::network::RnicId;
use crate::network::{BindError, Network};
use crate::slab::Id;
use crate::system::System;

/// The status for a client's connect, from the one that NDK has for it.
pub(crate) const fn connect_status(status: NTSTATUS) -> NTSTATUS {
    match status {
        STATUS_CONNECTION_REFUSED => STATUS_REMOTE_NOT_LISTENING,
        STATUS_HOST_UNREACHABLE | STATUS_NETWORK_UNREACHABLE => STATUS_BAD_NETWORK_PATH,
        other => other,
    }
}

impl<S: System<Network = Self>> Network<S> for Ndk<S> {
    type Listener = Listener<S>;
    type ConnectRequest = ConnectRequest<S>;
    type Link = NdkLink<S>;

    fn listen(
        &self,
        client: &S::Client,
        at: SocketAddr,
        level: PassiveLevel,
    ) -> Result<(Listener<S>, SocketAddr), BindError> {
        let rnic = self.rnic_of(at.ip()).ok_or(BindError::NotLocal)?;
        Listener::open(self, client.clone(), rnic, at, level)
    }

    fn close(listener: &mut Listener<S>) {
        listener.close();
    }

    fn wait_until_free(listener: &Listener<S>, level: PassiveLevel) {
        listener.wait_until_free(level);
    }

    fn connect(
        &self,
        client: &S::Client,
        endpoint: Id,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Result<NdkLink<S>, NTSTATUS> {
        let host = if from.ip().is_unspecified() { self.host(to.is_ipv4()) } else { Some(from.ip()) };
        let from = SocketAddr::new(host.ok_or(STATUS_ADDRESS_CLOSED)?, from.port());
        let rnic = self.rnic_of(from.ip()).ok_or(STATUS_ADDRESS_CLOSED)?;
        NdkLink::connect(client.clone(), endpoint, rnic, from, to).map_err(connect_status)
    }

    fn accept(
        &self,
        client: &S::Client,
        endpoint: Id,
        connect_request: ConnectRequest<S>,
    ) -> Result<NdkLink<S>, NTSTATUS> {
        NdkLink::accept(client.clone(), endpoint, connect_request)
    }

    fn refresh_addresses(&self, level: PassiveLevel) -> Result<(), NoMemory> {
        self.refresh_all(level)
    }

    fn hosts(&self, ipv4: bool) -> Result<Vec<IpAddr>, NoMemory> {
        self.all_hosts(ipv4)
    }

    fn host(&self, ipv4: bool) -> Option<IpAddr> {
        self.any_host(ipv4)
    }

    fn is_local(&self, address: IpAddr) -> bool {
        self.rnic_of(address).is_some()
    }

    fn serves(&self, rnic: RnicId, address: IpAddr) -> bool {
        self.has(rnic, address)
    }

    fn rnic(listener: &Listener<S>) -> RnicId {
        listener.rnic()
    }

    fn requested_over(connect_request: &ConnectRequest<S>) -> RnicId {
        connect_request.port().rnic.id
    }

    fn peer(connect_request: &ConnectRequest<S>) -> SocketAddr {
        connect_request.peer()
    }

    fn local(connect_request: &ConnectRequest<S>) -> SocketAddr {
        connect_request.local()
    }
}
