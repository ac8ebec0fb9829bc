//! The local endpoint of an outgoing connection, and its ownership.

#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::net::SocketAddr;

use sys::status::{STATUS_ADDRESS_ALREADY_EXISTS, STATUS_INSUFFICIENT_RESOURCES};

use super::connector::ConnectError;
use super::endpoint::Endpoint;
use crate::heap::{NoMemory, Shared, Within as _};
use crate::kernel::{Kernel, Lock};

/// The local address that a connection attempt occupies. Dropping it releases the address; up to
/// DISPATCH_LEVEL, with no lock held.
pub(crate) enum Departure<K: Kernel> {
    /// An endpoint of its own.
    Own(Shared<Endpoint<K>>),
    /// One destination of a shared endpoint.
    Shared(Destination<K>),
    /// None yet: TCP is to find a port of this address (AD-3).
    Sought(SocketAddr),
}

impl<K: Kernel> Departure<K> {
    /// The local address and port.
    pub(super) fn address(&self) -> SocketAddr {
        match self {
            Self::Own(endpoint) => endpoint.address(),
            Self::Shared(destination) => destination.address(),
            Self::Sought(address) => *address,
        }
    }

    /// The same, if the port is found.
    pub(super) fn occupied(&self) -> Option<SocketAddr> {
        match self {
            Self::Own(_) | Self::Shared(_) => Some(self.address()),
            Self::Sought(_) => None,
        }
    }
}

/// An endpoint from which several connections go out.
pub(crate) struct Outlet<K: Kernel> {
    endpoint: Shared<Endpoint<K>>,
    /// The destinations: each once, or the connections would be the same.
    taken: Lock<K, Vec<SocketAddr>>,
}

impl<K: Kernel> Outlet<K> {
    /// An outlet without connections.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(super) fn new(endpoint: Shared<Endpoint<K>>) -> Result<Shared<Self>, NoMemory> {
        Shared::new(Self { endpoint, taken: Lock::<K, _>::new(Vec::new()) })
    }

    /// The local address and port.
    pub(super) fn address(&self) -> SocketAddr {
        self.endpoint.address()
    }
}

/// A destination that one connection of an outlet has.
pub(crate) struct Destination<K: Kernel> {
    outlet: Shared<Outlet<K>>,
    address: SocketAddr,
}

impl<K: Kernel> Destination<K> {
    /// The local address and port.
    pub(super) fn address(&self) -> SocketAddr {
        self.outlet.address()
    }

    /// Takes a destination.
    ///
    /// # Errors
    ///
    /// STATUS_ADDRESS_ALREADY_EXISTS if a connection of the outlet goes there; STATUS_INSUFFICIENT_RESOURCES.
    pub(super) fn take(outlet: &Shared<Outlet<K>>, address: SocketAddr) -> Result<Self, ConnectError> {
        {
            let mut taken = outlet.taken.lock();
            if taken.contains(&address) {
                return Err(ConnectError(STATUS_ADDRESS_ALREADY_EXISTS));
            }
            taken.try_reserve(1).map_err(|_| ConnectError(STATUS_INSUFFICIENT_RESOURCES))?;
            taken.push_within(address).map_err(|_| ConnectError(STATUS_INSUFFICIENT_RESOURCES))?;
        }
        Ok(Self { outlet: outlet.clone(), address })
    }
}

impl<K: Kernel> Drop for Destination<K> {
    fn drop(&mut self) {
        self.outlet.taken.lock().retain(|taken| *taken != self.address);
    }
}
