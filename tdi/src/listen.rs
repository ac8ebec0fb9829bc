//! Pending listens of each address, and the target of a connect request.

#![forbid(unsafe_code)]

use core::net::SocketAddr;

use provider::Within as _;

use crate::call::Call;
use crate::endpoint::ConnectRequestOf;
use crate::event::Connect;
use crate::slab::Id;
use crate::state::{Object, TransportState};
use crate::system::System;

/// The target of a connect request.
pub(crate) enum ConnectTarget<S: System> {
    /// The endpoint that listens has it.
    Endpoint(Id),
    /// The client of an address is to be asked.
    Client { address: Id, handler: Connect, call: Call<()>, connect_request: ConnectRequestOf<S> },
    /// No endpoint and no handler.
    None(ConnectRequestOf<S>),
}

impl<S: System> TransportState<S> {
    /// Puts an endpoint at the end of its address's list of listens if it listens and is not there, and takes
    /// it off the list if it does not listen. Called in each section of the lock that changes whether it
    /// listens.
    pub(crate) fn relist(&mut self, id: Id) {
        let Some(endpoint) = self.endpoint(id) else { return };
        let (listed, listens) = (endpoint.listed, endpoint.is_listening());
        let Some(at) = endpoint.address else { return };
        let listens = listens && self.address(at).is_some_and(|address| address.state.is_live());
        if listed == listens {
            return;
        }
        if listens { self.list(id) } else { self.unlist(id, at) }
    }

    /// Puts an endpoint at the end of its address's list of listens.
    // A function of its own: so the optimiser sees that the list does not grow.
    #[inline(never)]
    fn list(&mut self, id: Id) {
        let Some(address) = self.endpoint(id).and_then(|endpoint| endpoint.address) else { return };
        self.unlist(id, address);
        if let Some(address) = self.address(address) {
            let listed = address.listens.push_within(id);
            debug_assert!(listed.is_ok(), "there is room for every endpoint that is associated");
        }
        if let Some(endpoint) = self.endpoint(id) {
            endpoint.listed = true;
        }
    }

    /// Takes it off that list.
    pub(crate) fn unlist(&mut self, id: Id, address: Id) {
        if let Some(address) = self.address(address) {
            let place = address.listens.iter().position(|other| *other == id);
            let _listed = place.and_then(|place| address.listens.remove(place));
        }
        if let Some(endpoint) = self.endpoint(id) {
            endpoint.listed = false;
        }
    }

    /// Finds the target of a connect request at an address: the first that listens, or else the first
    /// client that has a handler.
    pub(crate) fn connect_target(
        &mut self,
        local: SocketAddr,
        connect_request: ConnectRequestOf<S>,
    ) -> ConnectTarget<S> {
        if let Some(id) = self.first_listen(local)
            && let Some(endpoint) = self.endpoint(id)
        {
            endpoint.listed = false;
            endpoint.connect_request = Some(connect_request);
            return ConnectTarget::Endpoint(id);
        }
        let asked = self.files.iter().find_map(|(id, file)| match &file.object {
            Object::Address(address) if address.covers(local) => Some((id, address.handlers.connect()?)),
            _ => None,
        });
        match asked.and_then(|(address, handler)| Some((address, handler, self.call(address)?))) {
            Some((address, handler, call)) => {
                ConnectTarget::Client { address, handler, call, connect_request }
            }
            None => ConnectTarget::None(connect_request),
        }
    }

    fn first_listen(&mut self, local: SocketAddr) -> Option<Id> {
        loop {
            let next = self.files.iter_mut().find_map(|(_, file)| {
                let address = file.address_mut().filter(|address| address.covers(local))?;
                address.listens.pop_front()
            })?;
            let endpoint = self.endpoint(next)?;
            endpoint.listed = false;
            if endpoint.is_listening() {
                return Some(next);
            }
        }
    }
}
