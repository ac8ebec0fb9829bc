//! Loading and unloading: a KMDF driver that brings its own device and dispatch routines.
//!
//! `WdfDriverInitNonPnpDriver` because nothing enumerates the device, `WdfDriverInitNoDispatchOverride`
//! because the framework is to leave the dispatch table alone: a harness blocks its callers, and the
//! dispatch routines of the I/O manager are the plainest way to do that. With that flag the framework calls no
//! `EvtDriverUnload` either
//! (<https://github.com/microsoft/Windows-Driver-Frameworks/blob/main/src/framework/shared/core/fxdriver.cpp>): one
//! that is given only lets the entry stub put itself before the driver's own `DriverUnload`, so that it unbinds
//! the framework after that.

#![expect(unsafe_code, reason = "the system calls these functions with addresses")]

use wdk_sys::{
    DRIVER_OBJECT, NTSTATUS, PCUNICODE_STRING, PDRIVER_OBJECT, ULONG, WDF_DRIVER_CONFIG,
    WDF_NO_OBJECT_ATTRIBUTES, WDFDRIVER, call_unsafe_wdf_function_binding,
};

use crate::{device, wsk};

/// The entry point that the framework's stub calls.
///
/// # Safety
///
/// The arguments are those that the system passes to a driver's entry point.
// SAFETY: the framework's stub names this symbol, and no other crate defines it.
#[unsafe(export_name = "DriverEntry")]
pub(crate) unsafe extern "system" fn driver_entry(
    driver: &mut DRIVER_OBJECT,
    path: PCUNICODE_STRING,
) -> NTSTATUS {
    let driver: PDRIVER_OBJECT = driver;
    // SAFETY: the system's arguments are handed on.
    let status = unsafe { create_framework_driver(driver, path) };
    if status != wdk_sys::STATUS_SUCCESS {
        return status;
    }
    if let Err(status) = wsk::REGISTRATION.register() {
        return status;
    }
    // SAFETY: the driver object is ours.
    match unsafe { device::create(driver.cast()) } {
        Ok(()) => {
            // SAFETY: as above, and the entry point is running.
            unsafe { (*driver).DriverUnload = Some(unload) };
            wdk_sys::STATUS_SUCCESS
        }
        Err(status) => {
            wsk::REGISTRATION.deregister();
            status
        }
    }
}

/// # Safety
/// The arguments are those of the entry point.
#[expect(clippy::as_conversions, reason = "whether an enumeration of C has a sign is its compiler's choice")]
unsafe fn create_framework_driver(driver: PDRIVER_OBJECT, path: PCUNICODE_STRING) -> NTSTATUS {
    let mut config = WDF_DRIVER_CONFIG {
        Size: u32::try_from(size_of::<WDF_DRIVER_CONFIG>()).unwrap_or(0),
        EvtDriverUnload: Some(displaced),
        DriverInitFlags: (wdk_sys::_WDF_DRIVER_INIT_FLAGS::WdfDriverInitNonPnpDriver
            | wdk_sys::_WDF_DRIVER_INIT_FLAGS::WdfDriverInitNoDispatchOverride)
            as ULONG,
        ..WDF_DRIVER_CONFIG::default()
    };
    // SAFETY: the framework is bound before the entry point is called; the configuration lives through
    // the call, and the handle is not asked for.
    unsafe {
        call_unsafe_wdf_function_binding!(
            WdfDriverCreate,
            driver,
            path,
            WDF_NO_OBJECT_ATTRIBUTES,
            &raw mut config,
            core::ptr::null_mut(),
        )
    }
}

/// `EvtDriverUnload`, which is never called.
unsafe extern "C" fn displaced(_driver: WDFDRIVER) {}

/// `DriverUnload`. No handle to the device is open any more.
unsafe extern "C" fn unload(_driver: PDRIVER_OBJECT) {
    device::delete();
    wsk::REGISTRATION.deregister();
}
