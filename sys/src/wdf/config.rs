//! The driver and its devices.

use super::{WDF_OBJECT_ATTRIBUTES, WDFDEVICE, WDFDRIVER, WDFKEY};
use crate::status::NTSTATUS;
use crate::wdm::{
    ACCESS_MASK, BOOLEAN, CHAR, DEVICE_OBJECT, DRIVER_OBJECT, PCUNICODE_STRING, ULONG, VOID, WCHAR,
};

/// The properties of a new device; opaque to drivers.
pub type WDFDEVICE_INIT = VOID;

/// The driver's: there is a new device. PASSIVE_LEVEL.
pub type PFN_WDF_DRIVER_DEVICE_ADD =
    unsafe extern "efiapi" fn(Driver: WDFDRIVER, DeviceInit: *mut WDFDEVICE_INIT) -> NTSTATUS;
/// The driver's: it is about to go. PASSIVE_LEVEL.
pub type PFN_WDF_DRIVER_UNLOAD = unsafe extern "efiapi" fn(Driver: WDFDRIVER);

layout! {
    /// The flags of a driver's initialisation.
    struct WDF_DRIVER_CONFIG: 0x20 {
        /// Size of this structure, in bytes.
        0x00 => Size: ULONG,
        /// Called for each new device.
        0x08 => EvtDriverDeviceAdd: Option<PFN_WDF_DRIVER_DEVICE_ADD>,
        /// Called before the driver goes.
        0x10 => EvtDriverUnload: Option<PFN_WDF_DRIVER_UNLOAD>,
        /// `WdfDriverInit…`.
        0x18 => DriverInitFlags: ULONG,
        /// The tag of what the framework allocates for the driver.
        0x1C => DriverPoolTag: ULONG,
    }

    /// The globals of a driver; the head of the framework's own structure.
    struct WDF_DRIVER_GLOBALS: 0x38 {
        /// The driver.
        0x00 => Driver: WDFDRIVER,
        /// The flags of its configuration.
        0x08 => DriverFlags: ULONG,
        /// Its pool tag.
        0x0C => DriverTag: ULONG,
        /// Its name, terminated.
        0x10 => DriverName: [CHAR; 32],
        /// True if the stub puts an unload routine of its own before the driver's.
        0x30 => DisplaceDriverUnload: BOOLEAN,
    }
}

constants! { ULONG:
    /// The driver has no plug-and-play devices.
    WdfDriverInitNonPnpDriver = 1;
    /// The framework leaves the driver's dispatch table alone: miniport mode.
    WdfDriverInitNoDispatchOverride = 2;
}

table_functions! {
    /// Makes the framework's driver object. PASSIVE_LEVEL.
    116 => fn WdfDriverCreate(
        DriverObject: *mut DRIVER_OBJECT,
        RegistryPath: PCUNICODE_STRING,
        DriverAttributes: *mut WDF_OBJECT_ATTRIBUTES,
        DriverConfig: *const WDF_DRIVER_CONFIG,
        Driver: *mut WDFDRIVER,
    ) -> NTSTATUS;
    /// The driver's registry path, terminated. PASSIVE_LEVEL.
    117 => fn WdfDriverGetRegistryPath(Driver: WDFDRIVER) -> *const WCHAR;
    /// The kernel's driver object. ≤ DISPATCH_LEVEL.
    118 => fn WdfDriverWdmGetDriverObject(Driver: WDFDRIVER) -> *mut DRIVER_OBJECT;
    /// Opens the driver's Parameters key. PASSIVE_LEVEL.
    119 => fn WdfDriverOpenParametersRegistryKey(
        Driver: WDFDRIVER,
        DesiredAccess: ACCESS_MASK,
        KeyAttributes: *mut WDF_OBJECT_ATTRIBUTES,
        Key: *mut WDFKEY,
    ) -> NTSTATUS;
    /// The kernel's device object. ≤ DISPATCH_LEVEL.
    31 => fn WdfDeviceWdmGetDeviceObject(Device: WDFDEVICE) -> *mut DEVICE_OBJECT;
    /// The device below. ≤ DISPATCH_LEVEL.
    32 => fn WdfDeviceWdmGetAttachedDevice(Device: WDFDEVICE) -> *mut DEVICE_OBJECT;
    /// The device at the bottom. ≤ DISPATCH_LEVEL.
    33 => fn WdfDeviceWdmGetPhysicalDevice(Device: WDFDEVICE) -> *mut DEVICE_OBJECT;
    /// The driver of a device. ≤ DISPATCH_LEVEL.
    39 => fn WdfDeviceGetDriver(Device: WDFDEVICE) -> WDFDRIVER;
    /// Makes a framework device for a miniport's adapter, whose requests stay the port's. PASSIVE_LEVEL.
    200 => fn WdfDeviceMiniportCreate(
        Driver: WDFDRIVER,
        Attributes: *mut WDF_OBJECT_ATTRIBUTES,
        DeviceObject: *mut DEVICE_OBJECT,
        AttachedDeviceObject: *mut DEVICE_OBJECT,
        Pdo: *mut DEVICE_OBJECT,
        Device: *mut WDFDEVICE,
    ) -> NTSTATUS;
    /// Ends the framework's part of a miniport driver; headers call it by an override of the stub's.
    /// PASSIVE_LEVEL.
    201 => fn WdfDriverMiniportUnload(Driver: WDFDRIVER);
}
