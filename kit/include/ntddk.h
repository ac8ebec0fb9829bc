/*
 * What wdk-sys and wdk-alloc use of the Windows 10 kernel and mingw-w64's ntddk.h does not have yet.
 */
#pragma once

#include_next <ntddk.h>

#ifdef __cplusplus
extern "C" {
#endif

/* https://learn.microsoft.com/windows-hardware/drivers/kernel/pool_flags */
typedef ULONG64 POOL_FLAGS;

/* https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-exallocatepool2 */
NTKERNELAPI PVOID NTAPI ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag);

#ifdef __cplusplus
}
#endif
