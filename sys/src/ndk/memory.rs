//! Memory regions and memory windows.

use super::{
    NDK_FN_CLOSE_OBJECT, NDK_FN_QUERY_EXTENSION_INTERFACE, NDK_FN_REQUEST_COMPLETION, NDK_OBJECT_HEADER,
};
use crate::status::NTSTATUS;
use crate::wdm::{BOOLEAN, MDL, PVOID, SIZE_T, UINT32, ULONG};

layout! {
    /// A memory region: registered memory and the tokens that name it.
    struct NDK_MR: 0x30 {
        /// The common head.
        0x00 => Header: NDK_OBJECT_HEADER,
        /// The object's functions; set once, then possibly swapped by the NDK layer.
        0x28 => Dispatch: *const NDK_MR_DISPATCH,
    }

    /// The memory region's functions.
    struct NDK_MR_DISPATCH: 0x38 {
        /// Closes the object.
        0x00 => NdkCloseMr: Option<NDK_FN_CLOSE_OBJECT>,
        /// Asks for an interface beyond this one.
        0x08 => NdkQueryExtension: Option<NDK_FN_QUERY_EXTENSION_INTERFACE>,
        /// Registers memory.
        0x10 => NdkRegisterMr: Option<NDK_FN_REGISTER_MR>,
        /// Deregisters memory.
        0x18 => NdkDeregisterMr: Option<NDK_FN_DEREGISTER_MR>,
        /// Prepares for fast registration.
        0x20 => NdkInitializeFastRegisterMr: Option<NDK_FN_INITIALIZE_FAST_REGISTER_MR>,
        /// The token for peers.
        0x28 => NdkGetRemoteTokenFromMr: Option<NDK_FN_GET_REMOTE_TOKEN_FROM_MR>,
        /// The token for this side.
        0x30 => NdkGetLocalTokenFromMr: Option<NDK_FN_GET_LOCAL_TOKEN_FROM_MR>,
    }

    /// A memory window: remote access to a part of a region.
    struct NDK_MW: 0x30 {
        /// The common head.
        0x00 => Header: NDK_OBJECT_HEADER,
        /// The object's functions; set once, then possibly swapped by the NDK layer.
        0x28 => Dispatch: *const NDK_MW_DISPATCH,
    }

    /// The memory window's functions.
    struct NDK_MW_DISPATCH: 0x18 {
        /// Closes the object.
        0x00 => NdkCloseMw: Option<NDK_FN_CLOSE_OBJECT>,
        /// Asks for an interface beyond this one.
        0x08 => NdkQueryExtension: Option<NDK_FN_QUERY_EXTENSION_INTERFACE>,
        /// The token for peers.
        0x10 => NdkGetRemoteTokenFromMw: Option<NDK_FN_GET_REMOTE_TOKEN_FROM_MW>,
    }
}

constants! { ULONG:
    /// This side may read; always implied.
    NDK_MR_FLAG_ALLOW_LOCAL_READ = 0x0;
    /// This side may write (receives).
    NDK_MR_FLAG_ALLOW_LOCAL_WRITE = 0x1;
    /// The peer may read.
    NDK_MR_FLAG_ALLOW_REMOTE_READ = 0x2;
    /// The peer may write; includes the bit of local write.
    NDK_MR_FLAG_ALLOW_REMOTE_WRITE = 0x5;
    /// RDMA Reads may write to it.
    NDK_MR_FLAG_RDMA_READ_SINK = 0x8;
}

/// Registers an MDL chain, which must be virtually contiguous, with a memory region.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_INVALID_PARAMETER`,
/// `STATUS_INSUFFICIENT_RESOURCES`; others are possible.
pub type NDK_FN_REGISTER_MR = unsafe extern "efiapi" fn(
    pNdkMr: *mut NDK_MR,
    Mdl: *mut MDL,
    Length: SIZE_T,
    Flags: ULONG,
    RequestCompletion: Option<NDK_FN_REQUEST_COMPLETION>,
    RequestContext: PVOID,
) -> NTSTATUS;

/// Deregisters a memory region that [`NDK_FN_REGISTER_MR`] registered.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`; others are possible.
pub type NDK_FN_DEREGISTER_MR = unsafe extern "efiapi" fn(
    pNdkMr: *mut NDK_MR,
    RequestCompletion: Option<NDK_FN_REQUEST_COMPLETION>,
    RequestContext: PVOID,
) -> NTSTATUS;

/// Prepares a memory region for fast registrations of up to so many pages.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`, `STATUS_IMPLEMENTATION_LIMIT`; others are
/// possible.
pub type NDK_FN_INITIALIZE_FAST_REGISTER_MR = unsafe extern "efiapi" fn(
    pNdkMr: *mut NDK_MR,
    AdapterPageCount: ULONG,
    RemoteAccess: BOOLEAN,
    RequestCompletion: Option<NDK_FN_REQUEST_COMPLETION>,
    RequestContext: PVOID,
) -> NTSTATUS;

/// The token that names the region to a peer.
pub type NDK_FN_GET_REMOTE_TOKEN_FROM_MR = unsafe extern "efiapi" fn(pNdkMr: *mut NDK_MR) -> UINT32;

/// The token that names the region in this side's scatter/gather entries.
pub type NDK_FN_GET_LOCAL_TOKEN_FROM_MR = unsafe extern "efiapi" fn(pNdkMr: *mut NDK_MR) -> UINT32;

/// The token that names the bound window to a peer.
pub type NDK_FN_GET_REMOTE_TOKEN_FROM_MW = unsafe extern "efiapi" fn(pNdkMw: *mut NDK_MW) -> UINT32;
