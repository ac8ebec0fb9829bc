//! Address objects: a local address that a client has opened, and what goes on there.

use alloc::collections::VecDeque;
use core::net::SocketAddr;

use provider::Shared;

use crate::access::ListOf;
use crate::datagram::Receives;
use crate::event::Handlers;
use crate::network::System;
use crate::slab::Id;
use crate::world::{EventOf, Listeners};

/// An address object.
pub(crate) struct Address<S: System> {
    pub(crate) local: SocketAddr,
    /// By which others may open the same address, until the cleanup; none if it is exclusive.
    pub(crate) list: Option<ListOf<S>>,
    /// Take connections for this and all others that share the address, each at one address of a host.
    pub(crate) listeners: Listeners<S>,
    /// It is not bound yet; signalled when it is, or can't be.
    pub(crate) binding: Option<Shared<EventOf<S>>>,
    pub(crate) handlers: Handlers,
    /// Endpoints that are associated.
    pub(crate) associations: usize,
    /// Endpoints that listen, in their order.
    pub(crate) listens: VecDeque<Id>,
    /// Receives that wait for datagrams.
    pub(crate) receives: Receives<S::Request>,
}

impl<S: System> Address<S> {
    /// Whether connections and datagrams to `at` are for this address.
    pub(crate) fn covers(&self, at: SocketAddr) -> bool {
        let Self { local, .. } = self;
        let host = local.ip() == at.ip() || (local.ip().is_unspecified() && local.is_ipv4() == at.is_ipv4());
        host && local.port() == at.port()
    }
}
