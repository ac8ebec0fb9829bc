#include <ntddk.h>

/* What is inline in C, and so never reaches an export. */
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    LARGE_INTEGER system, ticks;
    KIRQL before, raised;

    UNREFERENCED_PARAMETER(driver);
    UNREFERENCED_PARAMETER(path);
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    raised = KeGetCurrentIrql();
    KeLowerIrql(before);
    KeQuerySystemTime(&system);
    KeQueryTickCount(&ticks);
    DbgPrint("%u %u %u %I64u %I64u %p", before, raised, KeGetCurrentIrql(), system.QuadPart,
             KeQueryInterruptTime() / 156250 - ticks.QuadPart, KeGetCurrentThread());
    return STATUS_UNSUCCESSFUL;
}
