//! An adapter's RDMA side: enabled or not, opened and closed.

#![expect(unsafe_code, reason = "NDIS is called")]

use core::net::IpAddr;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};

use lifecycle::Events;
use lock_api::RawMutex as _;
use provider::rnic::{OpenError, Statistics, WireSettings};
use provider::{Kernel, Rnic};
use sys::irql::PassiveLevel;
use sys::ndis::{self, NDIS_HANDLE, NET_PNP_EVENT, NET_PNP_EVENT_CODE, NET_PNP_EVENT_NOTIFICATION};
use sys::ndk::{NDK_ADAPTER, NDK_VERSION};
use sys::netioapi::NET_IFINDEX;
use sys::status::{
    NDIS_STATUS, NDIS_STATUS_ADAPTER_NOT_READY, NDIS_STATUS_BAD_VERSION, NDIS_STATUS_RESOURCES,
};

use crate::debugger::Listed;
use crate::identity::header;
use crate::kernel::{Lock, SpinLock, Windows};
use crate::wsk::{Device, WskNetwork};
use crate::{registration, tdi};

/// An adapter's RDMA side.
pub(crate) struct Rdma {
    handle: NDIS_HANDLE,
    /// The state that NDIS wants; [`Rdma::apply_state`] gives it to the RNIC.
    wanted: AtomicBool,
    events: Lock<Events>,
    /// Before the RNIC: what is listed is there.
    _listed: Listed,
    rnic: Rnic<Windows>,
    /// TCP for the RNIC's connections to other machines.
    network: WskNetwork,
    /// The RNIC in the legacy transport, while it is enabled.
    transport: Lock<Option<tdi::TransportRnic>>,
}

impl Rdma {
    /// The RDMA side of the adapter with this handle and device, enabled if it is allowed. Its interface has this index.
    ///
    /// # Errors
    ///
    /// `NDIS_STATUS_RESOURCES`.
    pub(crate) fn new(
        handle: NDIS_HANDLE,
        device: Device,
        interface: NET_IFINDEX,
        allowed: bool,
        wire: WireSettings,
    ) -> Result<Self, NDIS_STATUS> {
        let fabric = registration::fabric().ok_or(NDIS_STATUS_RESOURCES)?;
        let network = WskNetwork::new(device, interface).map_err(|_| NDIS_STATUS_RESOURCES)?;
        // Without sockets the RNIC reaches the adapters of this machine alone.
        let rnic = if registration::has_sockets() {
            Rnic::with_network(&fabric, network.clone(), wire)
        } else {
            Rnic::new(&fabric)
        };
        let rnic = rnic.map_err(|_| NDIS_STATUS_RESOURCES)?;
        rnic.set_enabled(allowed);
        let transport = Lock::const_new(SpinLock::INIT, None);
        let events = Lock::const_new(SpinLock::INIT, Events::Allowed);
        let listed = Listed::new(&rnic);
        Ok(Self {
            handle,
            wanted: AtomicBool::new(allowed),
            events,
            _listed: listed,
            rnic,
            network,
            transport,
        })
    }

    /// Lets the legacy transport run over the RNIC if that is enabled; `refresh` reads its addresses.
    pub(crate) fn start(&self, refresh: tdi::Refresh, level: PassiveLevel) {
        if self.rnic.enabled() {
            self.add_to_transport(refresh, level);
        }
    }

    /// Lets the legacy transport run over the RNIC. Without it the adapter works all the same, until the next
    /// time that RDMA is enabled.
    fn add_to_transport(&self, refresh: tdi::Refresh, level: PassiveLevel) {
        let added = transport_rnic(&self.rnic, refresh, level);
        let previous = core::mem::replace(&mut *self.transport.lock(), added);
        if let Some(previous) = previous {
            previous.remove(level);
        }
    }

    /// Ends events, before all else of a halt: one that has not begun is never raised, as NDIS may keep it waiting
    /// until the halt is over. Up to DISPATCH_LEVEL.
    pub(crate) fn end_events(&self) {
        self.events.lock().end_all();
    }

    /// Removes the RNIC from the legacy transport, and ends what runs over it (`tdi`'s `Client::on_adapter_removed`):
    /// at a halt, also the one after a surprise removal, and when OID_NDK_SET_STATE disables RDMA.
    pub(crate) fn remove_from_transport(&self, level: PassiveLevel) {
        let removed = self.transport.lock().take();
        if let Some(removed) = removed {
            removed.remove(level);
        }
    }

    /// Waits until the RNIC has no socket. Consumers have closed, which has cut connections off and given ports up: this
    /// waits for TCP's own side alone, and for no peer (TD-7).
    pub(crate) fn wait_for_sockets(&self, level: PassiveLevel) {
        self.network.wait_until_closed(level);
    }

    /// Replaces the RNIC's addresses. If the legacy transport loses any, what is returned ends what runs over
    /// these. Up to DISPATCH_LEVEL.
    ///
    /// # Errors
    ///
    /// `NDIS_STATUS_RESOURCES`.
    pub(crate) fn set_addresses(
        &self,
        addresses: &[IpAddr],
    ) -> Result<Option<tdi::LostAddresses>, NDIS_STATUS> {
        self.rnic.set_addresses(addresses).map_err(|_| NDIS_STATUS_RESOURCES)?;
        let rnic = self.transport.lock().as_ref().map(tdi::TransportRnic::id);
        match rnic {
            Some(rnic) => tdi::set_addresses(rnic, addresses).map_err(|_| NDIS_STATUS_RESOURCES),
            None => Ok(None),
        }
    }

    /// The RNIC behind.
    pub(crate) const fn rnic(&self) -> &Rnic<Windows> {
        &self.rnic
    }

    /// Its counters.
    pub(crate) fn statistics(&self) -> Statistics {
        self.rnic.statistics()
    }

    /// Opens it.
    ///
    /// # Errors
    ///
    /// `NDIS_STATUS_BAD_VERSION`, `NDIS_STATUS_ADAPTER_NOT_READY` while it is disabled,
    /// `NDIS_STATUS_RESOURCES` (VER-2).
    pub(crate) fn open(&self, version: NDK_VERSION) -> Result<NonNull<NDK_ADAPTER>, NDIS_STATUS> {
        self.rnic.open(version).map_err(|error| match error {
            OpenError::Version => NDIS_STATUS_BAD_VERSION,
            OpenError::NotReady => NDIS_STATUS_ADAPTER_NOT_READY,
            OpenError::NoMemory => NDIS_STATUS_RESOURCES,
        })
    }

    /// Takes note of what NDIS wants, which [`Rdma::apply_state`] brings about. Up to DISPATCH_LEVEL.
    pub(crate) fn want(&self, enabled: bool) {
        self.wanted.store(enabled, Ordering::Release);
    }

    /// Makes the RNIC as NDIS wants it, and raises the event that belongs to it, which NDIS may hold up until
    /// all consumers have closed. Not in several threads at once. Nothing after [`Rdma::end_events`].
    ///
    /// The call returns before the adapter is halted, or the halt waits for it. Returns the new state if that is
    /// another than before.
    pub(crate) fn apply_state(&self, refresh: tdi::Refresh, level: PassiveLevel) -> Option<bool> {
        if self.events.lock().are_over() {
            return None;
        }
        let wanted = self.wanted.load(Ordering::Acquire);
        if wanted == self.rnic.enabled() {
            return None;
        }
        // Before the event in both directions: consumers open when they hear that it is enabled, and none
        // may open any more while those that have it open are asked to close it.
        self.rnic.set_enabled(wanted);
        if wanted {
            self.add_to_transport(refresh, level);
        } else {
            self.remove_from_transport(level);
        }
        let event = if wanted {
            NET_PNP_EVENT_CODE::NetEventNDKEnable
        } else {
            NET_PNP_EVENT_CODE::NetEventNDKDisable
        };
        if !self.events.lock().begin() {
            return Some(wanted);
        }
        let notification = notification(event);
        // SAFETY: the handle is the adapter's, whose halt waits for this call. When
        // disabling, the call returns after the last consumer has closed.
        let _outcome_is_for_the_log_of_ndis =
            unsafe { ndis::NdisMNetPnPEvent(self.handle, &raw const notification) };
        self.events.lock().end();
        Some(wanted)
    }
}

/// The RNIC as the legacy transport has it. Without it the transport does not run over this adapter until
/// RDMA is enabled again, which is no reason for the adapter not to start.
fn transport_rnic(
    rnic: &Rnic<Windows>,
    refresh: tdi::Refresh,
    level: PassiveLevel,
) -> Option<tdi::TransportRnic> {
    let added = tdi::TransportRnic::new(rnic, refresh, level);
    if let Err(error) = &added {
        <Windows as Kernel>::trace(format_args!(
            "the legacy transport does not run over an adapter: {error:?}"
        ));
    }
    added.ok()
}

const fn notification(event: NET_PNP_EVENT_CODE) -> NET_PNP_EVENT_NOTIFICATION {
    NET_PNP_EVENT_NOTIFICATION {
        Header: header(
            ndis::NDIS_OBJECT_TYPE_DEFAULT,
            ndis::NET_PNP_EVENT_NOTIFICATION_REVISION_2,
            ndis::NDIS_SIZEOF_NET_PNP_EVENT_NOTIFICATION_REVISION_2,
        ),
        PortNumber: ndis::NDIS_DEFAULT_PORT_NUMBER,
        NetPnPEvent: NET_PNP_EVENT {
            NetEvent: event,
            Buffer: core::ptr::null_mut(),
            BufferLength: 0,
            NdisReserved: [0; 4],
            TransportReserved: [0; 4],
            TdiReserved: [0; 4],
            TdiClientReserved: [0; 4],
        },
        Flags: 0,
        SwitchId: 0,
        VPortId: 0,
    }
}
