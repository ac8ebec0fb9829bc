#include <ntddk.h>

static KSPIN_LOCK Lock;

/* Takes the lock twice; kept from being inlined, so that it has a frame of its own. */
static __attribute__((noinline)) VOID TakeTwice(VOID)
{
    KIRQL irql;
    KeAcquireSpinLock(&Lock, &irql);
    KeAcquireSpinLockAtDpcLevel(&Lock);
    KeReleaseSpinLockFromDpcLevel(&Lock);
    KeReleaseSpinLock(&Lock, irql);
}

static VOID NTAPI Unload(PDRIVER_OBJECT driver)
{
    UNREFERENCED_PARAMETER(driver);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    UNREFERENCED_PARAMETER(path);
    driver->DriverUnload = Unload;
    TakeTwice();
    ExAllocatePoolWithTag(NonPagedPoolNx, 32, 'kaeL');
    return STATUS_SUCCESS;
}
