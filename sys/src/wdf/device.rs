//! Devices: what one is made of, its life, its names.

use super::{
    WDF_OBJECT_ATTRIBUTES, WDFDEVICE, WDFDEVICE_INIT, WDFDRIVER, WDFFILEOBJECT, WDFOBJECT, WDFQUEUE,
    WDFREQUEST, WDFSTRING,
};
use crate::status::NTSTATUS;
use crate::wdm::{
    BOOLEAN, DEVICE_TYPE, FILE_OBJECT, GUID, PCUNICODE_STRING, PUNICODE_STRING, PVOID, UCHAR, ULONG,
    UNICODE_STRING,
};

/// The driver's: a callback of a device that returns a status. PASSIVE_LEVEL.
pub type PFN_WDF_DEVICE_STATUS = unsafe extern "efiapi" fn(Device: WDFDEVICE) -> NTSTATUS;
/// The driver's: a callback of a device that returns nothing. PASSIVE_LEVEL.
pub type PFN_WDF_DEVICE_EVENT = unsafe extern "efiapi" fn(Device: WDFDEVICE);
/// The driver's: the device enters or leaves its working state; the other state is given. PASSIVE_LEVEL.
pub type PFN_WDF_DEVICE_POWER =
    unsafe extern "efiapi" fn(Device: WDFDEVICE, State: WDF_POWER_DEVICE_STATE) -> NTSTATUS;
/// The driver's: the device has these resources, as the bus has them and translated. PASSIVE_LEVEL.
pub type PFN_WDF_DEVICE_PREPARE_HARDWARE =
    unsafe extern "efiapi" fn(Device: WDFDEVICE, Raw: WDFOBJECT, Translated: WDFOBJECT) -> NTSTATUS;
/// The driver's: the device loses its resources. PASSIVE_LEVEL.
pub type PFN_WDF_DEVICE_RELEASE_HARDWARE =
    unsafe extern "efiapi" fn(Device: WDFDEVICE, Translated: WDFOBJECT) -> NTSTATUS;
/// The driver's: a file is opened; it completes the request. PASSIVE_LEVEL.
pub type PFN_WDF_DEVICE_FILE_CREATE =
    unsafe extern "efiapi" fn(Device: WDFDEVICE, Request: WDFREQUEST, FileObject: WDFFILEOBJECT);
/// The driver's: the last handle of a file, or the last reference, is gone. PASSIVE_LEVEL.
pub type PFN_WDF_FILE_EVENT = unsafe extern "efiapi" fn(FileObject: WDFFILEOBJECT);
/// The driver's: the machine shuts down. PASSIVE_LEVEL.
pub type PFN_WDF_DEVICE_SHUTDOWN_NOTIFICATION = unsafe extern "efiapi" fn(Device: WDFDEVICE);
/// The driver's: a request came, in the context of its sender.
pub type PFN_WDF_IO_IN_CALLER_CONTEXT = unsafe extern "efiapi" fn(Device: WDFDEVICE, Request: WDFREQUEST);

open_enum! {
    /// The power states of a device.
    enum WDF_POWER_DEVICE_STATE: i32 {
        /// Working.
        WdfPowerDeviceD0 = 1,
        /// Off.
        WdfPowerDeviceD3 = 4,
        /// Off for good: before its start, or behind its removal.
        WdfPowerDeviceD3Final = 5,
    }

    /// The buffers of reads and writes.
    enum WDF_DEVICE_IO_TYPE: i32 {
        /// None is chosen.
        WdfDeviceIoUndefined = 0,
        /// The user's own.
        WdfDeviceIoNeither = 1,
        /// Copied.
        WdfDeviceIoBuffered = 2,
        /// Locked.
        WdfDeviceIoDirect = 3,
    }

    /// A truth value with a default.
    enum WDF_TRI_STATE: i32 {
        /// No.
        WdfFalse = 0,
        /// Yes.
        WdfTrue = 1,
        /// As the framework has it.
        WdfUseDefault = 2,
    }

    /// The place of the framework's file object in the kernel's; the highest bit says that a file may have none.
    enum WDF_FILEOBJECT_CLASS: i32 {
        /// None is wanted.
        WdfFileObjectNotRequired = 1,
        /// `FsContext`.
        WdfFileObjectWdfCanUseFsContext = 2,
        /// `FsContext2`.
        WdfFileObjectWdfCanUseFsContext2 = 3,
        /// Neither: it is searched.
        WdfFileObjectWdfCannotUseFsContexts = 4,
    }
}

layout! {
    /// The callbacks of a device's life (1.11 and later; one member less before).
    struct WDF_PNPPOWER_EVENT_CALLBACKS: 0x90 {
        /// Size of this structure, in bytes.
        0x00 => Size: ULONG,
        /// It enters its working state.
        0x08 => EvtDeviceD0Entry: Option<PFN_WDF_DEVICE_POWER>,
        /// Interrupts are enabled.
        0x10 => EvtDeviceD0EntryPostInterruptsEnabled: Option<PFN_WDF_DEVICE_POWER>,
        /// It leaves its working state.
        0x18 => EvtDeviceD0Exit: Option<PFN_WDF_DEVICE_POWER>,
        /// Interrupts are about to be disabled.
        0x20 => EvtDeviceD0ExitPreInterruptsDisabled: Option<PFN_WDF_DEVICE_POWER>,
        /// It has resources.
        0x28 => EvtDevicePrepareHardware: Option<PFN_WDF_DEVICE_PREPARE_HARDWARE>,
        /// It loses them.
        0x30 => EvtDeviceReleaseHardware: Option<PFN_WDF_DEVICE_RELEASE_HARDWARE>,
        /// The memory of self-managed I/O is freed.
        0x38 => EvtDeviceSelfManagedIoCleanup: Option<PFN_WDF_DEVICE_EVENT>,
        /// Self-managed I/O is flushed.
        0x40 => EvtDeviceSelfManagedIoFlush: Option<PFN_WDF_DEVICE_EVENT>,
        /// Self-managed I/O begins.
        0x48 => EvtDeviceSelfManagedIoInit: Option<PFN_WDF_DEVICE_STATUS>,
        /// Self-managed I/O stops.
        0x50 => EvtDeviceSelfManagedIoSuspend: Option<PFN_WDF_DEVICE_STATUS>,
        /// Self-managed I/O goes on.
        0x58 => EvtDeviceSelfManagedIoRestart: Option<PFN_WDF_DEVICE_STATUS>,
        /// It was pulled out.
        0x60 => EvtDeviceSurpriseRemoval: Option<PFN_WDF_DEVICE_EVENT>,
        /// May it be removed?
        0x68 => EvtDeviceQueryRemove: Option<PFN_WDF_DEVICE_STATUS>,
        /// May it be stopped?
        0x70 => EvtDeviceQueryStop: Option<PFN_WDF_DEVICE_STATUS>,
        /// Its use by special files changes.
        0x78 => EvtDeviceUsageNotification: PVOID,
        /// Its relations are asked for.
        0x80 => EvtDeviceRelationsQuery: PVOID,
        /// Its use by special files changes.
        0x88 => EvtDeviceUsageNotificationEx: PVOID,
    }

    /// The callbacks of the files of a device.
    struct WDF_FILEOBJECT_CONFIG: 0x28 {
        /// Size of this structure, in bytes.
        0x00 => Size: ULONG,
        /// One is opened.
        0x08 => EvtDeviceFileCreate: Option<PFN_WDF_DEVICE_FILE_CREATE>,
        /// Its last reference is gone.
        0x10 => EvtFileClose: Option<PFN_WDF_FILE_EVENT>,
        /// Its last handle is gone.
        0x18 => EvtFileCleanup: Option<PFN_WDF_FILE_EVENT>,
        /// Says that these requests go on to the device below.
        0x20 => AutoForwardCleanupClose: WDF_TRI_STATE,
        /// The place of the framework's object.
        0x24 => FileObjectClass: WDF_FILEOBJECT_CLASS,
    }
}

table_functions! {
    /// Begins a control device; null without memory. PASSIVE_LEVEL.
    25 => fn WdfControlDeviceInitAllocate(
        Driver: WDFDRIVER,
        SDDLString: *const UNICODE_STRING,
    ) -> *mut WDFDEVICE_INIT;
    /// Has a control device told of the shutdown. PASSIVE_LEVEL.
    26 => fn WdfControlDeviceInitSetShutdownNotification(
        DeviceInit: *mut WDFDEVICE_INIT,
        Notification: Option<PFN_WDF_DEVICE_SHUTDOWN_NOTIFICATION>,
        Flags: UCHAR,
    );
    /// Lets a control device be opened. ≤ DISPATCH_LEVEL.
    27 => fn WdfControlFinishInitializing(Device: WDFDEVICE);
    /// The name of a device. PASSIVE_LEVEL.
    40 => fn WdfDeviceRetrieveDeviceName(Device: WDFDEVICE, String: WDFSTRING) -> NTSTATUS;
    /// Gives up a device that was not made. ≤ DISPATCH_LEVEL.
    54 => fn WdfDeviceInitFree(DeviceInit: *mut WDFDEVICE_INIT);
    /// Sets the callbacks of its life. ≤ DISPATCH_LEVEL.
    55 => fn WdfDeviceInitSetPnpPowerEventCallbacks(
        DeviceInit: *mut WDFDEVICE_INIT,
        PnpPowerEventCallbacks: *mut WDF_PNPPOWER_EVENT_CALLBACKS,
    );
    /// Says that it decides about its power. ≤ DISPATCH_LEVEL.
    57 => fn WdfDeviceInitSetPowerPolicyOwnership(
        DeviceInit: *mut WDFDEVICE_INIT,
        IsPowerPolicyOwner: BOOLEAN,
    );
    /// Chooses the buffers of reads and writes. ≤ DISPATCH_LEVEL.
    61 => fn WdfDeviceInitSetIoType(DeviceInit: *mut WDFDEVICE_INIT, IoType: WDF_DEVICE_IO_TYPE);
    /// One file at a time. ≤ DISPATCH_LEVEL.
    62 => fn WdfDeviceInitSetExclusive(DeviceInit: *mut WDFDEVICE_INIT, IsExclusive: BOOLEAN);
    /// Power requests may come above PASSIVE_LEVEL. ≤ DISPATCH_LEVEL.
    63 => fn WdfDeviceInitSetPowerNotPageable(DeviceInit: *mut WDFDEVICE_INIT);
    /// Power requests come at PASSIVE_LEVEL. ≤ DISPATCH_LEVEL.
    64 => fn WdfDeviceInitSetPowerPageable(DeviceInit: *mut WDFDEVICE_INIT);
    /// Sets its kind. ≤ DISPATCH_LEVEL.
    66 => fn WdfDeviceInitSetDeviceType(DeviceInit: *mut WDFDEVICE_INIT, DeviceType: DEVICE_TYPE);
    /// Sets its name. PASSIVE_LEVEL.
    67 => fn WdfDeviceInitAssignName(
        DeviceInit: *mut WDFDEVICE_INIT,
        DeviceName: PCUNICODE_STRING,
    ) -> NTSTATUS;
    /// Sets the access to it. PASSIVE_LEVEL.
    68 => fn WdfDeviceInitAssignSDDLString(
        DeviceInit: *mut WDFDEVICE_INIT,
        SDDLString: PCUNICODE_STRING,
    ) -> NTSTATUS;
    /// Sets the class whose settings may override the access to it. ≤ DISPATCH_LEVEL.
    69 => fn WdfDeviceInitSetDeviceClass(DeviceInit: *mut WDFDEVICE_INIT, DeviceClassGuid: *const GUID);
    /// Sets its characteristics. ≤ DISPATCH_LEVEL.
    70 => fn WdfDeviceInitSetCharacteristics(
        DeviceInit: *mut WDFDEVICE_INIT,
        DeviceCharacteristics: ULONG,
        OrInValues: BOOLEAN,
    );
    /// Sets the callbacks of its files. ≤ DISPATCH_LEVEL.
    71 => fn WdfDeviceInitSetFileObjectConfig(
        DeviceInit: *mut WDFDEVICE_INIT,
        FileObjectConfig: *mut WDF_FILEOBJECT_CONFIG,
        FileObjectAttributes: *mut WDF_OBJECT_ATTRIBUTES,
    );
    /// Sets the attributes of its requests. ≤ DISPATCH_LEVEL.
    72 => fn WdfDeviceInitSetRequestAttributes(
        DeviceInit: *mut WDFDEVICE_INIT,
        RequestAttributes: *mut WDF_OBJECT_ATTRIBUTES,
    );
    /// Has requests seen in the context of their sender. ≤ DISPATCH_LEVEL.
    74 => fn WdfDeviceInitSetIoInCallerContextCallback(
        DeviceInit: *mut WDFDEVICE_INIT,
        EvtIoInCallerContext: Option<PFN_WDF_IO_IN_CALLER_CONTEXT>,
    );
    /// Makes a device. PASSIVE_LEVEL.
    75 => fn WdfDeviceCreate(
        DeviceInit: *mut *mut WDFDEVICE_INIT,
        DeviceAttributes: *mut WDF_OBJECT_ATTRIBUTES,
        Device: *mut WDFDEVICE,
    ) -> NTSTATUS;
    /// Says whether it may ever be stopped or removed. ≤ DISPATCH_LEVEL.
    76 => fn WdfDeviceSetStaticStopRemove(Device: WDFDEVICE, Stoppable: BOOLEAN);
    /// Registers an interface. PASSIVE_LEVEL.
    77 => fn WdfDeviceCreateDeviceInterface(
        Device: WDFDEVICE,
        InterfaceClassGUID: *const GUID,
        ReferenceString: PCUNICODE_STRING,
    ) -> NTSTATUS;
    /// Enables or disables an interface. PASSIVE_LEVEL.
    78 => fn WdfDeviceSetDeviceInterfaceState(
        Device: WDFDEVICE,
        InterfaceClassGUID: *const GUID,
        ReferenceString: PCUNICODE_STRING,
        IsInterfaceEnabled: BOOLEAN,
    );
    /// Gives it a second name. PASSIVE_LEVEL.
    80 => fn WdfDeviceCreateSymbolicLink(Device: WDFDEVICE, SymbolicLinkName: PCUNICODE_STRING) -> NTSTATUS;
    /// Sets what the plug-and-play manager asks of it. ≤ DISPATCH_LEVEL.
    83 => fn WdfDeviceSetPnpCapabilities(Device: WDFDEVICE, PnpCapabilities: PVOID);
    /// The framework's object of a file. ≤ DISPATCH_LEVEL.
    90 => fn WdfDeviceGetFileObject(Device: WDFDEVICE, FileObject: *mut FILE_OBJECT) -> WDFFILEOBJECT;
    /// Puts a request that was seen in the context of its sender into its queue. ≤ DISPATCH_LEVEL.
    91 => fn WdfDeviceEnqueueRequest(Device: WDFDEVICE, Request: WDFREQUEST) -> NTSTATUS;
    /// The queue for requests that have no other. ≤ DISPATCH_LEVEL.
    92 => fn WdfDeviceGetDefaultQueue(Device: WDFDEVICE) -> WDFQUEUE;
    /// Sends requests of a kind to a queue. ≤ DISPATCH_LEVEL.
    93 => fn WdfDeviceConfigureRequestDispatching(
        Device: WDFDEVICE,
        Queue: WDFQUEUE,
        RequestType: i32,
    ) -> NTSTATUS;
    /// The name with which a file was opened, below the device's. PASSIVE_LEVEL.
    137 => fn WdfFileObjectGetFileName(FileObject: WDFFILEOBJECT) -> PUNICODE_STRING;
    /// The flags of a file. ≤ DISPATCH_LEVEL.
    138 => fn WdfFileObjectGetFlags(FileObject: WDFFILEOBJECT) -> ULONG;
    /// The device of a file. ≤ DISPATCH_LEVEL.
    139 => fn WdfFileObjectGetDevice(FileObject: WDFFILEOBJECT) -> WDFDEVICE;
    /// The kernel's object of a file. ≤ DISPATCH_LEVEL.
    140 => fn WdfFileObjectWdmGetFileObject(FileObject: WDFFILEOBJECT) -> *mut FILE_OBJECT;
    /// Makes a string. PASSIVE_LEVEL.
    308 => fn WdfStringCreate(
        UnicodeString: PCUNICODE_STRING,
        StringAttributes: *mut WDF_OBJECT_ATTRIBUTES,
        String: *mut WDFSTRING,
    ) -> NTSTATUS;
    /// The text of a string. PASSIVE_LEVEL.
    309 => fn WdfStringGetUnicodeString(String: WDFSTRING, UnicodeString: *mut UNICODE_STRING);
}
