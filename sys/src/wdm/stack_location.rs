//! The stack location: what one driver is asked to do by a request.

use super::{ACCESS_STATE, DEVICE_OBJECT, FILE_OBJECT, IRP, LARGE_INTEGER, PVOID, UCHAR, ULONG, USHORT};
use crate::status::NTSTATUS;

/// Called when a lower driver has completed the request; `STATUS_MORE_PROCESSING_REQUIRED` takes it back.
/// Up to DISPATCH_LEVEL.
pub type PIO_COMPLETION_ROUTINE =
    unsafe extern "efiapi" fn(DeviceObject: *mut DEVICE_OBJECT, Irp: *mut IRP, Context: PVOID) -> NTSTATUS;

layout! {
    /// One driver's part of a request.
    struct IO_STACK_LOCATION: 0x48 {
        /// `IRP_MJ_…`.
        0x00 => MajorFunction: UCHAR,
        /// The minor function.
        0x01 => MinorFunction: UCHAR,
        /// Flags of the major function.
        0x02 => Flags: UCHAR,
        /// `SL_…`: pending, and when to call the completion routine.
        0x03 => Control: UCHAR,
        /// The parameters of the major function.
        0x08 => Parameters: IO_STACK_PARAMETERS,
        /// The device that is asked.
        0x28 => DeviceObject: *mut DEVICE_OBJECT,
        /// The open file.
        0x30 => FileObject: *mut FILE_OBJECT,
        /// The upper driver's completion routine.
        0x38 => CompletionRoutine: Option<PIO_COMPLETION_ROUTINE>,
        /// Its context.
        0x40 => Context: PVOID,
    }

    /// `IO_STACK_LOCATION::Parameters`, an unnamed union in C; only some of its members.
    union IO_STACK_PARAMETERS: 0x20 {
        /// Of `IRP_MJ_CREATE`.
        0x0 => Create: IO_STACK_CREATE,
        /// Of `IRP_MJ_READ`.
        0x0 => Read: IO_STACK_TRANSFER,
        /// Of `IRP_MJ_WRITE`.
        0x0 => Write: IO_STACK_TRANSFER,
        /// Of `IRP_MJ_DEVICE_CONTROL` and `IRP_MJ_INTERNAL_DEVICE_CONTROL`.
        0x0 => DeviceIoControl: IO_STACK_DEVICE_CONTROL,
        /// Of `IRP_MJ_FILE_SYSTEM_CONTROL`.
        0x0 => FileSystemControl: IO_STACK_DEVICE_CONTROL,
        /// Of everything else.
        0x0 => Others: IO_STACK_OTHERS,
    }

    /// Parameters of a create.
    struct IO_STACK_CREATE: 0x20 {
        /// The rights that are asked for.
        0x00 => SecurityContext: *mut IO_SECURITY_CONTEXT,
        /// `FILE_…` options, and the disposition in the highest byte.
        0x08 => Options: ULONG,
        /// Padding: the next member is aligned to a pointer.
        0x0C => Padding0: ULONG,
        /// Attributes of a new file.
        0x10 => FileAttributes: USHORT,
        /// `FILE_SHARE_…`.
        0x12 => ShareAccess: USHORT,
        /// Padding: the next member is aligned to a pointer.
        0x14 => Padding1: ULONG,
        /// Length of the extended attributes in the system buffer, in bytes.
        0x18 => EaLength: ULONG,
        /// Padding: the next member is aligned to a pointer.
        0x1C => Padding2: ULONG,
    }

    /// Parameters of a read or write.
    struct IO_STACK_TRANSFER: 0x18 {
        /// Bytes to move.
        0x00 => Length: ULONG,
        /// Padding: the next member is aligned to a pointer.
        0x04 => Padding0: ULONG,
        /// The key of a locked range.
        0x08 => Key: ULONG,
        /// Flags.
        0x0C => Flags: ULONG,
        /// Offset in the file.
        0x10 => ByteOffset: LARGE_INTEGER,
    }

    /// Parameters of a device control.
    struct IO_STACK_DEVICE_CONTROL: 0x20 {
        /// Length of the output buffer, in bytes.
        0x00 => OutputBufferLength: ULONG,
        /// Padding: the next member is aligned to a pointer.
        0x04 => Padding0: ULONG,
        /// Length of the input buffer, in bytes.
        0x08 => InputBufferLength: ULONG,
        /// Padding: the next member is aligned to a pointer.
        0x0C => Padding1: ULONG,
        /// The control code.
        0x10 => IoControlCode: ULONG,
        /// Padding: the next member is aligned to a pointer.
        0x14 => Padding2: ULONG,
        /// The input buffer's user-mode address, for `METHOD_NEITHER`.
        0x18 => Type3InputBuffer: PVOID,
    }

    /// Parameters of a private request.
    struct IO_STACK_OTHERS: 0x20 {
        /// The first.
        0x00 => Argument1: PVOID,
        /// The second.
        0x08 => Argument2: PVOID,
        /// The third.
        0x10 => Argument3: PVOID,
        /// The fourth.
        0x18 => Argument4: PVOID,
    }

    /// The rights that a create asks for.
    struct IO_SECURITY_CONTEXT: 0x18 {
        /// Impersonation.
        0x00 => SecurityQos: PVOID,
        /// The state of the access check.
        0x08 => AccessState: *mut ACCESS_STATE,
        /// The rights.
        0x10 => DesiredAccess: ULONG,
        /// `FILE_…` options.
        0x14 => FullCreateOptions: ULONG,
    }

    /// One extended attribute; the name, its terminator and the value follow the head.
    struct FILE_FULL_EA_INFORMATION: 0xC {
        /// Bytes to the next attribute; zero for the last.
        0x0 => NextEntryOffset: ULONG,
        /// Flags.
        0x4 => Flags: UCHAR,
        /// Length of the name, without its terminator.
        0x5 => EaNameLength: UCHAR,
        /// Length of the value, in bytes.
        0x6 => EaValueLength: USHORT,
        /// The first byte of the name.
        0x8 => EaName: [UCHAR; 1],
    }
}

constants! { UCHAR:
    /// Open.
    IRP_MJ_CREATE = 0x00;
    /// The last reference to the open file is gone.
    IRP_MJ_CLOSE = 0x02;
    /// Read.
    IRP_MJ_READ = 0x03;
    /// Write.
    IRP_MJ_WRITE = 0x04;
    /// Query information about the file.
    IRP_MJ_QUERY_INFORMATION = 0x05;
    /// File system control.
    IRP_MJ_FILE_SYSTEM_CONTROL = 0x0D;
    /// Device control, from user mode.
    IRP_MJ_DEVICE_CONTROL = 0x0E;
    /// Device control, from another driver.
    IRP_MJ_INTERNAL_DEVICE_CONTROL = 0x0F;
    /// The machine shuts down.
    IRP_MJ_SHUTDOWN = 0x10;
    /// The last handle to the open file is closed.
    IRP_MJ_CLEANUP = 0x12;
    /// Power.
    IRP_MJ_POWER = 0x16;
    /// Management instrumentation.
    IRP_MJ_SYSTEM_CONTROL = 0x17;
    /// Plug and play.
    IRP_MJ_PNP = 0x1B;
    /// The greatest major function code.
    IRP_MJ_MAXIMUM_FUNCTION = 0x1B;
}

constants! { UCHAR:
    /// Of a create: check the access as if the request came from user mode.
    SL_FORCE_ACCESS_CHECK = 0x01;
    /// The driver has marked the request pending.
    SL_PENDING_RETURNED = 0x01;
    /// Call the completion routine if the request was cancelled.
    SL_INVOKE_ON_CANCEL = 0x20;
    /// Call the completion routine on success.
    SL_INVOKE_ON_SUCCESS = 0x40;
    /// Call the completion routine on error.
    SL_INVOKE_ON_ERROR = 0x80;
}

constants! { i8:
    /// No boost for the thread whose request completes.
    IO_NO_INCREMENT = 0;
    /// The boost for network requests.
    IO_NETWORK_INCREMENT = 2;
}
