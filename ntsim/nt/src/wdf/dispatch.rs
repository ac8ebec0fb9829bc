//! The framework's dispatch routine: which of the driver's callbacks or queues a request goes to.

use core::ffi::c_void;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::boundary;
use sys::status::{NTSTATUS, STATUS_INVALID_DEVICE_REQUEST, STATUS_PENDING, STATUS_SUCCESS};
use sys::wdm::{
    DEVICE_OBJECT, IO_STACK_LOCATION, IO_STATUS_BLOCK, IRP, IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_CREATE,
    IRP_MJ_DEVICE_CONTROL, IRP_MJ_INTERNAL_DEVICE_CONTROL, IRP_MJ_PNP, IRP_MJ_POWER, IRP_MJ_READ,
    IRP_MJ_SYSTEM_CONTROL, IRP_MJ_WRITE, SL_PENDING_RETURNED,
};

use super::client::framework;
use super::device::{Devices, Own};
use super::object::{Body, Object};
use super::request::{self, Place};
use super::{file, pnp, queue, violation};
use crate::io::{self, IofCompleteRequest};

/// The routine for all requests (`FxDevice::Dispatch`), which takes the device for one of the framework's.
pub(super) unsafe extern "efiapi" fn dispatch(device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    let handle = framework().devices.read().get(&Va::of(device)).copied();
    let object = handle.and_then(Object::known);
    let Some(object) = object else {
        violation("WdfDispatch", Va::of(device), format!("{device:p} is no device of the framework"));
        return end(irp, STATUS_INVALID_DEVICE_REQUEST);
    };
    let Body::Device(devices @ Devices { own: Some(own), .. }) = &object.body else {
        return end(irp, STATUS_INVALID_DEVICE_REQUEST);
    };
    // SAFETY: the request is the dispatch routine's.
    let location = unsafe { io::current_location(irp) };
    match location.MajorFunction {
        IRP_MJ_CREATE => create(&object, own, irp, location),
        IRP_MJ_CLEANUP => {
            let known = file::of_kernel(object.handle, location.FileObject);
            let queues = own.state.lock().queues.clone();
            let kernel = location.FileObject;
            for queue in queues.into_iter().filter_map(Object::known) {
                queue::cancel(&queue, true, |request| is_for(request, kernel));
            }
            file::tell("EvtFileCleanup", own.settings.files.and_then(|files| files.EvtFileCleanup), known);
            end(irp, STATUS_SUCCESS)
        }
        IRP_MJ_CLOSE => {
            let known = file::of_kernel(object.handle, location.FileObject);
            file::tell("EvtFileClose", own.settings.files.and_then(|files| files.EvtFileClose), known);
            file::forget(object.handle, location.FileObject);
            end(irp, STATUS_SUCCESS)
        }
        IRP_MJ_READ | IRP_MJ_WRITE | IRP_MJ_DEVICE_CONTROL | IRP_MJ_INTERNAL_DEVICE_CONTROL => {
            queued(&object, own, irp, location)
        }
        IRP_MJ_PNP if !devices.is_control() => pnp::dispatch(&object, devices, own, irp, location),
        IRP_MJ_POWER | IRP_MJ_SYSTEM_CONTROL if !devices.is_control() => {
            // SAFETY: the request is the dispatch routine's.
            unsafe { io::skip(devices.attached, irp) }
        }
        _ => end(irp, STATUS_INVALID_DEVICE_REQUEST),
    }
}

fn is_for(request: &Object, file: *mut sys::wdm::FILE_OBJECT) -> bool {
    request::of(request).is_some_and(|request| core::ptr::eq(request.location().FileObject, file))
}

/// Completes a request that needs nothing more.
pub(super) fn end(irp: *mut IRP, status: NTSTATUS) -> NTSTATUS {
    // SAFETY: the request is the dispatch routine's.
    unsafe { (*irp).IoStatus = IO_STATUS_BLOCK { Status: status, Information: 0 } };
    // SAFETY: as above; it is not touched again.
    unsafe { IofCompleteRequest(irp, 0) };
    status
}

/// Opens a file.
fn create(object: &Arc<Object>, own: &Own, irp: *mut IRP, location: &mut IO_STACK_LOCATION) -> NTSTATUS {
    let file = match file::open(object, own, location.FileObject) {
        Ok(file) => file,
        Err(status) => return end(irp, status),
    };
    let routine = own.settings.files.and_then(|files| files.EvtDeviceFileCreate);
    let queue = own.state.lock().by_kind[usize::from(IRP_MJ_CREATE)];
    if routine.is_none() && queue.is_none() {
        return end(irp, STATUS_SUCCESS);
    }
    location.Control |= SL_PENDING_RETURNED;
    let request = match request::create(object, irp) {
        Ok(request) => request,
        Err(status) => return fail(irp, status),
    };
    if let Some(queue) = queue.and_then(Object::known) {
        queue::insert(&queue, &request, false);
    } else if let Some(routine) = routine {
        request::set_place(&request, Place::Driver(Va::NULL));
        let (device, own) = (object.handle.ptr::<c_void>(), request.handle.ptr::<c_void>());
        // SAFETY: the routine is the driver's own, for this device.
        boundary::call_driver("EvtDeviceFileCreate", || unsafe { routine(device, own, file.ptr()) });
    }
    STATUS_PENDING
}

/// Completes a request that was marked pending.
fn fail(irp: *mut IRP, status: NTSTATUS) -> NTSTATUS {
    end(irp, status);
    STATUS_PENDING
}

/// Puts a request into its queue.
fn queued(object: &Arc<Object>, own: &Own, irp: *mut IRP, location: &mut IO_STACK_LOCATION) -> NTSTATUS {
    if own.settings.caller_context.is_none() && target(own, location.MajorFunction).is_none() {
        return end(irp, STATUS_INVALID_DEVICE_REQUEST);
    }
    location.Control |= SL_PENDING_RETURNED;
    let request = match request::create(object, irp) {
        Ok(request) => request,
        Err(status) => return fail(irp, status),
    };
    match own.settings.caller_context {
        Some(routine) => {
            request::set_place(&request, Place::Driver(Va::NULL));
            let (device, own) = (object.handle.ptr::<c_void>(), request.handle.ptr::<c_void>());
            // SAFETY: the routine is the driver's own, for this device.
            boundary::call_driver("EvtIoInCallerContext", || unsafe { routine(device, own) });
        }
        None => {
            enqueue(own, &request);
        }
    }
    STATUS_PENDING
}

/// The queue for a kind of requests.
fn target(own: &Own, major: u8) -> Option<Arc<Object>> {
    let state = own.state.lock();
    let queue = state.by_kind.get(usize::from(major)).copied().flatten().or(state.default);
    drop(state);
    queue.and_then(Object::known)
}

/// Puts a request into its queue; one that is for none, or moves no bytes where the driver does not want those, is
/// completed.
pub(super) fn enqueue(own: &Own, request: &Arc<Object>) -> NTSTATUS {
    let asked = request::asked(request);
    let Some(queue) = target(own, asked.major) else {
        request::finish(request, STATUS_INVALID_DEVICE_REQUEST, Some(0));
        return STATUS_INVALID_DEVICE_REQUEST;
    };
    let wants_empty = queue::of(&queue).is_none_or(|queue| queue.config.AllowZeroLengthRequests != 0);
    let is_empty = matches!(asked.major, IRP_MJ_READ | IRP_MJ_WRITE) && asked.input + asked.output == 0;
    if is_empty && !wants_empty {
        request::finish(request, STATUS_SUCCESS, Some(0));
    } else {
        queue::insert(&queue, request, false);
    }
    STATUS_SUCCESS
}
