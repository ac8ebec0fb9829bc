//! The kernel's devices behind the framework's.

use core::ptr;
use std::collections::HashMap;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::exports;
use parking_lot::Mutex;
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER};
use sys::wdf::{WDF_DRIVER_GLOBALS, WDF_OBJECT_ATTRIBUTES, WDFDEVICE, WDFDRIVER, signature};
use sys::wdm::{DEVICE_OBJECT, IRP_MJ_COUNT};

use super::client::Client;
use super::init::Settings;
use super::object::{self, Body, Object};
use super::violation;

/// The kernel's devices behind one of the framework's.
pub(super) struct Devices {
    pub(super) functional: *mut DEVICE_OBJECT,
    pub(super) attached: *mut DEVICE_OBJECT,
    pub(super) physical: *mut DEVICE_OBJECT,
    /// The framework's part; `None` of a miniport's adapter, whose requests stay the port driver's.
    pub(super) own: Option<Box<Own>>,
}

// SAFETY: the pointers are only handed back to the driver that passed them, or are those of devices that this one keeps.
unsafe impl Send for Devices {}
// SAFETY: as above.
unsafe impl Sync for Devices {}

/// A device whose requests the framework dispatches.
pub(super) struct Own {
    pub(super) settings: Settings,
    pub(super) state: Mutex<State>,
}

/// The part of a device that changes.
pub(super) struct State {
    /// Its queues, by handle.
    pub(super) queues: Vec<Va>,
    /// The queue of what has no other.
    pub(super) default: Option<Va>,
    /// The queues of kinds of requests.
    pub(super) by_kind: [Option<Va>; IRP_MJ_COUNT],
    /// Its further names.
    pub(super) links: Vec<String>,
    /// Its interfaces, and whether each is to be enabled while it works.
    pub(super) interfaces: Vec<(String, bool)>,
    /// The framework's files, by the kernel's.
    pub(super) files: HashMap<Va, Va>,
    pub(super) phase: Phase,
}

/// The phases of a device's life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// Made, and neither working nor stopped.
    Added,
    /// Working.
    Working,
    /// Stopped for good.
    Stopped,
}

impl Own {
    pub(super) fn new(settings: Settings) -> Self {
        let state = State {
            queues: Vec::new(),
            default: None,
            by_kind: [None; IRP_MJ_COUNT],
            links: Vec::new(),
            interfaces: Vec::new(),
            files: HashMap::new(),
            phase: Phase::Added,
        };
        Self { settings, state: Mutex::new(state) }
    }
}

impl Devices {
    /// Returns whether it is a device without a stack.
    pub(super) fn is_control(&self) -> bool {
        self.physical.is_null()
    }
}

/// Runs `f` with a device whose requests the framework dispatches; reports any other handle.
pub(super) fn with_own<R>(
    device: WDFDEVICE,
    otherwise: R,
    f: impl FnOnce(&Arc<Object>, &Devices, &Own) -> R,
) -> R {
    let Some(object) = Object::of(device) else { return otherwise };
    match &object.body {
        Body::Device(devices @ Devices { own: Some(own), .. }) => f(&object, devices, own),
        _ => {
            violation("WdfHandle", Va::of(device), format!("{device:p} is no device of the framework"));
            otherwise
        }
    }
}

exports! {
    "(KMDF)", signature;

    /// Makes a device for a miniport's adapter, whose requests stay the port driver's.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfDeviceMiniportCreate(
        globals: *mut WDF_DRIVER_GLOBALS,
        driver: WDFDRIVER,
        attributes: *mut WDF_OBJECT_ATTRIBUTES,
        functional: *mut DEVICE_OBJECT,
        attached: *mut DEVICE_OBJECT,
        physical: *mut DEVICE_OBJECT,
        out: *mut WDFDEVICE,
    ) -> NTSTATUS {
        let Some(client) = Client::of(globals) else { return STATUS_INVALID_PARAMETER };
        if functional.is_null() || client.driver() != Va::of(driver) {
            violation(
                "WdfDeviceMiniportCreate",
                Va::of(driver),
                "called without a device or with another driver".into(),
            );
            return STATUS_INVALID_PARAMETER;
        }
        let body = Body::Device(Devices { functional, attached, physical, own: None });
        // SAFETY: the driver passes valid attributes or null, and room for the handle.
        unsafe { object::create_for_driver(globals, attributes, body, out) }
    }

    /// The kernel's device object.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceWdmGetDeviceObject(
        _globals: *mut WDF_DRIVER_GLOBALS,
        device: WDFDEVICE,
    ) -> *mut DEVICE_OBJECT {
        devices(device, |devices| devices.functional)
    }

    /// The device below.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceWdmGetAttachedDevice(
        _globals: *mut WDF_DRIVER_GLOBALS,
        device: WDFDEVICE,
    ) -> *mut DEVICE_OBJECT {
        devices(device, |devices| devices.attached)
    }

    /// The device at the bottom.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceWdmGetPhysicalDevice(
        _globals: *mut WDF_DRIVER_GLOBALS,
        device: WDFDEVICE,
    ) -> *mut DEVICE_OBJECT {
        devices(device, |devices| devices.physical)
    }

    /// The driver of a device.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceGetDriver(_globals: *mut WDF_DRIVER_GLOBALS, device: WDFDEVICE) -> WDFDRIVER {
        Object::of(device).map_or(ptr::null_mut(), |object| object.client.driver().ptr())
    }
}

fn devices(device: WDFDEVICE, f: impl FnOnce(&Devices) -> *mut DEVICE_OBJECT) -> *mut DEVICE_OBJECT {
    match Object::of(device) {
        Some(object) => match &object.body {
            Body::Device(devices) => f(devices),
            _ => ptr::null_mut(),
        },
        None => ptr::null_mut(),
    }
}
