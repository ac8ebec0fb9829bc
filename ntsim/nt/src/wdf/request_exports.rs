//! Functions for requests: completing, cancelling, moving between queues, parameters.

use core::ptr;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::number::ToUsize;
use sys::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};
use sys::wdf::{
    PFN_WDF_REQUEST_CANCEL, WDF_DRIVER_GLOBALS, WDF_IO_QUEUE_DISPATCH_TYPE, WDF_REQUEST_CONTROL,
    WDF_REQUEST_PARAMETERS, WDF_REQUEST_TRANSFER, WDFFILEOBJECT, WDFQUEUE, WDFREQUEST, signature,
};
use sys::wdm::{IRP, KPROCESSOR_MODE, KernelMode};

use super::object::Object;
use super::queue_exports::with as with_queue;
use super::request::{self, Place, Request, is_cancelled};
use super::{queue, violation};

exports! {
    "(KMDF)", signature;

    /// Completes a request.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestComplete(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFREQUEST, status: NTSTATUS) {
        request::complete(Va::of(handle), "WdfRequestComplete", status, None);
    }

    /// Completes it with a boost, which means nothing here.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestCompleteWithPriorityBoost(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFREQUEST,
        status: NTSTATUS,
        _boost: i8,
    ) {
        request::complete(Va::of(handle), "WdfRequestCompleteWithPriorityBoost", status, None);
    }

    /// Completes it with its information.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestCompleteWithInformation(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFREQUEST,
        status: NTSTATUS,
        information: usize,
    ) {
        request::complete(Va::of(handle), "WdfRequestCompleteWithInformation", status, Some(information));
    }

    /// Its status.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestGetStatus(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFREQUEST) -> NTSTATUS {
        // SAFETY: a request that the driver has is there.
        with(handle, STATUS_INVALID_PARAMETER, |_, request| unsafe { (*request.irp()).IoStatus.Status })
    }

    /// Sets its information.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestSetInformation(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFREQUEST,
        information: usize,
    ) {
        // SAFETY: a request that the driver has is there, and nothing else writes this.
        with(handle, (), |_, request| unsafe { (*request.irp()).IoStatus.Information = information });
    }

    /// Its information.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestGetInformation(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFREQUEST) -> usize {
        // SAFETY: a request that the driver has is there.
        with(handle, 0, |_, request| unsafe { (*request.irp()).IoStatus.Information })
    }

    /// Lets it be cancelled; if it was already, the driver is told at once.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestMarkCancelable(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFREQUEST,
        routine: Option<PFN_WDF_REQUEST_CANCEL>,
    ) {
        with(handle, (), |object, _| {
            if let Some(routine) = routine
                && !request::mark_cancelable(object, routine)
            {
                request::tell_cancelled(object);
            }
        });
    }

    /// Lets it be cancelled, unless it was already.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestMarkCancelableEx(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFREQUEST,
        routine: Option<PFN_WDF_REQUEST_CANCEL>,
    ) -> NTSTATUS {
        with(handle, STATUS_INVALID_PARAMETER, |object, _| match routine {
            None => STATUS_INVALID_PARAMETER,
            Some(routine) if request::mark_cancelable(object, routine) => STATUS_SUCCESS,
            Some(_) => {
                request::forget_cancelable(object);
                STATUS_CANCELLED
            }
        })
    }

    /// Takes that back.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestUnmarkCancelable(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFREQUEST) -> NTSTATUS {
        with(handle, STATUS_INVALID_PARAMETER, |object, request| {
            if !request::is_cancelable(object) && !is_cancelled(request) {
                let text = format!("{handle:p} is unmarked, and was not marked cancelable");
                violation("WdfRequest", Va::of(handle), text);
                return STATUS_INVALID_DEVICE_REQUEST;
            }
            if request::unmark_cancelable(object) { STATUS_SUCCESS } else { STATUS_CANCELLED }
        })
    }

    /// Returns whether it was cancelled.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestIsCanceled(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFREQUEST) -> u8 {
        with(handle, 0, |_, request| u8::from(is_cancelled(request)))
    }

    /// Returns whether its sender is a process of 32 bits: there are none.
    #[irql(PASSIVE..=APC)]
    fn WdfRequestIsFrom32BitProcess(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFREQUEST) -> u8 {
        with(handle, 0, |_, _| 0)
    }

    /// Its parameters.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestGetParameters(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFREQUEST,
        out: *mut WDF_REQUEST_PARAMETERS,
    ) {
        // SAFETY: the driver passes room for the parameters.
        with(handle, (), |_, request| describe(request, unsafe { &mut *out }));
    }

    /// Its file.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestGetFileObject(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFREQUEST) -> WDFFILEOBJECT {
        with(handle, ptr::null_mut(), |object, _| request::file(object).ptr())
    }

    /// The mode of its sender.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestGetRequestorMode(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFREQUEST) -> KPROCESSOR_MODE {
        // SAFETY: a request that the driver has is there.
        with(handle, KernelMode, |_, request| unsafe { (*request.irp()).RequestorMode })
    }

    /// Puts it into another queue of its device.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestForwardToIoQueue(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFREQUEST,
        to: WDFQUEUE,
    ) -> NTSTATUS {
        with(handle, STATUS_INVALID_PARAMETER, |object, request| {
            let Some(from) = held(object, request, "WdfRequestForwardToIoQueue") else {
                return STATUS_INVALID_DEVICE_REQUEST;
            };
            with_queue(to, STATUS_INVALID_PARAMETER, |target, queue| {
                if queue.device != request.device || target.handle == from {
                    let text = format!("{handle:p} is forwarded to its own queue, or one of another device");
                    violation("WdfRequest", Va::of(handle), text);
                    return STATUS_INVALID_DEVICE_REQUEST;
                }
                if !queue.state.lock().accepts {
                    return sys::wdf::STATUS_WDF_BUSY;
                }
                queue::insert(target, object, false);
                queue::returned(from, object.handle);
                STATUS_SUCCESS
            })
        })
    }

    /// The queue that it came from.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestGetIoQueue(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFREQUEST) -> WDFQUEUE {
        with(handle, ptr::null_mut(), |_, request| match request.state.lock().place {
            Place::Driver(queue) | Place::Queue(queue) => queue.ptr(),
            Place::Framework | Place::Over => ptr::null_mut(),
        })
    }

    /// Puts it back to the head of its manual queue.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestRequeue(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFREQUEST) -> NTSTATUS {
        with(handle, STATUS_INVALID_PARAMETER, |object, request| {
            let Some(from) = held(object, request, "WdfRequestRequeue") else {
                return STATUS_INVALID_DEVICE_REQUEST;
            };
            with_queue(from.ptr(), STATUS_INVALID_DEVICE_REQUEST, |target, queue| {
                if queue.config.DispatchType != WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchManual {
                    return STATUS_INVALID_DEVICE_REQUEST;
                }
                queue.state.lock().delivered.retain(|&other| other != object.handle);
                queue::insert(target, object, true);
                STATUS_SUCCESS
            })
        })
    }

    /// Answers EvtIoStop: the driver keeps it, or hands it back to its queue.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestStopAcknowledge(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFREQUEST, requeue: u8) {
        with(handle, (), |object, request| {
            let Some(from) = held(object, request, "WdfRequestStopAcknowledge") else { return };
            if requeue == 0 {
                let text = "a request of a device that goes is kept by WdfRequestStopAcknowledge";
                violation("WdfRequest", Va::of(handle), text.into());
                return;
            }
            with_queue(from.ptr(), (), |_, queue| {
                queue.state.lock().delivered.retain(|&other| other != object.handle);
            });
            request::finish(object, STATUS_CANCELLED, Some(0));
        });
    }

    /// The kernel's request.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfRequestWdmGetIrp(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFREQUEST) -> *mut IRP {
        with(handle, ptr::null_mut(), |_, request| request.irp())
    }
}

/// Runs `f` with a request that is not over; reports any other handle.
pub(super) fn with<R>(handle: WDFREQUEST, otherwise: R, f: impl FnOnce(&Arc<Object>, &Request) -> R) -> R {
    let Some(object) = Object::of(handle) else { return otherwise };
    match request::of(&object) {
        Some(request) if request.state.lock().place != Place::Over => f(&object, request),
        _ => {
            violation("WdfHandle", Va::of(handle), format!("{handle:p} is no request, or was completed"));
            otherwise
        }
    }
}

/// The queue from which the driver has a request; reports one that it does not have.
fn held(object: &Object, request: &Request, function: &str) -> Option<Va> {
    if request::is_cancelable(object) {
        let text = format!("{function} got the request {:#x}, which is marked cancelable", object.handle);
        violation("WdfRequest", object.handle, text);
        return None;
    }
    match request.state.lock().place {
        Place::Driver(queue) => Some(queue),
        place => {
            let text = format!("{function} got a request that the driver does not have ({place:?})");
            violation("WdfRequest", object.handle, text);
            None
        }
    }
}

fn describe(request: &Request, out: &mut WDF_REQUEST_PARAMETERS) {
    let location = request.location();
    out.MinorFunction = location.MinorFunction;
    out.Type = i32::from(location.MajorFunction);
    match location.MajorFunction {
        3 | 4 => {
            // SAFETY: the member belongs to the major function.
            let asked = unsafe { location.Parameters.Read };
            out.Parameters.Transfer = WDF_REQUEST_TRANSFER {
                Length: asked.Length.to_usize(),
                Key: asked.Key,
                DeviceOffset: asked.ByteOffset,
            };
        }
        0xE | 0xF => {
            // SAFETY: as above.
            let asked = unsafe { location.Parameters.DeviceIoControl };
            out.Parameters.DeviceIoControl = WDF_REQUEST_CONTROL {
                OutputBufferLength: asked.OutputBufferLength.to_usize(),
                InputBufferLength: asked.InputBufferLength.to_usize(),
                IoControlCode: asked.IoControlCode,
                Type3InputBuffer: asked.Type3InputBuffer,
            };
        }
        _ => {
            // SAFETY: as above.
            let asked = unsafe { location.Parameters.Others };
            out.Parameters.Others = [asked.Argument1, asked.Argument2, asked.Argument3, asked.Argument4];
        }
    }
}
