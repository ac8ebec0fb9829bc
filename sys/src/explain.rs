//! A private extension of NDKPI: what keeps an object from going. It is softndk's own, not Microsoft's.
//!
//! A provider that has it answers the extension query of its adapters for [`EXPLAIN_EXTENSION`] with a
//! pointer to an [`EXPLAIN_DISPATCH`]. A debugger, a simulator or a test of the provider
//! asks it why a close is pending; a consumer has no use for it.

use crate::ndk::{NDK_ADAPTER, NDK_OBJECT_TYPE, NDK_VERSION};
use crate::status::NTSTATUS;
use crate::wdm::{GUID, ULONG, USHORT};

/// Names the extension.
pub const EXPLAIN_EXTENSION: GUID = GUID {
    Data1: 0x4B1D_07E6,
    Data2: 0x93C2,
    Data3: 0x4A58,
    Data4: [0xA7, 0x10, 0x2E, 0xD9, 0x64, 0x8C, 0xF3, 0x15],
};

/// The extension's version.
pub const EXPLAIN_VERSION: NDK_VERSION = NDK_VERSION { Major: 1, Minor: 0 };

open_enum! {
    /// A reason for which an object is not freed yet.
    enum EXPLAIN_KIND: USHORT {
        /// The close call itself, which has not returned.
        CLOSE_CALL = 1,
        /// A successor.
        SUCCESSOR = 2,
        /// Successors that have no handle: their close completion has not returned, or they are logical
        /// address mappings or work requests.
        NAMELESS = 3,
        /// Requests, calls and connections in progress.
        REQUESTS = 4,
        /// Callbacks queued or running.
        CALLBACKS = 5,
        /// TCP, which has not closed a connection or a port of the object's.
        NETWORK = 6,
    }
}

layout! {
    /// One reason.
    #[derive(Debug, Eq, PartialEq)]
    struct EXPLAIN_REASON: 0x10 {
        /// Its kind.
        0x00 => Kind: EXPLAIN_KIND,
        /// Of a successor, and of TCP: 1 if its own close is pending, 0 if it is open.
        0x02 => Closing: USHORT,
        /// Of a successor: its kind. Of TCP: the sends that it has. Otherwise: how many.
        0x04 => Number: ULONG,
        /// Of a successor: the consumer's pointer to it.
        0x08 => Handle: usize,
    }

    /// The extension's functions.
    struct EXPLAIN_DISPATCH: 0x8 {
        /// See the type.
        0x00 => Explain: Option<FN_EXPLAIN>,
    }
}

impl EXPLAIN_REASON {
    /// Of a successor: its kind.
    #[must_use]
    pub const fn object_type(&self) -> NDK_OBJECT_TYPE {
        NDK_OBJECT_TYPE(self.Number.cast_signed())
    }
}

/// Writes up to `Capacity` reasons that keep the object at `Handle`, a descendant of `Adapter` or the
/// adapter itself, and at `Count` how many there are. ≤ DISPATCH_LEVEL. The adapter is open, or its close
/// has not returned; the handle may be stale.
///
/// `STATUS_SUCCESS`; `STATUS_INVALID_HANDLE` if there is no such object.
pub type FN_EXPLAIN = unsafe extern "efiapi" fn(
    Adapter: *mut NDK_ADAPTER,
    Handle: usize,
    Reasons: *mut EXPLAIN_REASON,
    Capacity: ULONG,
    Count: *mut ULONG,
) -> NTSTATUS;
