//! Queues: in which order the driver gets requests
//! (<https://learn.microsoft.com/windows-hardware/drivers/wdf/dispatching-methods-for-i-o-requests>).

use core::ffi::c_void;
use std::collections::VecDeque;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::number::ToUsize;
use ntsim_core::sched::{self, Thread};
use parking_lot::Mutex;
use sys::status::{STATUS_CANCELLED, STATUS_DELETE_PENDING, STATUS_INVALID_DEVICE_REQUEST};
use sys::wdf::{
    PFN_WDF_IO_QUEUE_STATE, STATUS_WDF_BUSY, WDF_IO_QUEUE_CONFIG, WDF_IO_QUEUE_DISPATCH_TYPE as Order,
};
use sys::wdf::{WdfRequestStopActionPurge, WdfRequestStopRequestCancelable};

use super::object::{Body, Object};
use super::request::{self, Place};

/// A queue.
pub(super) struct Queue {
    pub(super) config: WDF_IO_QUEUE_CONFIG,
    /// The device's handle.
    pub(super) device: Va,
    /// Set if it stops and goes on with its device.
    pub(super) managed: bool,
    pub(super) state: Mutex<State>,
}

// SAFETY: the pointers in the configuration are callbacks of the driver's.
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

/// The part of a queue that changes.
pub(super) struct State {
    /// The requests in it, the next one first.
    pub(super) pending: VecDeque<Va>,
    /// Those that the driver has.
    pub(super) delivered: Vec<Va>,
    /// Set if it takes requests.
    pub(super) accepts: bool,
    /// Set if it hands them over.
    pub(super) dispatches: bool,
    /// Set while its device does not work.
    pub(super) held: bool,
    /// Set while a thread hands requests over, one after the other.
    pumping: bool,
    again: bool,
    waiting: Vec<&'static Thread>,
    /// Tells that a manual queue is no more empty.
    pub(super) ready: Option<Told>,
    /// Tells that it has stopped, or is empty; with the latter, nothing may be left in it.
    pub(super) done: Option<(Told, bool)>,
}

/// A callback of the driver's, with its context.
#[derive(Clone, Copy)]
pub(super) struct Told(pub(super) PFN_WDF_IO_QUEUE_STATE, pub(super) Va);

impl Told {
    fn tell(self, name: &'static str, queue: &Object) {
        let Self(routine, context) = self;
        let handle = queue.handle.ptr::<c_void>();
        // SAFETY: the routine is the driver's own, for this queue.
        boundary::call_driver(name, || unsafe { routine(handle, context.ptr()) });
    }
}

impl Queue {
    pub(super) fn new(config: WDF_IO_QUEUE_CONFIG, device: Va, managed: bool, held: bool) -> Self {
        let state = State {
            pending: VecDeque::new(),
            delivered: Vec::new(),
            accepts: true,
            dispatches: true,
            held,
            pumping: false,
            again: false,
            waiting: Vec::new(),
            ready: None,
            done: None,
        };
        Self { config, device, managed, state: Mutex::new(state) }
    }

    /// The most requests that the driver has at a time.
    fn limit(&self) -> usize {
        match self.config.DispatchType {
            Order::WdfIoQueueDispatchSequential => 1,
            Order::WdfIoQueueDispatchParallel => match self.config.NumberOfPresentedRequests {
                0 => usize::MAX,
                limit => limit.to_usize(),
            },
            _ => 0,
        }
    }
}

/// The queue of an object.
pub(super) fn of(object: &Object) -> Option<&Queue> {
    match &object.body {
        Body::Queue(queue) => Some(queue),
        _ => None,
    }
}

/// Puts a request into a queue, at its end or its head, and hands over what may be; a queue that takes none completes
/// it.
pub(super) fn insert(object: &Arc<Object>, request: &Arc<Object>, at_head: bool) {
    let Some(queue) = of(object) else { return };
    let mut state = queue.state.lock();
    if !state.accepts && !at_head {
        drop(state);
        let status = if queue.managed { STATUS_DELETE_PENDING } else { STATUS_WDF_BUSY };
        request::finish(request, status, Some(0));
        return;
    }
    let was_empty = state.pending.is_empty();
    if at_head {
        state.pending.push_front(request.handle);
    } else {
        state.pending.push_back(request.handle);
    }
    request::set_place(request, Place::Queue(object.handle));
    let ready = if was_empty { state.ready } else { None };
    drop(state);
    if !request::arm(request, request::cancelled_in_queue) {
        return;
    }
    if let Some(ready) = ready {
        ready.tell("EvtIoQueueState", object);
    }
    pump(object);
}

/// Takes a request out of a queue where it was cancelled; `false` if it is there no more.
pub(super) fn take_out(object: &Object, request: Va) -> bool {
    let Some(queue) = of(object) else { return false };
    let mut state = queue.state.lock();
    let before = state.pending.len();
    state.pending.retain(|&other| other != request);
    state.pending.len() < before
}

/// Takes the next request for which `wanted` holds, for the driver. One that is just being cancelled is passed over.
pub(super) fn take(object: &Object, wanted: impl Fn(&Object) -> bool) -> Option<Arc<Object>> {
    let queue = of(object)?;
    let mut state = queue.state.lock();
    let mut at = 0;
    while let Some(&handle) = state.pending.get(at) {
        let request = Object::known(handle).filter(|request| wanted(request));
        let Some(request) = request.filter(|request| request::disarm(request)) else {
            at += 1;
            continue;
        };
        state.pending.remove(at);
        state.delivered.push(handle);
        request::set_place(&request, Place::Driver(object.handle));
        return Some(request);
    }
    None
}

/// Hands over the requests that the driver may have now.
pub(super) fn pump(object: &Arc<Object>) {
    let Some(queue) = of(object) else { return };
    let limit = queue.limit();
    // Without a limit, threads hand over what they bring, beside each other.
    let serialised = limit != usize::MAX;
    {
        let mut state = queue.state.lock();
        if serialised && core::mem::replace(&mut state.pumping, true) {
            state.again = true;
            return;
        }
    }
    loop {
        let next = {
            let state = queue.state.lock();
            state.dispatches && !state.held && state.delivered.len() < limit
        };
        if let Some(request) = next.then(|| take(object, |_| true)).flatten() {
            present(object, queue, &request);
            continue;
        }
        let mut state = queue.state.lock();
        if !serialised {
            break;
        }
        if !core::mem::take(&mut state.again) {
            state.pumping = false;
            break;
        }
    }
}

/// Calls the driver with a request.
fn present(object: &Object, queue: &Queue, request: &Arc<Object>) {
    let WDF_IO_QUEUE_CONFIG {
        EvtIoDefault: default,
        EvtIoRead: read,
        EvtIoWrite: write,
        EvtIoDeviceControl: control,
        EvtIoInternalDeviceControl: internal,
        ..
    } = queue.config;
    let (handle, own) = (object.handle.ptr::<c_void>(), request.handle.ptr::<c_void>());
    let asked = request::asked(request);
    match (asked.major, read, write, control, internal) {
        (3, Some(read), ..) => {
            // SAFETY: the routine is the driver's own, for this queue.
            boundary::call_driver("EvtIoRead", || unsafe { read(handle, own, asked.output) });
        }
        (4, _, Some(write), ..) => {
            // SAFETY: the routine is the driver's own, for this queue.
            boundary::call_driver("EvtIoWrite", || unsafe { write(handle, own, asked.input) });
        }
        (0xE, _, _, Some(control), _) => {
            // SAFETY: the routine is the driver's own, for this queue.
            let call = || unsafe { control(handle, own, asked.output, asked.input, asked.code) };
            boundary::call_driver("EvtIoDeviceControl", call);
        }
        (0xF, .., Some(internal)) => {
            // SAFETY: the routine is the driver's own, for this queue.
            let call = || unsafe { internal(handle, own, asked.output, asked.input, asked.code) };
            boundary::call_driver("EvtIoInternalDeviceControl", call);
        }
        _ => match default {
            Some(default) => {
                // SAFETY: the routine is the driver's own, for this queue.
                boundary::call_driver("EvtIoDefault", || unsafe { default(handle, own) });
            }
            None => request::finish(request, STATUS_INVALID_DEVICE_REQUEST, Some(0)),
        },
    }
}

/// The driver has a request of the queue no more.
pub(super) fn returned(queue: Va, request: Va) {
    let Some(object) = Object::known(queue) else { return };
    let Some(own) = of(&object) else { return };
    own.state.lock().delivered.retain(|&other| other != request);
    settle(&object);
    pump(&object);
    settle(&object);
}

/// Tells those that wait for the queue to be empty, or stopped.
pub(super) fn settle(object: &Object) {
    let Some(queue) = of(object) else { return };
    let mut state = queue.state.lock();
    state.waiting.drain(..).for_each(sched::wake);
    let is_done = |empty: bool| state.delivered.is_empty() && (!empty || state.pending.is_empty());
    if state.done.is_some_and(|(_, empty)| is_done(empty))
        && let Some((told, _)) = state.done.take()
    {
        drop(state);
        told.tell("EvtIoQueueState", object);
    }
}

/// Waits until the driver has no request of the queue; if it is to be `empty`, nothing is in it either.
pub(super) fn wait(object: &Object, empty: bool) {
    let Some(queue) = of(object) else { return };
    loop {
        {
            let mut state = queue.state.lock();
            if state.delivered.is_empty() && (!empty || state.pending.is_empty()) {
                return;
            }
            state.waiting.extend(sched::current());
        }
        sched::block(None);
    }
}

/// Cancels the requests in a queue for which `wanted` holds, and if `delivered`, those that the driver has and has
/// marked cancelable.
pub(super) fn cancel(object: &Arc<Object>, delivered: bool, wanted: impl Fn(&Object) -> bool) {
    let Some(queue) = of(object) else { return };
    while let Some(request) = take(object, &wanted) {
        request::finish(&request, STATUS_CANCELLED, Some(0));
    }
    let driver: Vec<_> = if delivered { queue.state.lock().delivered.clone() } else { Vec::new() };
    for request in driver.into_iter().filter_map(Object::known) {
        request::cancel(&request);
    }
}

/// Stops a queue whose device goes: nothing comes any more, and the driver is asked for what it has.
pub(super) fn purge_with_device(object: &Arc<Object>) {
    let Some(queue) = of(object) else { return };
    let delivered = {
        let mut state = queue.state.lock();
        (state.accepts, state.held) = (false, true);
        state.delivered.clone()
    };
    cancel(object, false, |_| true);
    let handle = object.handle.ptr::<c_void>();
    for request in delivered.into_iter().filter_map(Object::known) {
        let Some(stop) = queue.config.EvtIoStop else { break };
        let cancelable = if request::is_cancelable(&request) { WdfRequestStopRequestCancelable } else { 0 };
        let (own, action) = (request.handle.ptr::<c_void>(), WdfRequestStopActionPurge | cancelable);
        // SAFETY: the routine is the driver's own, for this queue.
        boundary::call_driver("EvtIoStop", || unsafe { stop(handle, own, action) });
    }
    wait(object, false);
}
