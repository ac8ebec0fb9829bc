//! Shared endpoints: one address and port from which several connectors connect.

use alloc::vec::Vec;
use core::net::SocketAddr;

use sys::ndk::NDK_OBJECT_TYPE;
use sys::status::{STATUS_ADDRESS_ALREADY_EXISTS, STATUS_INSUFFICIENT_RESOURCES};

use super::connector::ConnectError;
use super::endpoint::Endpoint;
use crate::adapter::Adapter;
use crate::heap::{Shared, Within as _};
use crate::kernel::{Kernel, Lock};
use crate::lifetime::Kind;
use crate::object::{Body, Hold, Id, Object, Registry};

/// What a shared endpoint is beyond an object.
pub(crate) struct SharedEndpoint<K: Kernel> {
    adapter: Hold<K, Adapter<K>>,
    endpoint: Shared<Endpoint<K>>,
    /// Where its connections go: each destination once, or the connections would be the same.
    destinations: Lock<K, Vec<SocketAddr>>,
}

impl<K: Kernel> SharedEndpoint<K> {
    /// A shared endpoint that has its address and port.
    pub(crate) fn new(adapter: Hold<K, Adapter<K>>, endpoint: Shared<Endpoint<K>>) -> Self {
        Self { adapter, endpoint, destinations: Lock::<K, _>::new(Vec::new()) }
    }

    /// The address and port.
    pub(crate) fn endpoint(&self) -> &Shared<Endpoint<K>> {
        &self.endpoint
    }
}

/// A connection over a shared endpoint: the tie of its connector, and the destination that it takes up.
pub(super) struct Route<K: Kernel> {
    /// Taken out only by [`Route::leave`].
    shared: Option<Hold<K, SharedEndpoint<K>>>,
    destination: SocketAddr,
}

impl<K: Kernel> Route<K> {
    /// Takes up a destination.
    ///
    /// # Errors
    ///
    /// STATUS_ADDRESS_ALREADY_EXISTS if a connection goes there already.
    pub(super) fn take(
        shared: &Object<K, SharedEndpoint<K>>,
        destination: SocketAddr,
    ) -> Result<Self, ConnectError> {
        let shared = shared.hold(Kind::Successor)?;
        {
            let mut destinations = shared.destinations.lock();
            if destinations.contains(&destination) {
                return Err(ConnectError(STATUS_ADDRESS_ALREADY_EXISTS));
            }
            destinations.try_reserve(1).map_err(|_| ConnectError(STATUS_INSUFFICIENT_RESOURCES))?;
            destinations.push_within(destination).map_err(|_| ConnectError(STATUS_INSUFFICIENT_RESOURCES))?;
        }
        Ok(Self { shared: Some(shared), destination })
    }

    /// The endpoint that the connection goes out from.
    pub(super) fn shared(&self) -> Option<&Object<K, SharedEndpoint<K>>> {
        self.shared.as_deref()
    }

    /// The destination may be taken up anew; the tie stays.
    pub(super) fn leave(mut self) -> Option<Hold<K, SharedEndpoint<K>>> {
        self.free();
        self.shared.take()
    }

    fn free(&self) {
        if let Some(shared) = &self.shared {
            shared.destinations.lock().retain(|destination| *destination != self.destination);
        }
    }
}

impl<K: Kernel> Drop for Route<K> {
    fn drop(&mut self) {
        self.free();
    }
}

impl<K: Kernel> Body<K> for SharedEndpoint<K> {
    const TYPE: NDK_OBJECT_TYPE = NDK_OBJECT_TYPE::NdkObjectTypeSharedEndpoint;

    type Ties = Hold<K, Adapter<K>>;

    fn registry(&self) -> &Registry<K> {
        self.adapter.registry()
    }

    fn antecedents(&self, name: &mut dyn FnMut(Id)) {
        name(Id::of(&self.adapter));
    }

    /// A mere dereference: closing waits for the connectors (CL-5).
    fn start_close(_: &Object<K, Self>) {}

    /// The endpoint is let go here, before the completion.
    fn dismantle(self) -> Self::Ties {
        drop(self.endpoint);
        self.adapter
    }

    /// A shared endpoint has no callbacks.
    fn deliver(_: &Object<K, Self>, _: u32) {}
}
