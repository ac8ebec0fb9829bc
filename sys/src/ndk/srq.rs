//! The shared receive queue.

use super::{
    NDK_FN_CLOSE_OBJECT, NDK_FN_QUERY_EXTENSION_INTERFACE, NDK_FN_REQUEST_COMPLETION, NDK_OBJECT_HEADER,
    NDK_SGE,
};
use crate::status::NTSTATUS;
use crate::wdm::{PVOID, ULONG};

layout! {
    /// A shared receive queue.
    struct NDK_SRQ: 0x30 {
        /// The common head.
        0x00 => Header: NDK_OBJECT_HEADER,
        /// The object's functions; set once, then possibly swapped by the NDK layer.
        0x28 => Dispatch: *const NDK_SRQ_DISPATCH,
    }

    /// The shared receive queue's functions.
    struct NDK_SRQ_DISPATCH: 0x20 {
        /// Closes the object.
        0x00 => NdkCloseSrq: Option<NDK_FN_CLOSE_OBJECT>,
        /// Asks for an interface beyond this one.
        0x08 => NdkQueryExtension: Option<NDK_FN_QUERY_EXTENSION_INTERFACE>,
        /// Changes depth or threshold.
        0x10 => NdkModifySrq: Option<NDK_FN_MODIFY_SRQ>,
        /// Posts a receive buffer.
        0x18 => NdkSrqReceive: Option<NDK_FN_SRQ_RECEIVE>,
    }
}

/// The consumer's: a shared receive queue has run low, or has failed.
pub type NDK_FN_SRQ_NOTIFICATION_CALLBACK =
    unsafe extern "efiapi" fn(SrqNotificationContext: PVOID, SrqStatus: NTSTATUS);

/// Changes a shared receive queue's depth or threshold; zero keeps what it is.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_INVALID_PARAMETER`; others are
/// possible.
pub type NDK_FN_MODIFY_SRQ = unsafe extern "efiapi" fn(
    pNdkSrq: *mut NDK_SRQ,
    SrqDepth: ULONG,
    NotifyThreshold: ULONG,
    RequestCompletion: Option<NDK_FN_REQUEST_COMPLETION>,
    RequestContext: PVOID,
) -> NTSTATUS;

/// Posts a buffer for one incoming message to a shared receive queue.
///
/// Documented statuses: `STATUS_SUCCESS`; others are possible.
pub type NDK_FN_SRQ_RECEIVE = unsafe extern "efiapi" fn(
    pNdkSrq: *mut NDK_SRQ,
    RequestContext: PVOID,
    pSgl: *const NDK_SGE,
    nSge: ULONG,
) -> NTSTATUS;
