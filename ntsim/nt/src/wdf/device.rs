//! The device object of a miniport's adapter.

use core::ptr;

use ntsim_core::address::Va;
use ntsim_core::exports;
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER};
use sys::wdf::{WDF_DRIVER_GLOBALS, WDF_OBJECT_ATTRIBUTES, WDFDEVICE, WDFDRIVER, signature};
use sys::wdm::DEVICE_OBJECT;

use super::client::Client;
use super::object::{self, Body, Object};
use super::violation;

/// The kernel's devices behind one of the framework's.
pub(super) struct Devices {
    functional: *mut DEVICE_OBJECT,
    attached: *mut DEVICE_OBJECT,
    physical: *mut DEVICE_OBJECT,
}

// SAFETY: the pointers are only handed back to the driver that passed them.
unsafe impl Send for Devices {}
// SAFETY: as above.
unsafe impl Sync for Devices {}

exports! {
    "(KMDF)", signature;

    /// Makes a device for a miniport's adapter, whose requests stay the port driver's.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfDeviceMiniportCreate(
        globals: *mut WDF_DRIVER_GLOBALS,
        driver: WDFDRIVER,
        attributes: *mut WDF_OBJECT_ATTRIBUTES,
        functional: *mut DEVICE_OBJECT,
        attached: *mut DEVICE_OBJECT,
        physical: *mut DEVICE_OBJECT,
        out: *mut WDFDEVICE,
    ) -> NTSTATUS {
        let Some(client) = Client::of(globals) else { return STATUS_INVALID_PARAMETER };
        if functional.is_null() || client.driver() != Va::of(driver) {
            violation(
                "WdfDeviceMiniportCreate",
                Va::of(driver),
                "called without a device or with another driver".into(),
            );
            return STATUS_INVALID_PARAMETER;
        }
        let body = Body::Device(Devices { functional, attached, physical });
        // SAFETY: the driver passes valid attributes or null, and room for the handle.
        unsafe { object::create_for_driver(globals, attributes, body, out) }
    }

    /// The kernel's device object.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceWdmGetDeviceObject(
        _globals: *mut WDF_DRIVER_GLOBALS,
        device: WDFDEVICE,
    ) -> *mut DEVICE_OBJECT {
        devices(device, |devices| devices.functional)
    }

    /// The device below.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceWdmGetAttachedDevice(
        _globals: *mut WDF_DRIVER_GLOBALS,
        device: WDFDEVICE,
    ) -> *mut DEVICE_OBJECT {
        devices(device, |devices| devices.attached)
    }

    /// The device at the bottom.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceWdmGetPhysicalDevice(
        _globals: *mut WDF_DRIVER_GLOBALS,
        device: WDFDEVICE,
    ) -> *mut DEVICE_OBJECT {
        devices(device, |devices| devices.physical)
    }

    /// The driver of a device.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceGetDriver(_globals: *mut WDF_DRIVER_GLOBALS, device: WDFDEVICE) -> WDFDRIVER {
        Object::of(device).map_or(ptr::null_mut(), |object| object.client.driver().ptr())
    }
}

fn devices(device: WDFDEVICE, f: impl FnOnce(&Devices) -> *mut DEVICE_OBJECT) -> *mut DEVICE_OBJECT {
    match Object::of(device) {
        Some(object) => match &object.body {
            Body::Device(devices) => f(devices),
            _ => ptr::null_mut(),
        },
        None => ptr::null_mut(),
    }
}
