//! Devices: making, deleting, and what a driver may not leave behind.

use core::ffi::c_void;
use core::mem::size_of;
use core::ptr;
use std::collections::HashMap;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::number::{Low, ToUsize};
use ntsim_core::per_machine::PerMachine;
use ntsim_core::subsystem::take_live_objects;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_OBJECT_NAME_COLLISION, STATUS_SUCCESS};
use sys::wdm::{
    DEVICE_OBJECT, DEVICE_TYPE, DO_DEVICE_HAS_NAME, DO_DEVICE_INITIALIZING, DO_EXCLUSIVE, DRIVER_OBJECT,
    FILE_OBJECT, UNICODE_STRING, signature,
};

use super::namespace::namespace;
use crate::fault;
use crate::mm::Block;
use crate::ob::{self, Kind};
use crate::rtl;
use crate::se::Descriptor;

/// `Type` of a device object.
const TYPE: i16 = 3;

/// The devices of one machine, by address.
#[derive(Default)]
pub(super) struct Devices {
    live: Mutex<HashMap<Va, Device>>,
}

struct Device {
    block: Block,
    /// The object of its driver, which the device references: the driver's image stays as long as any of its devices.
    driver: Va,
    size: usize,
    security: Arc<Descriptor>,
    /// The device below it.
    below: Va,
    deleted: bool,
}

impl Drop for Device {
    /// Checks that nothing in the device's extension, which goes now, is in use.
    fn drop(&mut self) {
        let start = Va::of(self.block.as_ptr::<u8>());
        for object in take_live_objects(&(start..start + self.size)) {
            let mut finding = Finding::new("DeviceLiveObject");
            finding.bugcheck = object.bugcheck;
            verifier::report(finding.text(format!("a device was deleted with {object} in its extension")));
        }
    }
}

static DEVICES: PerMachine<Devices> = PerMachine::new();

fn devices() -> &'static Devices {
    DEVICES.get()
}

/// A device keeps one reference for itself until it is deleted, and one for each open file.
static KIND: Kind = Kind {
    name: "device",
    stays: false,
    last_handle: |_| (),
    last_reference: |device| {
        let gone = devices().live.lock().remove(&Va::of(device));
        if let Some(driver) = gone.map(|device| device.driver) {
            ob::dereference(driver.ptr::<c_void>());
        }
    },
};

/// Returns whether `device` is a device that exists.
pub(super) fn is_device(device: *mut DEVICE_OBJECT) -> bool {
    devices().live.lock().contains_key(&Va::of(device))
}

/// Returns the descriptor that controls opens of a device. A device that no longer exists admits all.
pub(super) fn security(device: *mut DEVICE_OBJECT) -> Arc<Descriptor> {
    devices().live.lock().get(&Va::of(device)).map(|device| Arc::clone(&device.security)).unwrap_or_default()
}

/// Changes who may open a device; `false` if it is no more.
pub(super) fn set_security(device: *mut DEVICE_OBJECT, change: impl FnOnce(&mut Descriptor)) -> bool {
    let mut live = devices().live.lock();
    let Some(known) = live.get_mut(&Va::of(device)) else { return false };
    change(Arc::make_mut(&mut known.security));
    true
}

/// Marks the devices that a driver made in its entry routine as ready, as the I/O manager does.
///
/// # Safety
/// `driver` is a live driver object.
pub unsafe fn driver_is_ready(driver: *mut DRIVER_OBJECT) {
    // SAFETY: the caller's contract.
    let mut next = unsafe { (*driver).DeviceObject };
    // SAFETY: the list that begins at the driver object holds its live devices.
    while let Some(device) = unsafe { next.as_mut() } {
        device.Flags &= !DO_DEVICE_INITIALIZING;
        next = device.NextDevice;
    }
}

/// Reports the devices that a driver still has when its unload routine has returned.
///
/// # Safety
/// `driver` is a live driver object.
pub unsafe fn driver_is_unloaded(driver: *mut DRIVER_OBJECT) {
    // SAFETY: the caller's contract.
    let mut next = unsafe { (*driver).DeviceObject };
    // SAFETY: the list that begins at the driver object holds its live devices.
    while let Some(device) = unsafe { next.as_ref() } {
        let bugcheck = Bugcheck { code: 0xCE, parameters: [Va::of(ptr::from_ref(device)).bits(), 0, 0, 0] };
        verifier::report(
            Finding::new("DeleteDevice")
                .bugcheck(bugcheck)
                .text(format!("the device at {device:p} was not deleted before the driver was unloaded")),
        );
        next = device.NextDevice;
    }
}

exports! {
    "ntoskrnl.exe", signature;

    /// Makes a device.
    #[irql(PASSIVE..=APC)]
    fn IoCreateDevice(
        driver: *mut DRIVER_OBJECT,
        extension: u32,
        name: *const UNICODE_STRING,
        kind: DEVICE_TYPE,
        characteristics: u32,
        exclusive: u8,
        out: *mut *mut DEVICE_OBJECT,
    ) -> NTSTATUS {
        // SAFETY: the driver passes a valid string or null.
        let name = unsafe { rtl::from_counted(name) };
        let made = Made {
            driver,
            extension,
            name,
            kind,
            characteristics,
            exclusive: exclusive != 0,
            security: Descriptor::default(),
        };
        // SAFETY: the driver passes its driver object.
        match unsafe { create(made) } {
            Ok(device) => {
                // SAFETY: the driver passes room for the pointer.
                unsafe { out.write(device) };
                STATUS_SUCCESS
            }
            Err(status) => status,
        }
    }

    /// Deletes a device; its memory goes with the last open file.
    #[irql(PASSIVE..=APC)]
    fn IoDeleteDevice(device: *mut DEVICE_OBJECT) {
        delete(device);
    }

    /// The top device of a file's stack.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoGetRelatedDeviceObject(file: *mut FILE_OBJECT) -> *mut DEVICE_OBJECT {
        // SAFETY: the driver passes a live file object.
        unsafe { related(file) }
    }
}

/// The device that the requests for a file go to first: the top of its device's stack.
///
/// # Safety
/// The file object is live.
pub(super) unsafe fn related(file: *mut FILE_OBJECT) -> *mut DEVICE_OBJECT {
    // SAFETY: the caller's contract.
    let device = unsafe { (*file).DeviceObject };
    // SAFETY: a file holds a reference to its device.
    unsafe { top(device) }
}

/// The top of a device's stack.
///
/// # Safety
/// The device is live.
pub(super) unsafe fn top(device: *mut DEVICE_OBJECT) -> *mut DEVICE_OBJECT {
    let mut top = device;
    // SAFETY: the caller's contract; what is attached to a device is taken off before it goes.
    while let Some(above) = core::ptr::NonNull::new(unsafe { (*top).AttachedDevice }) {
        top = above.as_ptr();
    }
    top
}

/// Notes which device is below another one; null if none is any more.
pub(super) fn set_below(device: *mut DEVICE_OBJECT, below: *mut DEVICE_OBJECT) {
    if let Some(known) = devices().live.lock().get_mut(&Va::of(device)) {
        known.below = Va::of(below);
    }
}

/// The properties of a new device.
pub struct Made {
    /// The object of the driver that it belongs to.
    pub driver: *mut DRIVER_OBJECT,
    /// Bytes of its extension.
    pub extension: u32,
    /// Its name; empty if it has none.
    pub name: String,
    /// `FILE_DEVICE_...`
    pub kind: DEVICE_TYPE,
    /// The characteristics, as IoCreateDevice takes them.
    pub characteristics: u32,
    /// Set if one file at a time may be open.
    pub exclusive: bool,
    /// The access that openers have.
    pub security: Descriptor,
}

/// Makes a device.
///
/// # Safety
/// `driver` is a live driver object.
///
/// # Errors
/// The status for the driver.
pub unsafe fn create(made: Made) -> Result<*mut DEVICE_OBJECT, NTSTATUS> {
    let size = size_of::<DEVICE_OBJECT>() + made.extension.to_usize();
    if fault::strikes() {
        return Err(STATUS_INSUFFICIENT_RESOURCES);
    }
    let block = Block::new(size).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
    let device = block.as_ptr::<DEVICE_OBJECT>();
    if !made.name.is_empty() && !namespace().name(&made.name, Va::of(device)) {
        return Err(STATUS_OBJECT_NAME_COLLISION);
    }
    // SAFETY: the block is zeroed, which is a valid device object, and has its size.
    let object = unsafe { &mut *device };
    object.Type = TYPE;
    object.Size = size.low_u16();
    object.DriverObject = made.driver;
    object.Flags = DO_DEVICE_INITIALIZING
        | if made.exclusive { DO_EXCLUSIVE } else { 0 }
        | if made.name.is_empty() { 0 } else { DO_DEVICE_HAS_NAME };
    object.Characteristics = made.characteristics;
    object.DeviceType = made.kind;
    object.StackSize = 1;
    if made.extension > 0 {
        object.DeviceExtension = device.wrapping_add(1).cast();
    }
    // SAFETY: the caller's contract.
    let first = unsafe { &mut (*made.driver).DeviceObject };
    object.NextDevice = core::mem::replace(first, device);
    let driver = Va::of(made.driver);
    let security = Arc::new(made.security);
    let record = Device { block, driver, size, security, below: Va::NULL, deleted: false };
    devices().live.lock().insert(Va::of(device), record);
    ob::reference(made.driver.cast());
    ob::create(device.cast(), &KIND);
    Ok(device)
}

/// Deletes a device; its memory goes with the last open file.
#[expect(clippy::not_unsafe_ptr_arg_deref, reason = "an address is followed once the table has it")]
pub fn delete(device: *mut DEVICE_OBJECT) {
    let mut live = devices().live.lock();
    let exists =
        live.get_mut(&Va::of(device)).is_some_and(|known| !core::mem::replace(&mut known.deleted, true));
    drop(live);
    if !exists {
        deleted_twice(device);
        return;
    }
    namespace().forget(Va::of(device));
    super::wmi::forget(Va::of(device));
    check_detached(device);
    // SAFETY: the device exists.
    unsafe { unlink(device) };
    ob::dereference(device.cast());
}

/// Reports a device that is deleted in the middle of a stack, and takes it out
/// (<https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-iodetachdevice>: detached "before calling
/// IoDeleteDevice").
fn check_detached(device: *mut DEVICE_OBJECT) {
    let below = devices()
        .live
        .lock()
        .get_mut(&Va::of(device))
        .map_or(Va::NULL, |known| core::mem::take(&mut known.below));
    let Some(below) = ptr::NonNull::new(below.ptr::<DEVICE_OBJECT>()) else { return };
    verifier::report(
        Finding::new("DeleteDevice")
            .text(format!("IoDeleteDevice got {device:p}, which is attached to {below:p}")),
    );
    // SAFETY: the device below is there as long as one is attached to it.
    unsafe { (*below.as_ptr()).AttachedDevice = ptr::null_mut() };
}

/// Takes a device off its driver's list.
///
/// # Safety
/// `device` is a live device whose driver object is live.
unsafe fn unlink(device: *mut DEVICE_OBJECT) {
    // SAFETY: the caller's contract.
    let &DEVICE_OBJECT { DriverObject: driver, NextDevice: after, .. } = unsafe { &*device };
    // SAFETY: the caller's contract.
    let mut link = unsafe { &mut (*driver).DeviceObject };
    while !link.is_null() && !ptr::eq(*link, device) {
        // SAFETY: what is on a driver's list is a live device.
        link = unsafe { &mut (**link).NextDevice };
    }
    if !link.is_null() {
        *link = after;
    }
}

/// Bug check 0xC9, code 0x240.
#[cold]
fn deleted_twice(device: *mut DEVICE_OBJECT) {
    verifier::report(
        Finding::new("DeleteDevice")
            .bugcheck(Bugcheck { code: 0xC9, parameters: [0x240, Va::of(device).bits(), 0, 0] })
            .text(format!("IoDeleteDevice got {device:p}, which is no device or was deleted before")),
    );
}
