/* What Windows 10 has and mingw-w64's wdm.h lacks: allocation, reader-writer spin locks, clocks. */
#pragma once

/* https://learn.microsoft.com/windows-hardware/drivers/kernel/pool_flags */
typedef ULONG64 POOL_FLAGS;

#define POOL_FLAG_REQUIRED_START ((POOL_FLAGS)0x0000000000000001)
#define POOL_FLAG_USE_QUOTA ((POOL_FLAGS)0x0000000000000001)
#define POOL_FLAG_UNINITIALIZED ((POOL_FLAGS)0x0000000000000002)
#define POOL_FLAG_SESSION ((POOL_FLAGS)0x0000000000000004)
#define POOL_FLAG_CACHE_ALIGNED ((POOL_FLAGS)0x0000000000000008)
#define POOL_FLAG_RAISE_ON_FAILURE ((POOL_FLAGS)0x0000000000000020)
#define POOL_FLAG_NON_PAGED ((POOL_FLAGS)0x0000000000000040)
#define POOL_FLAG_NON_PAGED_EXECUTE ((POOL_FLAGS)0x0000000000000080)
#define POOL_FLAG_PAGED ((POOL_FLAGS)0x0000000000000100)

/* https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-exallocatepool2 */
NTKERNELAPI PVOID NTAPI ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag);

/* https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nc-wdm-allocate_function and its neighbour */
typedef PVOID NTAPI ALLOCATE_FUNCTION(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);
typedef VOID NTAPI FREE_FUNCTION(PVOID Buffer);

/* https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-kememorybarrier */
#define KeMemoryBarrier() __atomic_thread_fence(__ATOMIC_SEQ_CST)

/* https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-mmgetsystemaddressformdlsafe */
#ifndef MdlMappingNoExecute
#define MdlMappingNoExecute 0x40000000
#endif

/* https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-exacquirespinlockexclusive and its neighbours */
typedef volatile LONG EX_SPIN_LOCK, *PEX_SPIN_LOCK;

NTKERNELAPI KIRQL NTAPI ExAcquireSpinLockExclusive(PEX_SPIN_LOCK SpinLock);
NTKERNELAPI VOID NTAPI ExAcquireSpinLockExclusiveAtDpcLevel(PEX_SPIN_LOCK SpinLock);
NTKERNELAPI VOID NTAPI ExReleaseSpinLockExclusive(PEX_SPIN_LOCK SpinLock, KIRQL OldIrql);
NTKERNELAPI VOID NTAPI ExReleaseSpinLockExclusiveFromDpcLevel(PEX_SPIN_LOCK SpinLock);
NTKERNELAPI KIRQL NTAPI ExAcquireSpinLockShared(PEX_SPIN_LOCK SpinLock);
NTKERNELAPI VOID NTAPI ExAcquireSpinLockSharedAtDpcLevel(PEX_SPIN_LOCK SpinLock);
NTKERNELAPI VOID NTAPI ExReleaseSpinLockShared(PEX_SPIN_LOCK SpinLock, KIRQL OldIrql);
NTKERNELAPI VOID NTAPI ExReleaseSpinLockSharedFromDpcLevel(PEX_SPIN_LOCK SpinLock);

/* https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-kequerysystemtimeprecise and its neighbours */
NTKERNELAPI VOID NTAPI KeQuerySystemTimePrecise(PLARGE_INTEGER CurrentTime);
NTKERNELAPI ULONG64 NTAPI KeQueryInterruptTimePrecise(PULONG64 QpcTimeStamp);
