/*
 * Functions that mingw-w64's wdm.h has only as inline functions, and that the kernel exports: inline, they would be missing
 * in the bindings, and a driver in C would have them without importing them, as no driver on Windows has.
 */
#pragma once

/* Before the names change: mingw-w64's wdm.h defines two of its intrinsics again, for export from each object file. */
#include <ntdef.h>
#include <intrin.h>

#define InterlockedBitTestAndSet InterlockedBitTestAndSet_again
#define InterlockedBitTestAndReset InterlockedBitTestAndReset_again

#define KeGetCurrentIrql KeGetCurrentIrql_inline
#define KeInitializeSpinLock KeInitializeSpinLock_inline
#define KeLowerIrql KeLowerIrql_inline
#define KfRaiseIrql KfRaiseIrql_inline

#include_next <wdm.h>

#undef InterlockedBitTestAndSet
#undef InterlockedBitTestAndReset
#undef KeGetCurrentIrql
#undef KeInitializeSpinLock
#undef KeLowerIrql
#undef KfRaiseIrql

#ifdef __cplusplus
extern "C" {
#endif

/* https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-kegetcurrentirql */
NTKERNELAPI KIRQL NTAPI KeGetCurrentIrql(VOID);

/* https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-kelowerirql */
NTKERNELAPI VOID NTAPI KeLowerIrql(KIRQL NewIrql);

/* https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-keraiseirql */
NTKERNELAPI KIRQL NTAPI KfRaiseIrql(KIRQL NewIrql);

/* https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-keinitializespinlock */
NTKERNELAPI VOID NTAPI KeInitializeSpinLock(PKSPIN_LOCK SpinLock);

#include "windows10.h"

#ifdef __cplusplus
}
#endif
