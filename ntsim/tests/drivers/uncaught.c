#include <ntddk.h>

/* What a handler does not take on Windows: KIND is set by the test. */
static __attribute__((noinline)) VOID Write(volatile ULONG *address)
{
    *address = 1;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    volatile ULONG *pool;
    KIRQL before;

    UNREFERENCED_PARAMETER(driver);
    UNREFERENCED_PARAMETER(path);
    __try {
#if KIND == 0 /* a user's address at DISPATCH_LEVEL */
        KeRaiseIrql(DISPATCH_LEVEL, &before);
        Write((ULONG *)0x1230);
#elif KIND == 1 /* freed pool */
        pool = ExAllocatePoolWithTag(NonPagedPoolNx, 64, 'tseT');
        ExFreePool((PVOID)pool);
        Write(pool);
#elif KIND == 2 /* an address of the kernel's at which nothing is */
        Write((ULONG *)0xFFFF800000001000);
#elif KIND == 3 /* a filter that does not want it */
        Write((ULONG *)0x1230);
#elif KIND == 4 /* an exception without a block around it that takes it */
        ExRaiseStatus(STATUS_DATA_ERROR);
#elif KIND == 5 /* what can't be continued */
        ExRaiseStatus(STATUS_DEVICE_BUSY);
#endif
    } __except (GetExceptionCode() == STATUS_DEVICE_BUSY ? EXCEPTION_CONTINUE_EXECUTION
                : KIND < 3                               ? EXCEPTION_EXECUTE_HANDLER
                                                         : EXCEPTION_CONTINUE_SEARCH) {
        DbgPrint("caught");
    }
    return STATUS_UNSUCCESSFUL;
}
