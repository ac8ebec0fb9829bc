//! Executive resources, cancel-safe queues, tables of registry queries, and what few drivers need beside them.

use super::*;
use crate::status::NTSTATUS;

/// A reader/writer spin lock.
pub type EX_SPIN_LOCK = LONG;

/// Puts a request into a driver's queue. Up to DISPATCH_LEVEL.
pub type PIO_CSQ_INSERT_IRP = unsafe extern "efiapi" fn(Csq: *mut IO_CSQ, Irp: *mut IRP);
/// Puts a request into a driver's queue, or refuses it. Up to DISPATCH_LEVEL.
pub type PIO_CSQ_INSERT_IRP_EX =
    unsafe extern "efiapi" fn(Csq: *mut IO_CSQ, Irp: *mut IRP, InsertContext: PVOID) -> NTSTATUS;
/// Takes a request out of a driver's queue, or completes one that was cancelled. Up to DISPATCH_LEVEL.
pub type PIO_CSQ_IRP = unsafe extern "efiapi" fn(Csq: *mut IO_CSQ, Irp: *mut IRP);
/// The request behind one in a driver's queue, or the first. Up to DISPATCH_LEVEL.
pub type PIO_CSQ_PEEK_NEXT_IRP =
    unsafe extern "efiapi" fn(Csq: *mut IO_CSQ, Irp: *mut IRP, PeekContext: PVOID) -> *mut IRP;
/// Takes the lock of a driver's queue.
pub type PIO_CSQ_LOCK = unsafe extern "efiapi" fn(Csq: *mut IO_CSQ, Irql: *mut KIRQL);
/// Frees the lock of a driver's queue.
pub type PIO_CSQ_UNLOCK = unsafe extern "efiapi" fn(Csq: *mut IO_CSQ, Irql: KIRQL);
/// Gets a registry value. PASSIVE_LEVEL.
pub type PRTL_QUERY_REGISTRY_ROUTINE = unsafe extern "efiapi" fn(
    ValueName: *mut WCHAR,
    ValueType: ULONG,
    ValueData: PVOID,
    ValueLength: ULONG,
    Context: PVOID,
    EntryContext: PVOID,
) -> NTSTATUS;

layout! {
    /// A lock that threads have exclusively or share; opaque to drivers.
    struct ERESOURCE: 0x68 {
        /// Its state.
        0x00 => Opaque: [ULONG64; 13],
    }

    /// The state of a thread that is attached to a process; opaque to drivers.
    struct KAPC_STATE: 0x30 {
        /// Its state.
        0x00 => Opaque: [ULONG64; 6],
    }

    /// A cancel-safe queue. (Compiled from mingw-w64.)
    struct IO_CSQ: 0x40 {
        /// By which function it was initialised.
        0x00 => Type: ULONG,
        /// Puts a request into it.
        0x08 => CsqInsertIrp: PVOID,
        /// Takes a request out.
        0x10 => CsqRemoveIrp: Option<PIO_CSQ_IRP>,
        /// The next request.
        0x18 => CsqPeekNextIrp: Option<PIO_CSQ_PEEK_NEXT_IRP>,
        /// Takes its lock.
        0x20 => CsqAcquireLock: Option<PIO_CSQ_LOCK>,
        /// Frees its lock.
        0x28 => CsqReleaseLock: Option<PIO_CSQ_UNLOCK>,
        /// Completes a request that was cancelled.
        0x30 => CsqCompleteCanceledIrp: Option<PIO_CSQ_IRP>,
        /// Reserved.
        0x38 => ReservePointer: PVOID,
    }

    /// Names a request in a cancel-safe queue. (Compiled from mingw-w64.)
    struct IO_CSQ_IRP_CONTEXT: 0x18 {
        /// 2.
        0x00 => Type: ULONG,
        /// The request; null if it is in the queue no more.
        0x08 => Irp: *mut IRP,
        /// The queue.
        0x10 => Csq: *mut IO_CSQ,
    }

    /// A value that RtlQueryRegistryValues reads. (Compiled from mingw-w64.)
    struct RTL_QUERY_REGISTRY_TABLE: 0x38 {
        /// Gets the value.
        0x00 => QueryRoutine: Option<PRTL_QUERY_REGISTRY_ROUTINE>,
        /// `RTL_QUERY_REGISTRY_…`.
        0x08 => Flags: ULONG,
        /// Its name, terminated.
        0x10 => Name: *const WCHAR,
        /// A context, or where it is stored.
        0x18 => EntryContext: PVOID,
        /// The type of the default; in the highest byte the type that the value must have.
        0x20 => DefaultType: ULONG,
        /// The default.
        0x28 => DefaultData: PVOID,
        /// Length of the default, in bytes.
        0x30 => DefaultLength: ULONG,
    }

    /// A further parameter of an allocation.
    struct POOL_EXTENDED_PARAMETER: 0x10 {
        /// The type in eight bits, and whether it may be ignored.
        0x0 => TypeAndOptions: ULONG64,
        /// The value, of any kind.
        0x8 => Value: ULONG64,
    }
}

imports! {
    "ntoskrnl.exe", "ntoskrnl";

    /// Initialises a resource. ≤ DISPATCH_LEVEL.
    fn ExInitializeResourceLite(Resource: *mut ERESOURCE) -> NTSTATUS;
    /// Ends a resource. ≤ DISPATCH_LEVEL.
    fn ExDeleteResourceLite(Resource: *mut ERESOURCE) -> NTSTATUS;
    /// Takes a resource exclusively. ≤ APC_LEVEL.
    fn ExAcquireResourceExclusiveLite(Resource: *mut ERESOURCE, Wait: BOOLEAN) -> BOOLEAN;
    /// Shares a resource. ≤ DISPATCH_LEVEL, with `Wait` ≤ APC_LEVEL.
    fn ExAcquireResourceSharedLite(Resource: *mut ERESOURCE, Wait: BOOLEAN) -> BOOLEAN;
    /// Shares a resource before those that want it exclusively. ≤ DISPATCH_LEVEL, with `Wait` ≤ APC_LEVEL.
    fn ExAcquireSharedStarveExclusive(Resource: *mut ERESOURCE, Wait: BOOLEAN) -> BOOLEAN;
    /// Gives a resource back. ≤ DISPATCH_LEVEL.
    fn ExReleaseResourceLite(Resource: *mut ERESOURCE);
    /// Returns whether the calling thread has it exclusively. ≤ DISPATCH_LEVEL.
    fn ExIsResourceAcquiredExclusiveLite(Resource: *mut ERESOURCE) -> BOOLEAN;
    /// Returns how often the calling thread has it. ≤ DISPATCH_LEVEL.
    fn ExIsResourceAcquiredSharedLite(Resource: *mut ERESOURCE) -> ULONG;

    /// Shares a lock; returns the old level. ≤ DISPATCH_LEVEL.
    fn ExAcquireSpinLockShared(SpinLock: *mut EX_SPIN_LOCK) -> KIRQL;
    /// Gives it back. DISPATCH_LEVEL.
    fn ExReleaseSpinLockShared(SpinLock: *mut EX_SPIN_LOCK, OldIrql: KIRQL);
    /// Shares a lock. ≥ DISPATCH_LEVEL.
    fn ExAcquireSpinLockSharedAtDpcLevel(SpinLock: *mut EX_SPIN_LOCK);
    /// Gives it back. ≥ DISPATCH_LEVEL.
    fn ExReleaseSpinLockSharedFromDpcLevel(SpinLock: *mut EX_SPIN_LOCK);
    /// Takes a lock exclusively; returns the old level. ≤ DISPATCH_LEVEL.
    fn ExAcquireSpinLockExclusive(SpinLock: *mut EX_SPIN_LOCK) -> KIRQL;
    /// Gives it back. DISPATCH_LEVEL.
    fn ExReleaseSpinLockExclusive(SpinLock: *mut EX_SPIN_LOCK, OldIrql: KIRQL);
    /// Takes a lock exclusively. ≥ DISPATCH_LEVEL.
    fn ExAcquireSpinLockExclusiveAtDpcLevel(SpinLock: *mut EX_SPIN_LOCK);
    /// Gives it back. ≥ DISPATCH_LEVEL.
    fn ExReleaseSpinLockExclusiveFromDpcLevel(SpinLock: *mut EX_SPIN_LOCK);
    /// Makes a shared lock exclusive, if no other thread shares it. ≥ DISPATCH_LEVEL.
    fn ExTryConvertSharedSpinLockExclusive(SpinLock: *mut EX_SPIN_LOCK) -> ULONG;

    /// The mode from which the kernel was entered. Any level.
    fn ExGetPreviousMode() -> KPROCESSOR_MODE;
    /// Allocates, with further parameters. ≤ DISPATCH_LEVEL for nonpaged memory, else ≤ APC_LEVEL.
    fn ExAllocatePool3(
        Flags: POOL_FLAGS,
        NumberOfBytes: SIZE_T,
        Tag: ULONG,
        ExtendedParameters: *const POOL_EXTENDED_PARAMETER,
        ExtendedParametersCount: ULONG,
    ) -> PVOID;
    /// Frees memory of a tag, with further parameters.
    fn ExFreePool2(
        Pool: PVOID,
        Tag: ULONG,
        ExtendedParameters: *const POOL_EXTENDED_PARAMETER,
        ExtendedParametersCount: ULONG,
    );

    /// The processors of a node. Any level.
    fn KeQueryNodeActiveAffinity(NodeNumber: USHORT, Affinity: *mut GROUP_AFFINITY, Count: *mut USHORT);
    /// The node of the current processor. Any level.
    fn KeGetCurrentNodeNumber() -> USHORT;
    /// The highest number of a node. Any level.
    fn KeQueryHighestNodeNumber() -> USHORT;
    /// Goes into a process. ≤ DISPATCH_LEVEL.
    fn KeStackAttachProcess(Process: PVOID, ApcState: *mut KAPC_STATE);
    /// Goes back. ≤ DISPATCH_LEVEL.
    fn KeUnstackDetachProcess(ApcState: *mut KAPC_STATE);

    /// Initialises a cancel-safe queue. Any level.
    fn IoCsqInitialize(
        Csq: *mut IO_CSQ,
        CsqInsertIrp: Option<PIO_CSQ_INSERT_IRP>,
        CsqRemoveIrp: Option<PIO_CSQ_IRP>,
        CsqPeekNextIrp: Option<PIO_CSQ_PEEK_NEXT_IRP>,
        CsqAcquireLock: Option<PIO_CSQ_LOCK>,
        CsqReleaseLock: Option<PIO_CSQ_UNLOCK>,
        CsqCompleteCanceledIrp: Option<PIO_CSQ_IRP>,
    ) -> NTSTATUS;
    /// Initialises a cancel-safe queue that may refuse requests. Any level.
    fn IoCsqInitializeEx(
        Csq: *mut IO_CSQ,
        CsqInsertIrp: Option<PIO_CSQ_INSERT_IRP_EX>,
        CsqRemoveIrp: Option<PIO_CSQ_IRP>,
        CsqPeekNextIrp: Option<PIO_CSQ_PEEK_NEXT_IRP>,
        CsqAcquireLock: Option<PIO_CSQ_LOCK>,
        CsqReleaseLock: Option<PIO_CSQ_UNLOCK>,
        CsqCompleteCanceledIrp: Option<PIO_CSQ_IRP>,
    ) -> NTSTATUS;
    /// Queues a request. ≤ DISPATCH_LEVEL.
    fn IoCsqInsertIrp(Csq: *mut IO_CSQ, Irp: *mut IRP, Context: *mut IO_CSQ_IRP_CONTEXT);
    /// Queues a request; returns what the driver's routine returned. ≤ DISPATCH_LEVEL.
    fn IoCsqInsertIrpEx(
        Csq: *mut IO_CSQ,
        Irp: *mut IRP,
        Context: *mut IO_CSQ_IRP_CONTEXT,
        InsertContext: PVOID,
    ) -> NTSTATUS;
    /// Takes a request by its context; null if it was cancelled. ≤ DISPATCH_LEVEL.
    fn IoCsqRemoveIrp(Csq: *mut IO_CSQ, Context: *mut IO_CSQ_IRP_CONTEXT) -> *mut IRP;
    /// Takes the next request; null if there is none. ≤ DISPATCH_LEVEL.
    fn IoCsqRemoveNextIrp(Csq: *mut IO_CSQ, PeekContext: PVOID) -> *mut IRP;

    /// Registers a device with management instrumentation. PASSIVE_LEVEL.
    fn IoWMIRegistrationControl(DeviceObject: *mut DEVICE_OBJECT, Action: ULONG) -> NTSTATUS;
    /// Reads values of a key. PASSIVE_LEVEL.
    fn RtlQueryRegistryValues(
        RelativeTo: ULONG,
        Path: *const WCHAR,
        QueryTable: *mut RTL_QUERY_REGISTRY_TABLE,
        Context: PVOID,
        Environment: PVOID,
    ) -> NTSTATUS;
    /// Reports a failed assertion. Any level.
    fn RtlAssert(FailedAssertion: *const CHAR, FileName: *const CHAR, LineNumber: ULONG, Message: *const CHAR);
    /// Writes text with a limit. Any level; with Unicode text, PASSIVE_LEVEL.
    fn _vsnprintf(buffer: *mut CHAR, count: SIZE_T, format: *const CHAR, argptr: *const ULONG64) -> i32;
    /// Writes wide text with a limit. PASSIVE_LEVEL.
    fn _vsnwprintf(buffer: *mut WCHAR, count: SIZE_T, format: *const WCHAR, argptr: *const ULONG64) -> i32;
    /// Copies text with a limit; returns an error number. Any level.
    fn strncpy_s(strDest: *mut CHAR, numberOfElements: SIZE_T, strSource: *const CHAR, count: SIZE_T) -> i32;
    /// Returns whether a token is an administrator's. PASSIVE_LEVEL.
    fn SeTokenIsAdmin(Token: PVOID) -> BOOLEAN;
}
