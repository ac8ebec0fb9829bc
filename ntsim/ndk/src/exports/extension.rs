//! The extension query, which all objects have.

use ntsim_core::address::Va;
use ntsim_core::exports;
use sys::ndk::{NDK_EXTENSION_INTERFACE, NDK_OBJECT_HEADER, NDK_VERSION};
use sys::status::{NTSTATUS, STATUS_INVALID_HANDLE, STATUS_NOT_SUPPORTED};
use sys::wdm::GUID;

use crate::boundary;
use crate::layer::layer;
use crate::object::Stage;
use crate::rules::{self, found};

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
