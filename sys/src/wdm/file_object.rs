//! Open files, and the queue of a device.

use super::{
    BOOLEAN, CSHORT, DEVICE_OBJECT, KEVENT, KSPIN_LOCK, LARGE_INTEGER, LIST_ENTRY, PVOID, ULONG,
    UNICODE_STRING,
};
use crate::status::NTSTATUS;

layout! {
    /// An open file: one open of a device.
    struct FILE_OBJECT: 0xD8 {
        /// 5, a file object.
        0x00 => Type: CSHORT,
        /// Size of this structure, in bytes.
        0x02 => Size: CSHORT,
        /// The device that was opened.
        0x08 => DeviceObject: *mut DEVICE_OBJECT,
        /// The volume that it lies on.
        0x10 => Vpb: PVOID,
        /// The driver's own context.
        0x18 => FsContext: PVOID,
        /// The driver's second context.
        0x20 => FsContext2: PVOID,
        /// For the memory and cache managers.
        0x28 => SectionObjectPointer: PVOID,
        /// For the cache manager.
        0x30 => PrivateCacheMap: PVOID,
        /// The status of the last request on it.
        0x38 => FinalStatus: NTSTATUS,
        /// The directory that the open was relative to.
        0x40 => RelatedFileObject: *mut FILE_OBJECT,
        /// A range was locked.
        0x48 => LockOperation: BOOLEAN,
        /// The file will be deleted.
        0x49 => DeletePending: BOOLEAN,
        /// Opened for reading.
        0x4A => ReadAccess: BOOLEAN,
        /// Opened for writing.
        0x4B => WriteAccess: BOOLEAN,
        /// Opened for deletion.
        0x4C => DeleteAccess: BOOLEAN,
        /// Others may read.
        0x4D => SharedRead: BOOLEAN,
        /// Others may write.
        0x4E => SharedWrite: BOOLEAN,
        /// Others may delete.
        0x4F => SharedDelete: BOOLEAN,
        /// `FO_…`.
        0x50 => Flags: ULONG,
        /// The name below the device.
        0x58 => FileName: UNICODE_STRING,
        /// The current position.
        0x68 => CurrentByteOffset: LARGE_INTEGER,
        /// Threads that wait for the file's lock.
        0x70 => Waiters: ULONG,
        /// True if that lock is held.
        0x74 => Busy: ULONG,
        /// The last range that was locked.
        0x78 => LastLock: PVOID,
        /// The lock of a synchronous file.
        0x80 => Lock: KEVENT,
        /// Signalled when a request on the file completes.
        0x98 => Event: KEVENT,
        /// The completion port.
        0xB0 => CompletionContext: PVOID,
        /// Guards the list of requests.
        0xB8 => IrpListLock: KSPIN_LOCK,
        /// Requests that are outstanding.
        0xC0 => IrpList: LIST_ENTRY,
        /// The kernel's own room.
        0xD0 => FileObjectExtension: PVOID,
    }

    /// Requests that wait for a device. (Compiled from mingw-w64.)
    struct KDEVICE_QUEUE: 0x28 {
        /// The kind of object, `KOBJECTS`.
        0x00 => Type: CSHORT,
        /// Size of this structure, in bytes.
        0x02 => Size: CSHORT,
        /// The waiting entries.
        0x08 => DeviceListHead: LIST_ENTRY,
        /// Guards the queue.
        0x18 => Lock: KSPIN_LOCK,
        /// True if the device is busy; the bytes above it are a hint of the kernel's.
        0x20 => Busy: BOOLEAN,
    }

    /// One entry of a device queue. (Compiled from mingw-w64.)
    struct KDEVICE_QUEUE_ENTRY: 0x18 {
        /// Links the entries.
        0x00 => DeviceListEntry: LIST_ENTRY,
        /// Its key, if the queue is sorted.
        0x10 => SortKey: ULONG,
        /// True if it is in a queue.
        0x14 => Inserted: BOOLEAN,
    }
}

constants! { ULONG:
    /// A file is opened for synchronous I/O, whose waits no alert ends. (Compiled from mingw-w64.)
    FILE_SYNCHRONOUS_IO_NONALERT = 0x0000_0020;
    /// A file object was opened for synchronous I/O: the I/O manager serialises its requests. (Compiled from mingw-w64.)
    FO_SYNCHRONOUS_IO = 0x0000_0002;
}
