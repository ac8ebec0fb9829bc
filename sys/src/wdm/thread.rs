//! Threads, work items and object names.
//!
//! Layouts: compiled from mingw-w64's `wdm.h`.

use super::{DEVICE_OBJECT, HANDLE, LIST_ENTRY, PUNICODE_STRING, PVOID, ULONG, VOID};

/// The start routine of a system thread. PASSIVE_LEVEL.
pub type PKSTART_ROUTINE = unsafe extern "efiapi" fn(StartContext: PVOID);
/// The routine of a work item. PASSIVE_LEVEL.
pub type PIO_WORKITEM_ROUTINE = unsafe extern "efiapi" fn(DeviceObject: *mut DEVICE_OBJECT, Context: PVOID);
/// The routine of a work item that also wants to know its work item. PASSIVE_LEVEL.
pub type PIO_WORKITEM_ROUTINE_EX =
    unsafe extern "efiapi" fn(IoObject: PVOID, Context: PVOID, IoWorkItem: *mut IO_WORKITEM);
/// The routine of an executive work item. PASSIVE_LEVEL.
pub type PWORKER_THREAD_ROUTINE = unsafe extern "efiapi" fn(Parameter: PVOID);

/// A work item; the kernel's business.
pub type IO_WORKITEM = VOID;

layout! {
    /// An executive work item.
    struct WORK_QUEUE_ITEM: 0x20 {
        /// Links the queue.
        0x00 => List: LIST_ENTRY,
        /// The routine.
        0x10 => WorkerRoutine: Option<PWORKER_THREAD_ROUTINE>,
        /// Its argument.
        0x18 => Parameter: PVOID,
    }

    /// The identity of a thread.
    struct CLIENT_ID: 0x10 {
        /// Its process.
        0x00 => UniqueProcess: HANDLE,
        /// The thread.
        0x08 => UniqueThread: HANDLE,
    }

    /// The attributes of an object that is named and opened.
    struct OBJECT_ATTRIBUTES: 0x30 {
        /// Size of this structure, in bytes.
        0x00 => Length: ULONG,
        /// The directory that the name is relative to, or null.
        0x08 => RootDirectory: HANDLE,
        /// The name.
        0x10 => ObjectName: PUNICODE_STRING,
        /// `OBJ_…`.
        0x18 => Attributes: ULONG,
        /// The security descriptor of its openers.
        0x20 => SecurityDescriptor: PVOID,
        /// Impersonation.
        0x28 => SecurityQualityOfService: PVOID,
    }
}

open_enum! {
    /// The queues of work items.
    enum WORK_QUEUE_TYPE: i32 {
        /// The usual.
        CriticalWorkQueue = 0,
        /// For work that may wait.
        DelayedWorkQueue = 1,
        /// For work that must not wait.
        HyperCriticalWorkQueue = 2,
    }
}

constants! { ULONG:
    /// The name is compared without regard to case.
    OBJ_CASE_INSENSITIVE = 0x0040;
    /// The handle is valid in every process and closed to user mode.
    OBJ_KERNEL_HANDLE = 0x0200;
}

constants! { ULONG:
    /// All rights on a thread.
    THREAD_ALL_ACCESS = 0x001F_FFFF;
    /// The right to wait for an object.
    SYNCHRONIZE = 0x0010_0000;
}
