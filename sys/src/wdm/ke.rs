//! Exports of `ntoskrnl.exe` under the prefix Ke: levels, locks, waits, timers, DPCs.
//!
//! On x64, `KeRaiseIrql` is a macro over the export `KfRaiseIrql`, `KeAcquireSpinLock` one over
//! `KeAcquireSpinLockRaiseToDpc`. Inline code once and exports now are `KeGetCurrentIrql` (a read of CR8
//! before Windows 10, MicrosoftDocs/windows-driver-docs-ddi#1374) and `KeInitializeSpinLock` (a store of
//! zero before Windows 8, as its page says). `KeQueryInterruptTime` and `KeQuerySystemTime` are inline
//! reads of the page that the kernel shares with all processes, at 0xFFFFF780_00000000.
//!
//! Prototypes were compared with mingw-w64's headers, but for the two exact clocks, which those lack
//! (pages `wdm/nf-wdm-kequeryinterrupttimeprecise` and `…-kequerysystemtimeprecise`).

use super::*;
use crate::status::NTSTATUS;

imports! {
    "ntoskrnl.exe", "ntoskrnl";

    /// The current level. Any level.
    fn KeGetCurrentIrql() -> KIRQL;
    /// Raises the level and returns the old one. Any level, not above the new one.
    fn KfRaiseIrql(NewIrql: KIRQL) -> KIRQL;
    /// Goes back to a level. Any level, not below the new one.
    fn KeLowerIrql(NewIrql: KIRQL);
    /// Raises to DISPATCH_LEVEL and returns the old level. ≤ DISPATCH_LEVEL.
    fn KeRaiseIrqlToDpcLevel() -> KIRQL;

    /// Makes a spin lock free. Any level.
    fn KeInitializeSpinLock(SpinLock: *mut KSPIN_LOCK);
    /// Takes a spin lock, raises to DISPATCH_LEVEL and returns the old level. ≤ DISPATCH_LEVEL.
    fn KeAcquireSpinLockRaiseToDpc(SpinLock: *mut KSPIN_LOCK) -> KIRQL;
    /// Frees a spin lock and goes back to the old level. DISPATCH_LEVEL.
    fn KeReleaseSpinLock(SpinLock: *mut KSPIN_LOCK, NewIrql: KIRQL);
    /// Takes a spin lock. ≥ DISPATCH_LEVEL.
    fn KeAcquireSpinLockAtDpcLevel(SpinLock: *mut KSPIN_LOCK);
    /// Frees a spin lock. ≥ DISPATCH_LEVEL.
    fn KeReleaseSpinLockFromDpcLevel(SpinLock: *mut KSPIN_LOCK);
    /// Takes a spin lock if it is free. ≥ DISPATCH_LEVEL.
    fn KeTryToAcquireSpinLockAtDpcLevel(SpinLock: *mut KSPIN_LOCK) -> BOOLEAN;
    /// Takes a spin lock from a threaded DPC or below; returns the old level. ≤ DISPATCH_LEVEL.
    fn KeAcquireSpinLockForDpc(SpinLock: *mut KSPIN_LOCK) -> KIRQL;
    /// Frees what `KeAcquireSpinLockForDpc` took. DISPATCH_LEVEL.
    fn KeReleaseSpinLockForDpc(SpinLock: *mut KSPIN_LOCK, OldIrql: KIRQL);
    /// Returns whether a spin lock is free. Any level.
    fn KeTestSpinLock(SpinLock: *const KSPIN_LOCK) -> BOOLEAN;
    /// Takes a spin lock in turn and raises to DISPATCH_LEVEL. ≤ DISPATCH_LEVEL.
    fn KeAcquireInStackQueuedSpinLock(SpinLock: *mut KSPIN_LOCK, LockHandle: *mut KLOCK_QUEUE_HANDLE);
    /// Frees a queued spin lock and goes back to the old level. DISPATCH_LEVEL.
    fn KeReleaseInStackQueuedSpinLock(LockHandle: *mut KLOCK_QUEUE_HANDLE);
    /// Takes a spin lock in turn. ≥ DISPATCH_LEVEL.
    fn KeAcquireInStackQueuedSpinLockAtDpcLevel(
        SpinLock: *mut KSPIN_LOCK,
        LockHandle: *mut KLOCK_QUEUE_HANDLE,
    );
    /// Frees a queued spin lock. ≥ DISPATCH_LEVEL.
    fn KeReleaseInStackQueuedSpinLockFromDpcLevel(LockHandle: *mut KLOCK_QUEUE_HANDLE);
    /// Takes a spin lock in turn from a threaded DPC or below. ≤ DISPATCH_LEVEL.
    fn KeAcquireInStackQueuedSpinLockForDpc(SpinLock: *mut KSPIN_LOCK, LockHandle: *mut KLOCK_QUEUE_HANDLE);
    /// Frees what `KeAcquireInStackQueuedSpinLockForDpc` took. DISPATCH_LEVEL.
    fn KeReleaseInStackQueuedSpinLockForDpc(LockHandle: *mut KLOCK_QUEUE_HANDLE);

    /// Begins a critical region: normal kernel asynchronous procedure calls are held off. ≤ APC_LEVEL.
    fn KeEnterCriticalRegion();
    /// Ends a critical region. ≤ APC_LEVEL.
    fn KeLeaveCriticalRegion();
    /// Begins a guarded region: all asynchronous procedure calls are held off. ≤ APC_LEVEL.
    fn KeEnterGuardedRegion();
    /// Ends a guarded region. ≤ APC_LEVEL.
    fn KeLeaveGuardedRegion();

    /// Initialises an event. Any level.
    fn KeInitializeEvent(Event: *mut KEVENT, Type: EVENT_TYPE, State: BOOLEAN);
    /// Signals an event and returns its previous state. ≤ DISPATCH_LEVEL, PASSIVE_LEVEL to wait.
    fn KeSetEvent(Event: *mut KEVENT, Increment: KPRIORITY, Wait: BOOLEAN) -> LONG;
    /// Resets an event. ≤ DISPATCH_LEVEL.
    fn KeClearEvent(Event: *mut KEVENT);
    /// Resets an event and returns its previous state. ≤ DISPATCH_LEVEL.
    fn KeResetEvent(Event: *mut KEVENT) -> LONG;
    /// Reads whether an event is signalled. ≤ DISPATCH_LEVEL.
    fn KeReadStateEvent(Event: *mut KEVENT) -> LONG;
    /// Initialises a semaphore. PASSIVE_LEVEL.
    fn KeInitializeSemaphore(Semaphore: *mut KSEMAPHORE, Count: LONG, Limit: LONG);
    /// Adds to a semaphore and returns its previous count. ≤ DISPATCH_LEVEL, PASSIVE_LEVEL to wait.
    fn KeReleaseSemaphore(
        Semaphore: *mut KSEMAPHORE,
        Increment: KPRIORITY,
        Adjustment: LONG,
        Wait: BOOLEAN,
    ) -> LONG;
    /// Reads a semaphore's count. Any level.
    fn KeReadStateSemaphore(Semaphore: *mut KSEMAPHORE) -> LONG;
    /// Initialises a mutex; the level is ignored. Any level.
    fn KeInitializeMutex(Mutex: *mut KMUTEX, Level: ULONG);
    /// Releases a mutex and returns its previous state. ≤ DISPATCH_LEVEL, by its owner.
    fn KeReleaseMutex(Mutex: *mut KMUTEX, Wait: BOOLEAN) -> LONG;

    /// Waits for an object. ≤ APC_LEVEL; ≤ DISPATCH_LEVEL with a timeout of zero.
    fn KeWaitForSingleObject(
        Object: PVOID,
        WaitReason: KWAIT_REASON,
        WaitMode: KPROCESSOR_MODE,
        Alertable: BOOLEAN,
        Timeout: *const LARGE_INTEGER,
    ) -> NTSTATUS;
    /// Waits for several objects. ≤ APC_LEVEL; ≤ DISPATCH_LEVEL with a timeout of zero.
    fn KeWaitForMultipleObjects(
        Count: ULONG,
        Object: *const PVOID,
        WaitType: WAIT_TYPE,
        WaitReason: KWAIT_REASON,
        WaitMode: KPROCESSOR_MODE,
        Alertable: BOOLEAN,
        Timeout: *const LARGE_INTEGER,
        WaitBlockArray: *mut KWAIT_BLOCK,
    ) -> NTSTATUS;
    /// Sleeps: 100 ns units, relative if negative. ≤ APC_LEVEL.
    fn KeDelayExecutionThread(
        WaitMode: KPROCESSOR_MODE,
        Alertable: BOOLEAN,
        Interval: *const LARGE_INTEGER,
    ) -> NTSTATUS;

    /// Initialises a deferred procedure call. Any level.
    fn KeInitializeDpc(Dpc: *mut KDPC, DeferredRoutine: Option<PKDEFERRED_ROUTINE>, DeferredContext: PVOID);
    /// Initialises a threaded one, which may run at PASSIVE_LEVEL. Any level.
    fn KeInitializeThreadedDpc(
        Dpc: *mut KDPC,
        DeferredRoutine: Option<PKDEFERRED_ROUTINE>,
        DeferredContext: PVOID,
    );
    /// Queues it, unless it is queued already; says whether it did. Any level.
    fn KeInsertQueueDpc(Dpc: *mut KDPC, SystemArgument1: PVOID, SystemArgument2: PVOID) -> BOOLEAN;
    /// Takes it out of the queue; says whether it was there. Any level.
    fn KeRemoveQueueDpc(Dpc: *mut KDPC) -> BOOLEAN;
    /// Waits until everything queued on any processor has run. PASSIVE_LEVEL.
    fn KeFlushQueuedDpcs();
    /// Says how long the deferred procedure call that runs may still run; fails where none does. ≤ DISPATCH_LEVEL.
    fn KeQueryDpcWatchdogInformation(WatchdogInformation: *mut KDPC_WATCHDOG_INFORMATION) -> NTSTATUS;
    /// Sets its importance. Any level.
    fn KeSetImportanceDpc(Dpc: *mut KDPC, Importance: KDPC_IMPORTANCE);
    /// Binds it to a processor. Any level.
    fn KeSetTargetProcessorDpc(Dpc: *mut KDPC, Number: CCHAR);
    /// Binds it to a processor of any group. Any level.
    fn KeSetTargetProcessorDpcEx(Dpc: *mut KDPC, ProcNumber: *const PROCESSOR_NUMBER) -> NTSTATUS;

    /// Initialises a notification timer. ≤ DISPATCH_LEVEL.
    fn KeInitializeTimer(Timer: *mut KTIMER);
    /// Initialises a timer. ≤ DISPATCH_LEVEL.
    fn KeInitializeTimerEx(Timer: *mut KTIMER, Type: TIMER_TYPE);
    /// Sets a timer (100 ns, relative if negative); says whether it was set already. ≤ DISPATCH_LEVEL.
    fn KeSetTimer(Timer: *mut KTIMER, DueTime: LARGE_INTEGER, Dpc: *mut KDPC) -> BOOLEAN;
    /// Sets a timer that repeats each `Period` milliseconds. ≤ DISPATCH_LEVEL.
    fn KeSetTimerEx(Timer: *mut KTIMER, DueTime: LARGE_INTEGER, Period: LONG, Dpc: *mut KDPC) -> BOOLEAN;
    /// As `KeSetTimerEx`, late by up to `TolerableDelay` milliseconds. ≤ DISPATCH_LEVEL.
    fn KeSetCoalescableTimer(
        Timer: *mut KTIMER,
        DueTime: LARGE_INTEGER,
        Period: ULONG,
        TolerableDelay: ULONG,
        Dpc: *mut KDPC,
    ) -> BOOLEAN;
    /// Stops a timer; says whether it was set. ≤ DISPATCH_LEVEL.
    fn KeCancelTimer(Timer: *mut KTIMER) -> BOOLEAN;
    /// Reads whether a timer has fired. ≤ DISPATCH_LEVEL.
    fn KeReadStateTimer(Timer: *mut KTIMER) -> BOOLEAN;

    /// The number of processors in use in a group, or in all (0xFFFF). Any level.
    fn KeQueryActiveProcessorCountEx(GroupNumber: USHORT) -> ULONG;
    /// The number of processors in use in this group. Any level.
    fn KeQueryActiveProcessorCount(ActiveProcessors: *mut KAFFINITY) -> ULONG;
    /// The greatest number of processors that a group can have. Any level.
    fn KeQueryMaximumProcessorCountEx(GroupNumber: USHORT) -> ULONG;
    /// The number of groups in use. Any level.
    fn KeQueryActiveGroupCount() -> USHORT;
    /// The processors of a group. Any level.
    fn KeQueryGroupAffinity(GroupNumber: USHORT) -> KAFFINITY;
    /// The current processor, counted over all groups. ≥ DISPATCH_LEVEL to mean anything.
    fn KeGetCurrentProcessorNumberEx(ProcNumber: *mut PROCESSOR_NUMBER) -> ULONG;
    /// The number of a processor, counted over all groups. Any level.
    fn KeGetProcessorIndexFromNumber(ProcNumber: *const PROCESSOR_NUMBER) -> ULONG;
    /// The processor with a number that is counted over all groups. Any level.
    fn KeGetProcessorNumberFromIndex(ProcIndex: ULONG, ProcNumber: *mut PROCESSOR_NUMBER) -> NTSTATUS;
    /// Length of a clock tick, in 100 ns. Any level.
    fn KeQueryTimeIncrement() -> ULONG;
    /// Interrupt time in 100 ns since start, exact; also as a performance counter. Any level.
    fn KeQueryInterruptTimePrecise(QpcTimeStamp: *mut ULONG64) -> ULONGLONG;
    /// System time in 100 ns since 1601, exact. Any level.
    fn KeQuerySystemTimePrecise(CurrentTime: *mut LARGE_INTEGER);

    /// The current thread. Any level.
    fn KeGetCurrentThread() -> PVOID;
    /// Sets a thread's priority and returns the old one. PASSIVE_LEVEL.
    fn KeSetPriorityThread(Thread: PVOID, Priority: KPRIORITY) -> KPRIORITY;
    /// Stops the machine. Any level.
    fn KeBugCheckEx(
        BugCheckCode: ULONG,
        BugCheckParameter1: ULONG_PTR,
        BugCheckParameter2: ULONG_PTR,
        BugCheckParameter3: ULONG_PTR,
        BugCheckParameter4: ULONG_PTR,
    ) -> !;
    /// Stops the machine, with the code alone. Any level.
    fn KeBugCheck(BugCheckCode: ULONG) -> !;
}
