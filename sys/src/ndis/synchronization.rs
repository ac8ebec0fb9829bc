//! Locks that readers share, and timers.
//!
//! Layouts: `ndis.h`; pages `ndis/ns-ndis-…`.

use super::{NDIS_HANDLE, NDIS_OBJECT_HEADER};
use crate::wdm::{KIRQL, KSPIN_LOCK, PVOID, UCHAR, ULONG, USHORT};

/// The function of a timer, with the context in the second argument; runs at DISPATCH_LEVEL.
pub type PNDIS_TIMER_FUNCTION = unsafe extern "efiapi" fn(
    SystemSpecific1: PVOID,
    FunctionContext: PVOID,
    SystemSpecific2: PVOID,
    SystemSpecific3: PVOID,
);

layout! {
    /// A lock in the driver's memory, of NDIS's own use.
    struct NDIS_RW_LOCK: 0x410 {
        /// Taken by writers.
        0x00 => SpinLock: KSPIN_LOCK,
        /// Of NDIS's own use.
        0x08 => Context: PVOID,
        /// The readers of each processor.
        0x10 => RefCountEx: [ULONG; 256],
    }

    /// The state of a lock that was taken: one for each time.
    struct LOCK_STATE: 0x4 {
        /// Of NDIS's own use.
        0x0 => LockState: USHORT,
        /// The level before.
        0x2 => OldIrql: KIRQL,
    }

    /// The state of a lock of NDIS's own that was taken: one for each time.
    struct LOCK_STATE_EX: 0x3 {
        /// The level before.
        0x0 => OldIrql: KIRQL,
        /// Of NDIS's own use.
        0x1 => LockState: UCHAR,
        /// The flags of the call.
        0x2 => Flags: UCHAR,
    }

    /// The function of a timer.
    struct NDIS_TIMER_CHARACTERISTICS: 0x18 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// The tag of its memory.
        0x04 => AllocationTag: ULONG,
        /// The function.
        0x08 => TimerFunction: Option<PNDIS_TIMER_FUNCTION>,
        /// The context, where the timer is set without one.
        0x10 => FunctionContext: PVOID,
    }
}

/// A lock that NDIS allocates.
pub type NDIS_RW_LOCK_EX = [NDIS_HANDLE; 1];

constants! { UCHAR:
    /// The caller is at DISPATCH_LEVEL.
    NDIS_RWL_AT_DISPATCH_LEVEL = 1;
    /// NDIS 6.0.
    NDIS_TIMER_CHARACTERISTICS_REVISION_1 = 1;
}

constants! { USHORT:
    /// Size of revision 1, in bytes.
    NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1 = 0x18;
}
