//! Objects that a thread can wait for.

use super::{CHAR, KDPC, LIST_ENTRY, LONG, PVOID, UCHAR, ULARGE_INTEGER, ULONG, USHORT};

layout! {
    /// The head of every object that can be waited for. The first word also serves as the object's lock.
    struct DISPATCHER_HEADER: 0x18 {
        /// The kind of object, `KOBJECTS`.
        0x00 => Type: UCHAR,
        /// Used by the kernel while it signals the object.
        0x01 => Signalling: UCHAR,
        /// Size of the object, in 32-bit words.
        0x02 => Size: UCHAR,
        /// Depends on the kind of object.
        0x03 => Reserved1: UCHAR,
        /// Positive while the object is signalled; a semaphore's count.
        0x04 => SignalState: LONG,
        /// The waits for this object.
        0x08 => WaitListHead: LIST_ENTRY,
    }

    /// An event.
    struct KEVENT: 0x18 {
        /// The common head.
        0x00 => Header: DISPATCHER_HEADER,
    }

    /// A semaphore.
    struct KSEMAPHORE: 0x20 {
        /// The common head; its signal state is the count.
        0x00 => Header: DISPATCHER_HEADER,
        /// The greatest count.
        0x18 => Limit: LONG,
    }

    /// A mutex that one thread owns, as often as it likes. (Compiled from mingw-w64.)
    struct KMUTANT: 0x38 {
        /// The common head.
        0x00 => Header: DISPATCHER_HEADER,
        /// Links the mutexes that a thread owns.
        0x18 => MutantListEntry: LIST_ENTRY,
        /// The thread that owns it.
        0x28 => OwnerThread: PVOID,
        /// Its owner ended without releasing it.
        0x30 => Abandoned: UCHAR,
        /// True if kernel asynchronous procedure calls are held off for the owner.
        0x31 => ApcDisable: UCHAR,
    }

    /// A timer. (`wdm.h`, 10.0.26100: the processor is not encoded in the head on x64.)
    struct KTIMER: 0x40 {
        /// The common head.
        0x00 => Header: DISPATCHER_HEADER,
        /// The time at which it expires, in 100 ns of interrupt time.
        0x18 => DueTime: ULARGE_INTEGER,
        /// Links the running timers.
        0x20 => TimerListEntry: LIST_ENTRY,
        /// The DPC that is queued when it expires; encoded by the kernel while the timer runs.
        0x30 => Dpc: *mut KDPC,
        /// The processor that it runs on.
        0x38 => Processor: USHORT,
        /// Of which type it is.
        0x3A => TimerType: USHORT,
        /// Milliseconds between firings; zero for a single one.
        0x3C => Period: ULONG,
    }

    /// The kernel's note about one object of a wait for several. (`wdm.h`, 10.0.26100.)
    struct KWAIT_BLOCK: 0x30 {
        /// Links the waits for one object.
        0x00 => WaitListEntry: LIST_ENTRY,
        /// The kind of wait: for all objects or any.
        0x10 => WaitType: UCHAR,
        /// State of the block.
        0x11 => BlockState: UCHAR,
        /// The status of a wait that this object ends.
        0x12 => WaitKey: USHORT,
        /// Padding.
        0x14 => SpareLong: LONG,
        /// The waiting thread, or what else is told (a union).
        0x18 => Thread: PVOID,
        /// The object.
        0x20 => Object: PVOID,
        /// Spare.
        0x28 => SparePtr: PVOID,
    }
}

/// A mutex, under the name that drivers use.
pub type KMUTEX = KMUTANT;

constants! { usize:
    /// From this many objects on, a wait needs wait blocks of the caller's.
    THREAD_WAIT_OBJECTS = 3;
    /// The most objects that one wait can be for.
    MAXIMUM_WAIT_OBJECTS = 64;
}

open_enum! {
    /// The kinds of events, by their reset.
    enum EVENT_TYPE: i32 {
        /// Stays signalled until it is reset.
        NotificationEvent = 0,
        /// Is reset by the wait that it ends.
        SynchronizationEvent = 1,
    }

    /// The kinds of timers, by their reset.
    enum TIMER_TYPE: i32 {
        /// Stays signalled until it is set again.
        NotificationTimer = 0,
        /// Is reset by the wait that it ends.
        SynchronizationTimer = 1,
    }

    /// The kinds of waits for several objects.
    enum WAIT_TYPE: i32 {
        /// All of them.
        WaitAll = 0,
        /// Any one of them.
        WaitAny = 1,
    }

    /// The reason of a thread's wait; for display only.
    enum KWAIT_REASON: i32 {
        /// A driver does work on behalf of no thread in particular.
        Executive = 0,
        /// A wait on behalf of a user thread.
        UserRequest = 6,
    }
}

constants! { CHAR:
    /// The wait or request is the kernel's own.
    KernelMode = 0;
    /// The wait or request comes from user mode.
    UserMode = 1;
}

/// A processor mode: [`KernelMode`] or [`UserMode`].
pub type KPROCESSOR_MODE = CHAR;
