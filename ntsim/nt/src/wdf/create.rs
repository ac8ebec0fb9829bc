//! Making devices of the framework: on top of a stack, or control devices; and what goes with one.

use core::ptr;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::exports;
use sys::status::{NT_SUCCESS, NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_NO_SUCH_DEVICE, STATUS_SUCCESS};
use sys::wdf::{
    WDF_DEVICE_IO_TYPE, WDF_DRIVER_GLOBALS, WDF_OBJECT_ATTRIBUTES, WDFDEVICE, WDFDEVICE_INIT, signature,
};
use sys::wdm::{
    DEVICE_OBJECT, DO_BUFFERED_IO, DO_DEVICE_INITIALIZING, DO_DIRECT_IO, DO_POWER_PAGABLE, DRIVER_OBJECT,
};

use super::client::{Client, framework};
use super::device::{Devices, Own, with_own};
use super::init::{self, Init};
use super::object::{self, Body, Object};
use super::violation;
use crate::io::{self, Made, set_interface_state};

exports! {
    "(KMDF)", signature;

    /// Makes a device of what was begun, which is gone if that succeeds.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfDeviceCreate(
        _globals: *mut WDF_DRIVER_GLOBALS,
        init: *mut *mut WDFDEVICE_INIT,
        attributes: *mut WDF_OBJECT_ATTRIBUTES,
        out: *mut WDFDEVICE,
    ) -> NTSTATUS {
        // SAFETY: the driver passes where it keeps the handle.
        let known = unsafe { *init };
        // SAFETY: the driver passes valid attributes or null.
        if unsafe { attributes.as_ref() }.is_some_and(|attributes| !attributes.ParentObject.is_null()) {
            violation("WdfDeviceInit", Va::of(known), "a device is given a parent".into());
            return STATUS_INVALID_PARAMETER;
        }
        let Some(taken) = init::take(known) else { return STATUS_INVALID_PARAMETER };
        // SAFETY: the driver passes valid attributes or null.
        match unsafe { create(&taken, attributes) } {
            Ok(device) => {
                // SAFETY: as above.
                unsafe { init.write(ptr::null_mut()) };
                if !out.is_null() {
                    // SAFETY: the driver passes room for the handle, or null.
                    unsafe { out.write(device.handle.ptr()) };
                }
                STATUS_SUCCESS
            }
            Err(status) => {
                framework().inits.lock().insert(Va::of(known), taken);
                status
            }
        }
    }

    /// Lets a control device be opened.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfControlFinishInitializing(_globals: *mut WDF_DRIVER_GLOBALS, device: WDFDEVICE) {
        with_own(device, (), |_, devices, _| {
            if devices.is_control() {
                ready(devices.functional);
            } else {
                violation("WdfHandle", Va::of(device), format!("{device:p} is no control device"));
            }
        });
    }
}

/// # Safety
/// `attributes` is null or points to valid attributes.
unsafe fn create(init: &Init, attributes: *const WDF_OBJECT_ATTRIBUTES) -> Result<Arc<Object>, NTSTATUS> {
    let settings = init.settings.clone();
    let physical = init.physical.ptr::<DEVICE_OBJECT>();
    let made = Made {
        driver: init.client.driver_object,
        extension: 8,
        name: settings.name.clone(),
        kind: settings.kind,
        characteristics: settings.characteristics,
        exclusive: settings.exclusive,
        security: settings.security.clone(),
    };
    // SAFETY: a bound driver has a live driver object.
    let functional = unsafe { io::create_device(made) }?;
    let buffered = match settings.buffers {
        WDF_DEVICE_IO_TYPE::WdfDeviceIoBuffered => DO_BUFFERED_IO,
        WDF_DEVICE_IO_TYPE::WdfDeviceIoDirect => DO_DIRECT_IO,
        _ => 0,
    };
    // SAFETY: the device is new.
    unsafe { (*functional).Flags |= buffered };
    let mut attached = ptr::null_mut();
    if !physical.is_null() {
        // SAFETY: as above.
        unsafe { (*functional).Flags |= DO_POWER_PAGABLE };
        let Some(below) = io::attach(functional, physical) else {
            io::delete_device(functional);
            return Err(STATUS_NO_SUCH_DEVICE);
        };
        attached = below;
    }
    let devices = Devices { functional, attached, physical, own: Some(Box::new(Own::new(settings))) };
    // SAFETY: the caller's contract.
    let created =
        unsafe { object::create(&init.client, attributes, init.client.driver(), Body::Device(devices)) };
    match created {
        Ok(device) => {
            framework().devices.write().insert(Va::of(functional), device.handle);
            Ok(device)
        }
        Err(status) => {
            take_down(functional, attached);
            Err(status)
        }
    }
}

/// Lets a device be opened.
fn ready(device: *mut DEVICE_OBJECT) {
    // SAFETY: the device exists as long as the framework's object.
    unsafe { (*device).Flags &= !DO_DEVICE_INITIALIZING };
}

fn take_down(functional: *mut DEVICE_OBJECT, attached: *mut DEVICE_OBJECT) {
    if !attached.is_null() {
        io::detach(attached);
    }
    io::delete_device(functional);
}

/// The kernel's part of a device that is deleted goes.
pub(super) fn delete(devices: &Devices) {
    let Some(own) = &devices.own else { return };
    let mut state = own.state.lock();
    let (links, interfaces) = (core::mem::take(&mut state.links), core::mem::take(&mut state.interfaces));
    drop(state);
    for link in links {
        io::unlink(&link);
    }
    for (name, _) in interfaces {
        set_interface_state(&name, false);
    }
    framework().devices.write().remove(&Va::of(devices.functional));
    take_down(devices.functional, devices.attached);
}

/// The framework's AddDevice: begins a device, and has the driver make it.
pub(super) unsafe extern "efiapi" fn add_device(
    driver: *mut DRIVER_OBJECT,
    physical: *mut DEVICE_OBJECT,
) -> NTSTATUS {
    let Some(client) = Client::of_driver_object(driver) else { return STATUS_NO_SUCH_DEVICE };
    let Some(routine) = *client.add.lock() else { return STATUS_SUCCESS };
    let init = init::begin(&client, physical);
    let handle = client.driver().ptr();
    // SAFETY: the routine is the driver's own.
    let status = boundary::call_driver("EvtDriverDeviceAdd", || unsafe { routine(handle, init) });
    framework().inits.lock().remove(&Va::of(init));
    let made = made_for(physical);
    match made {
        Some(device) if NT_SUCCESS(status) => {
            if let Body::Device(devices) = &device.body {
                ready(devices.functional);
            }
        }
        // The framework deletes the device of a callback that fails.
        Some(device) => device.delete(),
        None => {}
    }
    status
}

/// The device of the framework that is on top of one at the bottom.
fn made_for(physical: *mut DEVICE_OBJECT) -> Option<Arc<Object>> {
    let objects = framework().objects.read();
    let found = objects.values().find(|object| {
        matches!(&object.body, Body::Device(devices) if devices.physical == physical && devices.own.is_some())
    });
    found.cloned()
}
