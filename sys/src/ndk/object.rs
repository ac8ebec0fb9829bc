//! The common part of all objects: version, header, close, extensions, completions.

use crate::status::NTSTATUS;
use crate::wdm::{GUID, PVOID, USHORT, VOID};

layout! {
    /// A version of this interface.
    #[derive(Debug, Eq, PartialEq)]
    struct NDK_VERSION: 0x4 {
        /// The major version.
        0x00 => Major: USHORT,
        /// The minor version.
        0x02 => Minor: USHORT,
    }

    /// Words that belong to the NDK layer above the provider, which zeroes them at creation.
    struct NDK_OBJECT_HEADER_RESERVED_BLOCK: 0x20 {
        /// The words.
        0x00 => rf: [PVOID; 4],
    }

    /// The head of every object.
    struct NDK_OBJECT_HEADER: 0x28 {
        /// The version of the interface that the object keeps to.
        0x00 => Version: NDK_VERSION,
        /// The type of the object; never zero.
        0x04 => ObjectType: NDK_OBJECT_TYPE,
        /// The NDK layer's own words.
        0x08 => NdkReserved: NDK_OBJECT_HEADER_RESERVED_BLOCK,
    }

    /// The result of an extension query.
    struct NDK_EXTENSION_INTERFACE: 0x8 {
        /// The extension's table of functions.
        0x00 => Dispatch: *const VOID,
    }
}

/// NDKPI 1.1: Windows Server 2012.
pub const NDK_VERSION_1_1: NDK_VERSION = NDK_VERSION { Major: 1, Minor: 1 };
/// NDKPI 1.2: Windows Server 2012 R2.
pub const NDK_VERSION_1_2: NDK_VERSION = NDK_VERSION { Major: 1, Minor: 2 };
/// NDKPI 2.0: Windows Server 2016.
pub const NDK_VERSION_2_0: NDK_VERSION = NDK_VERSION { Major: 2, Minor: 0 };
/// NDKPI 2.1: Windows Server 2022.
pub const NDK_VERSION_2_1: NDK_VERSION = NDK_VERSION { Major: 2, Minor: 1 };

open_enum! {
    /// The types of objects.
    enum NDK_OBJECT_TYPE: i32 {
        /// No object.
        NdkObjectTypeUndefined = 0,
        /// [`NDK_ADAPTER`](super::NDK_ADAPTER).
        NdkObjectTypeAdapter = 1,
        /// [`NDK_QP`](super::NDK_QP).
        NdkObjectTypeQp = 2,
        /// [`NDK_CQ`](super::NDK_CQ).
        NdkObjectTypeCq = 3,
        /// [`NDK_MR`](super::NDK_MR).
        NdkObjectTypeMr = 4,
        /// [`NDK_MW`](super::NDK_MW).
        NdkObjectTypeMw = 5,
        /// [`NDK_PD`](super::NDK_PD).
        NdkObjectTypePd = 6,
        /// [`NDK_SHARED_ENDPOINT`](super::NDK_SHARED_ENDPOINT).
        NdkObjectTypeSharedEndpoint = 7,
        /// [`NDK_CONNECTOR`](super::NDK_CONNECTOR).
        NdkObjectTypeConnector = 8,
        /// [`NDK_LISTENER`](super::NDK_LISTENER).
        NdkObjectTypeListener = 9,
        /// [`NDK_SRQ`](super::NDK_SRQ).
        NdkObjectTypeSrq = 10,
        /// One past the last.
        NdkObjectTypeMax = 11,
    }
}

/// Closes an object: done on `STATUS_SUCCESS`, by the completion on `STATUS_PENDING`, never failing.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_PENDING`; others are possible.
pub type NDK_FN_CLOSE_OBJECT = unsafe extern "efiapi" fn(
    pNdkObject: *mut NDK_OBJECT_HEADER,
    CloseCompletion: Option<NDK_FN_CLOSE_COMPLETION>,
    RequestContext: PVOID,
) -> NTSTATUS;

/// The consumer's: a pending close has completed, and nothing of the object remains.
pub type NDK_FN_CLOSE_COMPLETION = unsafe extern "efiapi" fn(Context: PVOID);

/// The consumer's: a pending create has completed.
pub type NDK_FN_CREATE_COMPLETION =
    unsafe extern "efiapi" fn(Context: PVOID, Status: NTSTATUS, pNdkObject: *mut NDK_OBJECT_HEADER);

/// The consumer's: a pending request has completed.
pub type NDK_FN_REQUEST_COMPLETION = unsafe extern "efiapi" fn(Context: PVOID, Status: NTSTATUS);

/// Asks an object for an interface beyond this one.
///
/// Documented statuses: `STATUS_SUCCESS`, `STATUS_NOT_SUPPORTED`; others are possible.
pub type NDK_FN_QUERY_EXTENSION_INTERFACE = unsafe extern "efiapi" fn(
    pNdkObject: *mut NDK_OBJECT_HEADER,
    ExtensionInterfaceID: *const GUID,
    ExtensionInterfaceVersion: NDK_VERSION,
    pExtensionInterface: *mut NDK_EXTENSION_INTERFACE,
) -> NTSTATUS;
