/*
 * Functions of NDIS that are another name for the kernel's own, locks, lists, memory, levels: a driver that calls them imports
 * the kernel's (https://learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nf-ndis-ndisacquirespinlock and its neighbours).
 */
#pragma once

typedef struct _NDIS_SPIN_LOCK {
    KSPIN_LOCK SpinLock;
    KIRQL OldIrql;
} NDIS_SPIN_LOCK, *PNDIS_SPIN_LOCK;
NDIS_LAYOUT_SIZE(NDIS_SPIN_LOCK, 16);

#define NdisAllocateSpinLock(Lock) KeInitializeSpinLock(&(Lock)->SpinLock)
#define NdisFreeSpinLock(Lock) ((void)(Lock))
#define NdisAcquireSpinLock(Lock) KeAcquireSpinLock(&(Lock)->SpinLock, &(Lock)->OldIrql)
#define NdisReleaseSpinLock(Lock) KeReleaseSpinLock(&(Lock)->SpinLock, (Lock)->OldIrql)
#define NdisDprAcquireSpinLock(Lock) KeAcquireSpinLockAtDpcLevel(&(Lock)->SpinLock)
#define NdisDprReleaseSpinLock(Lock) KeReleaseSpinLockFromDpcLevel(&(Lock)->SpinLock)

#define NdisInterlockedIncrement(Addend) InterlockedIncrement(Addend)
#define NdisInterlockedDecrement(Addend) InterlockedDecrement(Addend)
#define NdisInitializeListHead(Head) InitializeListHead(Head)
#define NdisInterlockedInsertHeadList(Head, Entry, Lock) ExInterlockedInsertHeadList(Head, Entry, &(Lock)->SpinLock)
#define NdisInterlockedInsertTailList(Head, Entry, Lock) ExInterlockedInsertTailList(Head, Entry, &(Lock)->SpinLock)
#define NdisInterlockedRemoveHeadList(Head, Lock) ExInterlockedRemoveHeadList(Head, &(Lock)->SpinLock)

#define NdisMoveMemory(Destination, Source, Length) RtlCopyMemory(Destination, Source, Length)
#define NdisZeroMemory(Destination, Length) RtlZeroMemory(Destination, Length)
#define NdisEqualMemory(One, Other, Length) RtlEqualMemory(One, Other, Length)

/* POOL_NX_ALLOCATION: executable pool is not for what NDIS allocates. */
#define NdisInitializeNPagedLookasideList(List, Allocate, Free, Flags, Size, Tag, Depth) \
    ExInitializeNPagedLookasideList(List, Allocate, Free, (Flags) | 512, Size, Tag, Depth)
#define NdisDeleteNPagedLookasideList(List) ExDeleteNPagedLookasideList(List)
#define NdisAllocateFromNPagedLookasideList(List) ExAllocateFromNPagedLookasideList(List)
#define NdisFreeToNPagedLookasideList(List, Entry) ExFreeToNPagedLookasideList(List, Entry)

#define NDIS_CURRENT_IRQL() KeGetCurrentIrql()
#define NDIS_RAISE_IRQL_TO_DISPATCH(Old) KeRaiseIrql(DISPATCH_LEVEL, Old)
#define NDIS_LOWER_IRQL(Old, Current) \
    do { \
        if ((Old) != (Current)) \
            KeLowerIrql(Old); \
    } while (0)

#define NDIS_INIT_FUNCTION(Function) alloc_text(INIT, Function)
#define NDIS_PAGEABLE_FUNCTION(Function) alloc_text(PAGE, Function)

#define NdisGetPhysicalAddressHigh(Address) ((Address).HighPart)
#define NdisGetPhysicalAddressLow(Address) ((Address).LowPart)
#define NdisSetPhysicalAddressHigh(Address, Value) ((Address).HighPart = (Value))
#define NdisSetPhysicalAddressLow(Address, Value) ((Address).LowPart = (Value))

/* An annotation for a debugger, which has no effect (a debugger finds it in the PDB on Windows, and not here). */
#define NDIS_DECLARE_MINIPORT_DRIVER_CONTEXT(Type) ((void)sizeof(Type))
#define NDIS_DECLARE_MINIPORT_ADAPTER_CONTEXT(Type) ((void)sizeof(Type))
