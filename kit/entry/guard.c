/*
 * The load configuration of an image with Control Flow Guard.
 *
 * A driver's callbacks are called by the kernel and by other drivers, which check them against the table of
 * valid targets that this structure points to. The linker makes the tables and finds the structure by its
 * name; with the WDK it comes from Microsoft's libraries.
 * https://learn.microsoft.com/windows/win32/secbp/pe-metadata
 * https://learn.microsoft.com/windows/win32/api/winnt/ns-winnt-image_load_config_directory64
 */
#include <stddef.h>

typedef unsigned short USHORT;
typedef unsigned int ULONG;
typedef unsigned long long ULONGLONG;

/* Made by the linker. */
extern const char __guard_fids_table[], __guard_fids_count[], __guard_flags[];
extern const char __guard_iat_table[], __guard_iat_count[];
extern const char __guard_longjmp_table[], __guard_longjmp_count[];

/* What an indirect call does before the system has put its own check in place: rax holds the target. */
static __attribute__((naked)) void DispatchUnchecked(void)
{
    __asm__("jmp *%rax");
}

static __attribute__((naked)) void CheckNothing(void)
{
    __asm__("ret");
}

/* Compiled code calls through these; the system writes them when it loads the image. */
__attribute__((section(".00cfg"), used)) void (*const __guard_check_icall_fptr)(void) = CheckNothing;
__attribute__((section(".00cfg"), used)) void (*const __guard_dispatch_icall_fptr)(void) = DispatchUnchecked;

typedef struct _LOAD_CONFIG {
    ULONG Size;
    ULONG TimeDateStamp;
    USHORT MajorVersion;
    USHORT MinorVersion;
    ULONG GlobalFlagsClear;
    ULONG GlobalFlagsSet;
    ULONG CriticalSectionDefaultTimeout;
    ULONGLONG DeCommitFreeBlockThreshold;
    ULONGLONG DeCommitTotalFreeThreshold;
    ULONGLONG LockPrefixTable;
    ULONGLONG MaximumAllocationSize;
    ULONGLONG VirtualMemoryThreshold;
    ULONGLONG ProcessAffinityMask;
    ULONG ProcessHeapFlags;
    USHORT CSDVersion;
    USHORT DependentLoadFlags;
    ULONGLONG EditList;
    ULONGLONG SecurityCookie;
    ULONGLONG SEHandlerTable;
    ULONGLONG SEHandlerCount;
    const void *GuardCFCheckFunctionPointer;
    const void *GuardCFDispatchFunctionPointer;
    const void *GuardCFFunctionTable;
    const void *GuardCFFunctionCount;
    const void *GuardFlags; /* 32 bits, of which the linker makes the lower; CodeIntegrity follows and is zero */
    ULONGLONG CodeIntegrity;
    const void *GuardAddressTakenIatEntryTable;
    const void *GuardAddressTakenIatEntryCount;
    const void *GuardLongJumpTargetTable;
    const void *GuardLongJumpTargetCount;
} LOAD_CONFIG;

_Static_assert(offsetof(LOAD_CONFIG, GuardCFCheckFunctionPointer) == 0x70, "GuardCFCheckFunctionPointer");
_Static_assert(offsetof(LOAD_CONFIG, GuardFlags) == 0x90, "GuardFlags");
_Static_assert(offsetof(LOAD_CONFIG, GuardAddressTakenIatEntryTable) == 0xA0, "GuardAddressTakenIatEntryTable");
_Static_assert(sizeof(LOAD_CONFIG) == 0xC0, "LOAD_CONFIG");

const LOAD_CONFIG _load_config_used = {
    .Size = sizeof(LOAD_CONFIG),
    .GuardCFCheckFunctionPointer = &__guard_check_icall_fptr,
    .GuardCFDispatchFunctionPointer = &__guard_dispatch_icall_fptr,
    .GuardCFFunctionTable = __guard_fids_table,
    .GuardCFFunctionCount = __guard_fids_count,
    .GuardFlags = __guard_flags,
    .GuardAddressTakenIatEntryTable = __guard_iat_table,
    .GuardAddressTakenIatEntryCount = __guard_iat_count,
    .GuardLongJumpTargetTable = __guard_longjmp_table,
    .GuardLongJumpTargetCount = __guard_longjmp_count,
};
