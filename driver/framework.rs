//! The Kernel-Mode Driver Framework in miniport mode: beside NDIS, which owns dispatch and unload.
//!
//! `wdf.h` does not include the header of that mode, so `wdk-sys` does not bind its two functions. They are
//! reached as `wdfminiport.h` reaches them: one by its place in the framework's table, the other by a
//! variable of the driver's entry stub.

use core::mem::transmute;
use core::ptr::null_mut;

use sys::status::{NT_SUCCESS, NTSTATUS, STATUS_NOT_SUPPORTED};
use sys::wdf::{index, signature};
use sys::wdm::DEVICE_OBJECT;
use wdk_sys::{
    ULONG, WDF_DRIVER_CONFIG, WDFDEVICE, WDFDRIVER, WDFFUNC, WdfDriverGlobals,
    WdfDriverMiniportUnloadOverride, WdfFunctions, call_unsafe_wdf_function_binding,
};

use crate::nt;

/// `WdfDriverInitNoDispatchOverride`: NDIS keeps the driver object's dispatch table.
const NO_DISPATCH_OVERRIDE: ULONG = 2;

#[expect(clippy::cast_possible_truncation, reason = "the structure has 32 bytes")]
const CONFIG_SIZE: ULONG = size_of::<WDF_DRIVER_CONFIG>() as ULONG;

/// The framework's driver object.
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
    ) -> Result<Self, NTSTATUS> {
        let mut config = WDF_DRIVER_CONFIG {
            Size: CONFIG_SIZE,
            DriverInitFlags: NO_DISPATCH_OVERRIDE,
            DriverPoolTag: crate::POOL_TAG,
            ..WDF_DRIVER_CONFIG::default()
        };
        let mut driver = null_mut();
        // SAFETY: the arguments come from the system, as the caller promises; the others are locals.
        let status = unsafe {
            call_unsafe_wdf_function_binding!(
                WdfDriverCreate,
                object,
                registry_path,
                null_mut(),
                &raw mut config,
                &raw mut driver
            )
        };
        if NT_SUCCESS(status) { Ok(Self(driver)) } else { Err(status) }
    }

    /// The handle alone, for use outside the lock that guards the framework.
    pub(crate) const fn handle(&self) -> Handle {
        Handle(self.0)
    }

    /// Deletes the driver object and ends the binding to the framework. The driver's last act but return.
    ///
    /// # Safety
    ///
    /// The driver is being unloaded: it has no device left and no routine of it runs but this one.
    pub(crate) unsafe fn unload(self) {
        // The table's own entry would leave the driver bound: the entry stub puts a function of its own
        // into this variable, and so the header's inline `WdfDriverMiniportUnload` calls through it.
        // SAFETY: the stub set the variable before the entry point ran, and nobody writes it since.
        let unload = unsafe { WdfDriverMiniportUnloadOverride };
        // SAFETY: this is the type of what the variable holds; both are optional pointers to functions.
        let unload = unsafe { transmute::<WDFFUNC, Option<signature::WdfDriverMiniportUnload>>(unload) };
        if let Some(unload) = unload {
            // SAFETY: this is the driver's own object, and it is unloading, as the caller promises.
            unsafe { unload(globals(), self.0.cast()) };
        }
    }
}

/// What the framework keeps for the driver.
fn globals() -> *mut sys::wdf::WDF_DRIVER_GLOBALS {
    // SAFETY: the stub set the variable when it bound the driver, and nobody writes it since.
    unsafe { WdfDriverGlobals }.cast()
}

/// A handle to the framework's driver object.
pub(crate) struct Handle(WDFDRIVER);

impl Handle {
    /// Creates the framework's device for an adapter. PASSIVE_LEVEL.
    ///
    /// # Errors
    ///
    /// The framework's.
    ///
    /// # Safety
    ///
    /// The driver is loaded, and `stack` is that of an adapter that is being initialised.
    pub(crate) unsafe fn device(&self, stack: &Stack) -> Result<Device, NTSTATUS> {
        // SAFETY: the stub set the variable when it bound the driver, and nobody writes it since.
        let table = unsafe { WdfFunctions };
        // SAFETY: the table has 458 entries, of which this is one.
        let create = unsafe { table.add(index::WdfDeviceMiniportCreate) };
        // SAFETY: as above; the framework filled the table.
        let create = unsafe { create.read() };
        // SAFETY: this is the type of that entry; both are optional pointers to functions.
        let create = unsafe { transmute::<WDFFUNC, Option<signature::WdfDeviceMiniportCreate>>(create) };
        let create = create.ok_or(STATUS_NOT_SUPPORTED)?;
        let mut device = null_mut();
        // SAFETY: the driver object exists, and the devices are the adapter's, as the caller promises.
        let status = unsafe {
            create(
                globals(),
                self.0.cast(),
                null_mut(),
                stack.functional,
                stack.next,
                stack.physical,
                &raw mut device,
            )
        };
        if NT_SUCCESS(status) { Ok(Device(device.cast())) } else { Err(status) }
    }
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

/// The framework's device for an adapter. PASSIVE_LEVEL.
pub(crate) struct Device(WDFDEVICE);

// SAFETY: a framework handle may be used on any thread.
unsafe impl Send for Device {}
// SAFETY: the device is only kept.
unsafe impl Sync for Device {}

impl Drop for Device {
    fn drop(&mut self) {
        // SAFETY: the device is ours, and nothing but this deletes it.
        unsafe { call_unsafe_wdf_function_binding!(WdfObjectDelete, self.0.cast()) };
    }
}
