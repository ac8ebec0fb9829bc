//! The shared endpoint's table.

#![expect(unsafe_code, reason = "consumers call these functions with addresses, and are called back")]

use sys::ndk::{NDK_SHARED_ENDPOINT, NDK_SHARED_ENDPOINT_DISPATCH};
use sys::sockaddr::PSOCKADDR;
use sys::status::NTSTATUS;
use sys::wdm::ULONG;

use super::{address, close, object, query_extension, status};
use crate::connection::SharedEndpoint;
use crate::kernel::Kernel;

/// The functions of a shared endpoint.
pub(super) fn table<K: Kernel>() -> &'static NDK_SHARED_ENDPOINT_DISPATCH {
    const {
        &NDK_SHARED_ENDPOINT_DISPATCH {
            NdkCloseSharedEndpoint: Some(close::<K, SharedEndpoint<K>>),
            NdkQueryExtension: Some(query_extension),
            NdkGetLocalAddress: Some(local_address::<K>),
        }
    }
}

/// NdkGetLocalAddress of a shared endpoint.
unsafe extern "efiapi" fn local_address<K: Kernel>(
    endpoint: *mut NDK_SHARED_ENDPOINT,
    buffer: PSOCKADDR,
    length: *mut ULONG,
) -> NTSTATUS {
    let written = || {
        // SAFETY: the consumer passes an endpoint that it has not closed.
        let endpoint = unsafe { object::<K, SharedEndpoint<K>, _>(endpoint) }?;
        let local = endpoint.address();
        // SAFETY: the consumer passes a length, and a buffer of that length.
        Ok(unsafe { address::write(local, buffer, length) })
    };
    status(written())
}
