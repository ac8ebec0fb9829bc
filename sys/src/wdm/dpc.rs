//! Deferred procedure calls.

use super::{KAFFINITY, PVOID, SINGLE_LIST_ENTRY, UCHAR, ULONG, USHORT};

/// A deferred routine; runs at DISPATCH_LEVEL.
pub type PKDEFERRED_ROUTINE = unsafe extern "efiapi" fn(
    Dpc: *mut KDPC,
    DeferredContext: PVOID,
    SystemArgument1: PVOID,
    SystemArgument2: PVOID,
);

layout! {
    /// A deferred procedure call, or its wish to be one.
    struct KDPC: 0x40 {
        /// The kind of object, `KOBJECTS`.
        0x00 => Type: UCHAR,
        /// `KDPC_IMPORTANCE`.
        0x01 => Importance: UCHAR,
        /// The processor it is bound to, plus a bias; below the bias, none.
        0x02 => Number: USHORT,
        /// Links the queued ones.
        0x08 => DpcListEntry: SINGLE_LIST_ENTRY,
        /// The processors that it has run on.
        0x10 => ProcessorHistory: KAFFINITY,
        /// The routine.
        0x18 => DeferredRoutine: Option<PKDEFERRED_ROUTINE>,
        /// The context it was initialised with.
        0x20 => DeferredContext: PVOID,
        /// The first argument it was queued with.
        0x28 => SystemArgument1: PVOID,
        /// The second argument it was queued with.
        0x30 => SystemArgument2: PVOID,
        /// The queue that it is in; null if it is not queued.
        0x38 => DpcData: PVOID,
    }
}

layout! {
    /// The limits of deferred procedure calls, without a unit; zero where there is none.
    struct KDPC_WATCHDOG_INFORMATION: 0x14 {
        /// Of a single one.
        0x00 => DpcTimeLimit: ULONG,
        /// The part of it that is left.
        0x04 => DpcTimeCount: ULONG,
        /// Of a sequence of them.
        0x08 => DpcWatchdogLimit: ULONG,
        /// The part of it that is left.
        0x0C => DpcWatchdogCount: ULONG,
        /// Of the system's own use.
        0x10 => Reserved: ULONG,
    }
}

open_enum! {
    /// The place of a deferred procedure call in its queue, and how soon the queue is drained.
    enum KDPC_IMPORTANCE: i32 {
        /// At the end, and not at once.
        LowImportance = 0,
        /// At the end.
        MediumImportance = 1,
        /// At the front.
        HighImportance = 2,
        /// At the end, and also for another processor at once.
        MediumHighImportance = 3,
    }
}
