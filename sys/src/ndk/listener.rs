//! The listener.

use super::{
    NDK_CONNECTOR, NDK_FN_CLOSE_OBJECT, NDK_FN_QUERY_EXTENSION_INTERFACE, NDK_FN_REQUEST_COMPLETION,
    NDK_OBJECT_HEADER,
};
use crate::sockaddr::SOCKADDR;
use crate::status::NTSTATUS;
use crate::wdm::{BOOLEAN, PVOID, ULONG};

layout! {
    /// A listener: offers a connector for each peer that connects to its address.
    struct NDK_LISTENER: 0x30 {
        /// The common head.
        0x00 => Header: NDK_OBJECT_HEADER,
        /// The object's functions; set once, then possibly swapped by the NDK layer.
        0x28 => Dispatch: *const NDK_LISTENER_DISPATCH,
    }

    /// The listener's functions.
    struct NDK_LISTENER_DISPATCH: 0x28 {
        /// Closes the object.
        0x00 => NdkCloseListener: Option<NDK_FN_CLOSE_OBJECT>,
        /// Asks for an interface beyond this one.
        0x08 => NdkQueryExtension: Option<NDK_FN_QUERY_EXTENSION_INTERFACE>,
        /// Begins to listen.
        0x10 => NdkListen: Option<NDK_FN_LISTEN>,
        /// Reads the local address.
        0x18 => NdkGetLocalAddress: Option<NDK_FN_GET_LISTENER_LOCAL_ADDRESS>,
        /// Pauses or resumes connect events.
        0x20 => NdkControlConnectEvents: Option<NDK_FN_CONTROL_CONNECT_EVENTS>,
    }
}

/// The consumer's: a peer asks to connect; the connector now belongs to the consumer.
pub type NDK_FN_CONNECT_EVENT_CALLBACK =
    unsafe extern "efiapi" fn(ConnectEventContext: PVOID, pNdkConnector: *mut NDK_CONNECTOR);

/// Begins to listen on an address; port 0 picks one.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_INSUFFICIENT_RESOURCES`,
/// `STATUS_SHARING_VIOLATION`, `STATUS_INVALID_ADDRESS`, `STATUS_TOO_MANY_ADDRESSES`; others are possible.
pub type NDK_FN_LISTEN = unsafe extern "efiapi" fn(
    pNdkListener: *mut NDK_LISTENER,
    pAddress: *const SOCKADDR,
    AddressLength: ULONG,
    RequestCompletion: Option<NDK_FN_REQUEST_COMPLETION>,
    RequestContext: PVOID,
) -> NTSTATUS;

/// Reads the address that the listener listens on.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_BUFFER_TOO_SMALL`; others are possible.
pub type NDK_FN_GET_LISTENER_LOCAL_ADDRESS = unsafe extern "efiapi" fn(
    pNdkListener: *mut NDK_LISTENER,
    pAddress: *mut SOCKADDR,
    pAddressLength: *mut ULONG,
) -> NTSTATUS;

/// Pauses or resumes connect events; to peers, a paused listener looks as though there were none.
pub type NDK_FN_CONTROL_CONNECT_EVENTS =
    unsafe extern "efiapi" fn(pNdkListener: *mut NDK_LISTENER, Pause: BOOLEAN);
