//! The life of a device: the framework's side of plug and play
//! (<https://learn.microsoft.com/windows-hardware/drivers/wdf/pnp-and-power-management-callback-sequences>).

use std::sync::Arc;

use core::ptr;
use ntsim_core::boundary;
use sys::status::{NT_SUCCESS, NTSTATUS, STATUS_SUCCESS};
use sys::wdf::{
    PFN_WDF_DEVICE_EVENT, PFN_WDF_DEVICE_STATUS, WDF_PNPPOWER_EVENT_CALLBACKS, WDF_POWER_DEVICE_STATE,
};
use sys::wdm::{
    IO_STACK_LOCATION, IRP, IRP_MN_CANCEL_REMOVE_DEVICE, IRP_MN_QUERY_REMOVE_DEVICE, IRP_MN_REMOVE_DEVICE,
    IRP_MN_START_DEVICE, IRP_MN_SURPRISE_REMOVAL,
};

use super::device::{Devices, Own, Phase};
use super::dispatch::end;
use super::object::Object;
use super::queue;
use crate::io::{self, set_interface_state};

/// Handles a request of the plug-and-play manager to a device in a stack.
pub(super) fn dispatch(
    object: &Arc<Object>,
    devices: &Devices,
    own: &Own,
    irp: *mut IRP,
    location: &mut IO_STACK_LOCATION,
) -> NTSTATUS {
    match location.MinorFunction {
        IRP_MN_START_DEVICE => {
            // SAFETY: the request is the dispatch routine's.
            let below = unsafe { io::forward_and_wait(devices.attached, irp) };
            let status = if NT_SUCCESS(below) { start(object, own) } else { below };
            return end(irp, status);
        }
        IRP_MN_QUERY_REMOVE_DEVICE => {
            let life = own.settings.life;
            let status = ask(object, "EvtDeviceQueryRemove", life.and_then(|life| life.EvtDeviceQueryRemove));
            if !NT_SUCCESS(status) {
                return end(irp, status);
            }
            succeed(irp);
        }
        IRP_MN_SURPRISE_REMOVAL => {
            let life = own.settings.life;
            tell(object, "EvtDeviceSurpriseRemoval", life.and_then(|life| life.EvtDeviceSurpriseRemoval));
            stop(object, own);
            succeed(irp);
        }
        IRP_MN_REMOVE_DEVICE => {
            stop(object, own);
            let life = own.settings.life;
            tell(
                object,
                "EvtDeviceSelfManagedIoCleanup",
                life.and_then(|life| life.EvtDeviceSelfManagedIoCleanup),
            );
            succeed(irp);
            // SAFETY: the request is the dispatch routine's.
            let status = unsafe { io::skip(devices.attached, irp) };
            object.delete();
            return status;
        }
        IRP_MN_CANCEL_REMOVE_DEVICE => succeed(irp),
        _ => {}
    }
    // SAFETY: the request is the dispatch routine's.
    unsafe { io::skip(devices.attached, irp) }
}

fn succeed(irp: *mut IRP) {
    // SAFETY: the request is the dispatch routine's.
    unsafe { (*irp).IoStatus.Status = STATUS_SUCCESS };
}

/// Calls a callback, if there is one.
fn ask(object: &Object, name: &'static str, routine: Option<PFN_WDF_DEVICE_STATUS>) -> NTSTATUS {
    let handle = object.handle.ptr();
    // SAFETY: the routine is the driver's own, for this device.
    routine.map_or(STATUS_SUCCESS, |routine| boundary::call_driver(name, || unsafe { routine(handle) }))
}

fn tell(object: &Object, name: &'static str, routine: Option<PFN_WDF_DEVICE_EVENT>) {
    let handle = object.handle.ptr();
    if let Some(routine) = routine {
        // SAFETY: the routine is the driver's own, for this device.
        boundary::call_driver(name, || unsafe { routine(handle) });
    }
}

/// The device gets its resources, of which there are none, and works.
fn start(object: &Arc<Object>, own: &Own) -> NTSTATUS {
    let status = own.settings.life.map_or(STATUS_SUCCESS, |life| begin(object, &life));
    if !NT_SUCCESS(status) {
        return status;
    }
    let (queues, interfaces) = {
        let mut state = own.state.lock();
        state.phase = Phase::Working;
        (state.queues.clone(), state.interfaces.clone())
    };
    for (name, _) in interfaces.iter().filter(|(_, enabled)| *enabled) {
        set_interface_state(name, true);
    }
    for queue in queues.into_iter().filter_map(Object::known) {
        if let Some(own) = queue::of(&queue) {
            own.state.lock().held = false;
        }
        queue::pump(&queue);
    }
    STATUS_SUCCESS
}

fn begin(object: &Object, life: &WDF_PNPPOWER_EVENT_CALLBACKS) -> NTSTATUS {
    let handle = object.handle.ptr();
    if let Some(prepare) = life.EvtDevicePrepareHardware {
        let none = ptr::null_mut();
        // SAFETY: the routine is the driver's own, for this device.
        let call = || unsafe { prepare(handle, none, none) };
        let status = boundary::call_driver("EvtDevicePrepareHardware", call);
        if !NT_SUCCESS(status) {
            release(object, life);
            return status;
        }
    }
    let status = power(object, "EvtDeviceD0Entry", life.EvtDeviceD0Entry);
    if !NT_SUCCESS(status) {
        release(object, life);
        return status;
    }
    power(object, "EvtDeviceD0EntryPostInterruptsEnabled", life.EvtDeviceD0EntryPostInterruptsEnabled);
    let status = ask(object, "EvtDeviceSelfManagedIoInit", life.EvtDeviceSelfManagedIoInit);
    if !NT_SUCCESS(status) {
        power(object, "EvtDeviceD0Exit", life.EvtDeviceD0Exit);
        release(object, life);
    }
    status
}

fn release(object: &Object, life: &WDF_PNPPOWER_EVENT_CALLBACKS) {
    if let Some(release) = life.EvtDeviceReleaseHardware {
        let handle = object.handle.ptr();
        // SAFETY: the routine is the driver's own, for this device.
        let call = || unsafe { release(handle, ptr::null_mut()) };
        boundary::call_driver("EvtDeviceReleaseHardware", call);
    }
}

fn power(object: &Object, name: &'static str, routine: Option<sys::wdf::PFN_WDF_DEVICE_POWER>) -> NTSTATUS {
    let (handle, other) = (object.handle.ptr(), WDF_POWER_DEVICE_STATE::WdfPowerDeviceD3Final);
    let Some(routine) = routine else { return STATUS_SUCCESS };
    // SAFETY: the routine is the driver's own, for this device.
    boundary::call_driver(name, || unsafe { routine(handle, other) })
}

/// The device works no more, and never again.
fn stop(object: &Arc<Object>, own: &Own) {
    let (before, queues, interfaces) = {
        let mut state = own.state.lock();
        let before = core::mem::replace(&mut state.phase, Phase::Stopped);
        (before, state.queues.clone(), state.interfaces.clone())
    };
    if before == Phase::Stopped {
        return;
    }
    for (name, _) in &interfaces {
        set_interface_state(name, false);
    }
    let life = own.settings.life.filter(|_| before == Phase::Working);
    ask(object, "EvtDeviceSelfManagedIoSuspend", life.and_then(|life| life.EvtDeviceSelfManagedIoSuspend));
    queues.into_iter().filter_map(Object::known).for_each(|queue| queue::purge_with_device(&queue));
    let Some(life) = life else { return };
    power(object, "EvtDeviceD0ExitPreInterruptsDisabled", life.EvtDeviceD0ExitPreInterruptsDisabled);
    power(object, "EvtDeviceD0Exit", life.EvtDeviceD0Exit);
    release(object, &life);
    tell(object, "EvtDeviceSelfManagedIoFlush", life.EvtDeviceSelfManagedIoFlush);
}
