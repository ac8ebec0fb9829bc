//! Work items: calls put off to a worker thread.

use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::exports;
use ntsim_core::sched::{self, Thread};
use parking_lot::Mutex;
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER};
use sys::wdf::{
    PFN_WDF_WORKITEM, WDF_DRIVER_GLOBALS, WDF_OBJECT_ATTRIBUTES, WDF_WORKITEM_CONFIG, WDFOBJECT, WDFWORKITEM,
    signature,
};

use super::object::{self, Body, Object};
use super::violation;
use crate::ex::queue_work;

/// A work item.
pub(super) struct WorkItem {
    routine: PFN_WDF_WORKITEM,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Queued and not begun.
    queued: bool,
    running: usize,
    flushing: Vec<&'static Thread>,
}

exports! {
    "(KMDF)", signature;

    /// Makes a work item.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfWorkItemCreate(
        globals: *mut WDF_DRIVER_GLOBALS,
        config: *const WDF_WORKITEM_CONFIG,
        attributes: *mut WDF_OBJECT_ATTRIBUTES,
        out: *mut WDFWORKITEM,
    ) -> NTSTATUS {
        // SAFETY: the driver passes a valid configuration.
        let Some(routine) = (unsafe { (*config).EvtWorkItemFunc }) else { return STATUS_INVALID_PARAMETER };
        let body = Body::WorkItem(WorkItem { routine, state: Mutex::default() });
        // SAFETY: the driver passes valid attributes, and room for the handle.
        unsafe { object::create_for_driver(globals, attributes, body, out) }
    }

    /// Queues it, unless it is queued already.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfWorkItemEnqueue(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFWORKITEM) {
        let Some(object) = Object::of(handle) else { return };
        let Body::WorkItem(item) = &object.body else {
            violation("WdfHandle", Va::of(handle), format!("{handle:p} is no work item"));
            return;
        };
        if !core::mem::replace(&mut item.state.lock().queued, true) {
            object.reference();
            let queued = Arc::clone(&object);
            queue_work(move || run(&queued));
        }
    }

    /// Its parent.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfWorkItemGetParentObject(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFWORKITEM) -> WDFOBJECT {
        Object::of(handle).map_or(core::ptr::null_mut(), |object| object.parent())
    }

    /// Waits until it has run.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfWorkItemFlush(_globals: *mut WDF_DRIVER_GLOBALS, handle: WDFWORKITEM) {
        let Some(object) = Object::of(handle) else { return };
        let Body::WorkItem(item) = &object.body else { return };
        loop {
            {
                let mut state = item.state.lock();
                if !state.queued && state.running == 0 {
                    return;
                }
                state.flushing.extend(sched::current());
            }
            sched::block(None);
        }
    }
}

/// Body of the worker.
fn run(object: &Object) {
    let Body::WorkItem(item) = &object.body else { return };
    {
        let mut state = item.state.lock();
        state.queued = false;
        state.running += 1;
    }
    let (routine, handle) = (item.routine, object.handle.ptr());
    // SAFETY: the routine is the driver's own, called with its own object.
    boundary::call_driver("EvtWorkItem", || unsafe { routine(handle) });
    let mut state = item.state.lock();
    state.running -= 1;
    state.flushing.drain(..).for_each(sched::wake);
    drop(state);
    object.dereference();
}
