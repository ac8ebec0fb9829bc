//! Exports of `ntoskrnl.exe` under the prefix Ex: pool, lookaside lists, rundown protection, fast mutexes.
//!
//! `ExAllocateFromNPagedLookasideList` and its relatives are inline over the list functions and the
//! members of the list. `ExInitializeFastMutex` is inline too. `ExAllocatePool2` is not in mingw-w64's headers
//! (page `wdm/nf-wdm-exallocatepool2`).

use super::*;
use crate::status::NTSTATUS;

imports! {
    "ntoskrnl.exe", "ntoskrnl";

    /// Allocates, zeroed unless told otherwise. ≤ DISPATCH_LEVEL for nonpaged memory, else ≤ APC_LEVEL.
    fn ExAllocatePool2(Flags: POOL_FLAGS, NumberOfBytes: SIZE_T, Tag: ULONG) -> PVOID;
    /// Allocates, not zeroed. ≤ DISPATCH_LEVEL for nonpaged memory, else ≤ APC_LEVEL.
    fn ExAllocatePoolWithTag(PoolType: POOL_TYPE, NumberOfBytes: SIZE_T, Tag: ULONG) -> PVOID;
    /// Allocates, not zeroed, with a priority. ≤ DISPATCH_LEVEL for nonpaged memory, else ≤ APC_LEVEL.
    fn ExAllocatePoolWithTagPriority(
        PoolType: POOL_TYPE,
        NumberOfBytes: SIZE_T,
        Tag: ULONG,
        Priority: EX_POOL_PRIORITY,
    ) -> PVOID;
    /// Frees. ≤ DISPATCH_LEVEL for nonpaged memory, else ≤ APC_LEVEL.
    fn ExFreePool(P: PVOID);
    /// Frees memory of a tag. ≤ DISPATCH_LEVEL for nonpaged memory, else ≤ APC_LEVEL.
    fn ExFreePoolWithTag(P: PVOID, Tag: ULONG);

    /// Initialises a list of nonpaged blocks. ≤ DISPATCH_LEVEL.
    fn ExInitializeNPagedLookasideList(
        Lookaside: *mut NPAGED_LOOKASIDE_LIST,
        Allocate: Option<PALLOCATE_FUNCTION>,
        Free: Option<PFREE_FUNCTION>,
        Flags: ULONG,
        Size: SIZE_T,
        Tag: ULONG,
        Depth: USHORT,
    );
    /// Frees a list with its blocks. ≤ DISPATCH_LEVEL.
    fn ExDeleteNPagedLookasideList(Lookaside: *mut NPAGED_LOOKASIDE_LIST);
    /// Initialises a list of paged blocks. ≤ APC_LEVEL.
    fn ExInitializePagedLookasideList(
        Lookaside: *mut PAGED_LOOKASIDE_LIST,
        Allocate: Option<PALLOCATE_FUNCTION>,
        Free: Option<PFREE_FUNCTION>,
        Flags: ULONG,
        Size: SIZE_T,
        Tag: ULONG,
        Depth: USHORT,
    );
    /// Frees a list with its blocks. ≤ APC_LEVEL.
    fn ExDeletePagedLookasideList(Lookaside: *mut PAGED_LOOKASIDE_LIST);
    /// Initialises an extended list. ≤ DISPATCH_LEVEL.
    fn ExInitializeLookasideListEx(
        Lookaside: *mut LOOKASIDE_LIST_EX,
        Allocate: Option<PALLOCATE_FUNCTION_EX>,
        Free: Option<PFREE_FUNCTION_EX>,
        PoolType: POOL_TYPE,
        Flags: ULONG,
        Size: SIZE_T,
        Tag: ULONG,
        Depth: USHORT,
    ) -> NTSTATUS;
    /// Frees an extended list with its blocks. ≤ DISPATCH_LEVEL.
    fn ExDeleteLookasideListEx(Lookaside: *mut LOOKASIDE_LIST_EX);
    /// Frees the blocks of an extended list. ≤ DISPATCH_LEVEL.
    fn ExFlushLookasideListEx(Lookaside: *mut LOOKASIDE_LIST_EX);

    /// Initialises an interlocked list. Any level.
    fn InitializeSListHead(SListHead: *mut SLIST_HEADER);
    /// Takes the first entry, or null. Any level.
    fn ExpInterlockedPopEntrySList(ListHead: *mut SLIST_HEADER) -> *mut SLIST_ENTRY;
    /// Puts an entry in front and returns the previous first. Any level.
    fn ExpInterlockedPushEntrySList(
        ListHead: *mut SLIST_HEADER,
        ListEntry: *mut SLIST_ENTRY,
    ) -> *mut SLIST_ENTRY;
    /// Takes all entries. Any level.
    fn ExpInterlockedFlushSList(ListHead: *mut SLIST_HEADER) -> *mut SLIST_ENTRY;
    /// The number of entries. ≤ DISPATCH_LEVEL.
    fn ExQueryDepthSList(SListHead: *mut SLIST_HEADER) -> USHORT;
    /// Puts an entry at the end of a list under a lock; returns the previous last. Any level.
    fn ExInterlockedInsertTailList(
        ListHead: *mut LIST_ENTRY,
        ListEntry: *mut LIST_ENTRY,
        Lock: *mut KSPIN_LOCK,
    ) -> *mut LIST_ENTRY;
    /// Puts an entry in front of a list under a lock; returns the previous first. Any level.
    fn ExInterlockedInsertHeadList(
        ListHead: *mut LIST_ENTRY,
        ListEntry: *mut LIST_ENTRY,
        Lock: *mut KSPIN_LOCK,
    ) -> *mut LIST_ENTRY;
    /// Takes the first entry of a list under a lock, or null. Any level.
    fn ExInterlockedRemoveHeadList(ListHead: *mut LIST_ENTRY, Lock: *mut KSPIN_LOCK) -> *mut LIST_ENTRY;

    /// Initialises rundown protection. ≤ APC_LEVEL.
    fn ExInitializeRundownProtection(RunRef: *mut EX_RUNDOWN_REF);
    /// Makes it usable again after it ran down. ≤ APC_LEVEL.
    fn ExReInitializeRundownProtection(RunRef: *mut EX_RUNDOWN_REF);
    /// Takes it, unless it has begun to run down. ≤ DISPATCH_LEVEL.
    fn ExAcquireRundownProtection(RunRef: *mut EX_RUNDOWN_REF) -> BOOLEAN;
    /// Takes it several times. ≤ DISPATCH_LEVEL.
    fn ExAcquireRundownProtectionEx(RunRef: *mut EX_RUNDOWN_REF, Count: ULONG) -> BOOLEAN;
    /// Gives it back. ≤ DISPATCH_LEVEL.
    fn ExReleaseRundownProtection(RunRef: *mut EX_RUNDOWN_REF);
    /// Gives it back several times. ≤ DISPATCH_LEVEL.
    fn ExReleaseRundownProtectionEx(RunRef: *mut EX_RUNDOWN_REF, Count: ULONG);
    /// Begins to run down and waits for the holders. ≤ APC_LEVEL.
    fn ExWaitForRundownProtectionRelease(RunRef: *mut EX_RUNDOWN_REF);
    /// Marks it as run down. ≤ APC_LEVEL.
    fn ExRundownCompleted(RunRef: *mut EX_RUNDOWN_REF);

    /// Takes a fast mutex and raises to APC_LEVEL. ≤ APC_LEVEL.
    fn ExAcquireFastMutex(FastMutex: *mut FAST_MUTEX);
    /// Takes a fast mutex if it is free. ≤ APC_LEVEL.
    fn ExTryToAcquireFastMutex(FastMutex: *mut FAST_MUTEX) -> BOOLEAN;
    /// Frees a fast mutex and goes back to the old level. APC_LEVEL.
    fn ExReleaseFastMutex(FastMutex: *mut FAST_MUTEX);
    /// Takes a fast mutex. APC_LEVEL, or within a critical region.
    fn ExAcquireFastMutexUnsafe(FastMutex: *mut FAST_MUTEX);
    /// Frees a fast mutex. APC_LEVEL, or within a critical region.
    fn ExReleaseFastMutexUnsafe(FastMutex: *mut FAST_MUTEX);

    /// Raises an exception, which does not go on. ≤ DISPATCH_LEVEL.
    fn ExRaiseStatus(Status: NTSTATUS);
    /// Raises STATUS_ACCESS_VIOLATION, which does not go on. ≤ DISPATCH_LEVEL.
    fn ExRaiseAccessViolation();
    /// Raises STATUS_DATATYPE_MISALIGNMENT, which does not go on. ≤ DISPATCH_LEVEL.
    fn ExRaiseDatatypeMisalignment();

    /// Queues an executive work item. ≤ DISPATCH_LEVEL.
    fn ExQueueWorkItem(WorkItem: *mut WORK_QUEUE_ITEM, QueueType: WORK_QUEUE_TYPE);
    /// Makes an identifier that is unique on this machine. PASSIVE_LEVEL.
    fn ExUuidCreate(Uuid: *mut GUID) -> NTSTATUS;
}
