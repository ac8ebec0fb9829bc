//! Notifications from a miniport to NDIS: status indications, and events for the RDMA consumers above it.

use core::time::Duration;

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::sched;
use parking_lot::Mutex;
use sys::ndis::*;
use sys::status::{
    NDIS_STATUS, NDIS_STATUS_INVALID_PARAMETER, NDIS_STATUS_NOT_SUPPORTED, NDIS_STATUS_SUCCESS,
};

use super::adapter::{self, Adapter, State};
use super::header::{self, Expected};
use super::{oid, violation};

const STATUS: Expected = Expected {
    name: "NDIS_STATUS_INDICATION",
    kind: NDIS_OBJECT_TYPE_STATUS_INDICATION,
    revisions: &[(1, NDIS_SIZEOF_STATUS_INDICATION_REVISION_1)],
};

const EVENT: Expected = Expected {
    name: "NET_PNP_EVENT_NOTIFICATION",
    kind: NDIS_OBJECT_TYPE_DEFAULT,
    revisions: &[
        (1, NDIS_SIZEOF_NET_PNP_EVENT_NOTIFICATION_REVISION_1),
        (2, NDIS_SIZEOF_NET_PNP_EVENT_NOTIFICATION_REVISION_2),
    ],
};

/// The time that a driver has, after its halt handler was called, for the call of an event that it has decided on.
const DECIDED: Duration = Duration::from_millis(if cfg!(test) { 100 } else { 1000 });

/// The interval at which the wait for the last RDMA adapter looks again.
const LOOK: Duration = Duration::from_millis(1);

/// The statuses that adapters indicated, kept until they are taken.
#[derive(Default)]
pub(super) struct Indicated {
    statuses: Mutex<Vec<NDIS_STATUS>>,
}

impl Adapter {
    /// The statuses that the driver has indicated since it was asked last.
    pub fn take_indicated_statuses(&self) -> Vec<NDIS_STATUS> {
        core::mem::take(&mut *self.protocol.indicated.statuses.lock())
    }

    /// Disables RDMA: consumers hear of it and close; returns when the last RDMA adapter is closed, or when
    /// that takes longer than `limit`.
    pub(super) fn disable_ndk(&self, limit: Option<Duration>) {
        self.set_ndk(false);
        let start = sched::elapsed();
        while self.open_ndk_adapters() > 0
            && limit.is_none_or(|limit| sched::elapsed().saturating_sub(start) < limit)
        {
            sched::block(Some(LOOK));
        }
    }

    fn halts_for_longer_than(&self, limit: Duration) -> bool {
        let since = self.state.lock().halting_since;
        since.is_some_and(|since| sched::elapsed().saturating_sub(since) > limit)
    }

    fn set_ndk(&self, enabled: bool) {
        if let Some(ndk) = &mut self.state.lock().ndk {
            ndk.enabled = enabled;
        }
    }
}

exports! {
    "ndis.sys", signature;

    /// Indicates a status.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisMIndicateStatusEx(handle: NDIS_HANDLE, indication: *const NDIS_STATUS_INDICATION) {
        let Some(adapter) = adapter::of(handle, "NdisMIndicateStatusEx") else { return };
        // SAFETY: the driver passes an indication, which begins with its head.
        if !unsafe { header::check(indication.cast(), &STATUS) } {
            return;
        }
        // SAFETY: the head says that the structure has this size.
        let indication = unsafe { &*indication };
        if indication.StatusBufferSize > 0 && indication.StatusBuffer.is_null()
            || adapter.state() == State::Halting
        {
            let text = format!("status {:#010X} without its buffer, or while halting", indication.StatusCode);
            violation("NdisMIndicateStatusEx", [0x20, indication.StatusCode as u64, Va::of(handle).bits(), 0], text);
        }
        adapter.protocol.indicated.statuses.lock().push(indication.StatusCode);
    }

    /// Raises an event.
    #[irql(PASSIVE..=PASSIVE)]
    fn NdisMNetPnPEvent(handle: NDIS_HANDLE, event: *const NET_PNP_EVENT_NOTIFICATION) -> NDIS_STATUS {
        let Some(adapter) = adapter::of(handle, "NdisMNetPnPEvent") else {
            return NDIS_STATUS_INVALID_PARAMETER;
        };
        if oid::inside_handler() {
            let text = "NdisMNetPnPEvent called from inside an OID request".into();
            violation("NdisMNetPnPEventInOIDRequest", [0x22, Va::of(handle).bits(), Va::of(event).bits(), 0], text);
        }
        if adapter.halts_for_longer_than(DECIDED) {
            let text = format!("an event of adapter {} begins while it is halted", adapter.index());
            violation("NdisMNetPnPEventAtHalt", [0x22, Va::of(handle).bits(), Va::of(event).bits(), 0], text);
        }
        // SAFETY: the driver passes an event, which begins with its head.
        if !unsafe { header::check(event.cast(), &EVENT) } {
            return NDIS_STATUS_INVALID_PARAMETER;
        }
        // SAFETY: the head says that there is all of it but for padding.
        match unsafe { (*event).NetPnPEvent.NetEvent } {
            NET_PNP_EVENT_CODE::NetEventNDKEnable => adapter.set_ndk(true),
            NET_PNP_EVENT_CODE::NetEventNDKDisable => adapter.disable_ndk(None),
            _ => return NDIS_STATUS_NOT_SUPPORTED,
        }
        NDIS_STATUS_SUCCESS
    }
}
