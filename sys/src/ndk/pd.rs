//! The protection domain.

use super::{
    NDK_CQ, NDK_FN_CLOSE_OBJECT, NDK_FN_CREATE_COMPLETION, NDK_FN_QUERY_EXTENSION_INTERFACE,
    NDK_FN_SRQ_NOTIFICATION_CALLBACK, NDK_MR, NDK_MW, NDK_OBJECT_HEADER, NDK_QP, NDK_SRQ,
};
use crate::status::NTSTATUS;
use crate::wdm::{BOOLEAN, GROUP_AFFINITY, PVOID, UINT32, ULONG};

layout! {
    /// A protection domain: memory and queue pairs that may be used together.
    struct NDK_PD: 0x30 {
        /// The common head.
        0x00 => Header: NDK_OBJECT_HEADER,
        /// The object's functions; set once, then possibly swapped by the NDK layer.
        0x28 => Dispatch: *const NDK_PD_DISPATCH,
    }

    /// The protection domain's functions.
    struct NDK_PD_DISPATCH: 0x40 {
        /// Closes the object.
        0x00 => NdkClosePd: Option<NDK_FN_CLOSE_OBJECT>,
        /// Asks for an interface beyond this one.
        0x08 => NdkQueryExtension: Option<NDK_FN_QUERY_EXTENSION_INTERFACE>,
        /// Creates a memory region.
        0x10 => NdkCreateMr: Option<NDK_FN_CREATE_MR>,
        /// Creates a memory window.
        0x18 => NdkCreateMw: Option<NDK_FN_CREATE_MW>,
        /// Creates a shared receive queue.
        0x20 => NdkCreateSrq: Option<NDK_FN_CREATE_SRQ>,
        /// Creates a queue pair.
        0x28 => NdkCreateQp: Option<NDK_FN_CREATE_QP>,
        /// Creates a queue pair over a shared receive queue.
        0x30 => NdkCreateQpWithSrq: Option<NDK_FN_CREATE_QP_WITH_SRQ>,
        /// Reads the privileged token.
        0x38 => NdkGetPrivilegedMemoryRegionToken: Option<NDK_FN_GET_PRIVILEGED_MEMORY_REGION_TOKEN>,
    }
}

/// Creates a memory region, for fast registration or for `NdkRegisterMr`.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_INSUFFICIENT_RESOURCES`; others are
/// possible.
pub type NDK_FN_CREATE_MR = unsafe extern "efiapi" fn(
    pNdkPd: *mut NDK_PD,
    FastRegister: BOOLEAN,
    CreateCompletion: Option<NDK_FN_CREATE_COMPLETION>,
    RequestContext: PVOID,
    ppNdkMr: *mut *mut NDK_MR,
) -> NTSTATUS;

/// Creates a memory window.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_INSUFFICIENT_RESOURCES`; others are
/// possible.
pub type NDK_FN_CREATE_MW = unsafe extern "efiapi" fn(
    pNdkPd: *mut NDK_PD,
    CreateCompletion: Option<NDK_FN_CREATE_COMPLETION>,
    RequestContext: PVOID,
    ppNdkMw: *mut *mut NDK_MW,
) -> NTSTATUS;

/// Creates a shared receive queue; its notification fires below the threshold.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_INVALID_PARAMETER`,
/// `STATUS_INSUFFICIENT_RESOURCES`; others are possible.
pub type NDK_FN_CREATE_SRQ = unsafe extern "efiapi" fn(
    pNdkPd: *mut NDK_PD,
    SrqDepth: ULONG,
    MaxReceiveRequestSge: ULONG,
    NotifyThreshold: ULONG,
    SrqNotification: Option<NDK_FN_SRQ_NOTIFICATION_CALLBACK>,
    SrqNotificationContext: PVOID,
    Affinity: *mut GROUP_AFFINITY,
    CreateCompletion: Option<NDK_FN_CREATE_COMPLETION>,
    RequestContext: PVOID,
    ppNdkSrq: *mut *mut NDK_SRQ,
) -> NTSTATUS;

/// Creates a queue pair with a receive queue of its own.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_INVALID_PARAMETER`,
/// `STATUS_INSUFFICIENT_RESOURCES`; others are possible.
pub type NDK_FN_CREATE_QP = unsafe extern "efiapi" fn(
    pNdkPd: *mut NDK_PD,
    pReceiveCq: *mut NDK_CQ,
    pInitiatorCq: *mut NDK_CQ,
    QPContext: PVOID,
    ReceiveQueueDepth: ULONG,
    InitiatorQueueDepth: ULONG,
    MaxReceiveRequestSge: ULONG,
    MaxInitiatorRequestSge: ULONG,
    InlineDataSize: ULONG,
    CreateCompletion: Option<NDK_FN_CREATE_COMPLETION>,
    RequestContext: PVOID,
    ppNdkQp: *mut *mut NDK_QP,
) -> NTSTATUS;

/// Creates a queue pair that receives from a shared receive queue.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_INVALID_PARAMETER`,
/// `STATUS_INSUFFICIENT_RESOURCES`; others are possible.
pub type NDK_FN_CREATE_QP_WITH_SRQ = unsafe extern "efiapi" fn(
    pNdkPd: *mut NDK_PD,
    pReceiveCq: *mut NDK_CQ,
    pInitiatorCq: *mut NDK_CQ,
    pSrq: *mut NDK_SRQ,
    QPContext: PVOID,
    InitiatorQueueDepth: ULONG,
    MaxInitiatorRequestSge: ULONG,
    InlineDataSize: ULONG,
    CreateCompletion: Option<NDK_FN_CREATE_COMPLETION>,
    RequestContext: PVOID,
    ppNdkQp: *mut *mut NDK_QP,
) -> NTSTATUS;

/// Reads the token that admits logical addresses without any registration, locally only.
pub type NDK_FN_GET_PRIVILEGED_MEMORY_REGION_TOKEN =
    unsafe extern "efiapi" fn(pNdkPd: *mut NDK_PD, pToken: *mut UINT32);
