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
use crate::sync::{AtomicBool, Ordering};

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
}

impl<K: Kernel> RnicState<K> {
    /// The state of an RNIC without addresses, disabled.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn new(fabric: Shared<FabricState<K>>) -> Result<Shared<Self>, NoMemory> {
        let number = fabric.number();
        let (enabled, immediate) = (AtomicBool::new(false), AtomicBool::new(false));
        let (counters, objects, mappings) = (Counters::default(), Registry::new(), Mappings::new()?);
        let lookups = Lookups::new()?;
        Shared::new(Self { fabric, number, enabled, immediate, counters, objects, mappings, lookups })
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
