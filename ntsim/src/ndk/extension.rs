//! The extension query, which all objects have.

use sys::ndk::{NDK_EXTENSION_INTERFACE, NDK_OBJECT_HEADER, NDK_VERSION};
use sys::status::{NTSTATUS, STATUS_INVALID_HANDLE, STATUS_NOT_SUPPORTED};
use sys::wdm::GUID;

use super::shadow::Stage;
use super::{bracket, found, layer, rules};
use crate::export::exports;

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
        bracket::entered_by_consumer(NAME);
        let Some(shadow) = layer().objects.find(object.addr()) else {
            found(rules::HANDLE_INVALID, format!("{NAME} was given {object:p}, which is no object"));
            return STATUS_INVALID_HANDLE;
        };
        if shadow.stage() != Stage::Open {
            found(rules::USE_AFTER_CLOSE, format!("{NAME} was given {shadow}, which the consumer has closed"));
            return STATUS_INVALID_HANDLE;
        }
        shadow.check_header();
        let Some(query) = shadow.extension_query() else { return STATUS_NOT_SUPPORTED };
        // SAFETY: the arguments are those of the consumer, for its object.
        bracket::into_provider(NAME, || unsafe { query(object, identifier, version, interface) })
    }
}
