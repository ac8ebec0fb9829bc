//! Opening and closing the RDMA side of an adapter, for the layer above.

use core::ptr;
use core::sync::atomic::Ordering;

use ndk::Opened;
use nt::io::StatusError;
use ntsim_core::boundary;
use ntsim_core::sched;
use sys::ndis::NDIS_OPEN_NDK_ADAPTER_PARAMETERS;
use sys::ndk::{NDK_ADAPTER, NDK_VERSION};
use sys::status::{
    NDIS_STATUS_ADAPTER_NOT_READY, NDIS_STATUS_SUCCESS, NTSTATUS, STATUS_INTERNAL_ERROR, STATUS_NOT_FOUND,
    STATUS_NOT_SUPPORTED, STATUS_UNSUCCESSFUL,
};

use super::adapter::{self, Adapter, State};
use super::violation;

impl Adapter {
    /// Opens its RDMA adapter for a consumer that is the test itself, which closes it by
    /// [`close_adapter`](ndk::close_adapter). PASSIVE_LEVEL.
    ///
    /// # Errors
    /// As WskOpenNdkAdapter.
    pub fn open_ndk(&self, version: NDK_VERSION) -> Result<*mut NDK_ADAPTER, StatusError> {
        let _attached = sched::current().is_none().then(|| sched::attach("consumer"));
        let opened = open_ndk_adapter(self.index(), version).map_err(StatusError)?;
        ndk::open_adapter(version, opened).ok_or(StatusError(STATUS_UNSUCCESSFUL))
    }
}

/// Opens the RDMA adapter of the interface with an index.
///
/// # Errors
/// STATUS_NOT_FOUND without such an interface, STATUS_NOT_SUPPORTED if its driver is no RDMA provider,
/// NDIS_STATUS_ADAPTER_NOT_READY if it does not run or RDMA is disabled on it, or the driver's status.
pub(crate) fn open_ndk_adapter(if_index: u32, version: NDK_VERSION) -> Result<Opened, NTSTATUS> {
    let adapter = adapter::with_index(if_index).ok_or(STATUS_NOT_FOUND)?;
    let handlers = adapter.driver.ndk().ok_or(STATUS_NOT_SUPPORTED)?;
    let (Some(open), Some(close)) = (handlers.OpenNDKAdapterHandler, handlers.CloseNDKAdapterHandler) else {
        return Err(STATUS_NOT_SUPPORTED);
    };
    if !matches!(adapter.state(), State::Running | State::Paused) || !adapter.is_ndk_enabled() {
        return Err(NDIS_STATUS_ADAPTER_NOT_READY);
    }
    let parameters = NDIS_OPEN_NDK_ADAPTER_PARAMETERS { Version: version, SwitchId: 0, VPortId: 0 };
    let mut opened: *mut NDK_ADAPTER = ptr::null_mut();
    let context = adapter.context();
    // Counted before the call: the driver may be told to disable RDMA meanwhile.
    adapter.ndk_open.fetch_add(1, Ordering::AcqRel);
    // SAFETY: the handler is the driver's own, with its own context; the parameters live during the call.
    let status = boundary::call_driver("OpenNDKAdapterHandler", || unsafe {
        open(context, &raw const parameters, &raw mut opened)
    });
    if status != NDIS_STATUS_SUCCESS || opened.is_null() {
        adapter.ndk_open.fetch_sub(1, Ordering::AcqRel);
        if status >= 0 {
            let text = format!("OpenNDKAdapterHandler returned {status:#010X} and the adapter {opened:p}");
            violation("OpenNDKAdapterHandler", [0, adapter.handle.bits(), 0, 0], text);
            return Err(STATUS_INTERNAL_ERROR);
        }
        return Err(status);
    }
    let close = Box::new(move |opened: *mut NDK_ADAPTER| {
        let context = adapter.context();
        // SAFETY: the handler is the driver's own, called once for what it opened.
        boundary::call_driver("CloseNDKAdapterHandler", || unsafe { close(context, opened) });
        adapter.ndk_open.fetch_sub(1, Ordering::AcqRel);
    });
    Ok(Opened { adapter: opened, close })
}
