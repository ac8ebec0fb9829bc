#include <ntddk.h>

/* A device whose requests wait in a cancel-safe queue: 0x222000 waits, 0x222004 lets the next one go. */
static IO_CSQ Queue;
static KSPIN_LOCK Guard;
static LIST_ENTRY List;
static UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\Csq");

static VOID NTAPI Insert(PIO_CSQ queue, PIRP irp)
{
    UNREFERENCED_PARAMETER(queue);
    InsertTailList(&List, &irp->Tail.Overlay.ListEntry);
}

static VOID NTAPI Remove(PIO_CSQ queue, PIRP irp)
{
    UNREFERENCED_PARAMETER(queue);
    RemoveEntryList(&irp->Tail.Overlay.ListEntry);
}

static PIRP NTAPI Peek(PIO_CSQ queue, PIRP irp, PVOID context)
{
    PLIST_ENTRY next = irp ? irp->Tail.Overlay.ListEntry.Flink : List.Flink;
    UNREFERENCED_PARAMETER(queue);
    UNREFERENCED_PARAMETER(context);
    return next == &List ? NULL : CONTAINING_RECORD(next, IRP, Tail.Overlay.ListEntry);
}

static VOID NTAPI Acquire(PIO_CSQ queue, PKIRQL irql)
{
    UNREFERENCED_PARAMETER(queue);
    KeAcquireSpinLock(&Guard, irql);
}

static VOID NTAPI Release(PIO_CSQ queue, KIRQL irql)
{
    UNREFERENCED_PARAMETER(queue);
    KeReleaseSpinLock(&Guard, irql);
}

static NTSTATUS Complete(PIRP irp, NTSTATUS status)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = 0;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static VOID NTAPI Cancelled(PIO_CSQ queue, PIRP irp)
{
    UNREFERENCED_PARAMETER(queue);
    Complete(irp, STATUS_CANCELLED);
}

static NTSTATUS NTAPI Open(PDEVICE_OBJECT device, PIRP irp)
{
    UNREFERENCED_PARAMETER(device);
    return Complete(irp, STATUS_SUCCESS);
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT device, PIRP irp)
{
    PIRP next;
    UNREFERENCED_PARAMETER(device);
    if (IoGetCurrentIrpStackLocation(irp)->Parameters.DeviceIoControl.IoControlCode == 0x222000) {
        IoCsqInsertIrp(&Queue, irp, NULL);
        return STATUS_PENDING;
    }
    next = IoCsqRemoveNextIrp(&Queue, NULL);
    if (!next)
        return Complete(irp, STATUS_NO_MORE_ENTRIES);
    Complete(next, STATUS_SUCCESS);
    return Complete(irp, STATUS_SUCCESS);
}

static VOID NTAPI Unload(PDRIVER_OBJECT driver)
{
    IoDeleteDevice(driver->DeviceObject);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    PDEVICE_OBJECT device;
    UNREFERENCED_PARAMETER(path);
    driver->DriverUnload = Unload;
    driver->MajorFunction[IRP_MJ_CREATE] = Open;
    driver->MajorFunction[IRP_MJ_CLEANUP] = Open;
    driver->MajorFunction[IRP_MJ_CLOSE] = Open;
    driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    KeInitializeSpinLock(&Guard);
    InitializeListHead(&List);
#ifndef UNINITIALISED
    IoCsqInitialize(&Queue, Insert, Remove, Peek, Acquire, Release, Cancelled);
#endif
    return IoCreateDevice(driver, 0, &Name, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
}
