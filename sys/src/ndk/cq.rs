//! The completion queue and its results.
//!
//! `NDK_CQ_NOTIFY_…` are documented by name only; their values come from an excerpt of a header copy.
//! `NDK_OPERATION_TYPE::NdkOperationTypeReceiveAndInvalidate` is 0x8001; one symbol dump prints it
//! sign-extended from 16 bits. `NDK_RESULT_EX::ProviderErrorCode` is documented for 2.1 and fills what
//! every published symbol file shows as padding at 0x1C.

use super::{
    NDK_FN_CLOSE_OBJECT, NDK_FN_QUERY_EXTENSION_INTERFACE, NDK_FN_REQUEST_COMPLETION, NDK_OBJECT_HEADER,
};
use crate::status::NTSTATUS;
use crate::wdm::{PVOID, ULONG, ULONG_PTR};

layout! {
    /// A completion queue.
    struct NDK_CQ: 0x30 {
        /// The common head.
        0x00 => Header: NDK_OBJECT_HEADER,
        /// The object's functions; set once, then possibly swapped by the NDK layer.
        0x28 => Dispatch: *const NDK_CQ_DISPATCH,
    }

    /// The completion queue's functions.
    struct NDK_CQ_DISPATCH: 0x38 {
        /// Closes the object.
        0x00 => NdkCloseCq: Option<NDK_FN_CLOSE_OBJECT>,
        /// Asks for an interface beyond this one.
        0x08 => NdkQueryExtension: Option<NDK_FN_QUERY_EXTENSION_INTERFACE>,
        /// Changes the depth.
        0x10 => NdkResizeCq: Option<NDK_FN_RESIZE_CQ>,
        /// Asks for one notification.
        0x18 => NdkArmCq: Option<NDK_FN_ARM_CQ>,
        /// Takes results.
        0x20 => NdkGetCqResults: Option<NDK_FN_GET_CQ_RESULTS>,
        /// Sets how notifications are held back.
        0x28 => NdkControlCqInterruptModeration: Option<NDK_FN_CONTROL_CQ_INTERRUPT_MODERATION>,
        /// Takes results with the kind of operation (1.2).
        0x30 => NdkGetCqResultsEx: Option<NDK_FN_GET_CQ_RESULTS_EX>,
    }

    /// The outcome of one request.
    struct NDK_RESULT: 0x18 {
        /// The outcome of the request.
        0x00 => Status: NTSTATUS,
        /// Bytes that were received; meaningful for receives only.
        0x04 => BytesTransferred: ULONG,
        /// The context that the queue pair was created with.
        0x08 => QPContext: PVOID,
        /// The context that the request was posted with.
        0x10 => RequestContext: PVOID,
    }

    /// The outcome of one request, with its kind (1.2).
    struct NDK_RESULT_EX: 0x28 {
        /// The outcome of the request.
        0x00 => Status: NTSTATUS,
        /// Bytes that were received; meaningful for receives only.
        0x04 => BytesTransferred: ULONG,
        /// The context that the queue pair was created with.
        0x08 => QPContext: PVOID,
        /// The context that the request was posted with.
        0x10 => RequestContext: PVOID,
        /// The kind of request.
        0x18 => Type: NDK_OPERATION_TYPE,
        /// A code that only the provider can explain (2.1); padding in every published symbol file.
        0x1C => ProviderErrorCode: ULONG,
        /// For a receive that invalidated a token: that token.
        0x20 => TypeSpecificCompletionOutput: ULONG_PTR,
    }
}

open_enum! {
    /// The kind of a completed request (1.2).
    enum NDK_OPERATION_TYPE: i32 {
        /// A receive.
        NdkOperationTypeReceive = 1,
        /// A receive whose message invalidated a token.
        NdkOperationTypeReceiveAndInvalidate = 0x8001,
        /// A send.
        NdkOperationTypeSend = 2,
        /// A fast registration.
        NdkOperationTypeFastRegister = 4,
        /// A bind of a memory window.
        NdkOperationTypeBind = 8,
        /// An invalidation.
        NdkOperationTypeInvalidate = 16,
        /// An RDMA Read.
        NdkOperationTypeRead = 32,
        /// An RDMA Write.
        NdkOperationTypeWrite = 64,
    }
}

constants! { ULONG:
    /// Notify on failed requests.
    NDK_CQ_NOTIFY_ERRORS = 0x0;
    /// Notify on every result.
    NDK_CQ_NOTIFY_ANY = 0x1;
    /// Notify on receives that the peer solicited, and on failed requests.
    NDK_CQ_NOTIFY_SOLICITED = 0x2;
}

/// The consumer's: an armed completion queue has results, or has failed.
pub type NDK_FN_CQ_NOTIFICATION_CALLBACK =
    unsafe extern "efiapi" fn(CqNotificationContext: PVOID, CqStatus: NTSTATUS);

/// Changes a completion queue's depth.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_INVALID_PARAMETER`,
/// `STATUS_INSUFFICIENT_RESOURCES`; others are possible.
pub type NDK_FN_RESIZE_CQ = unsafe extern "efiapi" fn(
    pNdkCq: *mut NDK_CQ,
    CqDepth: ULONG,
    RequestCompletion: Option<NDK_FN_REQUEST_COMPLETION>,
    RequestContext: PVOID,
) -> NTSTATUS;

/// Asks for one notification, of the `NDK_CQ_NOTIFY_…` kind, when the next result arrives.
pub type NDK_FN_ARM_CQ = unsafe extern "efiapi" fn(pNdkCq: *mut NDK_CQ, Type: ULONG);

/// Takes up to `nResults` results and says how many there were.
pub type NDK_FN_GET_CQ_RESULTS =
    unsafe extern "efiapi" fn(pNdkCq: *mut NDK_CQ, Results: *mut NDK_RESULT, nResults: ULONG) -> ULONG;

/// As [`NDK_FN_GET_CQ_RESULTS`], with the kind of each operation (1.2).
pub type NDK_FN_GET_CQ_RESULTS_EX =
    unsafe extern "efiapi" fn(pNdkCq: *mut NDK_CQ, Results: *mut NDK_RESULT_EX, nResults: ULONG) -> ULONG;

/// Sets how long (microseconds) or for how many results a notification may be held back.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_INSUFFICIENT_RESOURCES`, `STATUS_NOT_SUPPORTED`,
/// `STATUS_INVALID_PARAMETER_MIX`; others are possible.
pub type NDK_FN_CONTROL_CQ_INTERRUPT_MODERATION = unsafe extern "efiapi" fn(
    pNdkCq: *mut NDK_CQ,
    ModerationInterval: ULONG,
    ModerationCount: ULONG,
) -> NTSTATUS;
