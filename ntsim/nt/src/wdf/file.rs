//! Files of the framework: the kernel's open files, as a driver that asked for them sees them.

use core::ptr;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::exports;
use sys::status::NTSTATUS;
use sys::wdf::{
    PFN_WDF_FILE_EVENT, WDF_DRIVER_GLOBALS, WDF_FILEOBJECT_CLASS, WDFDEVICE, WDFFILEOBJECT, signature,
};
use sys::wdm::{FILE_OBJECT, UNICODE_STRING};

use super::device::{Devices, Own, with_own};
use super::object::{self, Body, Object};
use super::violation;

/// An open file.
pub(super) struct File {
    /// The device's handle.
    device: Va,
    /// The kernel's file object.
    object: Va,
}

/// The bit of a class that says that a request may come without a file.
const OPTIONAL: i32 = i32::MIN;

/// Makes the framework's file of a kernel's, if the driver wants them.
pub(super) fn open(device: &Arc<Object>, own: &Own, file: *mut FILE_OBJECT) -> Result<Va, NTSTATUS> {
    let wanted = own.settings.files.filter(|files| {
        files.FileObjectClass.0 & !OPTIONAL != WDF_FILEOBJECT_CLASS::WdfFileObjectNotRequired.0
    });
    if wanted.is_none() {
        return Ok(Va::NULL);
    }
    let attributes = own.settings.file_attributes.as_ref().map_or(ptr::null(), ptr::from_ref);
    let body = Body::File(File { device: device.handle, object: Va::of(file) });
    // SAFETY: the attributes are those that the driver has set.
    let made = unsafe { object::create(&device.client, attributes, device.handle, body) }?;
    own.state.lock().files.insert(Va::of(file), made.handle);
    Ok(made.handle)
}

/// The framework's file of a kernel's, or 0.
pub(super) fn of_kernel(device: Va, file: *mut FILE_OBJECT) -> Va {
    let device = Object::known(device);
    let Some(Body::Device(Devices { own: Some(own), .. })) = device.as_deref().map(|device| &device.body)
    else {
        return Va::NULL;
    };
    own.state.lock().files.get(&Va::of(file)).copied().unwrap_or_default()
}

/// Deletes the framework's file of a kernel's, if there is one.
pub(super) fn forget(device: Va, file: *mut FILE_OBJECT) {
    let device = Object::known(device);
    let Some(Body::Device(Devices { own: Some(own), .. })) = device.as_deref().map(|device| &device.body)
    else {
        return;
    };
    let known = own.state.lock().files.remove(&Va::of(file));
    if let Some(file) = known.and_then(Object::known) {
        file.delete();
    }
}

/// Calls a callback of a file, if there is a file.
pub(super) fn tell(name: &'static str, routine: Option<PFN_WDF_FILE_EVENT>, file: Va) {
    if let Some(routine) = routine
        && !file.is_null()
    {
        // SAFETY: the routine is the driver's own, for this file.
        boundary::call_driver(name, || unsafe { routine(file.ptr()) });
    }
}

exports! {
    "(KMDF)", signature;

    /// The framework's file of a kernel's.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceGetFileObject(
        _globals: *mut WDF_DRIVER_GLOBALS,
        device: WDFDEVICE,
        file: *mut FILE_OBJECT,
    ) -> WDFFILEOBJECT {
        with_own(device, ptr::null_mut(), |object, _, _| of_kernel(object.handle, file).ptr())
    }

    /// The name with which it was opened, below the device's.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfFileObjectGetFileName(_globals: *mut WDF_DRIVER_GLOBALS, file: WDFFILEOBJECT) -> *mut UNICODE_STRING {
        // SAFETY: a file of the framework goes before the kernel's does.
        with(file, ptr::null_mut(), |file| unsafe { &raw mut (*file.object.ptr::<FILE_OBJECT>()).FileName })
    }

    /// Its flags.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfFileObjectGetFlags(_globals: *mut WDF_DRIVER_GLOBALS, file: WDFFILEOBJECT) -> u32 {
        // SAFETY: as above.
        with(file, 0, |file| unsafe { (*file.object.ptr::<FILE_OBJECT>()).Flags })
    }

    /// Its device.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfFileObjectGetDevice(_globals: *mut WDF_DRIVER_GLOBALS, file: WDFFILEOBJECT) -> WDFDEVICE {
        with(file, ptr::null_mut(), |file| file.device.ptr())
    }

    /// The kernel's file object.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfFileObjectWdmGetFileObject(
        _globals: *mut WDF_DRIVER_GLOBALS,
        file: WDFFILEOBJECT,
    ) -> *mut FILE_OBJECT {
        with(file, ptr::null_mut(), |file| file.object.ptr())
    }
}

fn with<R>(handle: WDFFILEOBJECT, otherwise: R, f: impl FnOnce(&File) -> R) -> R {
    match Object::of(handle).as_deref().map(|object| &object.body) {
        Some(Body::File(file)) => f(file),
        Some(_) => {
            violation("WdfHandle", Va::of(handle), format!("{handle:p} is no file"));
            otherwise
        }
        None => otherwise,
    }
}
