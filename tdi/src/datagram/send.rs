//! Sending: the datagram is copied, and the request is over.

#![forbid(unsafe_code)]

use core::net::SocketAddr;

use sys::status::{
    NTSTATUS, STATUS_ADDRESS_CLOSED, STATUS_HOST_UNREACHABLE, STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_ADDRESS, STATUS_INVALID_BUFFER_SIZE, STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};

use super::{Datagram, MAX_DATAGRAM, MAX_UNDER_WAY};
use crate::network::Network;
use crate::request::Request;
use crate::slab::Id;
use crate::system::System;
use crate::transport::Transport;

impl<S: System<Client = Self>> Transport<S> {
    /// `TDI_SEND_DATAGRAM`. A datagram that is not taken at the destination is no error.
    pub(crate) fn send_datagram(&self, file: Id, to: Option<SocketAddr>, length: usize, request: S::Request) {
        match self.post_datagram(file, to, length, &request) {
            Ok(()) => request.complete(STATUS_SUCCESS, length),
            Err(status) => request.complete(status, 0),
        }
    }

    fn post_datagram(
        &self,
        file: Id,
        to: Option<SocketAddr>,
        length: usize,
        request: &S::Request,
    ) -> Result<(), NTSTATUS> {
        let sender = self.enter(file)?;
        let local = {
            let mut locked = self.lock();
            let address = locked.address(file).ok_or(STATUS_INVALID_DEVICE_REQUEST)?;
            if !address.state.is_live() {
                return Err(STATUS_ADDRESS_CLOSED);
            }
            address.local()
        };
        let named = |to: &SocketAddr| !to.ip().is_unspecified() && to.is_ipv4() == local.is_ipv4();
        let to = to.filter(named).ok_or(STATUS_INVALID_ADDRESS)?;
        if length > MAX_DATAGRAM {
            return Err(STATUS_INVALID_BUFFER_SIZE);
        }
        if length > request.length() {
            return Err(STATUS_INVALID_PARAMETER);
        }
        let mut bound = (0..).map_while(|index| self.lock().address(file)?.state.bound_at(index));
        let from = bound.find(|at| self.network().is_local(at.ip())).ok_or(STATUS_ADDRESS_CLOSED)?;
        if !self.network().is_local(to.ip()) {
            return Err(STATUS_HOST_UNREACHABLE);
        }
        let bytes = request.copy(length).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        self.queue_datagram(Datagram { from, to, bytes, sender })
    }

    fn queue_datagram(&self, datagram: Datagram<S>) -> Result<(), NTSTATUS> {
        let mut locked = self.lock();
        let datagrams = &mut locked.datagrams;
        if datagrams.queue.len() >= MAX_UNDER_WAY.min(datagrams.queue.capacity()) {
            // The datagram goes without the lock, as its sender does with it.
            drop(locked);
            drop(datagram);
            return Err(STATUS_INSUFFICIENT_RESOURCES);
        }
        datagrams.sent.add(datagram.bytes.len());
        datagrams.queue.push_back(datagram);
        let idle = !core::mem::replace(&mut datagrams.delivering, true);
        drop(locked);
        if idle {
            self.defer_delivery();
        }
        Ok(())
    }
}
