#include <ntddk.h>

static VOID NTAPI Unload(PDRIVER_OBJECT driver)
{
    DbgPrint("goodbye from %p\n", driver);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    DbgPrint("hello from %wZ\n", path);
    driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
