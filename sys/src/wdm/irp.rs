//! The I/O request packet.
//!
//! The documentation also shows members for I/O rings, which no published symbol file has; they share
//! storage with the ones here.

use super::{
    BOOLEAN, CCHAR, CHAR, CSHORT, FILE_OBJECT, IO_STACK_LOCATION, KDEVICE_QUEUE_ENTRY, KEVENT, KIRQL,
    KPROCESSOR_MODE, LARGE_INTEGER, LIST_ENTRY, LONG, PDRIVER_CANCEL, PMDL, PVOID, UCHAR, ULONG, ULONG_PTR,
    USHORT,
};
use crate::status::NTSTATUS;

layout! {
    /// The outcome of a request. In C the status shares its storage with a pointer.
    struct IO_STATUS_BLOCK: 0x10 {
        /// The status.
        0x00 => Status: NTSTATUS,
        /// The information beside the status, mostly a count of bytes.
        0x08 => Information: ULONG_PTR,
    }

    /// A request on its way through a stack of devices.
    struct IRP: 0xD0 {
        /// 6, a request.
        0x00 => Type: CSHORT,
        /// Size of this structure with its stack locations, in bytes.
        0x02 => Size: USHORT,
        /// The processor whose lookaside list it came from.
        0x04 => AllocationProcessorNumber: USHORT,
        /// Reserved.
        0x06 => Reserved: USHORT,
        /// The caller's buffer, for direct I/O.
        0x08 => MdlAddress: PMDL,
        /// `IRP_…` flags.
        0x10 => Flags: ULONG,
        /// The system buffer, for buffered I/O.
        0x18 => AssociatedIrp: IRP_ASSOCIATED,
        /// Links the requests of a thread.
        0x20 => ThreadListEntry: LIST_ENTRY,
        /// The outcome.
        0x30 => IoStatus: IO_STATUS_BLOCK,
        /// The mode of the requestor.
        0x40 => RequestorMode: KPROCESSOR_MODE,
        /// True if the lower driver returned `STATUS_PENDING`.
        0x41 => PendingReturned: BOOLEAN,
        /// Stack locations it has.
        0x42 => StackCount: CHAR,
        /// The current one, counted from 1 at the bottom.
        0x43 => CurrentLocation: CHAR,
        /// True if it was cancelled.
        0x44 => Cancel: BOOLEAN,
        /// The level to go back to from the cancel spin lock.
        0x45 => CancelIrql: KIRQL,
        /// The APC environment for the completion.
        0x46 => ApcEnvironment: CCHAR,
        /// Flags of its allocation.
        0x47 => AllocationFlags: UCHAR,
        /// The caller's place for the status.
        0x48 => UserIosb: *mut IO_STATUS_BLOCK,
        /// The event that its sender waits for.
        0x50 => UserEvent: *mut KEVENT,
        /// The caller's completion routine, or the size to allocate.
        0x58 => Overlay: IRP_OVERLAY,
        /// Called when it is cancelled; null if it cannot be.
        0x68 => CancelRoutine: Option<PDRIVER_CANCEL>,
        /// The caller's buffer, for neither kind of I/O.
        0x70 => UserBuffer: PVOID,
        /// For the current owner's use.
        0x78 => Tail: IRP_TAIL,
    }

    /// `IRP::AssociatedIrp`, an unnamed union in C.
    union IRP_ASSOCIATED: 0x8 {
        /// The request that this one is a part of.
        0x0 => MasterIrp: *mut IRP,
        /// The number of parts that are outstanding.
        0x0 => IrpCount: LONG,
        /// The system buffer.
        0x0 => SystemBuffer: PVOID,
    }

    /// `IRP::Overlay`, an unnamed union in C.
    union IRP_OVERLAY: 0x10 {
        /// The caller's completion routine.
        0x0 => AsynchronousParameters: IRP_ASYNCHRONOUS_PARAMETERS,
        /// The size to allocate, for a create.
        0x0 => AllocationSize: LARGE_INTEGER,
    }

    /// `IRP::Overlay.AsynchronousParameters`, an unnamed structure in C.
    struct IRP_ASYNCHRONOUS_PARAMETERS: 0x10 {
        /// The caller's completion routine.
        0x0 => UserApcRoutine: PVOID,
        /// Its context.
        0x8 => UserApcContext: PVOID,
    }

    /// `IRP::Tail`, an unnamed union in C.
    union IRP_TAIL: 0x58 {
        /// While a driver owns the request.
        0x0 => Overlay: IRP_TAIL_OVERLAY,
        /// While the completion is being delivered; a `KAPC`, the kernel's business.
        0x0 => Apc: [PVOID; 11],
        /// Once it is queued to a completion port.
        0x0 => CompletionKey: PVOID,
    }

    /// `IRP::Tail.Overlay`, an unnamed structure in C.
    struct IRP_TAIL_OVERLAY: 0x58 {
        /// The owning driver's own words, or its place in a device queue.
        0x00 => DriverContext: IRP_DRIVER_CONTEXT,
        /// The caller's thread.
        0x20 => Thread: PVOID,
        /// The I/O manager's.
        0x28 => AuxiliaryBuffer: *mut CHAR,
        /// The owning driver's link.
        0x30 => ListEntry: LIST_ENTRY,
        /// The current stack location.
        0x40 => CurrentStackLocation: *mut IO_STACK_LOCATION,
        /// The file that the request is for.
        0x48 => OriginalFileObject: *mut FILE_OBJECT,
        /// The kernel's own room.
        0x50 => IrpExtension: PVOID,
    }

    /// The first member of `IRP::Tail.Overlay`, an unnamed union in C.
    union IRP_DRIVER_CONTEXT: 0x20 {
        /// The place in a device queue.
        0x0 => DeviceQueueEntry: KDEVICE_QUEUE_ENTRY,
        /// The driver's own words.
        0x0 => DriverContext: [PVOID; 4],
    }
}
