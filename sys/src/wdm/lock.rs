//! Locks and rundown protection.
//!
//! `KSPIN_LOCK_QUEUE` and `KLOCK_QUEUE_HANDLE` come from a second symbol dump, whose Windows build is not
//! named.

use super::{BOOLEAN, KEVENT, KIRQL, LONG, PVOID, ULONG, ULONG_PTR};

/// A spin lock: zero while it is free. What else it holds is the kernel's business.
pub type KSPIN_LOCK = ULONG_PTR;

layout! {
    /// A place in the queue for a spin lock.
    struct KSPIN_LOCK_QUEUE: 0x10 {
        /// The next in the queue.
        0x00 => Next: *mut KSPIN_LOCK_QUEUE,
        /// The lock.
        0x08 => Lock: *mut KSPIN_LOCK,
    }

    /// The entry that the holder of a queued spin lock keeps on its stack.
    struct KLOCK_QUEUE_HANDLE: 0x18 {
        /// Its place in the queue.
        0x00 => LockQueue: KSPIN_LOCK_QUEUE,
        /// The level to go back to.
        0x10 => OldIrql: KIRQL,
    }

    /// Rundown protection: who holds it keeps its object from going away.
    /// In C a union of a count and a pointer.
    struct EX_RUNDOWN_REF: 0x8 {
        /// Twice the number of holders; the lowest bit says that rundown has begun.
        0x0 => Count: ULONG_PTR,
    }

    /// A mutex without recursion, held at APC_LEVEL. (Compiled from mingw-w64.)
    struct FAST_MUTEX: 0x38 {
        /// 1 while it is free.
        0x00 => Count: LONG,
        /// The thread that holds it.
        0x08 => Owner: PVOID,
        /// The number of waits.
        0x10 => Contention: ULONG,
        /// The event of waiters.
        0x18 => Event: KEVENT,
        /// The level to go back to.
        0x30 => OldIrql: ULONG,
    }

    /// A remove lock: a count of the operations that a device must outlive. (As in free builds, where it is no
    /// more than the structure's common block.)
    struct IO_REMOVE_LOCK: 0x20 {
        /// True once it can't be acquired any more.
        0x00 => Removed: BOOLEAN,
        /// One more than it has uses, until it is removed.
        0x04 => IoCount: LONG,
        /// Signaled when the last use ends after removal.
        0x08 => RemoveEvent: KEVENT,
    }
}
