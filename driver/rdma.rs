//! An adapter's RDMA side: enabled or not, opened and closed.

use core::net::IpAddr;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};

use lock_api::RawMutex as _;
use provider::Port;
use provider::port::{OpenError, Statistics};
use sys::ndis::{self, NDIS_HANDLE, NET_PNP_EVENT, NET_PNP_EVENT_CODE, NET_PNP_EVENT_NOTIFICATION};
use sys::ndk::{NDK_ADAPTER, NDK_VERSION};
use sys::status::{
    NDIS_STATUS, NDIS_STATUS_ADAPTER_NOT_READY, NDIS_STATUS_BAD_VERSION, NDIS_STATUS_RESOURCES,
};

use crate::adapter::Adapter;
use crate::kernel::{Lock, SpinLock, Windows};
use crate::miniport::header;
use crate::tdi;
use crate::work::Work;

/// The configuration forbids to enable RDMA.
pub(crate) struct NotAllowed;

/// An adapter's RDMA side.
pub(crate) struct Rdma {
    handle: NDIS_HANDLE,
    /// Whether `*NetworkDirect` lets it be enabled at all.
    allowed: bool,
    /// What NDIS wants; the port follows when the work is done.
    wanted: AtomicBool,
    work: Work,
    port: Port<Windows>,
    /// The legacy transport's, while the port is enabled.
    legacy: Lock<Option<tdi::Share>>,
}

impl Rdma {
    /// The RDMA side of the adapter with this handle, enabled if it is allowed. PASSIVE_LEVEL.
    ///
    /// # Errors
    ///
    /// `NDIS_STATUS_RESOURCES`.
    pub(crate) fn new(handle: NDIS_HANDLE, allowed: bool) -> Result<Self, NDIS_STATUS> {
        let segment = crate::driver::segment().ok_or(NDIS_STATUS_RESOURCES)?;
        let port = Port::new(&segment).map_err(|_| NDIS_STATUS_RESOURCES)?;
        port.set_enabled(allowed);
        let work = Work::new(handle, |adapter| {
            adapter.rdma().follow();
            adapter.readdress();
        });
        let work = work.ok_or(NDIS_STATUS_RESOURCES)?;
        let legacy =
            allowed.then(|| tdi::Share::new(&port)).transpose().map_err(|_| NDIS_STATUS_RESOURCES)?;
        let legacy = Lock::const_new(SpinLock::INIT, legacy);
        Ok(Self { handle, allowed, wanted: AtomicBool::new(allowed), work, port, legacy })
    }

    /// Makes it ready, in the place where it stays, which is in `adapter`.
    pub(crate) fn initialise(&self, adapter: NonNull<Adapter>) {
        self.work.initialise(adapter);
    }

    /// Waits until the port is as NDIS wants it. Called when NDIS wants nothing more. PASSIVE_LEVEL.
    pub(crate) fn finish(&self) {
        self.work.finish();
        self.end_legacy();
    }

    /// Ends what runs over the port of the legacy transport. PASSIVE_LEVEL.
    fn end_legacy(&self) {
        let share = self.legacy.lock().take();
        drop(share);
    }

    /// Replaces the port's addresses. PASSIVE_LEVEL.
    ///
    /// # Errors
    ///
    /// `NDIS_STATUS_RESOURCES`.
    pub(crate) fn set_addresses(&self, addresses: &[IpAddr]) -> Result<(), NDIS_STATUS> {
        self.port.set_addresses(addresses).map_err(|_| NDIS_STATUS_RESOURCES)?;
        let legacy = self.legacy.lock().as_ref().map(tdi::Share::port);
        match legacy {
            Some(port) => tdi::set_addresses(port, addresses).map_err(|_| NDIS_STATUS_RESOURCES),
            None => Ok(()),
        }
    }

    /// The port behind.
    pub(crate) const fn port(&self) -> &Port<Windows> {
        &self.port
    }

    /// What it has counted.
    pub(crate) fn statistics(&self) -> Statistics {
        self.port.statistics()
    }

    /// Opens it.
    ///
    /// # Errors
    ///
    /// `NDIS_STATUS_BAD_VERSION`, `NDIS_STATUS_ADAPTER_NOT_READY` while it is disabled,
    /// `NDIS_STATUS_RESOURCES` (VER-2).
    pub(crate) fn open(&self, version: NDK_VERSION) -> Result<NonNull<NDK_ADAPTER>, NDIS_STATUS> {
        self.port.open(version).map_err(|error| match error {
            OpenError::Version => NDIS_STATUS_BAD_VERSION,
            OpenError::NotReady => NDIS_STATUS_ADAPTER_NOT_READY,
            OpenError::NoMemory => NDIS_STATUS_RESOURCES,
        })
    }

    /// Takes note of what NDIS wants. It is done in a work item: NDIS may wait in the event that belongs
    /// to it until this very request has been answered (NDIS-2).
    ///
    /// # Errors
    ///
    /// [`NotAllowed`] if it is to be enabled and the configuration forbids it.
    pub(crate) fn set_state(&self, enabled: bool) -> Result<(), NotAllowed> {
        if enabled && !self.allowed {
            return Err(NotAllowed);
        }
        self.wanted.store(enabled, Ordering::Release);
        self.work.request();
        Ok(())
    }

    /// Makes the port as NDIS wants it. PASSIVE_LEVEL, in the work item.
    fn follow(&self) {
        let wanted = self.wanted.load(Ordering::Acquire);
        if wanted == self.port.enabled() {
            return;
        }
        // Before the event in both directions: consumers open when they hear that it is enabled, and none
        // may open any more while those that have it open are asked to close it.
        self.port.set_enabled(wanted);
        if wanted {
            // Without it the transport does not run over this adapter, until the next time.
            let share = tdi::Share::new(&self.port).ok();
            *self.legacy.lock() = share;
        } else {
            self.end_legacy();
        }
        let event = if wanted {
            NET_PNP_EVENT_CODE::NetEventNDKEnable
        } else {
            NET_PNP_EVENT_CODE::NetEventNDKDisable
        };
        let notification = notification(event);
        // SAFETY: the handle is the adapter's, which is not halted before the work is at rest. When
        // disabling, the call returns after the last consumer has closed.
        let _outcome_is_for_the_log_of_ndis =
            unsafe { ndis::NdisMNetPnPEvent(self.handle, &raw const notification) };
    }
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
