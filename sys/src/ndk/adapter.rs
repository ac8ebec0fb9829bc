//! The adapter and its logical address mappings.

use super::{
    NDK_ADAPTER_INFO, NDK_CONNECTOR, NDK_CQ, NDK_FN_CONNECT_EVENT_CALLBACK, NDK_FN_CQ_NOTIFICATION_CALLBACK,
    NDK_FN_CREATE_COMPLETION, NDK_FN_QUERY_EXTENSION_INTERFACE, NDK_FN_REQUEST_COMPLETION, NDK_LISTENER,
    NDK_OBJECT_HEADER, NDK_PD, NDK_SHARED_ENDPOINT,
};
use crate::sockaddr::SOCKADDR;
use crate::status::NTSTATUS;
use crate::wdm::{GROUP_AFFINITY, MDL, PHYSICAL_ADDRESS, PVOID, SIZE_T, ULONG};

layout! {
    /// An open RDMA adapter: the root of all other objects.
    struct NDK_ADAPTER: 0x30 {
        /// The common head.
        0x00 => Header: NDK_OBJECT_HEADER,
        /// The object's functions; set once, then possibly swapped by the NDK layer.
        0x28 => Dispatch: *const NDK_ADAPTER_DISPATCH,
    }

    /// The adapter's functions; it alone has no close, that goes through NDIS.
    struct NDK_ADAPTER_DISPATCH: 0x48 {
        /// Asks for an interface beyond this one.
        0x00 => NdkQueryExtension: Option<NDK_FN_QUERY_EXTENSION_INTERFACE>,
        /// Reads properties and limits. PASSIVE_LEVEL.
        0x08 => NdkQueryAdapterInfo: Option<NDK_FN_QUERY_ADAPTER_INFO>,
        /// Creates a completion queue.
        0x10 => NdkCreateCq: Option<NDK_FN_CREATE_CQ>,
        /// Creates a protection domain.
        0x18 => NdkCreatePd: Option<NDK_FN_CREATE_PD>,
        /// Creates a shared endpoint.
        0x20 => NdkCreateSharedEndpoint: Option<NDK_FN_CREATE_SHARED_ENDPOINT>,
        /// Creates a connector.
        0x28 => NdkCreateConnector: Option<NDK_FN_CREATE_CONNECTOR>,
        /// Creates a listener.
        0x30 => NdkCreateListener: Option<NDK_FN_CREATE_LISTENER>,
        /// Builds a logical address mapping.
        0x38 => NdkBuildLAM: Option<NDK_FN_BUILD_LAM>,
        /// Releases a logical address mapping.
        0x40 => NdkReleaseLAM: Option<NDK_FN_RELEASE_LAM>,
    }

    /// A logical address mapping: what the adapter calls the pages of a buffer.
    struct NDK_LOGICAL_ADDRESS_MAPPING: 0x18 {
        /// The provider's own context.
        0x00 => AdapterContext: PVOID,
        /// The number of pages that follow.
        0x08 => AdapterPageCount: ULONG,
        /// The first of `AdapterPageCount` logical page addresses.
        0x10 => AdapterPageArray: [NDK_LOGICAL_ADDRESS; 1],
    }
}

/// An address as the adapter knows it. A provider chooses this space; see
/// [`NDK_FN_BUILD_LAM`].
pub type NDK_LOGICAL_ADDRESS = PHYSICAL_ADDRESS;

/// Reads the adapter's properties and limits. PASSIVE_LEVEL; blocks until it is done (`ndkpi.h`, and
/// <https://learn.microsoft.com/windows-hardware/drivers/ddi/ndkpi/nc-ndkpi-ndk_fn_query_adapter_info>).
///
/// The information is optional: with a buffer that is null or too small, the size that is needed is stored.
/// `*pBufferSize` is in bytes, of the buffer before the call, of what was written or is needed after it.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_BUFFER_TOO_SMALL`; others are possible.
pub type NDK_FN_QUERY_ADAPTER_INFO = unsafe extern "efiapi" fn(
    pNdkAdapter: *mut NDK_ADAPTER,
    pInfo: *mut NDK_ADAPTER_INFO,
    pBufferSize: *mut ULONG,
) -> NTSTATUS;

/// Builds a logical address mapping for the pages of an MDL chain.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_INVALID_PARAMETER`,
/// `STATUS_INSUFFICIENT_RESOURCES`, `STATUS_BUFFER_TOO_SMALL`; others are possible.
pub type NDK_FN_BUILD_LAM = unsafe extern "efiapi" fn(
    pNdkAdapter: *mut NDK_ADAPTER,
    Mdl: *mut MDL,
    Length: SIZE_T,
    RequestCompletion: Option<NDK_FN_REQUEST_COMPLETION>,
    RequestContext: PVOID,
    pNdkLAM: *mut NDK_LOGICAL_ADDRESS_MAPPING,
    pLAMSize: *mut ULONG,
    pFBO: *mut ULONG,
) -> NTSTATUS;

/// Releases a logical address mapping.
pub type NDK_FN_RELEASE_LAM =
    unsafe extern "efiapi" fn(pNdkAdapter: *mut NDK_ADAPTER, pNdkLAM: *mut NDK_LOGICAL_ADDRESS_MAPPING);

/// Creates a completion queue; the affinity is a hint and may be null.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_INVALID_PARAMETER`,
/// `STATUS_INSUFFICIENT_RESOURCES`; others are possible.
pub type NDK_FN_CREATE_CQ = unsafe extern "efiapi" fn(
    pNdkAdapter: *mut NDK_ADAPTER,
    CqDepth: ULONG,
    CqNotification: Option<NDK_FN_CQ_NOTIFICATION_CALLBACK>,
    CqNotificationContext: PVOID,
    Affinity: *mut GROUP_AFFINITY,
    CreateCompletion: Option<NDK_FN_CREATE_COMPLETION>,
    RequestContext: PVOID,
    ppNdkCq: *mut *mut NDK_CQ,
) -> NTSTATUS;

/// Creates a protection domain.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_INSUFFICIENT_RESOURCES`; others are
/// possible.
pub type NDK_FN_CREATE_PD = unsafe extern "efiapi" fn(
    pNdkAdapter: *mut NDK_ADAPTER,
    CreateCompletion: Option<NDK_FN_CREATE_COMPLETION>,
    RequestContext: PVOID,
    ppNdkPd: *mut *mut NDK_PD,
) -> NTSTATUS;

/// Creates a shared endpoint: a local address for several outgoing connections.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_INSUFFICIENT_RESOURCES`,
/// `STATUS_SHARING_VIOLATION`, `STATUS_TOO_MANY_ADDRESSES`, `STATUS_INVALID_ADDRESS`; others are possible.
pub type NDK_FN_CREATE_SHARED_ENDPOINT = unsafe extern "efiapi" fn(
    pNdkAdapter: *mut NDK_ADAPTER,
    pAddress: *const SOCKADDR,
    AddressLength: ULONG,
    CreateCompletion: Option<NDK_FN_CREATE_COMPLETION>,
    RequestContext: PVOID,
    ppNdkSharedEndpoint: *mut *mut NDK_SHARED_ENDPOINT,
) -> NTSTATUS;

/// Creates a connector.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_INSUFFICIENT_RESOURCES`; others are
/// possible.
pub type NDK_FN_CREATE_CONNECTOR = unsafe extern "efiapi" fn(
    pNdkAdapter: *mut NDK_ADAPTER,
    CreateCompletion: Option<NDK_FN_CREATE_COMPLETION>,
    RequestContext: PVOID,
    ppNdkConnector: *mut *mut NDK_CONNECTOR,
) -> NTSTATUS;

/// Creates a listener.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_INSUFFICIENT_RESOURCES`; others are
/// possible.
pub type NDK_FN_CREATE_LISTENER = unsafe extern "efiapi" fn(
    pNdkAdapter: *mut NDK_ADAPTER,
    ConnectEvent: Option<NDK_FN_CONNECT_EVENT_CALLBACK>,
    ConnectEventContext: PVOID,
    CreateCompletion: Option<NDK_FN_CREATE_COMPLETION>,
    RequestContext: PVOID,
    ppNdkListener: *mut *mut NDK_LISTENER,
) -> NTSTATUS;
