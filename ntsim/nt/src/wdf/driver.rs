//! The driver's own object.

use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::exports;
use ntsim_core::number::ToUsize;
use sys::status::{
    NTSTATUS, STATUS_DRIVER_INTERNAL_ERROR, STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS,
};
use sys::wdf::{
    WDF_DRIVER_CONFIG, WDF_DRIVER_GLOBALS, WDF_OBJECT_ATTRIBUTES, WDFDRIVER, WdfDriverInitNoDispatchOverride,
    WdfDriverInitNonPnpDriver, signature,
};
use sys::wdm::{DRIVER_OBJECT, PDRIVER_ADD_DEVICE, PDRIVER_UNLOAD, UNICODE_STRING};

use super::client::Client;
use super::create::add_device;
use super::dispatch::dispatch;
use super::object::{self, Body, Object};
use super::violation;

exports! {
    "(KMDF)", signature;

    /// Makes the driver's object, of which there is one.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfDriverCreate(
        globals: *mut WDF_DRIVER_GLOBALS,
        driver: *mut DRIVER_OBJECT,
        path: *const UNICODE_STRING,
        attributes: *mut WDF_OBJECT_ATTRIBUTES,
        config: *const WDF_DRIVER_CONFIG,
        out: *mut WDFDRIVER,
    ) -> NTSTATUS {
        let Some(client) = Client::of(globals) else { return STATUS_INVALID_PARAMETER };
        if driver.is_null() || path.is_null() || config.is_null() {
            refuse("called without a driver object, a registry path or a configuration");
            return STATUS_INVALID_PARAMETER;
        }
        // SAFETY: the driver passes a valid configuration.
        let config = unsafe { &*config };
        if let Err(status) = check(config, client.driver() != Va::NULL) {
            return status;
        }
        // SAFETY: the driver passes valid attributes or null.
        let made = match unsafe { object::create(&client, attributes, Va::NULL, Body::Driver) } {
            Ok(made) => made,
            Err(status) => return status,
        };
        // SAFETY: the driver passes its globals, which are never freed.
        let known = unsafe { &mut *globals };
        known.Driver = made.handle.ptr();
        known.DriverFlags |= config.DriverInitFlags;
        known.DriverTag = tag(config.DriverPoolTag, &client.name);
        // Only says whether the entry stub puts itself before `DriverUnload`.
        let is_pnp = config.DriverInitFlags & (WdfDriverInitNonPnpDriver | WdfDriverInitNoDispatchOverride) == 0;
        known.DisplaceDriverUnload = u8::from(config.EvtDriverUnload.is_some() || is_pnp);
        if config.DriverInitFlags & WdfDriverInitNoDispatchOverride == 0 {
            *client.unload.lock() = config.EvtDriverUnload;
            *client.add.lock() = config.EvtDriverDeviceAdd;
            // SAFETY: the driver passes its own driver object.
            let object = unsafe { &mut *driver };
            let unloads = config.EvtDriverUnload.is_some() || is_pnp;
            object.DriverUnload = unloads.then_some(unload as PDRIVER_UNLOAD);
            object.MajorFunction.fill(Some(dispatch));
            // SAFETY: a driver object has an extension, but for those of tests.
            if let Some(extension) = unsafe { object.DriverExtension.as_mut() } {
                extension.AddDevice = is_pnp.then_some(add_device as PDRIVER_ADD_DEVICE);
            }
        }
        if !out.is_null() {
            // SAFETY: the driver passes room for the handle.
            unsafe { out.write(made.handle.ptr()) };
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
        if client.driver() != Va::of(driver) {
            violation(
                "WdfDriverMiniportUnload",
                Va::of(driver),
                "called with another object than the driver".into(),
            );
            return;
        }
        object.delete();
        // SAFETY: the globals are never freed.
        unsafe { (*globals).Driver = core::ptr::null_mut() };
    }
}

/// Validates a configuration in the order and with the statuses of `WdfDriverCreate` in
/// <https://github.com/microsoft/Windows-Driver-Frameworks/blob/main/src/framework/shared/core/fxdriverapi.cpp>.
/// Each refusal is a finding too, as no driver means to be refused.
fn check(config: &WDF_DRIVER_CONFIG, created: bool) -> Result<(), NTSTATUS> {
    let flags = config.DriverInitFlags;
    let known = WdfDriverInitNonPnpDriver | WdfDriverInitNoDispatchOverride;
    let (what, status) = if config.Size.to_usize() != size_of::<WDF_DRIVER_CONFIG>() {
        ("called with a configuration of the wrong size", STATUS_INFO_LENGTH_MISMATCH)
    } else if flags & !known != 0 {
        ("called with flags that do not exist", STATUS_INVALID_PARAMETER)
    } else if created {
        ("called twice", STATUS_DRIVER_INTERNAL_ERROR)
    } else if flags == WdfDriverInitNonPnpDriver && config.EvtDriverDeviceAdd.is_some() {
        ("called with EvtDriverDeviceAdd for a driver without plug and play", STATUS_INVALID_PARAMETER)
    } else {
        return Ok(());
    };
    refuse(what);
    Err(status)
}

#[cold]
fn refuse(what: &str) {
    violation("WdfDriverCreate", Va::NULL, what.into());
}

/// The pool tag of what the framework allocates for a driver: the driver's own, or the beginning of its name
/// without "wdf" (`FxDriver::_InitializeTag`).
fn tag(own: u32, name: &str) -> u32 {
    /// The default of old kits, which is not taken.
    const DDK: u32 = u32::from_le_bytes(*b"Ddk ");
    if own != 0 && own != DDK {
        return own;
    }
    let name = name.as_bytes();
    let rest = match name.split_at_checked(3) {
        Some((first, rest)) if first.eq_ignore_ascii_case(b"wdf") => rest,
        _ => name,
    };
    if rest.len() <= 2 {
        return 0;
    }
    let mut bytes = [0; 4];
    bytes.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    u32::from_le_bytes(bytes)
}

/// The framework's unload routine (`FxDriver::Unload`), for drivers whose dispatch it overrides: runs the
/// driver's `EvtDriverUnload` and deletes the driver's object. The stub calls it, then unbinds.
unsafe extern "efiapi" fn unload(driver: *mut DRIVER_OBJECT) {
    let Some(client) = Client::of_driver_object(driver) else { return };
    let routine = client.unload.lock().take();
    let handle = client.driver().ptr();
    if let Some(routine) = routine {
        // SAFETY: the routine is the driver's own, called once with its own object.
        boundary::call_driver("EvtDriverUnload", || unsafe { routine(handle) });
    }
    if let Some(object) = Object::known(Va::of(handle)) {
        object.delete();
    }
    // SAFETY: the globals are never freed.
    unsafe { (*client.globals).Driver = core::ptr::null_mut() };
}
