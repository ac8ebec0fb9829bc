//! Names of a device, its interfaces, the queues of its requests.

use core::ffi::c_void;
use core::ptr;

use ntsim_core::address::Va;
use ntsim_core::exports;
use sys::status::{NTSTATUS, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use sys::wdf::{STATUS_WDF_BUSY, WDF_DRIVER_GLOBALS, WDFDEVICE, WDFQUEUE, WDFREQUEST, signature};
use sys::wdm::{GUID, UNICODE_STRING};

use super::device::{Devices, Own, Phase, with_own};
use super::dispatch::enqueue;
use super::object::Object;
use super::queue_exports::with as with_queue;
use super::request_exports::with as with_request;
use super::violation;
use crate::io::{self, register_interface, set_interface_state};
use crate::rtl;

exports! {
    "(KMDF)", signature;

    /// Says whether it may ever be stopped or removed; here it always may.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceSetStaticStopRemove(_globals: *mut WDF_DRIVER_GLOBALS, device: WDFDEVICE, _may: u8) {
        with_own(device, (), |_, _, _| ());
    }

    /// Registers an interface, which is enabled while the device works.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfDeviceCreateDeviceInterface(
        _globals: *mut WDF_DRIVER_GLOBALS,
        device: WDFDEVICE,
        class: *const GUID,
        reference: *const UNICODE_STRING,
    ) -> NTSTATUS {
        with_own(device, STATUS_INVALID_PARAMETER, |_, devices, own| {
            // SAFETY: the driver passes a class, and a valid string or null.
            let name = match unsafe { register(devices, class, reference) } {
                Ok(name) => name,
                Err(status) => return status,
            };
            let works = {
                let mut state = own.state.lock();
                if !state.interfaces.iter().any(|(known, _)| *known == name) {
                    state.interfaces.push((name.clone(), true));
                }
                state.phase == Phase::Working
            };
            if works {
                set_interface_state(&name, true);
            }
            STATUS_SUCCESS
        })
    }

    /// Enables an interface, or disables it; before the device works, it is noted.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfDeviceSetDeviceInterfaceState(
        _globals: *mut WDF_DRIVER_GLOBALS,
        device: WDFDEVICE,
        class: *const GUID,
        reference: *const UNICODE_STRING,
        enable: u8,
    ) {
        with_own(device, (), |_, devices, own| {
            // SAFETY: the driver passes a class, and a valid string or null.
            if let Ok(name) = unsafe { register(devices, class, reference) } {
                set(device, own, &name, enable != 0);
            }
        });
    }

    /// Gives it a second name, which goes with it.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfDeviceCreateSymbolicLink(
        _globals: *mut WDF_DRIVER_GLOBALS,
        device: WDFDEVICE,
        link: *const UNICODE_STRING,
    ) -> NTSTATUS {
        with_own(device, STATUS_INVALID_PARAMETER, |_, devices, own| {
            let target = if own.settings.name.is_empty() { io::name_of(devices.physical) } else { own.settings.name.clone() };
            if target.is_empty() {
                violation("WdfDevice", Va::of(device), "a link is made to a device without a name".into());
                return STATUS_INVALID_DEVICE_REQUEST;
            }
            // SAFETY: the driver passes a valid string.
            let link = unsafe { rtl::from_counted(link) };
            let status = io::link(&link, &target);
            if status == STATUS_SUCCESS {
                own.state.lock().links.push(link);
            }
            status
        })
    }

    /// Sets what the plug-and-play manager asks of it.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceSetPnpCapabilities(
        _globals: *mut WDF_DRIVER_GLOBALS,
        device: WDFDEVICE,
        _capabilities: *mut c_void,
    ) {
        with_own(device, (), |_, _, _| ());
    }

    /// Puts a request that was seen in the context of its sender into its queue.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceEnqueueRequest(
        _globals: *mut WDF_DRIVER_GLOBALS,
        device: WDFDEVICE,
        handle: WDFREQUEST,
    ) -> NTSTATUS {
        with_own(device, STATUS_INVALID_PARAMETER, |_, _, own| {
            with_request(handle, STATUS_INVALID_PARAMETER, |request, _| enqueue(own, request))
        })
    }

    /// The queue of what has no other.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceGetDefaultQueue(_globals: *mut WDF_DRIVER_GLOBALS, device: WDFDEVICE) -> WDFQUEUE {
        with_own(device, ptr::null_mut(), |_, _, own| own.state.lock().default.unwrap_or_default().ptr())
    }

    /// Sends requests of a kind to a queue.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceConfigureRequestDispatching(
        _globals: *mut WDF_DRIVER_GLOBALS,
        device: WDFDEVICE,
        queue: WDFQUEUE,
        kind: i32,
    ) -> NTSTATUS {
        with_own(device, STATUS_INVALID_PARAMETER, |object, _, own| {
            with_queue(queue, STATUS_INVALID_PARAMETER, |target, known| {
                configure(object, own, target, known.device, kind)
            })
        })
    }
}

/// The statuses are those of `FxPkgIo::ConfigureDispatching` (`fxpkgio.cpp`).
fn configure(device: &Object, own: &Own, queue: &Object, of: Va, kind: i32) -> NTSTATUS {
    if of != device.handle || !matches!(kind, 0 | 3 | 4 | 0xE | 0xF) {
        let text = format!("requests of kind {kind} are sent to a queue that can't have them");
        violation("WdfDevice", device.handle, text);
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    let mut state = own.state.lock();
    let Some(slot) = usize::try_from(kind).ok().and_then(|kind| state.by_kind.get_mut(kind)) else {
        return STATUS_INVALID_PARAMETER;
    };
    if slot.is_some() {
        return STATUS_WDF_BUSY;
    }
    *slot = Some(queue.handle);
    STATUS_SUCCESS
}

/// # Safety
/// `class` points to a class, `reference` to a valid string, or is null.
unsafe fn register(
    devices: &Devices,
    class: *const GUID,
    reference: *const UNICODE_STRING,
) -> Result<String, NTSTATUS> {
    if devices.is_control() {
        let text = "an interface is made for a control device".into();
        violation("WdfDevice", Va::of(devices.functional), text);
        return Err(STATUS_INVALID_DEVICE_REQUEST);
    }
    // SAFETY: the caller's contract.
    let reference = unsafe { rtl::from_counted(reference) };
    // SAFETY: the caller's contract.
    register_interface(devices.physical, unsafe { &*class }, &reference)
}

fn set(device: WDFDEVICE, own: &Own, name: &str, enable: bool) {
    let mut state = own.state.lock();
    let works = state.phase == Phase::Working;
    let Some((_, enabled)) = state.interfaces.iter_mut().find(|(known, _)| known == name) else {
        drop(state);
        violation("WdfDevice", Va::of(device), format!("{name} is no interface of the device"));
        return;
    };
    *enabled = enable;
    drop(state);
    if works {
        set_interface_state(name, enable);
    }
}
