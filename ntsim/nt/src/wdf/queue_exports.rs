//! Functions for queues.

use core::ffi::c_void;
use core::ptr;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::number::{ToUsize, narrow};
use sys::status::{
    NTSTATUS, STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER,
    STATUS_NO_MORE_ENTRIES, STATUS_SUCCESS, STATUS_UNSUCCESSFUL,
};
use sys::wdf::{
    PFN_WDF_IO_QUEUE_STATE, STATUS_WDF_NO_CALLBACK, STATUS_WDF_PAUSED, WDF_DRIVER_GLOBALS,
    WDF_IO_QUEUE_CONFIG, WDF_IO_QUEUE_DISPATCH_TYPE, WDF_OBJECT_ATTRIBUTES, WDF_TRI_STATE, WDFDEVICE,
    WDFFILEOBJECT, WDFQUEUE, WDFREQUEST, WdfIoQueueAcceptRequests, WdfIoQueueDispatchRequests,
    WdfIoQueueDriverNoRequests, WdfIoQueueNoRequests, WdfIoQueuePnpHeld, signature,
};

use super::device::{Phase, with_own};
use super::object::{self, Body, Object};
use super::queue::{self, Queue, Told};
use super::{request, violation};

exports! {
    "(KMDF)", signature;

    /// Makes a queue of a device.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfIoQueueCreate(
        _globals: *mut WDF_DRIVER_GLOBALS,
        device: WDFDEVICE,
        config: *mut WDF_IO_QUEUE_CONFIG,
        attributes: *mut WDF_OBJECT_ATTRIBUTES,
        out: *mut WDFQUEUE,
    ) -> NTSTATUS {
        // SAFETY: the driver passes a configuration, of this version or an older one, which begins with its size.
        let size = unsafe { (*config).Size }.to_usize();
        if !matches!(size, 0x50 | 0x58 | 0x60) {
            violation("WdfIoQueue", Va::of(device), format!("the configuration has {size} bytes"));
            return STATUS_INFO_LENGTH_MISMATCH;
        }
        // SAFETY: all-zero is a valid value: integers, null pointers and no callbacks.
        let mut copied: WDF_IO_QUEUE_CONFIG = unsafe { core::mem::zeroed() };
        // SAFETY: there are so many bytes at both.
        unsafe { ptr::copy_nonoverlapping(config.cast::<u8>(), (&raw mut copied).cast(), size) };
        // SAFETY: the driver passes valid attributes or null, and room for the handle or null.
        unsafe { create(device, copied, attributes, out) }
    }

    /// Its state, and how many requests it and the driver have.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfIoQueueGetState(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFQUEUE,
        in_queue: *mut u32,
        in_driver: *mut u32,
    ) -> u32 {
        with(handle, 0, |_, queue| {
            let state = queue.state.lock();
            for (to, count) in [(in_queue, state.pending.len()), (in_driver, state.delivered.len())] {
                // SAFETY: the driver passes room for the number or null.
                if let Some(to) = unsafe { to.as_mut() } {
                    *to = narrow(count);
                }
            }
            let bit = |is: bool, bit: u32| if is { bit } else { 0 };
            bit(state.accepts, WdfIoQueueAcceptRequests)
                | bit(state.dispatches, WdfIoQueueDispatchRequests)
                | bit(state.pending.is_empty(), WdfIoQueueNoRequests)
                | bit(state.delivered.is_empty(), WdfIoQueueDriverNoRequests)
                | bit(state.held, WdfIoQueuePnpHeld)
        })
    }

    /// Takes requests, and hands them over.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfIoQueueStart(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFQUEUE) {
        with(handle, (), |object, queue| {
            {
                let mut state = queue.state.lock();
                (state.accepts, state.dispatches) = (true, true);
            }
            queue::pump(object);
        });
    }

    /// Hands over none any more; tells when the driver has none.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfIoQueueStop(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFQUEUE,
        told: Option<PFN_WDF_IO_QUEUE_STATE>,
        context: *mut c_void,
    ) {
        stop(handle, told, context);
    }

    /// Hands over none any more, and waits until the driver has none.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfIoQueueStopSynchronously(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFQUEUE) {
        stop(handle, None, ptr::null_mut());
        with(handle, (), |object, _| queue::wait(object, false));
    }

    /// Its device.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfIoQueueGetDevice(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFQUEUE) -> WDFDEVICE {
        with(handle, ptr::null_mut(), |_, queue| queue.device.ptr())
    }

    /// Takes the next request.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfIoQueueRetrieveNextRequest(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFQUEUE,
        out: *mut WDFREQUEST,
    ) -> NTSTATUS {
        retrieve(handle, out, |_| true)
    }

    /// Takes the next request of a file.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfIoQueueRetrieveRequestByFileObject(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFQUEUE,
        file: WDFFILEOBJECT,
        out: *mut WDFREQUEST,
    ) -> NTSTATUS {
        retrieve(handle, out, |request| request::file(request) == Va::of(file))
    }

    /// Takes none any more, and hands over the rest; waits for it.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfIoQueueDrainSynchronously(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFQUEUE) {
        drain(handle, false, None, ptr::null_mut());
        with(handle, (), |object, _| queue::wait(object, true));
    }

    /// Takes none any more, and hands over the rest.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfIoQueueDrain(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFQUEUE,
        told: Option<PFN_WDF_IO_QUEUE_STATE>,
        context: *mut c_void,
    ) {
        drain(handle, false, told, context);
    }

    /// Takes none any more, cancels all and waits for it.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfIoQueuePurgeSynchronously(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFQUEUE) {
        drain(handle, true, None, ptr::null_mut());
        with(handle, (), |object, _| queue::wait(object, true));
    }

    /// Takes none any more, and cancels all.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfIoQueuePurge(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFQUEUE,
        told: Option<PFN_WDF_IO_QUEUE_STATE>,
        context: *mut c_void,
    ) {
        drain(handle, true, told, context);
    }

    /// Tells when a manual queue is no more empty; null ends that.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfIoQueueReadyNotify(
        _globals: *mut WDF_DRIVER_GLOBALS,
        handle: WDFQUEUE,
        told: Option<PFN_WDF_IO_QUEUE_STATE>,
        context: *mut c_void,
    ) -> NTSTATUS {
        with(handle, STATUS_INVALID_PARAMETER, |_, queue| {
            if queue.config.DispatchType != WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchManual {
                violation("WdfIoQueue", Va::of(handle), "WdfIoQueueReadyNotify of a queue that is not manual".into());
                return STATUS_INVALID_DEVICE_REQUEST;
            }
            let mut state = queue.state.lock();
            if told.is_some() && state.ready.is_some() {
                return STATUS_INVALID_DEVICE_REQUEST;
            }
            state.ready = told.map(|told| Told(told, Va::of(context)));
            STATUS_SUCCESS
        })
    }
}

/// Runs `f` with a queue; reports any other handle.
pub(super) fn with<R>(handle: WDFQUEUE, otherwise: R, f: impl FnOnce(&Arc<Object>, &Queue) -> R) -> R {
    let Some(object) = Object::of(handle) else { return otherwise };
    match &object.body {
        Body::Queue(queue) => f(&object, queue),
        _ => {
            violation("WdfHandle", Va::of(handle), format!("{handle:p} is no queue"));
            otherwise
        }
    }
}

/// The statuses are those of `FxIoQueue::Initialize` and `FxPkgIo::InitializeDefaultQueue`
/// (<https://github.com/microsoft/Windows-Driver-Frameworks>, `fxioqueue.cpp`, `fxpkgio.cpp`).
///
/// # Safety
/// `attributes` is null or points to valid attributes; `out` is null or may be written.
unsafe fn create(
    device: WDFDEVICE,
    config: WDF_IO_QUEUE_CONFIG,
    attributes: *const WDF_OBJECT_ATTRIBUTES,
    out: *mut WDFQUEUE,
) -> NTSTATUS {
    let is_manual = config.DispatchType == WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchManual;
    if !(1..=3).contains(&config.DispatchType.0) {
        return STATUS_INVALID_PARAMETER;
    }
    let transfers = config.EvtIoRead.is_some() || config.EvtIoWrite.is_some();
    let controls = config.EvtIoDeviceControl.is_some() || config.EvtIoInternalDeviceControl.is_some();
    if !is_manual && !transfers && !controls && config.EvtIoDefault.is_none() {
        violation("WdfIoQueue", Va::of(device), "a queue that is not manual has no callback".into());
        return STATUS_WDF_NO_CALLBACK;
    }
    with_own(device, STATUS_INVALID_PARAMETER, |object, devices, own| {
        if config.DefaultQueue != 0 && own.state.lock().default.is_some() {
            violation("WdfIoQueue", Va::of(device), "a device has a default queue already".into());
            return STATUS_UNSUCCESSFUL;
        }
        let managed = match config.PowerManaged {
            WDF_TRI_STATE::WdfTrue => true,
            WDF_TRI_STATE::WdfFalse => false,
            _ => !devices.is_control(),
        };
        let held = managed && !devices.is_control() && own.state.lock().phase != Phase::Working;
        let body = Body::Queue(Queue::new(config, object.handle, managed, held));
        // SAFETY: the caller's contract.
        match unsafe { object::create(&object.client, attributes, object.handle, body) } {
            Ok(queue) => {
                let mut state = own.state.lock();
                state.queues.push(queue.handle);
                if config.DefaultQueue != 0 {
                    state.default = Some(queue.handle);
                }
                drop(state);
                if !out.is_null() {
                    // SAFETY: the caller's contract.
                    unsafe { out.write(queue.handle.ptr()) };
                }
                STATUS_SUCCESS
            }
            Err(status) => status,
        }
    })
}

fn stop(handle: WDFQUEUE, told: Option<PFN_WDF_IO_QUEUE_STATE>, context: *mut c_void) {
    with(handle, (), |object, queue| {
        {
            let mut state = queue.state.lock();
            state.dispatches = false;
            state.done = told.map(|told| (Told(told, Va::of(context)), false));
        }
        queue::settle(object);
    });
}

fn drain(handle: WDFQUEUE, cancels: bool, told: Option<PFN_WDF_IO_QUEUE_STATE>, context: *mut c_void) {
    with(handle, (), |object, queue| {
        {
            let mut state = queue.state.lock();
            state.accepts = false;
            state.done = told.map(|told| (Told(told, Va::of(context)), true));
        }
        if cancels {
            queue::cancel(object, true, |_| true);
        }
        queue::settle(object);
    });
}

fn retrieve(handle: WDFQUEUE, out: *mut WDFREQUEST, wanted: impl Fn(&Object) -> bool) -> NTSTATUS {
    with(handle, STATUS_INVALID_PARAMETER, |object, queue| {
        if queue.config.DispatchType == WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchParallel {
            violation("WdfIoQueue", Va::of(handle), "a request is retrieved from a parallel queue".into());
            return STATUS_INVALID_DEVICE_REQUEST;
        }
        let stands = {
            let state = queue.state.lock();
            state.held || !state.dispatches
        };
        if stands {
            return STATUS_WDF_PAUSED;
        }
        match queue::take(object, wanted) {
            Some(request) => {
                // SAFETY: the driver passes room for the handle.
                unsafe { out.write(request.handle.ptr()) };
                STATUS_SUCCESS
            }
            None => STATUS_NO_MORE_ENTRIES,
        }
    })
}
