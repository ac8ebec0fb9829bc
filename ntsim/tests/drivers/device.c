#include <ntddk.h>
#include <initguid.h>

/* A device of plug and play with 16 bytes that can be read and written. MISTAKE and BUFFERS are set by the test. */
DEFINE_GUID(CLASS, 0x12345678, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);

typedef struct {
    PDEVICE_OBJECT below;
    UNICODE_STRING name;
    UCHAR bytes[16];
} EXTENSION;

static NTSTATUS Complete(PIRP irp, NTSTATUS status, ULONG_PTR information)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = information;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static NTSTATUS NTAPI Open(PDEVICE_OBJECT device, PIRP irp)
{
    UNREFERENCED_PARAMETER(device);
    return Complete(irp, STATUS_SUCCESS, 0);
}

static NTSTATUS NTAPI Transfer(PDEVICE_OBJECT device, PIRP irp)
{
    EXTENSION *extension = device->DeviceExtension;
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
    BOOLEAN reads = location->MajorFunction == IRP_MJ_READ;
    ULONG length = reads ? location->Parameters.Read.Length : location->Parameters.Write.Length;
    LONGLONG offset = reads ? location->Parameters.Read.ByteOffset.QuadPart : location->Parameters.Write.ByteOffset.QuadPart;
    UCHAR *data;

    if (offset < 0 || offset > 16 || length > 16 - offset)
        return Complete(irp, STATUS_END_OF_FILE, 0);
    if (BUFFERS == DO_BUFFERED_IO)
        data = irp->AssociatedIrp.SystemBuffer;
    else if (BUFFERS == DO_DIRECT_IO)
        data = MmMapLockedPagesSpecifyCache(irp->MdlAddress, KernelMode, MmCached, NULL, FALSE,
                                            NormalPagePriority | 0x40000000);
    else
        data = irp->UserBuffer;
    if (reads)
        RtlCopyMemory(data, extension->bytes + offset, length);
    else
        RtlCopyMemory(extension->bytes + offset, data, length);
    return Complete(irp, STATUS_SUCCESS, length);
}

static NTSTATUS NTAPI Done(PDEVICE_OBJECT device, PIRP irp, PVOID event)
{
    UNREFERENCED_PARAMETER(device);
    UNREFERENCED_PARAMETER(irp);
    KeSetEvent(event, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static NTSTATUS Pass(EXTENSION *extension, PIRP irp)
{
    IoSkipCurrentIrpStackLocation(irp);
    return IoCallDriver(extension->below, irp);
}

static NTSTATUS NTAPI Power(PDEVICE_OBJECT device, PIRP irp)
{
    EXTENSION *extension = device->DeviceExtension;
    PoStartNextPowerIrp(irp);
    IoSkipCurrentIrpStackLocation(irp);
    return PoCallDriver(extension->below, irp);
}

static NTSTATUS NTAPI Pnp(PDEVICE_OBJECT device, PIRP irp)
{
    EXTENSION *extension = device->DeviceExtension;
    NTSTATUS status;
    KEVENT event;

    switch (IoGetCurrentIrpStackLocation(irp)->MinorFunction) {
    case IRP_MN_START_DEVICE:
        KeInitializeEvent(&event, NotificationEvent, FALSE);
        IoCopyCurrentIrpStackLocationToNext(irp);
        IoSetCompletionRoutine(irp, Done, &event, TRUE, TRUE, TRUE);
        status = IoCallDriver(extension->below, irp);
        if (status == STATUS_PENDING)
            KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
        status = irp->IoStatus.Status;
        if (NT_SUCCESS(status))
            status = IoSetDeviceInterfaceState(&extension->name, TRUE);
        return Complete(irp, status, 0);
    case IRP_MN_REMOVE_DEVICE:
        if (MISTAKE != 3)
            IoSetDeviceInterfaceState(&extension->name, FALSE);
        RtlFreeUnicodeString(&extension->name);
        if (MISTAKE == 4) {
            IoDetachDevice(extension->below);
            IoDeleteDevice(device);
            return Complete(irp, STATUS_UNSUCCESSFUL, 0);
        }
        irp->IoStatus.Status = STATUS_SUCCESS;
        status = Pass(extension, irp);
        if (MISTAKE == 1)
            return status;
        if (MISTAKE != 5)
            IoDetachDevice(extension->below);
        IoDeleteDevice(device);
        return status;
    case IRP_MN_QUERY_REMOVE_DEVICE:
        if (MISTAKE == 6)
            return Complete(irp, STATUS_DEVICE_BUSY, 0);
        /* fall through */
    case IRP_MN_SURPRISE_REMOVAL:
    case IRP_MN_CANCEL_REMOVE_DEVICE:
        irp->IoStatus.Status = STATUS_SUCCESS;
        /* fall through */
    default:
        return Pass(extension, irp);
    }
}

static NTSTATUS NTAPI AddDevice(PDRIVER_OBJECT driver, PDEVICE_OBJECT physical)
{
    PDEVICE_OBJECT device;
    EXTENSION *extension;
    NTSTATUS status = IoCreateDevice(driver, sizeof(EXTENSION), NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
    if (!NT_SUCCESS(status))
        return status;
    extension = device->DeviceExtension;
    status = IoRegisterDeviceInterface(physical, &CLASS, NULL, &extension->name);
    if (!NT_SUCCESS(status)) {
        IoDeleteDevice(device);
        return status;
    }
    extension->below = IoAttachDeviceToDeviceStack(device, physical);
    device->Flags |= BUFFERS;
    if (MISTAKE != 2)
        device->Flags &= ~DO_DEVICE_INITIALIZING;
    return STATUS_SUCCESS;
}

static VOID NTAPI Unload(PDRIVER_OBJECT driver)
{
    UNREFERENCED_PARAMETER(driver);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    UNREFERENCED_PARAMETER(path);
    driver->DriverUnload = Unload;
    driver->DriverExtension->AddDevice = AddDevice;
    driver->MajorFunction[IRP_MJ_CREATE] = Open;
    driver->MajorFunction[IRP_MJ_CLEANUP] = Open;
    driver->MajorFunction[IRP_MJ_CLOSE] = Open;
    driver->MajorFunction[IRP_MJ_READ] = Transfer;
    driver->MajorFunction[IRP_MJ_WRITE] = Transfer;
    driver->MajorFunction[IRP_MJ_PNP] = Pnp;
    driver->MajorFunction[IRP_MJ_POWER] = Power;
    return STATUS_SUCCESS;
}
