//! Plug and play: minor functions, device stacks, interfaces.

use super::*;
use crate::status::NTSTATUS;

constants! { UCHAR:
    /// Plug and play: the device is given its resources and starts.
    IRP_MN_START_DEVICE = 0x00;
    /// Plug and play: may the device be removed?
    IRP_MN_QUERY_REMOVE_DEVICE = 0x01;
    /// Plug and play: the device is removed.
    IRP_MN_REMOVE_DEVICE = 0x02;
    /// Plug and play: it stays after all.
    IRP_MN_CANCEL_REMOVE_DEVICE = 0x03;
    /// Plug and play: the device stops, to be given other resources.
    IRP_MN_STOP_DEVICE = 0x04;
    /// Plug and play: may the device be stopped?
    IRP_MN_QUERY_STOP_DEVICE = 0x05;
    /// Plug and play: it goes on after all.
    IRP_MN_CANCEL_STOP_DEVICE = 0x06;
    /// Plug and play: the capabilities of the device.
    IRP_MN_QUERY_CAPABILITIES = 0x09;
    /// Plug and play: the device is gone.
    IRP_MN_SURPRISE_REMOVAL = 0x17;
}

/// A status of interfaces: it is enabled already.
pub const STATUS_OBJECT_NAME_EXISTS: NTSTATUS = 0x4000_0000;

constants! { ULONG:
    /// Device flag: power requests come at PASSIVE_LEVEL.
    DO_POWER_PAGABLE = 0x2000;
    /// Device flag: the device is one of a bus driver.
    DO_BUS_ENUMERATED_DEVICE = 0x1000;
}

imports! {
    "ntoskrnl.exe", "ntoskrnl";

    /// Puts a device on top of a stack; returns the one below it, or null. PASSIVE_LEVEL.
    fn IoAttachDeviceToDeviceStack(
        SourceDevice: *mut DEVICE_OBJECT,
        TargetDevice: *mut DEVICE_OBJECT,
    ) -> *mut DEVICE_OBJECT;
    /// Puts a device on top of a stack, and stores the one below it before requests come. ≤ DISPATCH_LEVEL.
    fn IoAttachDeviceToDeviceStackSafe(
        SourceDevice: *mut DEVICE_OBJECT,
        TargetDevice: *mut DEVICE_OBJECT,
        AttachedToDeviceObject: *mut *mut DEVICE_OBJECT,
    ) -> NTSTATUS;
    /// Takes the device on top of this one off. PASSIVE_LEVEL.
    fn IoDetachDevice(TargetDevice: *mut DEVICE_OBJECT);
    /// The top device of a stack, referenced. ≤ DISPATCH_LEVEL.
    fn IoGetAttachedDeviceReference(DeviceObject: *mut DEVICE_OBJECT) -> *mut DEVICE_OBJECT;
    /// Registers an interface of a device; the name is the caller's to free. PASSIVE_LEVEL.
    fn IoRegisterDeviceInterface(
        PhysicalDeviceObject: *mut DEVICE_OBJECT,
        InterfaceClassGuid: *const GUID,
        ReferenceString: PUNICODE_STRING,
        SymbolicLinkName: PUNICODE_STRING,
    ) -> NTSTATUS;
    /// Enables or disables an interface. PASSIVE_LEVEL.
    fn IoSetDeviceInterfaceState(SymbolicLinkName: PUNICODE_STRING, Enable: BOOLEAN) -> NTSTATUS;
    /// Sends a power request to a device. ≤ DISPATCH_LEVEL.
    fn PoCallDriver(DeviceObject: *mut DEVICE_OBJECT, Irp: *mut IRP) -> NTSTATUS;
    /// Lets the next power request come; nothing since Windows Vista. ≤ DISPATCH_LEVEL.
    fn PoStartNextPowerIrp(Irp: *mut IRP);
}
