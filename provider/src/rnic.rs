//! An RNIC: what one network adapter of the machine offers to NDK consumers, as its driver handles it.

#![expect(unsafe_code, reason = "the driver is called back")]

pub use crate::adapter::{Statistics, WireSettings};
pub use crate::connection::lookup::LookUp;

use core::net::{IpAddr, SocketAddr};

use sys::irql::PassiveLevel;
use sys::status::NTSTATUS;
use sys::wdm::PVOID;

use crate::adapter::RnicState;
use crate::connection::{Connector, FabricState, Listener, SharedEndpoint};
use crate::consumer::Opaque;
use crate::heap::{NoMemory, Shared};
use crate::kernel::Kernel;
use crate::object::Object;

/// All RNICs of a driver. Two RNICs of one fabric reach each other.
pub struct Fabric<K: Kernel>(Shared<FabricState<K>>);

impl<K: Kernel> Clone for Fabric<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Kernel> Fabric<K> {
    /// A fabric without RNICs. Up to DISPATCH_LEVEL.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub fn new() -> Result<Self, NoMemory> {
        Ok(Self(Shared::new(FabricState::new())?))
    }

    /// Writes an event for each object of each RNIC, as a trace session asks for the state. Up to DISPATCH_LEVEL.
    pub fn write_state(&self) {
        let mut after = None;
        while let Some(rnic) = self.0.rnic_after(after) {
            rnic.objects().write_state();
            after = Some(rnic.number());
        }
    }
}

/// Errors of opening an RNIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The version is not spoken; becomes NDIS_STATUS_BAD_VERSION.
    Version,
    /// NDK is disabled; becomes NDIS_STATUS_ADAPTER_NOT_READY.
    NotReady,
    /// Becomes NDIS_STATUS_RESOURCES.
    NoMemory,
}

impl From<NoMemory> for OpenError {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

/// An RNIC. Opened adapters keep what they need of it, so it may be dropped before them.
pub struct Rnic<K: Kernel>(Shared<RnicState<K>>);

impl<K: Kernel> Rnic<K> {
    /// An RNIC without addresses, disabled. Up to DISPATCH_LEVEL.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub fn new(fabric: &Fabric<K>) -> Result<Self, NoMemory> {
        Self::of(fabric, None)
    }

    /// The same, with a network for connections to other machines. The network and what it calls stay until the last
    /// adapter of the RNIC is closed, and the last connection and port with it. Up to DISPATCH_LEVEL.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub fn with_network(
        fabric: &Fabric<K>,
        network: K::Network,
        settings: WireSettings,
    ) -> Result<Self, NoMemory> {
        Self::of(fabric, Some((network, settings)))
    }

    fn of(fabric: &Fabric<K>, network: Option<(K::Network, WireSettings)>) -> Result<Self, NoMemory> {
        let state = RnicState::new(fabric.0.clone(), network)?;
        fabric.0.add_rnic(state.clone())?;
        Ok(Self(state))
    }

    /// Replaces the RNIC's addresses: those that consumers may listen on and connect from. Endpoints in
    /// use stay. Up to DISPATCH_LEVEL.
    ///
    /// # Errors
    ///
    /// [`NoMemory`], and the addresses are as before.
    pub fn set_addresses(&self, addresses: &[IpAddr]) -> Result<(), NoMemory> {
        self.0.set_addresses(addresses)
    }

    /// The state that its objects share.
    pub(crate) fn state(&self) -> &Shared<RnicState<K>> {
        &self.0
    }

    /// Has the notifications of the adapters that are opened from now on delivered by a DPC of the processor
    /// that causes them, which runs before the causing call returns if that came below DISPATCH_LEVEL. Else they
    /// are delivered as by an interrupt, on a processor that the consumer prefers.
    pub fn set_immediate_notifications(&self, immediate: bool) {
        self.0.set_immediate_notifications(immediate);
    }

    /// Enables or disables NDK. What is open stays open: it is for NDIS to have it closed (NDIS-2). While it is
    /// disabled nothing new begins: no open, listen or connect from here, nor a connect to a listener of the RNIC.
    pub fn set_enabled(&self, enabled: bool) {
        self.0.set_enabled(enabled);
    }

    /// Returns true if NDK is enabled.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.0.is_enabled()
    }

    /// Returns the performance counters of the RNIC.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.0.counters().read()
    }

    /// Calls `each` with the local and the remote address of every established connection of the RNIC. Up to
    /// DISPATCH_LEVEL.
    pub fn connections(&self, mut each: impl FnMut(SocketAddr, SocketAddr)) {
        self.0.objects().for_each(|connector: &Object<K, Connector<K>>| {
            if let Some((local, remote)) = connector.addresses() {
                each(local, remote);
            }
        });
    }

    /// Calls `each` with the address of every listener on the RNIC, and of every shared endpoint; the flag is
    /// set for a listener. Up to DISPATCH_LEVEL.
    pub fn endpoints(&self, mut each: impl FnMut(SocketAddr, bool)) {
        self.0.objects().for_each(|listener: &Object<K, Listener<K>>| {
            if let Some(address) = listener.local_address() {
                each(address, true);
            }
        });
        self.0.objects().for_each(|shared: &Object<K, SharedEndpoint<K>>| {
            each(shared.address(), false);
        });
    }
}

impl<K: Kernel> Rnic<K> {
    /// Lets requests that name an address which the RNIC does not have wait until the driver has looked the addresses
    /// up; `None` ends that. Up to DISPATCH_LEVEL.
    ///
    /// # Safety
    ///
    /// The function may be called with the context until this is called with `None`, and by a request that is on its
    /// way then: so `None` comes when consumers have closed, or the context stays until they have.
    pub unsafe fn on_unknown_address(&self, look_up: Option<(LookUp, PVOID)>) {
        let look_up = look_up.map(|(function, context)| (function, Opaque(context)));
        self.0.lookups().set_look_up(look_up);
    }

    /// Looks the addresses up by `read`, which passes them to [`Rnic::set_addresses`], and then tries the requests
    /// again that waited before. May be called several times at once.
    pub fn look_up(&self, level: PassiveLevel, read: impl FnOnce(PassiveLevel) -> Result<(), NTSTATUS>) {
        // Those that come from now on have another look-up coming.
        let end = self.0.lookups().next();
        let outcome = read(level);
        while let Some(request) = self.0.lookups().take_below(end) {
            request.retry(outcome);
        }
    }
}

impl<K: Kernel> Drop for Rnic<K> {
    fn drop(&mut self) {
        self.set_enabled(false);
        drop(self.0.fabric().remove_rnic(self.0.number()));
        // Without addresses nothing new can begin here; removing them needs no memory.
        let removed = self.0.set_addresses(&[]);
        debug_assert!(removed.is_ok(), "an empty list fits");
    }
}
