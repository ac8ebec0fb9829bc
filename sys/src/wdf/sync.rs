//! Locks, timers, work items and deferred procedure calls.

use super::{WDF_OBJECT_ATTRIBUTES, WDFDPC, WDFOBJECT, WDFSPINLOCK, WDFTIMER, WDFWAITLOCK, WDFWORKITEM};
use crate::status::NTSTATUS;
use crate::wdm::{BOOLEAN, KDPC, LONGLONG, ULONG};

/// The driver's: a timer has fired. DISPATCH_LEVEL, or PASSIVE_LEVEL if so created.
pub type PFN_WDF_TIMER = unsafe extern "efiapi" fn(Timer: WDFTIMER);
/// The driver's: a work item's turn. PASSIVE_LEVEL.
pub type PFN_WDF_WORKITEM = unsafe extern "efiapi" fn(WorkItem: WDFWORKITEM);
/// The driver's: a deferred procedure call's turn. DISPATCH_LEVEL.
pub type PFN_WDF_DPC = unsafe extern "efiapi" fn(Dpc: WDFDPC);

layout! {
    /// A timer.
    struct WDF_TIMER_CONFIG: 0x28 {
        /// Size of this structure, in bytes.
        0x00 => Size: ULONG,
        /// Called when it fires.
        0x08 => EvtTimerFunc: Option<PFN_WDF_TIMER>,
        /// Milliseconds between firings; zero for a single one.
        0x10 => Period: ULONG,
        /// True if it is serialised with its parent's callbacks.
        0x14 => AutomaticSerialization: BOOLEAN,
        /// The tolerable delay, in milliseconds.
        0x18 => TolerableDelay: ULONG,
        /// Padding: the next member is aligned to a pointer.
        0x1C => Padding0: ULONG,
        /// True if it is a high-resolution timer.
        0x20 => UseHighResolutionTimer: BOOLEAN,
    }

    /// A work item.
    struct WDF_WORKITEM_CONFIG: 0x18 {
        /// Size of this structure, in bytes.
        0x00 => Size: ULONG,
        /// The routine.
        0x08 => EvtWorkItemFunc: Option<PFN_WDF_WORKITEM>,
        /// True if it is serialised with its parent's callbacks.
        0x10 => AutomaticSerialization: BOOLEAN,
    }

    /// A deferred procedure call.
    struct WDF_DPC_CONFIG: 0x18 {
        /// Size of this structure, in bytes.
        0x00 => Size: ULONG,
        /// The routine.
        0x08 => EvtDpcFunc: Option<PFN_WDF_DPC>,
        /// True if it is serialised with its parent's callbacks.
        0x10 => AutomaticSerialization: BOOLEAN,
    }
}

table_functions! {
    /// Creates a deferred procedure call. ≤ DISPATCH_LEVEL.
    111 => fn WdfDpcCreate(
        Config: *const WDF_DPC_CONFIG,
        Attributes: *mut WDF_OBJECT_ATTRIBUTES,
        Dpc: *mut WDFDPC,
    ) -> NTSTATUS;
    /// Queues it; says whether it was not queued already. Any level.
    112 => fn WdfDpcEnqueue(Dpc: WDFDPC) -> BOOLEAN;
    /// Takes it out of the queue; can wait for one that runs. PASSIVE_LEVEL.
    113 => fn WdfDpcCancel(Dpc: WDFDPC, Wait: BOOLEAN) -> BOOLEAN;
    /// Its parent. Any level.
    114 => fn WdfDpcGetParentObject(Dpc: WDFDPC) -> WDFOBJECT;
    /// The kernel's own. Any level.
    115 => fn WdfDpcWdmGetDpc(Dpc: WDFDPC) -> *mut KDPC;
    /// Takes the lock of a device's or queue's callbacks. ≤ DISPATCH_LEVEL.
    310 => fn WdfObjectAcquireLock(Object: WDFOBJECT);
    /// Frees the lock of a device's or queue's callbacks. ≤ DISPATCH_LEVEL.
    311 => fn WdfObjectReleaseLock(Object: WDFOBJECT);
    /// Creates a wait lock. ≤ DISPATCH_LEVEL.
    312 => fn WdfWaitLockCreate(
        LockAttributes: *mut WDF_OBJECT_ATTRIBUTES,
        Lock: *mut WDFWAITLOCK,
    ) -> NTSTATUS;
    /// Takes a wait lock, waiting up to so long (100 ns, relative if negative). PASSIVE_LEVEL.
    313 => fn WdfWaitLockAcquire(Lock: WDFWAITLOCK, Timeout: *const LONGLONG) -> NTSTATUS;
    /// Frees a wait lock. ≤ DISPATCH_LEVEL.
    314 => fn WdfWaitLockRelease(Lock: WDFWAITLOCK);
    /// Creates a spin lock. ≤ DISPATCH_LEVEL.
    315 => fn WdfSpinLockCreate(
        SpinLockAttributes: *mut WDF_OBJECT_ATTRIBUTES,
        SpinLock: *mut WDFSPINLOCK,
    ) -> NTSTATUS;
    /// Takes a spin lock and raises to DISPATCH_LEVEL. ≤ DISPATCH_LEVEL.
    316 => fn WdfSpinLockAcquire(SpinLock: WDFSPINLOCK);
    /// Frees a spin lock and goes back to the old level. ≤ DISPATCH_LEVEL.
    317 => fn WdfSpinLockRelease(SpinLock: WDFSPINLOCK);
    /// Creates a timer. ≤ DISPATCH_LEVEL.
    318 => fn WdfTimerCreate(
        Config: *const WDF_TIMER_CONFIG,
        Attributes: *mut WDF_OBJECT_ATTRIBUTES,
        Timer: *mut WDFTIMER,
    ) -> NTSTATUS;
    /// Sets a timer (100 ns, relative if negative); says whether it was set already. ≤ DISPATCH_LEVEL.
    319 => fn WdfTimerStart(Timer: WDFTIMER, DueTime: LONGLONG) -> BOOLEAN;
    /// Stops a timer; can wait for a callback that runs. PASSIVE_LEVEL.
    320 => fn WdfTimerStop(Timer: WDFTIMER, Wait: BOOLEAN) -> BOOLEAN;
    /// Its parent. ≤ DISPATCH_LEVEL.
    321 => fn WdfTimerGetParentObject(Timer: WDFTIMER) -> WDFOBJECT;
    /// Creates a work item. ≤ DISPATCH_LEVEL.
    379 => fn WdfWorkItemCreate(
        Config: *const WDF_WORKITEM_CONFIG,
        Attributes: *mut WDF_OBJECT_ATTRIBUTES,
        WorkItem: *mut WDFWORKITEM,
    ) -> NTSTATUS;
    /// Queues it, unless it is queued already. ≤ DISPATCH_LEVEL.
    380 => fn WdfWorkItemEnqueue(WorkItem: WDFWORKITEM);
    /// Its parent. ≤ DISPATCH_LEVEL.
    381 => fn WdfWorkItemGetParentObject(WorkItem: WDFWORKITEM) -> WDFOBJECT;
    /// Waits until it has run. PASSIVE_LEVEL.
    382 => fn WdfWorkItemFlush(WorkItem: WDFWORKITEM);
}
