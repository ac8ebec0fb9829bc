//! The state of an RNIC that the objects of all its openings share.

#![forbid(unsafe_code)]

use core::net::IpAddr;

use super::Counters;
use crate::connection::FabricState;
use crate::connection::lookup::Lookups;
use crate::heap::{NoMemory, Shared};
use crate::kernel::Kernel;
use crate::memory::Mappings;
use crate::object::Registry;
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// State of an RNIC that its objects share.
pub(crate) struct RnicState<K: Kernel> {
    fabric: Shared<FabricState<K>>,
    number: u64,
    enabled: AtomicBool,
    /// True if a CQ notification may be called inside the call that causes it.
    immediate: AtomicBool,
    counters: Counters,
    objects: Registry<K>,
    mappings: Mappings<K>,
    lookups: Lookups<K>,
    network: Option<(K::Network, WireSettings)>,
    /// Numbers the connections over the network.
    connections: AtomicU64,
}

/// Settings of connections over a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireSettings {
    /// CRCs are asked for (MPA-4).
    pub crc: bool,
    /// The bytes of an FPDU at most, if it is not to fill a segment of TCP (FP-2).
    pub fpdu_size: Option<u32>,
    /// Connections to addresses of this driver go over the network, too (AD-9).
    pub force: bool,
}

impl<K: Kernel> RnicState<K> {
    /// The state of an RNIC without addresses, disabled.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn new(
        fabric: Shared<FabricState<K>>,
        network: Option<(K::Network, WireSettings)>,
    ) -> Result<Shared<Self>, NoMemory> {
        let number = fabric.number();
        let (enabled, immediate) = (AtomicBool::new(false), AtomicBool::new(false));
        let (counters, objects, mappings) = (Counters::new()?, Registry::new(), Mappings::new()?);
        let (lookups, connections) = (Lookups::new()?, AtomicU64::new(0));
        Shared::new(Self {
            fabric,
            number,
            enabled,
            immediate,
            counters,
            objects,
            mappings,
            lookups,
            network,
            connections,
        })
    }

    /// The network, if there is one.
    pub(crate) fn network(&self) -> Option<&K::Network> {
        self.network.as_ref().map(|(network, _)| network)
    }

    /// Returns true if connections to addresses of this driver go over the network.
    pub(crate) fn forces_wire(&self) -> bool {
        self.network.as_ref().is_some_and(|(_, settings)| settings.force)
    }

    /// Returns true if connections over the network ask for CRCs.
    pub(crate) fn crc(&self) -> bool {
        self.network.as_ref().is_some_and(|(_, settings)| settings.crc)
    }

    /// The size of an FPDU that was set.
    pub(crate) fn fpdu_size(&self) -> Option<u32> {
        self.network.as_ref().and_then(|(_, settings)| settings.fpdu_size)
    }

    /// A number for a new connection over the network.
    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// The objects that exist, of all openings.
    pub(crate) fn objects(&self) -> &Registry<K> {
        &self.objects
    }

    /// The logical address mappings of all openings.
    pub(crate) fn mappings(&self) -> &Mappings<K> {
        &self.mappings
    }

    /// The requests that wait for an address of the RNIC.
    pub(crate) fn lookups(&self) -> &Lookups<K> {
        &self.lookups
    }

    /// The fabric that it belongs to.
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

    /// Enables or disables NDK.
    pub(crate) fn set_enabled(&self, enabled: bool) {
        self.enabled.store(enabled, Ordering::Release);
    }

    /// Replaces the RNIC's addresses.
    ///
    /// # Errors
    ///
    /// [`NoMemory`], and the addresses are as before.
    pub(crate) fn set_addresses(&self, addresses: &[IpAddr]) -> Result<(), NoMemory> {
        self.fabric.set_hosts(self.number, addresses)
    }

    /// Has CQ notifications of later openings called inside the call that causes them, or not.
    pub(crate) fn set_immediate_notifications(&self, immediate: bool) {
        self.immediate.store(immediate, Ordering::Release);
    }

    /// Returns true if a CQ notification may be called inside the call that causes it.
    pub(crate) fn notifies_immediately(&self) -> bool {
        self.immediate.load(Ordering::Acquire)
    }
}
