//! The driver's own object.

use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_SUCCESS};
use sys::wdf::{
    WDF_DRIVER_CONFIG, WDF_DRIVER_GLOBALS, WDF_OBJECT_ATTRIBUTES, WDFDRIVER, WdfDriverInitNoDispatchOverride,
    WdfDriverInitNonPnpDriver, signature,
};
use sys::wdm::{DRIVER_OBJECT, UNICODE_STRING};

use super::client::Client;
use super::object::{self, Body, Object};
use super::violation;
use crate::export::exports;
use crate::sched;

exports! {
    "(KMDF)", signature;

    /// Makes the driver's object, of which there is one.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfDriverCreate(
        globals: *mut WDF_DRIVER_GLOBALS,
        driver: *mut DRIVER_OBJECT,
        _path: *const UNICODE_STRING,
        attributes: *mut WDF_OBJECT_ATTRIBUTES,
        config: *const WDF_DRIVER_CONFIG,
        out: *mut WDFDRIVER,
    ) -> NTSTATUS {
        let Some(client) = Client::of(globals) else { return STATUS_INVALID_PARAMETER };
        // SAFETY: the driver passes a valid configuration.
        let config = unsafe { &*config };
        if config.Size as usize != size_of::<WDF_DRIVER_CONFIG>() || client.driver() != 0 {
            violation("WdfDriverCreate", 0, "called twice, or with a configuration of the wrong size".into());
            return STATUS_INVALID_PARAMETER;
        }
        if config.DriverInitFlags & (WdfDriverInitNonPnpDriver | WdfDriverInitNoDispatchOverride) == 0 {
            violation(
                "WdfDriverCreate",
                0,
                "plug-and-play drivers of the framework are not simulated".into(),
            );
            return STATUS_NOT_SUPPORTED;
        }
        // SAFETY: the driver passes valid attributes or null.
        let made = match unsafe { object::create(&client, attributes, 0, Body::Driver) } {
            Ok(made) => made,
            Err(status) => return status,
        };
        // SAFETY: the driver passes its globals, which are never freed.
        let known = unsafe { &mut *globals };
        known.Driver = made.handle as WDFDRIVER;
        known.DriverFlags = config.DriverInitFlags;
        known.DriverTag = config.DriverPoolTag;
        known.DisplaceDriverUnload = u8::from(config.EvtDriverUnload.is_some());
        if config.EvtDriverUnload.is_some() {
            *client.unload.lock() = config.EvtDriverUnload;
            // SAFETY: the driver passes its own driver object.
            unsafe { (*driver).DriverUnload = Some(unload) };
        }
        if !out.is_null() {
            // SAFETY: the driver passes room for the handle.
            unsafe { out.write(made.handle as WDFDRIVER) };
        }
        STATUS_SUCCESS
    }

    /// The driver's registry path, terminated.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfDriverGetRegistryPath(globals: *mut WDF_DRIVER_GLOBALS, _driver: WDFDRIVER) -> *const u16 {
        Client::of(globals).map_or(core::ptr::null(), |client| client.registry_path.as_ptr())
    }

    /// The kernel's driver object.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDriverWdmGetDriverObject(
        globals: *mut WDF_DRIVER_GLOBALS,
        _driver: WDFDRIVER,
    ) -> *mut DRIVER_OBJECT {
        Client::of(globals).map_or(core::ptr::null_mut(), |client| client.driver_object)
    }

    /// Ends the framework's part of a miniport driver.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfDriverMiniportUnload(globals: *mut WDF_DRIVER_GLOBALS, driver: WDFDRIVER) {
        let (Some(client), Some(object)) = (Client::of(globals), Object::of(driver)) else { return };
        if client.driver() != driver as usize {
            violation(
                "WdfDriverMiniportUnload",
                driver as usize,
                "called with another object than the driver".into(),
            );
            return;
        }
        object.delete();
        // SAFETY: the globals are never freed.
        unsafe { (*globals).Driver = core::ptr::null_mut() };
    }
}

/// The framework's unload routine, for drivers that want to be told: the stub calls it, then unbinds.
unsafe extern "win64" fn unload(driver: *mut DRIVER_OBJECT) {
    let Some(client) = Client::of_driver_object(driver) else { return };
    let routine = client.unload.lock().take();
    if let Some(routine) = routine {
        let driver = client.driver() as WDFDRIVER;
        // SAFETY: the routine is the driver's own, called once with its own object.
        sched::call_driver("EvtDriverUnload", || unsafe { routine(driver) });
    }
}
