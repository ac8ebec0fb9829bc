#include <ntddk.h>

/* What stays of one case: a letter for each block that ran. */
static char Said[64];
static int Length;

static VOID Say(char letter)
{
    Said[Length++] = letter;
    Said[Length] = 0;
}

static __attribute__((noinline)) ULONG Read(volatile ULONG *address)
{
    return *address;
}

static __attribute__((noinline)) VOID Write(volatile ULONG *address)
{
    *address = 1;
}

static __attribute__((noinline)) ULONG Divide(volatile ULONG *by)
{
    return 100 / *by;
}

static long Note(EXCEPTION_POINTERS *pointers, ULONG_PTR kind, ULONG_PTR address)
{
    EXCEPTION_RECORD *record = pointers->ExceptionRecord;
    Say(record->NumberParameters == 2 && record->ExceptionInformation[0] == kind &&
                record->ExceptionInformation[1] == address
            ? 'f'
            : 'F');
    return EXCEPTION_EXECUTE_HANDLER;
}

/* A read of a bad address of a user; the registers that a function keeps have to be as they were. */
static __attribute__((noinline)) ULONG Caught(ULONG a, ULONG b, ULONG c, ULONG d)
{
    volatile ULONG before = a + b;
    ULONG status = 0;
    __try {
        status = Read((ULONG *)0x1230);
    } __except (Note(GetExceptionInformation(), 0, 0x1230)) {
        status = GetExceptionCode();
    }
    return status + before - a - b + c - d;
}

/* The innermost block is left first, and the outermost one takes it. */
static __attribute__((noinline)) VOID Nested(VOID)
{
    __try {
        __try {
            __try {
                Write((ULONG *)0x40);
                Say('!');
            } __finally {
                Say(AbnormalTermination() ? '1' : '0');
            }
        } __except (Say('s'), EXCEPTION_CONTINUE_SEARCH) {
            Say('!');
        }
    } __except (Say('e'), EXCEPTION_EXECUTE_HANDLER) {
        Say('h');
    }
}

/* A block of a caller's, through a function without one. */
static __attribute__((noinline)) VOID Raises(NTSTATUS status)
{
    ExRaiseStatus(status);
    Say('!');
}

static __attribute__((noinline)) NTSTATUS Outer(VOID)
{
    __try {
        Raises(STATUS_DATA_ERROR);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        return GetExceptionCode();
    }
    return 0;
}

static ULONG Zero;

/* Not static, so that copying to it is not left out. */
char Copied[256];

static long Mend(EXCEPTION_POINTERS *pointers)
{
    if (pointers->ExceptionRecord->ExceptionCode != STATUS_INTEGER_DIVIDE_BY_ZERO)
        return EXCEPTION_CONTINUE_SEARCH;
    /* The divisor is in memory that the instruction reads, or in a register. */
    Zero = 5;
    pointers->ContextRecord->Rcx = 5;
    Say('m');
    return EXCEPTION_EXECUTE_HANDLER;
}

static __attribute__((noinline)) VOID Copies(PVOID user, SIZE_T length)
{
    __try {
        ProbeForRead(user, length, 1);
        RtlCopyMemory(Copied, user, length);
        Say('!');
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Say(GetExceptionCode() == STATUS_ACCESS_VIOLATION ? 'c' : 'C');
    }
}

static __attribute__((noinline)) VOID Probes(PVOID kernel)
{
    __try {
        ProbeForWrite(kernel, 16, 1);
        Say('!');
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Say('p');
    }
    __try {
        ProbeForRead((char *)0x1001, 16, 8);
        Say('!');
    } __except (GetExceptionCode() == STATUS_DATATYPE_MISALIGNMENT) {
        Say('a');
    }
}

static __attribute__((noinline)) VOID Locks(VOID)
{
    PMDL list = IoAllocateMdl((PVOID)0x10000, 100, FALSE, FALSE, NULL);
    __try {
        MmProbeAndLockPages(list, UserMode, IoReadAccess);
        Say('!');
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Say('l');
    }
    IoFreeMdl(list);
}

static VOID NTAPI Unload(PDRIVER_OBJECT driver)
{
    UNREFERENCED_PARAMETER(driver);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    PVOID pool;

    UNREFERENCED_PARAMETER(path);
    driver->DriverUnload = Unload;
    if (Caught(1, 2, 3, 3) != (ULONG)STATUS_ACCESS_VIOLATION)
        return STATUS_UNSUCCESSFUL;
    Nested();
    if (Outer() != STATUS_DATA_ERROR)
        return STATUS_UNSUCCESSFUL;
    __try {
        Say(Divide(&Zero) ? '!' : '?');
    } __except (Mend(GetExceptionInformation())) {
        Say('d');
    }
    Copies((PVOID)0x20000, sizeof(Said) * 2);
    pool = ExAllocatePoolWithTag(NonPagedPoolNx, 16, 'tseT');
    Probes(pool);
    ExFreePool(pool);
    Locks();
    DbgPrint("%s", Said);
    return STATUS_SUCCESS;
}
