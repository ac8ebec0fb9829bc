//! Requests of the framework: which code has one, and how it ends.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU8, Ordering};
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::number::ToUsize;
use parking_lot::Mutex;
use sys::status::{NT_SUCCESS, NTSTATUS, STATUS_CANCELLED};
use sys::wdf::PFN_WDF_REQUEST_CANCEL;
use sys::wdm::{
    DEVICE_OBJECT, IO_STACK_LOCATION, IRP, IRP_MJ_CREATE, IRP_MJ_READ, IRP_MJ_WRITE, PDRIVER_CANCEL,
};

use super::client::framework;
use super::object::{self, Body, Object};
use super::{file, queue, violation};
use crate::io::{self, IofCompleteRequest};

/// A request.
pub(super) struct Request {
    pub(super) irp: Va,
    /// The device's handle.
    pub(super) device: Va,
    pub(super) state: Mutex<State>,
}

/// The part of a request that changes.
pub(super) struct State {
    pub(super) place: Place,
    /// The driver's callback for a cancellation, while it is marked cancelable.
    cancel: Option<PFN_WDF_REQUEST_CANCEL>,
    /// Set if the driver has had it before.
    presented: bool,
}

/// The holder of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// The framework.
    Framework,
    /// The queue with this handle.
    Queue(Va),
    /// The driver, which got it from the queue with this handle, or from none.
    Driver(Va),
    /// It was completed.
    Over,
}

/// The first words of what a request asks for.
pub(super) struct Asked {
    pub(super) major: u8,
    /// Bytes of its input and its output.
    pub(super) input: usize,
    pub(super) output: usize,
    pub(super) code: u32,
}

/// Makes the framework's request of a kernel's.
pub(super) fn create(device: &Arc<Object>, irp: *mut IRP) -> Result<Arc<Object>, NTSTATUS> {
    let Body::Device(devices) = &device.body else { return Err(STATUS_CANCELLED) };
    let attributes = devices.own.as_ref().and_then(|own| own.settings.request_attributes);
    let attributes = attributes.as_ref().map_or(ptr::null(), ptr::from_ref);
    let state = State { place: Place::Framework, cancel: None, presented: false };
    let body = Body::Request(Request { irp: Va::of(irp), device: device.handle, state: Mutex::new(state) });
    // SAFETY: the attributes are those that the driver has set.
    let request = unsafe { object::create(&device.client, attributes, device.handle, body) }?;
    framework().requests.write().insert(Va::of(irp), request.handle);
    Ok(request)
}

pub(super) fn of(object: &Object) -> Option<&Request> {
    match &object.body {
        Body::Request(request) => Some(request),
        _ => None,
    }
}

impl Request {
    pub(super) fn irp(&self) -> *mut IRP {
        self.irp.ptr()
    }

    /// Its stack location.
    pub(super) fn location(&self) -> &IO_STACK_LOCATION {
        // SAFETY: the request is there until it is completed.
        unsafe { io::current_location(self.irp()) }
    }
}

pub(super) fn asked(object: &Object) -> Asked {
    let Some(request) = of(object) else { return Asked { major: 0xFF, input: 0, output: 0, code: 0 } };
    let location = request.location();
    let major = location.MajorFunction;
    let (input, output, code) = match major {
        // SAFETY: the member belongs to the major function.
        IRP_MJ_READ => (0, unsafe { location.Parameters.Read }.Length, 0),
        // SAFETY: as above.
        IRP_MJ_WRITE => (unsafe { location.Parameters.Write }.Length, 0, 0),
        0xE | 0xF => {
            // SAFETY: as above.
            let control = unsafe { location.Parameters.DeviceIoControl };
            (control.InputBufferLength, control.OutputBufferLength, control.IoControlCode)
        }
        _ => (0, 0, 0),
    };
    Asked { major, input: input.to_usize(), output: output.to_usize(), code }
}

/// The framework's file of a request, or 0.
pub(super) fn file(object: &Object) -> Va {
    let Some(request) = of(object) else { return Va::NULL };
    file::of_kernel(request.device, request.location().FileObject)
}

pub(super) fn set_place(object: &Object, place: Place) {
    if let Some(request) = of(object) {
        let mut state = request.state.lock();
        state.presented |= matches!(place, Place::Driver(_));
        state.place = place;
    }
}

/// Exchanges the cancel routine of a request, as the inline IoSetCancelRoutine does.
fn exchange(irp: *mut IRP, routine: Option<PDRIVER_CANCEL>) -> bool {
    let routine = routine.map_or(ptr::null_mut(), |routine| routine as *mut ());
    // SAFETY: the request is there.
    let slot = unsafe { &raw mut (*irp).CancelRoutine };
    // SAFETY: drivers access the member in just this way.
    let slot = unsafe { AtomicPtr::from_ptr(slot.cast::<*mut ()>()) };
    !slot.swap(routine, Ordering::SeqCst).is_null()
}

/// Returns whether a request was cancelled.
pub(super) fn is_cancelled(request: &Request) -> bool {
    // SAFETY: the request is there until it is completed.
    let cancelled = unsafe { &raw mut (*request.irp()).Cancel };
    // SAFETY: the byte is there, and others only write it.
    unsafe { AtomicU8::from_ptr(cancelled) }.load(Ordering::SeqCst) != 0
}

/// Lets a request be cancelled by a routine; `false` if it was just before, and the routine's work is done here.
pub(super) fn arm(object: &Arc<Object>, routine: PDRIVER_CANCEL) -> bool {
    let Some(request) = of(object) else { return false };
    exchange(request.irp(), Some(routine));
    if is_cancelled(request) && exchange(request.irp(), None) {
        cancelled(object);
        return false;
    }
    true
}

/// Takes back that a request may be cancelled; `false` if its routine is on its way.
pub(super) fn disarm(object: &Object) -> bool {
    of(object).is_some_and(|request| exchange(request.irp(), None))
}

/// The routine of a request in a queue.
pub(super) unsafe extern "efiapi" fn cancelled_in_queue(_device: *mut DEVICE_OBJECT, irp: *mut IRP) {
    // SAFETY: the request is the routine's.
    let irql = unsafe { (*irp).CancelIrql };
    // SAFETY: a cancel routine is entered with the lock.
    unsafe { io::IoReleaseCancelSpinLock(irql) };
    let handle = framework().requests.read().get(&Va::of(irp)).copied();
    if let Some(request) = handle.and_then(Object::known) {
        cancelled(&request);
    }
}

/// A request was cancelled in a queue.
fn cancelled(object: &Arc<Object>) {
    let Some(request) = of(object) else { return };
    let (place, presented) = {
        let state = request.state.lock();
        (state.place, state.presented)
    };
    let Place::Queue(handle) = place else { return };
    let Some(owner) = Object::known(handle) else { return };
    if !queue::take_out(&owner, object.handle) {
        return;
    }
    let told = queue::of(&owner).and_then(|queue| queue.config.EvtIoCanceledOnQueue);
    match told.filter(|_| presented) {
        // "The driver [...] received the request before": it completes it
        // (<https://learn.microsoft.com/windows-hardware/drivers/wdf/canceling-i-o-requests>).
        Some(told) => {
            set_place(object, Place::Driver(handle));
            let (queue, own) = (handle.ptr::<c_void>(), object.handle.ptr::<c_void>());
            // SAFETY: the routine is the driver's own, for this queue.
            boundary::call_driver("EvtIoCanceledOnQueue", || unsafe { told(queue, own) });
        }
        None => finish(object, STATUS_CANCELLED, Some(0)),
    }
    queue::settle(&owner);
}

/// Lets the driver be told of a cancellation; `false` if it came before.
pub(super) fn mark_cancelable(object: &Arc<Object>, routine: PFN_WDF_REQUEST_CANCEL) -> bool {
    let Some(request) = of(object) else { return false };
    request.state.lock().cancel = Some(routine);
    exchange(request.irp(), Some(cancelled_in_driver));
    if is_cancelled(request) && exchange(request.irp(), None) {
        return false;
    }
    true
}

/// Takes that back; `false` if the driver is being told.
pub(super) fn unmark_cancelable(object: &Object) -> bool {
    let taken = disarm(object);
    if taken && let Some(request) = of(object) {
        request.state.lock().cancel = None;
    }
    taken
}

/// Forgets the callback of a request that was cancelled before it was marked.
pub(super) fn forget_cancelable(object: &Object) {
    if let Some(request) = of(object) {
        request.state.lock().cancel = None;
    }
}

/// Returns whether the driver has marked a request cancelable.
pub(super) fn is_cancelable(object: &Object) -> bool {
    of(object).is_some_and(|request| request.state.lock().cancel.is_some())
}

unsafe extern "efiapi" fn cancelled_in_driver(_device: *mut DEVICE_OBJECT, irp: *mut IRP) {
    // SAFETY: the request is the routine's.
    let irql = unsafe { (*irp).CancelIrql };
    // SAFETY: a cancel routine is entered with the lock.
    unsafe { io::IoReleaseCancelSpinLock(irql) };
    let handle = framework().requests.read().get(&Va::of(irp)).copied();
    if let Some(request) = handle.and_then(Object::known) {
        tell_cancelled(&request);
    }
}

/// Tells the driver that a request which it has is cancelled.
pub(super) fn tell_cancelled(object: &Object) {
    let routine = of(object).and_then(|request| request.state.lock().cancel.take());
    let Some(routine) = routine else { return };
    let handle = object.handle.ptr::<c_void>();
    // SAFETY: the routine is the driver's own, for this request.
    boundary::call_driver("EvtRequestCancel", || unsafe { routine(handle) });
}

/// Cancels a request that the driver has, if it is marked cancelable.
pub(super) fn cancel(object: &Object) {
    if is_cancelable(object) && disarm(object) {
        tell_cancelled(object);
    }
}

/// Completes a request, whichever code has it.
pub(super) fn finish(object: &Arc<Object>, status: NTSTATUS, information: Option<usize>) {
    let Some(request) = of(object) else { return };
    let place = core::mem::replace(&mut request.state.lock().place, Place::Over);
    if place == Place::Over {
        return;
    }
    let irp = request.irp();
    if request.location().MajorFunction == IRP_MJ_CREATE && !NT_SUCCESS(status) {
        file::forget(request.device, request.location().FileObject);
    }
    // SAFETY: the request is this code's.
    let result = unsafe { &mut (*irp).IoStatus };
    result.Status = status;
    if let Some(information) = information {
        result.Information = information;
    }
    framework().requests.write().remove(&Va::of(irp));
    // The object goes with the request, but for references that the driver has.
    // SAFETY: as above; it is not touched again.
    unsafe { IofCompleteRequest(irp, 0) };
    object.delete();
    if let Place::Driver(queue) = place {
        queue::returned(queue, object.handle);
    }
}

/// Completes a request for the driver, which must have it.
pub(super) fn complete(handle: Va, function: &str, status: NTSTATUS, information: Option<usize>) {
    let Some(object) = Object::of(handle.ptr()) else { return };
    let Some(request) = of(&object) else {
        violation("WdfHandle", handle, format!("{handle:#x} is no request"));
        return;
    };
    let (place, cancelable) = {
        let state = request.state.lock();
        (state.place, state.cancel.is_some())
    };
    if !matches!(place, Place::Driver(_)) {
        violation(
            "WdfRequestComplete",
            handle,
            format!("{function} got the request {handle:#x}, which the driver does not have ({place:?})"),
        );
        return;
    }
    if cancelable {
        violation(
            "WdfRequestComplete",
            handle,
            format!("{function} got the request {handle:#x}, which is still marked cancelable"),
        );
        if !unmark_cancelable(&object) {
            return;
        }
    }
    finish(&object, status, information);
}
