//! An RNIC: what one network adapter of the machine offers to NDK consumers.

mod counters;
pub(crate) mod lookup;

pub(crate) use counters::Counters;
pub use counters::Statistics;
pub use lookup::LookUp;

use core::net::{IpAddr, SocketAddr};

use lookup::Lookups;

use crate::connection::{Connector, FabricState, Listener, SharedEndpoint};
use crate::heap::{NoMemory, Shared};
use crate::kernel::Kernel;
use crate::memory::Mappings;
use crate::object::{Object, Registry};
use crate::sync::{AtomicBool, Ordering};

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
}

/// State of an RNIC that its objects share.
pub struct RnicState<K: Kernel> {
    fabric: Shared<FabricState<K>>,
    number: u64,
    enabled: AtomicBool,
    /// True if a CQ notification may be called inside the call that causes it.
    immediate: AtomicBool,
    counters: Counters,
    objects: Registry<K>,
    mappings: Mappings<K>,
    lookups: Lookups<K>,
}

impl<K: Kernel> RnicState<K> {
    /// The objects that exist, of all openings.
    pub(crate) fn objects(&self) -> &Registry<K> {
        &self.objects
    }

    /// The logical address mappings of all openings.
    pub(crate) fn mappings(&self) -> &Mappings<K> {
        &self.mappings
    }

    pub(crate) fn fabric(&self) -> &Shared<FabricState<K>> {
        &self.fabric
    }

    /// Returns true if consumers may listen on this address and connect from it: it is one of the RNIC's, and
    /// the RNIC is enabled.
    pub(crate) fn is_local(&self, address: IpAddr) -> bool {
        self.is_enabled() && self.fabric.is_local(self.number, address)
    }

    /// Returns true if the RNIC is present, and NDK enabled.
    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Acquire)
    }

    /// The number of the RNIC in its fabric.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Returns true if a CQ notification may be called inside the call that causes it.
    pub(crate) fn notifies_immediately(&self) -> bool {
        self.immediate.load(Ordering::Acquire)
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
        let fabric = fabric.0.clone();
        let number = fabric.number();
        let (enabled, immediate) = (AtomicBool::new(false), AtomicBool::new(false));
        let (counters, objects, mappings) = (Counters::default(), Registry::new(), Mappings::new()?);
        let lookups = Lookups::new()?;
        let state = RnicState { fabric, number, enabled, immediate, counters, objects, mappings, lookups };
        Ok(Self(Shared::new(state)?))
    }

    /// Replaces the RNIC's addresses: those that consumers may listen on and connect from. Endpoints in
    /// use stay. Up to DISPATCH_LEVEL.
    ///
    /// # Errors
    ///
    /// [`NoMemory`], and the addresses are as before.
    pub fn set_addresses(&self, addresses: &[IpAddr]) -> Result<(), NoMemory> {
        self.0.fabric.set_hosts(self.0.number, addresses)
    }

    /// The state that its objects share.
    pub(crate) fn state(&self) -> &Shared<RnicState<K>> {
        &self.0
    }

    /// Has the notifications of the adapters that are opened from now on delivered by a DPC of the processor
    /// that causes them, which runs before the causing call returns if that came below DISPATCH_LEVEL. Else they
    /// are delivered as by an interrupt, on a processor that the consumer prefers.
    pub fn set_immediate_notifications(&self, immediate: bool) {
        self.0.immediate.store(immediate, Ordering::Release);
    }

    /// Enables or disables NDK. What is open stays open: it is for NDIS to have it closed (NDIS-2). While it is
    /// disabled nothing new begins: no open, listen or connect from here, nor a connect to a listener of the RNIC.
    pub fn set_enabled(&self, enabled: bool) {
        self.0.enabled.store(enabled, Ordering::Release);
    }

    /// Returns true if NDK is enabled.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.0.is_enabled()
    }

    /// Returns the performance counters of the RNIC.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.0.counters.read()
    }

    /// Calls `each` with the local and the remote address of every established connection of the RNIC. Up to
    /// DISPATCH_LEVEL.
    pub fn connections(&self, mut each: impl FnMut(SocketAddr, SocketAddr)) {
        self.0.objects.for_each(|connector: &Object<K, Connector<K>>| {
            if let Some((local, remote)) = connector.addresses() {
                each(local, remote);
            }
        });
    }

    /// Calls `each` with the address of every listener on the RNIC, and of every shared endpoint; the flag is
    /// set for a listener. Up to DISPATCH_LEVEL.
    pub fn endpoints(&self, mut each: impl FnMut(SocketAddr, bool)) {
        self.0.objects.for_each(|listener: &Object<K, Listener<K>>| {
            if let Some(address) = listener.local_address() {
                each(address, true);
            }
        });
        self.0.objects.for_each(|shared: &Object<K, SharedEndpoint<K>>| {
            each(shared.address(), false);
        });
    }
}

impl<K: Kernel> Drop for Rnic<K> {
    fn drop(&mut self) {
        self.set_enabled(false);
        // Without addresses nothing new can begin here; removing them needs no memory.
        let removed = self.0.fabric.set_hosts(self.0.number, &[]);
        debug_assert!(removed.is_ok(), "an empty list fits");
    }
}
