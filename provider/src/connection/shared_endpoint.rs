//! Shared endpoints: one address and port from which several connectors connect.

use core::net::SocketAddr;

use sys::ndk::NDK_OBJECT_TYPE;

use super::departure::Outlet;
use super::endpoint::Endpoint;
use super::wire::WirePort;
use crate::adapter::Adapter;
use crate::heap::{NoMemory, Shared};
use crate::kernel::Kernel;
use crate::object::{Id, Object, ObjectRef, ObjectType, OnNetwork, Registry};

/// Type-specific state of a shared endpoint.
pub(crate) struct SharedEndpoint<K: Kernel> {
    adapter: ObjectRef<K, Adapter<K>>,
    outlet: Shared<Outlet<K>>,
    /// Its port of TCP, if the RNIC has a network.
    port: Option<Shared<WirePort<K>>>,
}

impl<K: Kernel> SharedEndpoint<K> {
    /// The offset of the pointer to the port of TCP, from the object's address, for a debugger. The pointer is null if
    /// there is none.
    pub(crate) const PORT: usize = Object::<K, Self>::at(core::mem::offset_of!(Self, port));

    /// A shared endpoint that has its address and port.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]; the endpoint is free again.
    pub(crate) fn new(
        adapter: ObjectRef<K, Adapter<K>>,
        endpoint: Shared<Endpoint<K>>,
        port: Option<Shared<WirePort<K>>>,
    ) -> Result<Self, NoMemory> {
        Ok(Self { adapter, outlet: Outlet::new(endpoint)?, port })
    }

    /// The address and port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.outlet.address()
    }

    /// The outlet that its connections share.
    pub(super) fn outlet(&self) -> &Shared<Outlet<K>> {
        &self.outlet
    }
}

impl<K: Kernel> ObjectType<K> for SharedEndpoint<K> {
    const TYPE: NDK_OBJECT_TYPE = NDK_OBJECT_TYPE::NdkObjectTypeSharedEndpoint;

    const REFERENCES: [usize; 3] = [Object::<K, Self>::at(core::mem::offset_of!(Self, adapter)), 0, 0];

    type Antecedents = ObjectRef<K, Adapter<K>>;

    fn registry(&self) -> &Registry<K> {
        self.adapter.registry()
    }

    fn antecedents(&self, name: &mut dyn FnMut(Id)) {
        name(Id::of(&self.adapter));
    }

    fn on_network(&self) -> Option<OnNetwork> {
        self.port.as_ref()?.on_network()
    }

    /// A mere dereference: closing waits for the connectors (CL-5), and for TCP to let go of the port.
    fn start_close(object: &Object<K, Self>) {
        if let Some(port) = &object.port {
            port.close();
        }
    }

    /// Releases the endpoint, before the close completion.
    fn into_antecedents(self) -> Self::Antecedents {
        drop((self.outlet, self.port));
        self.adapter
    }

    /// A shared endpoint has no callbacks.
    fn deliver(_: &Object<K, Self>, _: u32) {}
}
