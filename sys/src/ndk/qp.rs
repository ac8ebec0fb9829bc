//! The queue pair and what can be posted to it.
//!
//! `NDK_OP_FLAG_RDMA_READ_LOCAL_INVALIDATE` is 0x100: the page of `NDK_FN_READ` prints 0x200, which is
//! `NDK_OP_FLAG_DEFER`. It and `NDK_OP_FLAG_RDMA_READ_SINK`, documented by name only, have their
//! values from an excerpt of a header copy.

use super::{
    NDK_FN_CLOSE_OBJECT, NDK_FN_QUERY_EXTENSION_INTERFACE, NDK_LOGICAL_ADDRESS, NDK_MR, NDK_MW,
    NDK_OBJECT_HEADER,
};
use crate::status::NTSTATUS;
use crate::wdm::{PVOID, SIZE_T, UINT32, UINT64, ULONG};

layout! {
    /// A queue pair: an initiator queue and a receive queue.
    struct NDK_QP: 0x30 {
        /// The common head.
        0x00 => Header: NDK_OBJECT_HEADER,
        /// The object's functions; set once, then possibly swapped by the NDK layer.
        0x28 => Dispatch: *const NDK_QP_DISPATCH,
    }

    /// The queue pair's functions.
    struct NDK_QP_DISPATCH: 0x58 {
        /// Closes the object.
        0x00 => NdkCloseQp: Option<NDK_FN_CLOSE_OBJECT>,
        /// Asks for an interface beyond this one.
        0x08 => NdkQueryExtension: Option<NDK_FN_QUERY_EXTENSION_INTERFACE>,
        /// Cancels what is outstanding.
        0x10 => NdkFlush: Option<NDK_FN_FLUSH>,
        /// Sends a message.
        0x18 => NdkSend: Option<NDK_FN_SEND>,
        /// Posts a receive buffer.
        0x20 => NdkReceive: Option<NDK_FN_RECEIVE>,
        /// Binds a memory window.
        0x28 => NdkBind: Option<NDK_FN_BIND>,
        /// Registers logical pages.
        0x30 => NdkFastRegister: Option<NDK_FN_FAST_REGISTER>,
        /// Invalidates a region or window.
        0x38 => NdkInvalidate: Option<NDK_FN_INVALIDATE>,
        /// Reads the peer's memory.
        0x40 => NdkRead: Option<NDK_FN_READ>,
        /// Writes the peer's memory.
        0x48 => NdkWrite: Option<NDK_FN_WRITE>,
        /// Sends a message that invalidates a token at the peer (1.2).
        0x50 => NdkSendAndInvalidate: Option<NDK_FN_SEND_AND_INVALIDATE>,
    }

    /// The address of a scatter/gather entry's memory.
    union NDK_SGE_ADDRESS: 0x8 {
        /// Its virtual address, with the token of a memory region.
        0x0 => VirtualAddress: PVOID,
        /// Its logical address, with the privileged token.
        0x0 => LogicalAddress: NDK_LOGICAL_ADDRESS,
    }

    /// One scatter/gather entry of a request. In C the address is an unnamed union.
    struct NDK_SGE: 0x10 {
        /// The address of the memory.
        0x00 => Address: NDK_SGE_ADDRESS,
        /// Its length, in bytes.
        0x08 => Length: ULONG,
        /// The local token that admits it; ignored for inline data.
        0x0C => MemoryRegionToken: UINT32,
    }
}

constants! { ULONG:
    /// No result is queued if the request succeeds.
    NDK_OP_FLAG_SILENT_SUCCESS = 0x1;
    /// The request begins when all earlier RDMA Reads have completed.
    NDK_OP_FLAG_READ_FENCE = 0x2;
    /// The peer's receive counts as solicited.
    NDK_OP_FLAG_SEND_AND_SOLICIT_EVENT = 0x4;
    /// The peer may read.
    NDK_OP_FLAG_ALLOW_REMOTE_READ = 0x8;
    /// This side may write.
    NDK_OP_FLAG_ALLOW_LOCAL_WRITE = 0x10;
    /// The peer may write; includes the bit of local write.
    NDK_OP_FLAG_ALLOW_REMOTE_WRITE = 0x30;
    /// The data is taken from the buffers at once; tokens and entry limits do not apply.
    NDK_OP_FLAG_INLINE = 0x40;
    /// RDMA Reads may write to the registered memory.
    NDK_OP_FLAG_RDMA_READ_SINK = 0x80;
    /// The local token is invalidated when the RDMA Read is done (1.2).
    NDK_OP_FLAG_RDMA_READ_LOCAL_INVALIDATE = 0x100;
    /// The request may wait until one without this flag is posted (1.2).
    NDK_OP_FLAG_DEFER = 0x200;
}

/// Cancels every request of the queue pair that is still outstanding.
pub type NDK_FN_FLUSH = unsafe extern "efiapi" fn(pNdkQp: *mut NDK_QP);

/// Posts a message to the peer.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_CONNECTION_INVALID`; others are possible.
pub type NDK_FN_SEND = unsafe extern "efiapi" fn(
    pNdkQp: *mut NDK_QP,
    RequestContext: PVOID,
    pSgl: *const NDK_SGE,
    nSge: ULONG,
    Flags: ULONG,
) -> NTSTATUS;

/// Posts a buffer for one incoming message.
///
/// Documented statuses: `STATUS_SUCCESS`; others are possible.
pub type NDK_FN_RECEIVE = unsafe extern "efiapi" fn(
    pNdkQp: *mut NDK_QP,
    RequestContext: PVOID,
    pSgl: *const NDK_SGE,
    nSge: ULONG,
) -> NTSTATUS;

/// Posts a request that binds a memory window to a part of a memory region.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_CONNECTION_INVALID`, `STATUS_ACCESS_VIOLATION`; others
/// are possible.
pub type NDK_FN_BIND = unsafe extern "efiapi" fn(
    pNdkQp: *mut NDK_QP,
    RequestContext: PVOID,
    pMr: *mut NDK_MR,
    pMw: *mut NDK_MW,
    VirtualAddress: PVOID,
    Length: SIZE_T,
    Flags: ULONG,
) -> NTSTATUS;

/// Posts a request that registers an array of logical pages with a memory region.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_CONNECTION_INVALID`, `STATUS_ACCESS_VIOLATION`; others
/// are possible.
pub type NDK_FN_FAST_REGISTER = unsafe extern "efiapi" fn(
    pNdkQp: *mut NDK_QP,
    RequestContext: PVOID,
    pMr: *mut NDK_MR,
    AdapterPageCount: ULONG,
    AdapterPageArray: *const NDK_LOGICAL_ADDRESS,
    FBO: ULONG,
    Length: SIZE_T,
    BaseVirtualAddress: PVOID,
    Flags: ULONG,
) -> NTSTATUS;

/// Posts a request that invalidates a fast-registered region or a bound window.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_CONNECTION_INVALID`; others are possible.
pub type NDK_FN_INVALIDATE = unsafe extern "efiapi" fn(
    pNdkQp: *mut NDK_QP,
    RequestContext: PVOID,
    pNdkMrOrMw: *mut NDK_OBJECT_HEADER,
    Flags: ULONG,
) -> NTSTATUS;

/// Posts an RDMA Read from the peer's memory.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_CONNECTION_INVALID`, `STATUS_REMOTE_RESOURCES`; others
/// are possible.
pub type NDK_FN_READ = unsafe extern "efiapi" fn(
    pNdkQp: *mut NDK_QP,
    RequestContext: PVOID,
    pSgl: *const NDK_SGE,
    nSge: ULONG,
    RemoteAddress: UINT64,
    RemoteToken: UINT32,
    Flags: ULONG,
) -> NTSTATUS;

/// Posts an RDMA Write to the peer's memory.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_CONNECTION_INVALID`; others are possible.
pub type NDK_FN_WRITE = unsafe extern "efiapi" fn(
    pNdkQp: *mut NDK_QP,
    RequestContext: PVOID,
    pSgl: *const NDK_SGE,
    nSge: ULONG,
    RemoteAddress: UINT64,
    RemoteToken: UINT32,
    Flags: ULONG,
) -> NTSTATUS;

/// Posts a message that also invalidates a token at the peer (1.2).
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_CONNECTION_INVALID`; others are possible.
pub type NDK_FN_SEND_AND_INVALIDATE = unsafe extern "efiapi" fn(
    pNdkQp: *mut NDK_QP,
    RequestContext: PVOID,
    pSgl: *const NDK_SGE,
    nSge: ULONG,
    Flags: ULONG,
    RemoteToken: UINT32,
) -> NTSTATUS;
