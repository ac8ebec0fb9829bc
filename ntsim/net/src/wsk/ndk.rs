//! The RDMA side of an adapter, as a client opens and closes it.

use ntsim_core::exports;
use sys::ndk::{NDK_ADAPTER, NDK_VERSION};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS, STATUS_UNSUCCESSFUL};
use sys::wsk::{WSK_CLIENT, WSK_PROVIDER_NDK_DISPATCH};

use super::client::Client;
use crate::ndis;

/// The dispatch table that the client control code for RDMA yields.
pub(super) const DISPATCH: WSK_PROVIDER_NDK_DISPATCH = WSK_PROVIDER_NDK_DISPATCH {
    WskOpenNdkAdapter: Some(WskOpenNdkAdapter),
    WskCloseNdkAdapter: Some(WskCloseNdkAdapter),
};

exports! {
    "(WSK)";

    /// Opens the RDMA adapter of the interface with an index.
    #[irql(PASSIVE..=PASSIVE)]
    fn WskOpenNdkAdapter(
        client: *mut WSK_CLIENT,
        version: NDK_VERSION,
        index: u32,
        out: *mut *mut NDK_ADAPTER,
    ) -> NTSTATUS {
        let Some(client) = Client::calling(client, "WskOpenNdkAdapter") else {
            return STATUS_INVALID_PARAMETER;
        };
        let opened = match ndis::open_ndk_adapter(index, version) {
            Ok(opened) => opened,
            Err(status) => return status,
        };
        let Some(adapter) = ndk::open_adapter(version, opened) else { return STATUS_UNSUCCESSFUL };
        client.count_adapter(true);
        // SAFETY: the client passes room for the pointer.
        unsafe { out.write(adapter) };
        STATUS_SUCCESS
    }

    /// Closes an RDMA adapter; returns when nothing of it is left.
    #[irql(PASSIVE..=PASSIVE)]
    fn WskCloseNdkAdapter(client: *mut WSK_CLIENT, adapter: *mut NDK_ADAPTER) {
        let client = Client::calling(client, "WskCloseNdkAdapter");
        ndk::close_adapter(adapter);
        if let Some(client) = client {
            client.count_adapter(false);
        }
    }
}
