//! The shared endpoint.

use super::{NDK_FN_CLOSE_OBJECT, NDK_FN_QUERY_EXTENSION_INTERFACE, NDK_OBJECT_HEADER};
use crate::sockaddr::SOCKADDR;
use crate::status::NTSTATUS;
use crate::wdm::ULONG;

layout! {
    /// A local address that several outgoing connections share.
    struct NDK_SHARED_ENDPOINT: 0x30 {
        /// The common head.
        0x00 => Header: NDK_OBJECT_HEADER,
        /// The object's functions; set once, then possibly swapped by the NDK layer.
        0x28 => Dispatch: *const NDK_SHARED_ENDPOINT_DISPATCH,
    }

    /// The shared endpoint's functions.
    struct NDK_SHARED_ENDPOINT_DISPATCH: 0x18 {
        /// Closes the object.
        0x00 => NdkCloseSharedEndpoint: Option<NDK_FN_CLOSE_OBJECT>,
        /// Asks for an interface beyond this one.
        0x08 => NdkQueryExtension: Option<NDK_FN_QUERY_EXTENSION_INTERFACE>,
        /// Reads the local address.
        0x10 => NdkGetLocalAddress: Option<NDK_FN_GET_SHARED_ENDPOINT_LOCAL_ADDRESS>,
    }
}

/// Reads the address of a shared endpoint.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_BUFFER_TOO_SMALL`; others are possible.
pub type NDK_FN_GET_SHARED_ENDPOINT_LOCAL_ADDRESS = unsafe extern "efiapi" fn(
    pNdkSharedEndpoint: *mut NDK_SHARED_ENDPOINT,
    pAddress: *mut SOCKADDR,
    pAddressLength: *mut ULONG,
) -> NTSTATUS;
