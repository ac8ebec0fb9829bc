//! The connector.
//!
//! `NdkCompleteConnectEx` and `NdkAcceptEx` are documented for 2.1, present in a symbol dump of Windows 11
//! level (0x68 bytes) and absent up to Windows 10 21H1 (0x58 bytes). A table for a consumer
//! of an older version may be read no further than its own shape.

use super::{
    NDK_FN_CLOSE_OBJECT, NDK_FN_QUERY_EXTENSION_INTERFACE, NDK_FN_REQUEST_COMPLETION, NDK_OBJECT_HEADER,
    NDK_QP, NDK_SHARED_ENDPOINT,
};
use crate::sockaddr::SOCKADDR;
use crate::status::NTSTATUS;
use crate::wdm::{PVOID, ULONG, VOID};

layout! {
    /// One end of a connection.
    struct NDK_CONNECTOR: 0x30 {
        /// The common head.
        0x00 => Header: NDK_OBJECT_HEADER,
        /// The object's functions; set once, then possibly swapped by the NDK layer.
        0x28 => Dispatch: *const NDK_CONNECTOR_DISPATCH,
    }

    /// The connector's functions as of 2.1; see [`NDK_CONNECTOR_DISPATCH_PRE_2_1`].
    struct NDK_CONNECTOR_DISPATCH: 0x68 {
        /// Closes the object.
        0x00 => NdkCloseConnector: Option<NDK_FN_CLOSE_OBJECT>,
        /// Asks for an interface beyond this one.
        0x08 => NdkQueryExtension: Option<NDK_FN_QUERY_EXTENSION_INTERFACE>,
        /// Connects from an address of its own.
        0x10 => NdkConnect: Option<NDK_FN_CONNECT>,
        /// Connects from a shared endpoint.
        0x18 => NdkConnectWithSharedEndpoint: Option<NDK_FN_CONNECT_WITH_SHARED_ENDPOINT>,
        /// Completes an accepted connection.
        0x20 => NdkCompleteConnect: Option<NDK_FN_COMPLETE_CONNECT>,
        /// Accepts an offered connection.
        0x28 => NdkAccept: Option<NDK_FN_ACCEPT>,
        /// Rejects an offered connection.
        0x30 => NdkReject: Option<NDK_FN_REJECT>,
        /// Reads the peer's private data.
        0x38 => NdkGetConnectionData: Option<NDK_FN_GET_CONNECTION_DATA>,
        /// Reads the local address.
        0x40 => NdkGetLocalAddress: Option<NDK_FN_GET_LOCAL_ADDRESS>,
        /// Reads the peer's address.
        0x48 => NdkGetPeerAddress: Option<NDK_FN_GET_PEER_ADDRESS>,
        /// Ends the connection.
        0x50 => NdkDisconnect: Option<NDK_FN_DISCONNECT>,
        /// Completes an accepted connection, with an extended disconnect event (2.1).
        0x58 => NdkCompleteConnectEx: Option<NDK_FN_COMPLETE_CONNECT_EX>,
        /// Accepts an offered connection, with an extended disconnect event (2.1).
        0x60 => NdkAcceptEx: Option<NDK_FN_ACCEPT_EX>,
    }

    /// The connector's functions up to 2.0: the table ends with disconnect.
    struct NDK_CONNECTOR_DISPATCH_PRE_2_1: 0x58 {
        /// Closes the object.
        0x00 => NdkCloseConnector: Option<NDK_FN_CLOSE_OBJECT>,
        /// Asks for an interface beyond this one.
        0x08 => NdkQueryExtension: Option<NDK_FN_QUERY_EXTENSION_INTERFACE>,
        /// Connects from an address of its own.
        0x10 => NdkConnect: Option<NDK_FN_CONNECT>,
        /// Connects from a shared endpoint.
        0x18 => NdkConnectWithSharedEndpoint: Option<NDK_FN_CONNECT_WITH_SHARED_ENDPOINT>,
        /// Completes an accepted connection.
        0x20 => NdkCompleteConnect: Option<NDK_FN_COMPLETE_CONNECT>,
        /// Accepts an offered connection.
        0x28 => NdkAccept: Option<NDK_FN_ACCEPT>,
        /// Rejects an offered connection.
        0x30 => NdkReject: Option<NDK_FN_REJECT>,
        /// Reads the peer's private data.
        0x38 => NdkGetConnectionData: Option<NDK_FN_GET_CONNECTION_DATA>,
        /// Reads the local address.
        0x40 => NdkGetLocalAddress: Option<NDK_FN_GET_LOCAL_ADDRESS>,
        /// Reads the peer's address.
        0x48 => NdkGetPeerAddress: Option<NDK_FN_GET_PEER_ADDRESS>,
        /// Ends the connection.
        0x50 => NdkDisconnect: Option<NDK_FN_DISCONNECT>,
    }
}

/// Connects to a listening peer, from a local address of its own.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_INSUFFICIENT_RESOURCES`,
/// `STATUS_NETWORK_UNREACHABLE`, `STATUS_HOST_UNREACHABLE`, `STATUS_CONNECTION_REFUSED`,
/// `STATUS_IO_TIMEOUT`, `STATUS_SHARING_VIOLATION`, `STATUS_INVALID_ADDRESS`, `STATUS_TOO_MANY_ADDRESSES`,
/// `STATUS_ADDRESS_ALREADY_EXISTS`; others are possible.
pub type NDK_FN_CONNECT = unsafe extern "efiapi" fn(
    pNdkConnector: *mut NDK_CONNECTOR,
    pNdkQp: *mut NDK_QP,
    pSrcAddress: *const SOCKADDR,
    SrcAddressLength: ULONG,
    pDestAddress: *const SOCKADDR,
    DestAddressLength: ULONG,
    InboundReadLimit: ULONG,
    OutboundReadLimit: ULONG,
    pPrivateData: *const VOID,
    PrivateDataLength: ULONG,
    RequestCompletion: Option<NDK_FN_REQUEST_COMPLETION>,
    RequestContext: PVOID,
) -> NTSTATUS;

/// Connects to a listening peer, from a shared endpoint's address.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_INSUFFICIENT_RESOURCES`,
/// `STATUS_NETWORK_UNREACHABLE`, `STATUS_HOST_UNREACHABLE`, `STATUS_CONNECTION_REFUSED`,
/// `STATUS_IO_TIMEOUT`, `STATUS_ADDRESS_ALREADY_EXISTS`; others are possible.
pub type NDK_FN_CONNECT_WITH_SHARED_ENDPOINT = unsafe extern "efiapi" fn(
    pNdkConnector: *mut NDK_CONNECTOR,
    pNdkQp: *mut NDK_QP,
    pNdkSharedEndpoint: *mut NDK_SHARED_ENDPOINT,
    pDestAddress: *const SOCKADDR,
    DestAddressLength: ULONG,
    InboundReadLimit: ULONG,
    OutboundReadLimit: ULONG,
    pPrivateData: *const VOID,
    PrivateDataLength: ULONG,
    RequestCompletion: Option<NDK_FN_REQUEST_COMPLETION>,
    RequestContext: PVOID,
) -> NTSTATUS;

/// Completes, from the connecting side, a connection that the peer has accepted.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_CONNECTION_INVALID`,
/// `STATUS_CONNECTION_ABORTED`, `STATUS_IO_TIMEOUT`; others are possible.
pub type NDK_FN_COMPLETE_CONNECT = unsafe extern "efiapi" fn(
    pNdkConnector: *mut NDK_CONNECTOR,
    DisconnectEvent: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK>,
    DisconnectEventContext: PVOID,
    RequestCompletion: Option<NDK_FN_REQUEST_COMPLETION>,
    RequestContext: PVOID,
) -> NTSTATUS;

/// As [`NDK_FN_COMPLETE_CONNECT`], with a disconnect event that carries the provider's reason (2.1).
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_CONNECTION_INVALID`,
/// `STATUS_CONNECTION_ABORTED`, `STATUS_IO_TIMEOUT`; others are possible.
pub type NDK_FN_COMPLETE_CONNECT_EX = unsafe extern "efiapi" fn(
    pNdkConnector: *mut NDK_CONNECTOR,
    DisconnectEvent: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK_EX>,
    DisconnectEventContext: PVOID,
    RequestCompletion: Option<NDK_FN_REQUEST_COMPLETION>,
    RequestContext: PVOID,
) -> NTSTATUS;

/// Accepts the connection that a connect event offered and ties it to a queue pair.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_CONNECTION_ABORTED`,
/// `STATUS_IO_TIMEOUT`; others are possible.
pub type NDK_FN_ACCEPT = unsafe extern "efiapi" fn(
    pNdkConnector: *mut NDK_CONNECTOR,
    pNdkQp: *mut NDK_QP,
    InboundReadLimit: ULONG,
    OutboundReadLimit: ULONG,
    pPrivateData: *const VOID,
    PrivateDataLength: ULONG,
    DisconnectEvent: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK>,
    DisconnectEventContext: PVOID,
    RequestCompletion: Option<NDK_FN_REQUEST_COMPLETION>,
    RequestContext: PVOID,
) -> NTSTATUS;

/// As [`NDK_FN_ACCEPT`], with a disconnect event that carries the provider's reason (2.1).
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_CONNECTION_ABORTED`,
/// `STATUS_IO_TIMEOUT`; others are possible.
pub type NDK_FN_ACCEPT_EX = unsafe extern "efiapi" fn(
    pNdkConnector: *mut NDK_CONNECTOR,
    pNdkQp: *mut NDK_QP,
    InboundReadLimit: ULONG,
    OutboundReadLimit: ULONG,
    pPrivateData: *const VOID,
    PrivateDataLength: ULONG,
    DisconnectEvent: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK_EX>,
    DisconnectEventContext: PVOID,
    RequestCompletion: Option<NDK_FN_REQUEST_COMPLETION>,
    RequestContext: PVOID,
) -> NTSTATUS;

/// Rejects the connection that a connect event offered, or gives up an accepted one.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_CONNECTION_ABORTED`; others are possible.
pub type NDK_FN_REJECT = unsafe extern "efiapi" fn(
    pNdkConnector: *mut NDK_CONNECTOR,
    pPrivateData: *const VOID,
    PrivateDataLength: ULONG,
) -> NTSTATUS;

/// Reads the peer's private data and the effective read limits.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_BUFFER_TOO_SMALL`; others are possible.
pub type NDK_FN_GET_CONNECTION_DATA = unsafe extern "efiapi" fn(
    pNdkConnector: *mut NDK_CONNECTOR,
    pInboundReadLimit: *mut ULONG,
    pOutboundReadLimit: *mut ULONG,
    pPrivateData: PVOID,
    pPrivateDataLength: *mut ULONG,
) -> NTSTATUS;

/// Reads the local address of a connection.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_BUFFER_TOO_SMALL`; others are possible.
pub type NDK_FN_GET_LOCAL_ADDRESS = unsafe extern "efiapi" fn(
    pNdkConnector: *mut NDK_CONNECTOR,
    pAddress: *mut SOCKADDR,
    pAddressLength: *mut ULONG,
) -> NTSTATUS;

/// Reads the peer's address of a connection.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_BUFFER_TOO_SMALL`; others are possible.
pub type NDK_FN_GET_PEER_ADDRESS = unsafe extern "efiapi" fn(
    pNdkConnector: *mut NDK_CONNECTOR,
    pAddress: *mut SOCKADDR,
    pAddressLength: *mut ULONG,
) -> NTSTATUS;

/// Ends a connection; completes when the peer has answered and all data transfer is over.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_IO_TIMEOUT`; others are possible.
pub type NDK_FN_DISCONNECT = unsafe extern "efiapi" fn(
    pNdkConnector: *mut NDK_CONNECTOR,
    RequestCompletion: Option<NDK_FN_REQUEST_COMPLETION>,
    RequestContext: PVOID,
) -> NTSTATUS;

/// The consumer's: the peer has ended the connection.
pub type NDK_FN_DISCONNECT_EVENT_CALLBACK = unsafe extern "efiapi" fn(DisconnectEventContext: PVOID);

/// The consumer's: the connection has ended, for a reason that only the provider can name (2.1).
pub type NDK_FN_DISCONNECT_EVENT_CALLBACK_EX =
    unsafe extern "efiapi" fn(DisconnectEventContext: PVOID, ProviderDisconnectReason: ULONG);
