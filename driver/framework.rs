//! The Kernel-Mode Driver Framework in miniport mode: beside NDIS, which owns dispatch and unload.
//!
//! The driver needs nothing of the framework: it is one of KMDF because the project is to show that NDIS miniports
//! can be written so in Rust, as
//! <https://learn.microsoft.com/windows-hardware/drivers/wdf/creating-kmdf-miniport-drivers> says. That costs a
//! device object per adapter and one way for its start to fail: memory.
//!
//! Its functions are reached as its headers reach them: by their place in the table that the driver's entry
//! stub got when it bound the driver. The macro of `wdk-sys` for that knows the functions of `wdf.h` alone,
//! which does not include the header of miniport mode, and it checks the place at run time with a panic.

#![expect(unsafe_code, reason = "functions of the framework are called by their place in a table")]

use core::mem::transmute_copy;
use core::ptr::null_mut;

use sys::irql::PassiveLevel;
use sys::status::{NTSTATUS, STATUS_NOT_SUPPORTED};
use sys::wdf::{
    WDF_DRIVER_CONFIG, WDF_DRIVER_GLOBALS, WDFDEVICE, WDFDRIVER, WdfDriverInitNoDispatchOverride, index,
    signature,
};
use sys::wdm::{DEVICE_OBJECT, ULONG};
use wdk::nt_success;

use crate::identity::POOL_TAG;
use crate::nt;

#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "the structure has 32 bytes")]
const CONFIG_SIZE: ULONG = size_of::<WDF_DRIVER_CONFIG>() as ULONG;

/// The framework's driver object.
#[derive(Clone, Copy)]
pub(crate) struct Framework(WDFDRIVER);

// SAFETY: a framework handle may be used on any thread.
unsafe impl Send for Framework {}

impl Framework {
    /// Creates the driver object. There is nothing to undo if the driver's entry point fails later: the
    /// framework's entry stub, which called it, unbinds then, and the framework deletes the object.
    ///
    /// # Errors
    ///
    /// The framework's.
    ///
    /// # Safety
    ///
    /// The arguments are those of the driver's entry point, which is running.
    pub(crate) unsafe fn create(
        object: *mut nt::DRIVER_OBJECT,
        registry_path: nt::PCUNICODE_STRING,
        _: PassiveLevel,
    ) -> Result<Self, NTSTATUS> {
        let config = WDF_DRIVER_CONFIG {
            Size: CONFIG_SIZE,
            EvtDriverDeviceAdd: None,
            EvtDriverUnload: None,
            DriverInitFlags: WdfDriverInitNoDispatchOverride,
            DriverPoolTag: POOL_TAG,
        };
        // SAFETY: this is the type of that entry.
        let create = unsafe { entry::<signature::WdfDriverCreate>(index::WdfDriverCreate) }?;
        let mut driver = null_mut();
        // SAFETY: the arguments come from the system, as the caller promises; the others are locals.
        let status = unsafe {
            create(
                globals(),
                object.cast(),
                registry_path.cast(),
                null_mut(),
                &raw const config,
                &raw mut driver,
            )
        };
        if nt_success(status) { Ok(Self(driver)) } else { Err(status) }
    }

    /// Creates the framework's device for an adapter.
    ///
    /// # Errors
    ///
    /// The framework's.
    ///
    /// # Safety
    ///
    /// The driver is loaded, and `stack` is that of an adapter that is being initialised.
    pub(crate) unsafe fn device(self, stack: &Stack, _: PassiveLevel) -> Result<Device, NTSTATUS> {
        // SAFETY: this is the type of that entry.
        let create = unsafe { entry::<signature::WdfDeviceMiniportCreate>(index::WdfDeviceMiniportCreate) }?;
        let mut device = null_mut();
        // SAFETY: the driver object exists, and the devices are the adapter's, as the caller promises.
        let status = unsafe {
            create(
                globals(),
                self.0,
                null_mut(),
                stack.functional,
                stack.next,
                stack.physical,
                &raw mut device,
            )
        };
        if nt_success(status) { Ok(Device(device)) } else { Err(status) }
    }

    /// Deletes the driver object and ends the binding to the framework. The driver's last act but return.
    ///
    /// # Safety
    ///
    /// The driver is being unloaded: it has no device left and no routine of it runs but this one.
    pub(crate) unsafe fn unload(self, _: PassiveLevel) {
        // The table's own entry would leave the driver bound: the entry stub puts a function of its own
        // into this variable, and so the header's inline `WdfDriverMiniportUnload` calls through it.
        // SAFETY: the stub set the variable before the entry point ran, and it is not written since.
        let unload = unsafe { nt::WdfDriverMiniportUnloadOverride };
        // SAFETY: this is the type of what the variable holds.
        let unload = unsafe { typed::<signature::WdfDriverMiniportUnload>(unload) };
        if let Some(unload) = unload {
            // SAFETY: this is the driver's own object, and it is unloading, as the caller promises.
            unsafe { unload(globals(), self.0) };
        }
    }
}

/// The framework's globals of the driver.
fn globals() -> *mut WDF_DRIVER_GLOBALS {
    // SAFETY: the stub set the variable when it bound the driver, and it is not written since.
    unsafe { nt::WdfDriverGlobals }.cast()
}

/// A function of the framework, by its place.
///
/// # Errors
///
/// `STATUS_NOT_SUPPORTED` if the framework does not have it.
///
/// # Safety
///
/// `place` is one of KMDF 1.33, and `F` the type of the function there.
unsafe fn entry<F>(place: usize) -> Result<F, NTSTATUS> {
    // SAFETY: the stub set the variable when it bound the driver, and it is not written since.
    let table = unsafe { nt::WdfFunctions };
    // SAFETY: the stub asked for KMDF 1.33, whose table has the place.
    let function = unsafe { table.add(place) };
    // SAFETY: as above; the framework filled the table.
    let function = unsafe { function.read() };
    // SAFETY: as the caller promises.
    unsafe { typed(function) }.ok_or(STATUS_NOT_SUPPORTED)
}

/// The same pointer with the function's own type.
///
/// # Safety
///
/// `F` is the function's type.
unsafe fn typed<F>(function: nt::WDFFUNC) -> Option<F> {
    const { assert!(size_of::<Option<F>>() == size_of::<nt::WDFFUNC>(), "a pointer to a function") };
    // SAFETY: both are optional pointers to functions, and the caller promises that the type is right.
    unsafe { transmute_copy(&function) }
}

/// The devices that make an adapter.
pub(crate) struct Stack {
    /// NDIS's own, for the adapter.
    pub(crate) functional: *mut DEVICE_OBJECT,
    /// The one below it.
    pub(crate) next: *mut DEVICE_OBJECT,
    /// The bus driver's.
    pub(crate) physical: *mut DEVICE_OBJECT,
}

/// The framework's device for an adapter. Dropped at PASSIVE_LEVEL.
pub(crate) struct Device(WDFDEVICE);

impl Drop for Device {
    fn drop(&mut self) {
        // SAFETY: this is the type of that entry.
        if let Ok(delete) = unsafe { entry::<signature::WdfObjectDelete>(index::WdfObjectDelete) } {
            // SAFETY: the device is ours, and nothing but this deletes it.
            unsafe { delete(globals(), self.0) };
        }
    }
}
