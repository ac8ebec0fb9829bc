//! Drivers and their devices.
//!
//! `DEVICE_OBJECT` is aligned to 16 bytes and so 0x150 bytes long in the symbol files; mingw-w64 forgets
//! the alignment and has 0x148.

use super::{
    CCHAR, CSHORT, IRP, KDEVICE_QUEUE, KDEVICE_QUEUE_ENTRY, KDPC, KEVENT, LONG, PUNICODE_STRING, PVOID,
    ULONG, UNICODE_STRING, USHORT,
};
use crate::status::NTSTATUS;

/// A driver's entry point. PASSIVE_LEVEL.
pub type PDRIVER_INITIALIZE =
    unsafe extern "efiapi" fn(DriverObject: *mut DRIVER_OBJECT, RegistryPath: PUNICODE_STRING) -> NTSTATUS;

/// Tells a driver of a new device of its kind. PASSIVE_LEVEL.
pub type PDRIVER_ADD_DEVICE = unsafe extern "efiapi" fn(
    DriverObject: *mut DRIVER_OBJECT,
    PhysicalDeviceObject: *mut DEVICE_OBJECT,
) -> NTSTATUS;

/// Handles a request to a device; the level depends on who sends it.
pub type PDRIVER_DISPATCH =
    unsafe extern "efiapi" fn(DeviceObject: *mut DEVICE_OBJECT, Irp: *mut IRP) -> NTSTATUS;

/// Starts a queued request. DISPATCH_LEVEL.
pub type PDRIVER_STARTIO = unsafe extern "efiapi" fn(DeviceObject: *mut DEVICE_OBJECT, Irp: *mut IRP);

/// Called before a driver goes. PASSIVE_LEVEL.
pub type PDRIVER_UNLOAD = unsafe extern "efiapi" fn(DriverObject: *mut DRIVER_OBJECT);

/// Cancels a request; is entered with the cancel spin lock held and must release it. DISPATCH_LEVEL.
pub type PDRIVER_CANCEL = unsafe extern "efiapi" fn(DeviceObject: *mut DEVICE_OBJECT, Irp: *mut IRP);

layout! {
    /// A loaded driver.
    struct DRIVER_OBJECT: 0x150 {
        /// 4, a driver object.
        0x000 => Type: CSHORT,
        /// Size of this structure, in bytes.
        0x002 => Size: CSHORT,
        /// The first of the driver's devices.
        0x008 => DeviceObject: *mut DEVICE_OBJECT,
        /// `DRVO_…`, the I/O manager's.
        0x010 => Flags: ULONG,
        /// The base address of the image.
        0x018 => DriverStart: PVOID,
        /// Size of the image, in bytes.
        0x020 => DriverSize: ULONG,
        /// The loader's entry for the image.
        0x028 => DriverSection: PVOID,
        /// More about the driver.
        0x030 => DriverExtension: *mut DRIVER_EXTENSION,
        /// The driver's name in the object directory.
        0x038 => DriverName: UNICODE_STRING,
        /// The registry path of the hardware description.
        0x048 => HardwareDatabase: PUNICODE_STRING,
        /// Entry points that bypass requests.
        0x050 => FastIoDispatch: PVOID,
        /// The entry point.
        0x058 => DriverInit: Option<PDRIVER_INITIALIZE>,
        /// Starts a queued request.
        0x060 => DriverStartIo: Option<PDRIVER_STARTIO>,
        /// Called before the driver goes; without it the driver cannot be unloaded.
        0x068 => DriverUnload: Option<PDRIVER_UNLOAD>,
        /// The handler of each `IRP_MJ_…`.
        0x070 => MajorFunction: [Option<PDRIVER_DISPATCH>; IRP_MJ_COUNT],
    }

    /// More about a loaded driver.
    struct DRIVER_EXTENSION: 0x28 {
        /// The driver.
        0x00 => DriverObject: *mut DRIVER_OBJECT,
        /// Called for each new device.
        0x08 => AddDevice: Option<PDRIVER_ADD_DEVICE>,
        /// The number of reinitialisations that were requested.
        0x10 => Count: ULONG,
        /// The driver's key under Services.
        0x18 => ServiceKeyName: UNICODE_STRING,
    }

    /// A device.
    #[repr(align(16))]
    struct DEVICE_OBJECT: 0x150 {
        /// 3, a device object.
        0x000 => Type: CSHORT,
        /// Size of this structure with the device extension, in bytes.
        0x002 => Size: USHORT,
        /// Open handles.
        0x004 => ReferenceCount: LONG,
        /// The driver that owns it.
        0x008 => DriverObject: *mut DRIVER_OBJECT,
        /// The next device of the same driver.
        0x010 => NextDevice: *mut DEVICE_OBJECT,
        /// The device that is attached on top of this one.
        0x018 => AttachedDevice: *mut DEVICE_OBJECT,
        /// The request that a queued driver works on.
        0x020 => CurrentIrp: *mut IRP,
        /// The once-a-second timer.
        0x028 => Timer: PVOID,
        /// `DO_…`.
        0x030 => Flags: ULONG,
        /// `FILE_DEVICE_…` characteristics.
        0x034 => Characteristics: ULONG,
        /// The volume that is mounted on it.
        0x038 => Vpb: PVOID,
        /// The driver's own room.
        0x040 => DeviceExtension: PVOID,
        /// `FILE_DEVICE_…`.
        0x048 => DeviceType: DEVICE_TYPE,
        /// Stack locations that a request to it needs.
        0x04C => StackSize: CCHAR,
        /// The wait for an adapter, or a link.
        0x050 => Queue: WAIT_CONTEXT_BLOCK,
        /// The alignment of buffers, as a mask.
        0x098 => AlignmentRequirement: ULONG,
        /// Requests that wait for the driver.
        0x0A0 => DeviceQueue: KDEVICE_QUEUE,
        /// The deferred procedure call of the interrupt handler.
        0x0C8 => Dpc: KDPC,
        /// Threads in the file system.
        0x108 => ActiveThreadCount: ULONG,
        /// The security descriptor of its openers.
        0x110 => SecurityDescriptor: PVOID,
        /// Held while a volume is mounted.
        0x118 => DeviceLock: KEVENT,
        /// Sector size of the volume, in bytes.
        0x130 => SectorSize: USHORT,
        /// Reserved.
        0x132 => Spare1: USHORT,
        /// The kernel's own room.
        0x138 => DeviceObjectExtension: PVOID,
        /// Reserved.
        0x140 => Reserved: PVOID,
    }

    /// The wait of a device for an adapter. (Compiled from mingw-w64.)
    struct WAIT_CONTEXT_BLOCK: 0x48 {
        /// Links the waits.
        0x00 => WaitQueueEntry: KDEVICE_QUEUE_ENTRY,
        /// Called when the adapter is free.
        0x18 => DeviceRoutine: PVOID,
        /// The routine's context.
        0x20 => DeviceContext: PVOID,
        /// The number of map registers that it needs.
        0x28 => NumberOfMapRegisters: ULONG,
        /// The device.
        0x30 => DeviceObject: PVOID,
        /// Its current request.
        0x38 => CurrentIrp: PVOID,
        /// Called for chained buffers.
        0x40 => BufferChainingDpc: *mut KDPC,
    }
}

constants! { usize:
    /// The number of major function codes.
    IRP_MJ_COUNT = 28;
}

/// The kinds of devices, `FILE_DEVICE_…`.
pub type DEVICE_TYPE = ULONG;

constants! { ULONG:
    /// Device flag: reads and writes use a system buffer.
    DO_BUFFERED_IO = 0x0004;
    /// Device flag: one handle at a time.
    DO_EXCLUSIVE = 0x0008;
    /// Device flag: reads and writes use an MDL.
    DO_DIRECT_IO = 0x0010;
    /// Device flag: the device is not ready for opens yet.
    DO_DEVICE_INITIALIZING = 0x0080;
    /// Device flag: the device has a name.
    DO_DEVICE_HAS_NAME = 0x0040;
    /// Device characteristic: the device's descriptor also guards names below it.
    FILE_DEVICE_SECURE_OPEN = 0x0100;
}
