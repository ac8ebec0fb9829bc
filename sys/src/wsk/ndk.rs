//! The opening of an RDMA adapter by a WSK client.
//!
//! Order: the parsed `wskndkp.h` of Microsoft's NDKCI sample; offsets computed. The control code's name comes
//! from a header excerpt, its value is the multi-character constant `'NDKD'`.

use super::WSK_CLIENT;
use crate::ndk::{NDK_ADAPTER, NDK_VERSION};
use crate::netioapi::NET_IFINDEX;
use crate::status::NTSTATUS;
use crate::wdm::ULONG;

constants! { ULONG:
    /// Client control: fetches [`WSK_PROVIDER_NDK_DISPATCH`]. No input, no request, completes inline.
    WSKNDK_GET_WSK_PROVIDER_NDK_DISPATCH = u32::from_be_bytes(*b"NDKD");
}

layout! {
    /// The provider's functions for RDMA adapters.
    struct WSK_PROVIDER_NDK_DISPATCH: 0x10 {
        /// Opens an adapter.
        0x0 => WskOpenNdkAdapter: Option<PFN_WSK_NDK_OPEN_ADAPTER>,
        /// Closes an adapter.
        0x8 => WskCloseNdkAdapter: Option<PFN_WSK_NDK_CLOSE_ADAPTER>,
    }
}

/// Opens the RDMA adapter of an interface. PASSIVE_LEVEL.
pub type PFN_WSK_NDK_OPEN_ADAPTER = unsafe extern "efiapi" fn(
    Client: *mut WSK_CLIENT,
    NdkVersion: NDK_VERSION,
    IfIndex: NET_IFINDEX,
    ppNdkAdapter: *mut *mut NDK_ADAPTER,
) -> NTSTATUS;

/// Closes an RDMA adapter; returns when every callback on it has returned. PASSIVE_LEVEL.
pub type PFN_WSK_NDK_CLOSE_ADAPTER =
    unsafe extern "efiapi" fn(Client: *mut WSK_CLIENT, pNdkAdapter: *mut NDK_ADAPTER);
