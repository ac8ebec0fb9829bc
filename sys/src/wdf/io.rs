//! Queues and requests.

use super::{
    WDF_OBJECT_ATTRIBUTES, WDF_TRI_STATE, WDFDEVICE, WDFDRIVER, WDFFILEOBJECT, WDFMEMORY, WDFQUEUE,
    WDFREQUEST,
};
use crate::status::NTSTATUS;
use crate::wdm::{
    BOOLEAN, CCHAR, IRP, KPROCESSOR_MODE, LONGLONG, MDL, PVOID, SIZE_T, UCHAR, ULONG, ULONG_PTR, USHORT,
};

/// The driver's: a request of a queue, of any kind. ≤ DISPATCH_LEVEL.
pub type PFN_WDF_IO_QUEUE_IO_DEFAULT = unsafe extern "efiapi" fn(Queue: WDFQUEUE, Request: WDFREQUEST);
/// The driver's: a read or a write, of so many bytes. ≤ DISPATCH_LEVEL.
pub type PFN_WDF_IO_QUEUE_IO_TRANSFER =
    unsafe extern "efiapi" fn(Queue: WDFQUEUE, Request: WDFREQUEST, Length: SIZE_T);
/// The driver's: a device control, with the lengths of its buffers. ≤ DISPATCH_LEVEL.
pub type PFN_WDF_IO_QUEUE_IO_DEVICE_CONTROL = unsafe extern "efiapi" fn(
    Queue: WDFQUEUE,
    Request: WDFREQUEST,
    OutputBufferLength: SIZE_T,
    InputBufferLength: SIZE_T,
    IoControlCode: ULONG,
);
/// The driver's: the queue stops, and the driver has this request. ≤ DISPATCH_LEVEL.
pub type PFN_WDF_IO_QUEUE_IO_STOP =
    unsafe extern "efiapi" fn(Queue: WDFQUEUE, Request: WDFREQUEST, ActionFlags: ULONG);
/// The driver's: a request was cancelled in the queue; it completes it. ≤ DISPATCH_LEVEL.
pub type PFN_WDF_IO_QUEUE_IO_CANCELED = unsafe extern "efiapi" fn(Queue: WDFQUEUE, Request: WDFREQUEST);
/// The driver's: the state of a queue is reached. ≤ DISPATCH_LEVEL.
pub type PFN_WDF_IO_QUEUE_STATE = unsafe extern "efiapi" fn(Queue: WDFQUEUE, Context: PVOID);
/// The driver's: a request that it has is cancelled. ≤ DISPATCH_LEVEL.
pub type PFN_WDF_REQUEST_CANCEL = unsafe extern "efiapi" fn(Request: WDFREQUEST);

/// A status of the framework: the queue or device is busy.
pub const STATUS_WDF_BUSY: NTSTATUS = 0xC020_0204_u32.cast_signed();
/// A status of the framework: the queue does not hand over requests.
pub const STATUS_WDF_PAUSED: NTSTATUS = 0xC020_0203_u32.cast_signed();
/// A status of the framework: a callback is missing.
pub const STATUS_WDF_NO_CALLBACK: NTSTATUS = 0xC020_020B_u32.cast_signed();

open_enum! {
    /// The order in which a queue hands over its requests.
    enum WDF_IO_QUEUE_DISPATCH_TYPE: i32 {
        /// None.
        WdfIoQueueDispatchInvalid = 0,
        /// One at a time.
        WdfIoQueueDispatchSequential = 1,
        /// As they come.
        WdfIoQueueDispatchParallel = 2,
        /// When the driver asks.
        WdfIoQueueDispatchManual = 3,
    }
}

constants! { i32:
    /// A request's kind: open. The kinds are the major functions.
    WdfRequestTypeCreate = 0x0;
    /// A request's kind: read.
    WdfRequestTypeRead = 0x3;
    /// A request's kind: write.
    WdfRequestTypeWrite = 0x4;
    /// A request's kind: device control.
    WdfRequestTypeDeviceControl = 0xE;
    /// A request's kind: device control, from another driver.
    WdfRequestTypeDeviceControlInternal = 0xF;
}

constants! { ULONG:
    /// The queue stops, to go on later.
    WdfRequestStopActionSuspend = 1;
    /// The device goes, and all of its requests have to be completed.
    WdfRequestStopActionPurge = 2;
    /// The driver has marked the request cancelable.
    WdfRequestStopRequestCancelable = 0x1000_0000;
    /// A queue's state: requests are taken.
    WdfIoQueueAcceptRequests = 1;
    /// A queue's state: requests are handed to the driver.
    WdfIoQueueDispatchRequests = 2;
    /// A queue's state: none is in it.
    WdfIoQueueNoRequests = 4;
    /// A queue's state: the driver has none of it.
    WdfIoQueueDriverNoRequests = 8;
    /// A queue's state: it is stopped with its device.
    WdfIoQueuePnpHeld = 16;
}

layout! {
    /// The properties of a queue (1.15 and later; without the last member before).
    struct WDF_IO_QUEUE_CONFIG: 0x60 {
        /// Size of this structure, in bytes.
        0x00 => Size: ULONG,
        /// The order of its requests.
        0x04 => DispatchType: WDF_IO_QUEUE_DISPATCH_TYPE,
        /// Says that it stops with its device.
        0x08 => PowerManaged: WDF_TRI_STATE,
        /// True if reads and writes of no bytes come to the driver.
        0x0C => AllowZeroLengthRequests: BOOLEAN,
        /// True for the queue of what has no other.
        0x0D => DefaultQueue: BOOLEAN,
        /// Any request without a callback of its own.
        0x10 => EvtIoDefault: Option<PFN_WDF_IO_QUEUE_IO_DEFAULT>,
        /// A read.
        0x18 => EvtIoRead: Option<PFN_WDF_IO_QUEUE_IO_TRANSFER>,
        /// A write.
        0x20 => EvtIoWrite: Option<PFN_WDF_IO_QUEUE_IO_TRANSFER>,
        /// A device control.
        0x28 => EvtIoDeviceControl: Option<PFN_WDF_IO_QUEUE_IO_DEVICE_CONTROL>,
        /// A device control, from another driver.
        0x30 => EvtIoInternalDeviceControl: Option<PFN_WDF_IO_QUEUE_IO_DEVICE_CONTROL>,
        /// The queue stops.
        0x38 => EvtIoStop: Option<PFN_WDF_IO_QUEUE_IO_STOP>,
        /// It goes on.
        0x40 => EvtIoResume: Option<PFN_WDF_IO_QUEUE_IO_DEFAULT>,
        /// A request was cancelled in it.
        0x48 => EvtIoCanceledOnQueue: Option<PFN_WDF_IO_QUEUE_IO_CANCELED>,
        /// Most requests that the driver has at a time, of a parallel queue.
        0x50 => NumberOfPresentedRequests: ULONG,
        /// Reserved.
        0x58 => Driver: WDFDRIVER,
    }

    /// The parameters of a request.
    struct WDF_REQUEST_PARAMETERS: 0x28 {
        /// Size of this structure, in bytes.
        0x00 => Size: USHORT,
        /// The minor function.
        0x02 => MinorFunction: UCHAR,
        /// Its kind.
        0x04 => Type: i32,
        /// The parameters of that kind.
        0x08 => Parameters: WDF_REQUEST_PARAMETERS_UNION,
    }

    /// `WDF_REQUEST_PARAMETERS::Parameters`, an unnamed union in C; only some of its members.
    union WDF_REQUEST_PARAMETERS_UNION: 0x20 {
        /// Of a read or a write.
        0x0 => Transfer: WDF_REQUEST_TRANSFER,
        /// Of a device control.
        0x0 => DeviceIoControl: WDF_REQUEST_CONTROL,
        /// Of everything else.
        0x0 => Others: [PVOID; 4],
    }

    /// Parameters of a read or a write.
    struct WDF_REQUEST_TRANSFER: 0x18 {
        /// Bytes to move.
        0x00 => Length: SIZE_T,
        /// The key of a locked range.
        0x08 => Key: ULONG,
        /// Offset in the file.
        0x10 => DeviceOffset: LONGLONG,
    }

    /// Parameters of a device control.
    struct WDF_REQUEST_CONTROL: 0x20 {
        /// Length of the output buffer, in bytes.
        0x00 => OutputBufferLength: SIZE_T,
        /// Length of the input buffer, in bytes.
        0x08 => InputBufferLength: SIZE_T,
        /// The control code.
        0x10 => IoControlCode: ULONG,
        /// The input buffer's user-mode address, for `METHOD_NEITHER`.
        0x18 => Type3InputBuffer: PVOID,
    }
}

table_functions! {
    /// Makes a queue. ≤ DISPATCH_LEVEL.
    152 => fn WdfIoQueueCreate(
        Device: WDFDEVICE,
        Config: *mut WDF_IO_QUEUE_CONFIG,
        QueueAttributes: *mut WDF_OBJECT_ATTRIBUTES,
        Queue: *mut WDFQUEUE,
    ) -> NTSTATUS;
    /// Its state, and the numbers of requests that it and the driver have. ≤ DISPATCH_LEVEL.
    153 => fn WdfIoQueueGetState(
        Queue: WDFQUEUE,
        QueueRequests: *mut ULONG,
        DriverRequests: *mut ULONG,
    ) -> ULONG;
    /// Takes requests, and hands them over. ≤ DISPATCH_LEVEL.
    154 => fn WdfIoQueueStart(Queue: WDFQUEUE);
    /// Hands over none any more. ≤ DISPATCH_LEVEL.
    155 => fn WdfIoQueueStop(Queue: WDFQUEUE, StopComplete: Option<PFN_WDF_IO_QUEUE_STATE>, Context: PVOID);
    /// The same, and waits until the driver has none. PASSIVE_LEVEL.
    156 => fn WdfIoQueueStopSynchronously(Queue: WDFQUEUE);
    /// Its device. ≤ DISPATCH_LEVEL.
    157 => fn WdfIoQueueGetDevice(Queue: WDFQUEUE) -> WDFDEVICE;
    /// Takes the next request. ≤ DISPATCH_LEVEL.
    158 => fn WdfIoQueueRetrieveNextRequest(Queue: WDFQUEUE, OutRequest: *mut WDFREQUEST) -> NTSTATUS;
    /// Takes the next request of a file. ≤ DISPATCH_LEVEL.
    159 => fn WdfIoQueueRetrieveRequestByFileObject(
        Queue: WDFQUEUE,
        FileObject: WDFFILEOBJECT,
        OutRequest: *mut WDFREQUEST,
    ) -> NTSTATUS;
    /// Takes none any more, hands over the rest and waits for it. PASSIVE_LEVEL.
    162 => fn WdfIoQueueDrainSynchronously(Queue: WDFQUEUE);
    /// Takes none any more, and hands over the rest. ≤ DISPATCH_LEVEL.
    163 => fn WdfIoQueueDrain(Queue: WDFQUEUE, DrainComplete: Option<PFN_WDF_IO_QUEUE_STATE>, Context: PVOID);
    /// Takes none any more, cancels all and waits for it. PASSIVE_LEVEL.
    164 => fn WdfIoQueuePurgeSynchronously(Queue: WDFQUEUE);
    /// Takes none any more, and cancels all. ≤ DISPATCH_LEVEL.
    165 => fn WdfIoQueuePurge(Queue: WDFQUEUE, PurgeComplete: Option<PFN_WDF_IO_QUEUE_STATE>, Context: PVOID);
    /// Tells when a manual queue is no more empty. ≤ DISPATCH_LEVEL.
    166 => fn WdfIoQueueReadyNotify(
        Queue: WDFQUEUE,
        QueueReady: Option<PFN_WDF_IO_QUEUE_STATE>,
        Context: PVOID,
    ) -> NTSTATUS;
    /// Its status. ≤ DISPATCH_LEVEL.
    254 => fn WdfRequestGetStatus(Request: WDFREQUEST) -> NTSTATUS;
    /// Lets it be cancelled. ≤ DISPATCH_LEVEL.
    255 => fn WdfRequestMarkCancelable(
        Request: WDFREQUEST,
        EvtRequestCancel: Option<PFN_WDF_REQUEST_CANCEL>,
    );
    /// Takes that back; STATUS_CANCELLED if it is too late. ≤ DISPATCH_LEVEL.
    256 => fn WdfRequestUnmarkCancelable(Request: WDFREQUEST) -> NTSTATUS;
    /// Returns whether it was cancelled. ≤ DISPATCH_LEVEL.
    257 => fn WdfRequestIsCanceled(Request: WDFREQUEST) -> BOOLEAN;
    /// Returns whether its sender is a process of 32 bits. ≤ APC_LEVEL.
    259 => fn WdfRequestIsFrom32BitProcess(Request: WDFREQUEST) -> BOOLEAN;
    /// Completes it. ≤ DISPATCH_LEVEL.
    263 => fn WdfRequestComplete(Request: WDFREQUEST, Status: NTSTATUS);
    /// Completes it with a boost. ≤ DISPATCH_LEVEL.
    264 => fn WdfRequestCompleteWithPriorityBoost(
        Request: WDFREQUEST,
        Status: NTSTATUS,
        PriorityBoost: CCHAR,
    );
    /// Completes it with its information. ≤ DISPATCH_LEVEL.
    265 => fn WdfRequestCompleteWithInformation(
        Request: WDFREQUEST,
        Status: NTSTATUS,
        Information: ULONG_PTR,
    );
    /// Its parameters. ≤ DISPATCH_LEVEL.
    266 => fn WdfRequestGetParameters(Request: WDFREQUEST, Parameters: *mut WDF_REQUEST_PARAMETERS);
    /// Its input as an object. ≤ DISPATCH_LEVEL.
    267 => fn WdfRequestRetrieveInputMemory(Request: WDFREQUEST, Memory: *mut WDFMEMORY) -> NTSTATUS;
    /// Its output as an object. ≤ DISPATCH_LEVEL.
    268 => fn WdfRequestRetrieveOutputMemory(Request: WDFREQUEST, Memory: *mut WDFMEMORY) -> NTSTATUS;
    /// Its input. ≤ DISPATCH_LEVEL.
    269 => fn WdfRequestRetrieveInputBuffer(
        Request: WDFREQUEST,
        MinimumRequiredLength: SIZE_T,
        Buffer: *mut PVOID,
        Length: *mut SIZE_T,
    ) -> NTSTATUS;
    /// Its output. ≤ DISPATCH_LEVEL.
    270 => fn WdfRequestRetrieveOutputBuffer(
        Request: WDFREQUEST,
        MinimumRequiredSize: SIZE_T,
        Buffer: *mut PVOID,
        Length: *mut SIZE_T,
    ) -> NTSTATUS;
    /// The list of its input. ≤ DISPATCH_LEVEL.
    271 => fn WdfRequestRetrieveInputWdmMdl(Request: WDFREQUEST, Mdl: *mut *mut MDL) -> NTSTATUS;
    /// The list of its output. ≤ DISPATCH_LEVEL.
    272 => fn WdfRequestRetrieveOutputWdmMdl(Request: WDFREQUEST, Mdl: *mut *mut MDL) -> NTSTATUS;
    /// The user's address of its input, of `METHOD_NEITHER`. PASSIVE_LEVEL.
    273 => fn WdfRequestRetrieveUnsafeUserInputBuffer(
        Request: WDFREQUEST,
        MinimumRequiredLength: SIZE_T,
        InputBuffer: *mut PVOID,
        Length: *mut SIZE_T,
    ) -> NTSTATUS;
    /// The user's address of its output, of `METHOD_NEITHER`. PASSIVE_LEVEL.
    274 => fn WdfRequestRetrieveUnsafeUserOutputBuffer(
        Request: WDFREQUEST,
        MinimumRequiredLength: SIZE_T,
        OutputBuffer: *mut PVOID,
        Length: *mut SIZE_T,
    ) -> NTSTATUS;
    /// Sets its information. ≤ DISPATCH_LEVEL.
    275 => fn WdfRequestSetInformation(Request: WDFREQUEST, Information: ULONG_PTR);
    /// Its information. ≤ DISPATCH_LEVEL.
    276 => fn WdfRequestGetInformation(Request: WDFREQUEST) -> ULONG_PTR;
    /// Its file. ≤ DISPATCH_LEVEL.
    277 => fn WdfRequestGetFileObject(Request: WDFREQUEST) -> WDFFILEOBJECT;
    /// The mode of its sender. ≤ DISPATCH_LEVEL.
    280 => fn WdfRequestGetRequestorMode(Request: WDFREQUEST) -> KPROCESSOR_MODE;
    /// Puts it into another queue of its device. ≤ DISPATCH_LEVEL.
    281 => fn WdfRequestForwardToIoQueue(Request: WDFREQUEST, DestinationQueue: WDFQUEUE) -> NTSTATUS;
    /// The queue that it came from. ≤ DISPATCH_LEVEL.
    282 => fn WdfRequestGetIoQueue(Request: WDFREQUEST) -> WDFQUEUE;
    /// Puts it back to the head of its manual queue. ≤ DISPATCH_LEVEL.
    283 => fn WdfRequestRequeue(Request: WDFREQUEST) -> NTSTATUS;
    /// Answers EvtIoStop. ≤ DISPATCH_LEVEL.
    284 => fn WdfRequestStopAcknowledge(Request: WDFREQUEST, Requeue: BOOLEAN);
    /// The kernel's request. ≤ DISPATCH_LEVEL.
    285 => fn WdfRequestWdmGetIrp(Request: WDFREQUEST) -> *mut IRP;
    /// Lets it be cancelled; STATUS_CANCELLED if it was already. ≤ DISPATCH_LEVEL.
    393 => fn WdfRequestMarkCancelableEx(
        Request: WDFREQUEST,
        EvtRequestCancel: Option<PFN_WDF_REQUEST_CANCEL>,
    ) -> NTSTATUS;
}
