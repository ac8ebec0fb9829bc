//! Exports of `ntoskrnl.exe` under the prefix Io: devices, requests, work items.
//!
//! `IoCompleteRequest` and `IoCallDriver` are macros over `IofCompleteRequest` and `IofCallDriver`;
//! `IoGetCurrentIrpStackLocation`, `IoMarkIrpPending` and `IoSetCompletionRoutine` are inline.

use super::*;
use crate::status::NTSTATUS;

imports! {
    "ntoskrnl.exe", "ntoskrnl";

    /// Creates a device. ≤ APC_LEVEL.
    fn IoCreateDevice(
        DriverObject: *mut DRIVER_OBJECT,
        DeviceExtensionSize: ULONG,
        DeviceName: PCUNICODE_STRING,
        DeviceType: DEVICE_TYPE,
        DeviceCharacteristics: ULONG,
        Exclusive: BOOLEAN,
        DeviceObject: *mut *mut DEVICE_OBJECT,
    ) -> NTSTATUS;
    /// Deletes a device; it goes with its last reference. ≤ APC_LEVEL.
    fn IoDeleteDevice(DeviceObject: *mut DEVICE_OBJECT);
    /// Gives a device a second name. PASSIVE_LEVEL.
    fn IoCreateSymbolicLink(SymbolicLinkName: PCUNICODE_STRING, DeviceName: PCUNICODE_STRING) -> NTSTATUS;
    /// Takes a second name back. PASSIVE_LEVEL.
    fn IoDeleteSymbolicLink(SymbolicLinkName: PCUNICODE_STRING) -> NTSTATUS;
    /// Opens a device by name: its file object (referenced) and its top device. PASSIVE_LEVEL.
    fn IoGetDeviceObjectPointer(
        ObjectName: PCUNICODE_STRING,
        DesiredAccess: ACCESS_MASK,
        FileObject: *mut *mut FILE_OBJECT,
        DeviceObject: *mut *mut DEVICE_OBJECT,
    ) -> NTSTATUS;
    /// The top device of a file's stack. ≤ DISPATCH_LEVEL.
    fn IoGetRelatedDeviceObject(FileObject: *mut FILE_OBJECT) -> *mut DEVICE_OBJECT;

    /// Returns the rights that the generic ones map to on files; the structure is the system's. PASSIVE_LEVEL.
    fn IoGetFileObjectGenericMapping() -> *mut GENERIC_MAPPING;

    /// Completes a request with a boost for its thread. ≤ DISPATCH_LEVEL.
    fn IofCompleteRequest(Irp: *mut IRP, PriorityBoost: CCHAR);
    /// Sends a request to a device. ≤ DISPATCH_LEVEL, and as the request admits.
    fn IofCallDriver(DeviceObject: *mut DEVICE_OBJECT, Irp: *mut IRP) -> NTSTATUS;
    /// Allocates a request. ≤ DISPATCH_LEVEL.
    fn IoAllocateIrp(StackSize: CCHAR, ChargeQuota: BOOLEAN) -> *mut IRP;
    /// Frees a request. ≤ DISPATCH_LEVEL.
    fn IoFreeIrp(Irp: *mut IRP);
    /// Initialises a request in the caller's own memory. ≤ DISPATCH_LEVEL.
    fn IoInitializeIrp(Irp: *mut IRP, PacketSize: USHORT, StackSize: CCHAR);
    /// Makes an allocated request usable again. ≤ DISPATCH_LEVEL.
    fn IoReuseIrp(Irp: *mut IRP, Iostatus: NTSTATUS);
    /// Sets the completion routine of a request's next stack location, for the outcomes that are asked for. The device,
    /// which is the caller's, is referenced while the routine runs, and with it the driver's image. ≤ DISPATCH_LEVEL.
    fn IoSetCompletionRoutineEx(
        DeviceObject: *mut DEVICE_OBJECT,
        Irp: *mut IRP,
        CompletionRoutine: Option<PIO_COMPLETION_ROUTINE>,
        Context: PVOID,
        InvokeOnSuccess: BOOLEAN,
        InvokeOnError: BOOLEAN,
        InvokeOnCancel: BOOLEAN,
    ) -> NTSTATUS;
    /// Cancels a request; says whether it had a cancel routine. ≤ DISPATCH_LEVEL.
    fn IoCancelIrp(Irp: *mut IRP) -> BOOLEAN;
    /// Takes the cancel spin lock. ≤ DISPATCH_LEVEL.
    fn IoAcquireCancelSpinLock(Irql: *mut KIRQL);
    /// Frees the cancel spin lock. DISPATCH_LEVEL.
    fn IoReleaseCancelSpinLock(Irql: KIRQL);
    /// Initialises a remove lock. PASSIVE_LEVEL.
    fn IoInitializeRemoveLockEx(
        Lock: *mut IO_REMOVE_LOCK,
        AllocateTag: ULONG,
        MaxLockedMinutes: ULONG,
        HighWatermark: ULONG,
        RemlockSize: ULONG,
    );
    /// Takes a remove lock, unless it is removed. ≤ DISPATCH_LEVEL.
    fn IoAcquireRemoveLockEx(
        RemoveLock: *mut IO_REMOVE_LOCK,
        Tag: PVOID,
        File: *const CHAR,
        Line: ULONG,
        RemlockSize: ULONG,
    ) -> NTSTATUS;
    /// Gives a remove lock back. ≤ DISPATCH_LEVEL.
    fn IoReleaseRemoveLockEx(RemoveLock: *mut IO_REMOVE_LOCK, Tag: PVOID, RemlockSize: ULONG);
    /// Gives a remove lock back, removes it and waits until it is free. PASSIVE_LEVEL.
    fn IoReleaseRemoveLockAndWaitEx(RemoveLock: *mut IO_REMOVE_LOCK, Tag: PVOID, RemlockSize: ULONG);
    /// Builds a device control request that completes with the caller's event. ≤ APC_LEVEL.
    fn IoBuildDeviceIoControlRequest(
        IoControlCode: ULONG,
        DeviceObject: *mut DEVICE_OBJECT,
        InputBuffer: PVOID,
        InputBufferLength: ULONG,
        OutputBuffer: PVOID,
        OutputBufferLength: ULONG,
        InternalDeviceIoControl: BOOLEAN,
        Event: *mut KEVENT,
        IoStatusBlock: *mut IO_STATUS_BLOCK,
    ) -> *mut IRP;

    /// Allocates a memory descriptor list for a buffer. ≤ DISPATCH_LEVEL.
    fn IoAllocateMdl(
        VirtualAddress: PVOID,
        Length: ULONG,
        SecondaryBuffer: BOOLEAN,
        ChargeQuota: BOOLEAN,
        Irp: *mut IRP,
    ) -> PMDL;
    /// Frees a memory descriptor list. ≤ DISPATCH_LEVEL.
    fn IoFreeMdl(Mdl: PMDL);
    /// Makes a list describe a part of another. ≤ DISPATCH_LEVEL.
    fn IoBuildPartialMdl(SourceMdl: PMDL, TargetMdl: PMDL, VirtualAddress: PVOID, Length: ULONG);

    /// Allocates a work item. ≤ DISPATCH_LEVEL.
    fn IoAllocateWorkItem(DeviceObject: *mut DEVICE_OBJECT) -> *mut IO_WORKITEM;
    /// Frees a work item that is not queued. ≤ DISPATCH_LEVEL.
    fn IoFreeWorkItem(IoWorkItem: *mut IO_WORKITEM);
    /// Queues a work item. ≤ DISPATCH_LEVEL.
    fn IoQueueWorkItem(
        IoWorkItem: *mut IO_WORKITEM,
        WorkerRoutine: Option<PIO_WORKITEM_ROUTINE>,
        QueueType: WORK_QUEUE_TYPE,
        Context: PVOID,
    );
    /// Queues a work item whose routine also wants to know it. ≤ DISPATCH_LEVEL.
    fn IoQueueWorkItemEx(
        IoWorkItem: *mut IO_WORKITEM,
        WorkerRoutine: Option<PIO_WORKITEM_ROUTINE_EX>,
        QueueType: WORK_QUEUE_TYPE,
        Context: PVOID,
    );
    /// Size of a work item, in bytes. Any level.
    fn IoSizeofWorkItem() -> ULONG;
    /// Initialises a work item in the caller's own memory; the object is a driver or a device. Any level.
    fn IoInitializeWorkItem(IoObject: PVOID, IoWorkItem: *mut IO_WORKITEM);
    /// Ends the use of an initialised work item. Any level.
    fn IoUninitializeWorkItem(IoWorkItem: *mut IO_WORKITEM);
    /// The current process. Any level.
    fn IoGetCurrentProcess() -> PVOID;

    data {
        /// The type of file objects, for functions that verify an object's type: `*IoFileObjectType` of the headers.
        /// Any level.
        static IoFileObjectType: POBJECT_TYPE;
    }
}
