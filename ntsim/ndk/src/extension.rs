//! The extension query, which all objects have.

use core::ptr;
use core::sync::atomic::Ordering;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::exports;
use sys::ndk::{NDK_EXTENSION_INTERFACE, NDK_OBJECT_HEADER, NDK_VERSION};
use sys::status::{NT_SUCCESS, NTSTATUS, STATUS_INVALID_HANDLE, STATUS_NOT_SUPPORTED};
use sys::wdm::GUID;

use super::tracked::{Stage, TrackedObject};
use super::type_state::TypeState;
use super::{Checks, boundary, found, layer, rules};

/// An identifier that stands for nothing.
static UNKNOWN: GUID = GUID {
    Data1: 0x6E9C_5A31,
    Data2: 0x8D04,
    Data3: 0x4F7B,
    Data4: [0xB2, 0x1E, 0x93, 0x5C, 0x0A, 0xD7, 0x48, 0x66],
};

/// Asks an object for an extension that there is not, once per adapter and kind of object.
pub(super) fn probe(tracked: &Arc<TrackedObject>) {
    let TypeState::Adapter(adapter) = &tracked.adapter().type_state else { return };
    let bit = 1 << tracked.kind as u32;
    let (Some(query), true) = (tracked.extension_query(), tracked.checks == Checks::Full) else { return };
    if adapter.queried.fetch_or(bit, Ordering::Relaxed) & bit != 0 {
        return;
    }
    let object = tracked.handle.ptr();
    let mut interface = NDK_EXTENSION_INTERFACE { Dispatch: ptr::null() };
    let interface = &raw mut interface;
    // SAFETY: the object is open; the identifier and the interface live during the call.
    let status = boundary::into_provider("NdkQueryExtension", || unsafe {
        query(object, &raw const UNKNOWN, tracked.version, interface)
    });
    if NT_SUCCESS(status) {
        found(
            rules::EXTENSION_UNKNOWN,
            format!("the extension query of {tracked} for an unknown identifier returned {status:#010x}"),
        );
    }
}

exports! {
    "(ndk)";

    /// Asks an object for an interface beyond this one.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkQueryExtension(
        object: *mut NDK_OBJECT_HEADER,
        identifier: *const GUID,
        version: NDK_VERSION,
        interface: *mut NDK_EXTENSION_INTERFACE,
    ) -> NTSTATUS {
        const NAME: &str = "NdkQueryExtension";
        boundary::entered_by_consumer(NAME);
        let Some(tracked) = layer().objects.find(Va::of(object)) else {
            found(rules::HANDLE_INVALID, format!("{NAME} was given {object:p}, which is no object"));
            return STATUS_INVALID_HANDLE;
        };
        if tracked.stage() != Stage::Open {
            found(rules::USE_AFTER_CLOSE, format!("{NAME} was given {tracked}, which the consumer has closed"));
            return STATUS_INVALID_HANDLE;
        }
        tracked.check_header();
        let Some(query) = tracked.extension_query() else { return STATUS_NOT_SUPPORTED };
        layer().statistics.call(NAME);
        // SAFETY: the arguments are those of the consumer, for its object.
        boundary::into_provider(NAME, || unsafe { query(object, identifier, version, interface) })
    }
}
