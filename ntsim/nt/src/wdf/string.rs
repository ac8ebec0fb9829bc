//! Strings of the framework.

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::number::narrow;
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use sys::wdf::{WDF_DRIVER_GLOBALS, WDF_OBJECT_ATTRIBUTES, WDFDEVICE, WDFSTRING, signature};
use sys::wdm::UNICODE_STRING;

use super::device::with_own;
use super::object::{self, Body, Object};
use super::violation;
use crate::rtl;
use parking_lot::Mutex;

/// The text of a string, terminated. Texts are kept until it goes, as the driver has their addresses.
pub(super) struct Text(Mutex<Vec<Box<[u16]>>>);

impl Text {
    fn new(text: &str) -> Self {
        let string = Self(Mutex::default());
        string.set(text);
        string
    }

    fn set(&self, text: &str) {
        self.0.lock().push(text.encode_utf16().chain([0]).collect());
    }
}

exports! {
    "(KMDF)", signature;

    /// Makes a string, a copy of the given one or empty.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfStringCreate(
        globals: *mut WDF_DRIVER_GLOBALS,
        text: *const UNICODE_STRING,
        attributes: *mut WDF_OBJECT_ATTRIBUTES,
        out: *mut WDFSTRING,
    ) -> NTSTATUS {
        // SAFETY: the driver passes a valid string or null.
        let text = unsafe { rtl::from_counted(text) };
        // SAFETY: the driver passes valid attributes or null, and room for the handle.
        unsafe { object::create_for_driver(globals, attributes, Body::String(Text::new(&text)), out) }
    }

    /// Its text.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfStringGetUnicodeString(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFSTRING,
        out: *mut UNICODE_STRING,
    ) {
        with(handle, (), |text| {
            let mut texts = text.0.lock();
            let Some(last) = texts.last_mut() else { return };
            let size = narrow(size_of_val(&**last));
            let string = UNICODE_STRING { Length: size - 2, MaximumLength: size, Buffer: last.as_mut_ptr() };
            // SAFETY: the driver passes room for the string.
            unsafe { out.write(string) };
        });
    }

    /// The name of a device.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfDeviceRetrieveDeviceName(
        _globals: *mut WDF_DRIVER_GLOBALS,
        device: WDFDEVICE,
        string: WDFSTRING,
    ) -> NTSTATUS {
        with_own(device, STATUS_INVALID_PARAMETER, |_, _, own| {
            with(string, STATUS_INVALID_PARAMETER, |text| {
                text.set(&own.settings.name);
                STATUS_SUCCESS
            })
        })
    }
}

fn with<R>(handle: WDFSTRING, otherwise: R, f: impl FnOnce(&Text) -> R) -> R {
    match Object::of(handle).as_deref().map(|object| &object.body) {
        Some(Body::String(text)) => f(text),
        Some(_) => {
            violation("WdfHandle", Va::of(handle), format!("{handle:p} is no string"));
            otherwise
        }
        None => otherwise,
    }
}
